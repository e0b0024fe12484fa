//! Which token comes next: pure, and the same for the same seed.

use std::collections::VecDeque;

/// A token that may come next, and how likely it is: an unnormalised logarithm.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// The token.
    pub token: i32,
    /// Its logit.
    pub logit: f32,
}

/// How to choose.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Choice {
    /// 0 takes the likeliest; above, how much less likely ones are given a chance.
    pub temperature: f32,
    /// Of those, only the likeliest that make up this share together.
    pub share: f32,
    /// Divides the likelihood of what was just written; 1 does nothing.
    pub repeat_penalty: f32,
    /// How many of the last tokens that concerns.
    pub repeat_window: usize,
    /// Where chance begins.
    pub seed: u64,
}

impl Choice {
    /// For words: as the makers of small chat models advise, with a penalty that keeps them from going in circles.
    pub const WORDS: Choice =
        Choice { temperature: 0.2, share: 0.9, repeat_penalty: 1.1, repeat_window: 64, seed: 0x0c4e_1a00 };
    /// For calls: the likeliest. No penalty, since a call repeats what it quotes.
    pub const CALL: Choice =
        Choice { temperature: 0.0, share: 1.0, repeat_penalty: 1.0, repeat_window: 0, seed: 0x0c4e_1a00 };
}

/// Candidates less likely than the best by this factor's logarithm (at the temperature) are not considered.
const NEGLIGIBLE_LOG: f32 = 9.2;

/// Chooses tokens one after the other.
#[derive(Debug)]
pub struct Chooser {
    choice: Choice,
    recent: VecDeque<i32>,
    chance: u64,
}

impl Chooser {
    /// One that has written nothing yet.
    pub fn new(choice: Choice) -> Chooser {
        Chooser { choice, recent: VecDeque::with_capacity(choice.repeat_window), chance: choice.seed }
    }

    /// Chooses differently from now on, knowing what it wrote.
    pub fn change(&mut self, choice: Choice) {
        self.choice = choice;
    }

    /// Makes what was written lately less likely. `candidates` are the whole vocabulary, in its order.
    pub fn penalise(&self, candidates: &mut [Candidate]) {
        if self.choice.repeat_penalty == 1.0 {
            return;
        }
        let recent = self.recent.iter().rev().take(self.choice.repeat_window);
        let mut seen: Vec<i32> = recent.copied().collect();
        seen.sort_unstable();
        seen.dedup();
        for token in seen {
            let Some(candidate) = usize::try_from(token).ok().and_then(|i| candidates.get_mut(i)) else { continue };
            let logit = candidate.logit;
            let penalty = self.choice.repeat_penalty;
            candidate.logit = if logit > 0.0 { logit / penalty } else { logit * penalty };
        }
    }

    /// One of the candidates, or `None` when none is possible.
    pub fn pick(&mut self, candidates: &[Candidate]) -> Option<i32> {
        let best =
            candidates.iter().filter(|c| c.logit > f32::NEG_INFINITY).max_by(|a, b| a.logit.total_cmp(&b.logit))?;
        if self.choice.temperature <= 0.0 {
            return Some(best.token);
        }
        let temperature = self.choice.temperature;
        let weight = |c: &Candidate| ((c.logit - best.logit) / temperature).exp();
        let floor = best.logit - NEGLIGIBLE_LOG * temperature;
        let mut likely: Vec<(i32, f32)> =
            candidates.iter().filter(|c| c.logit >= floor).map(|c| (c.token, weight(c))).collect();
        likely.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let total: f32 = likely.iter().map(|(_, w)| w).sum();
        let mut within = 0.0;
        let kept = likely.iter().take_while(|(_, w)| {
            let before = within;
            within += w;
            before < self.choice.share * total
        });
        let kept: Vec<(i32, f32)> = kept.copied().collect();
        let kept_total: f32 = kept.iter().map(|(_, w)| w).sum();
        let mut point = self.draw() * kept_total;
        let drawn = kept.iter().find(|(_, w)| {
            point -= w;
            point < 0.0
        });
        Some(drawn.or(kept.first()).map_or(best.token, |(token, _)| *token))
    }

    /// Remembers what was written.
    pub fn wrote(&mut self, token: i32) {
        if self.recent.len() >= Choice::WORDS.repeat_window {
            self.recent.pop_front();
        }
        self.recent.push_back(token);
    }

    /// Between 0 and 1, one excluded: the SplitMix64 sequence of the seed.
    fn draw(&mut self) -> f32 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u64 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(logits: &[f32]) -> Vec<Candidate> {
        logits.iter().zip(0..).map(|(&logit, token)| Candidate { token, logit }).collect()
    }

    const WARM: Choice = Choice { temperature: 1.0, share: 1.0, repeat_penalty: 1.0, repeat_window: 0, seed: 7 };

    #[test]
    fn without_temperature_the_likeliest_is_taken() {
        let mut chooser = Chooser::new(Choice::CALL);
        assert_eq!(chooser.pick(&candidates(&[0.1, 3.0, 2.9])), Some(1));
    }

    #[test]
    fn what_is_struck_out_is_never_chosen() {
        let struck = candidates(&[f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY]);
        let mut chooser = Chooser::new(WARM);
        assert!((0..100).all(|_| chooser.pick(&struck) == Some(1)));
        assert_eq!(chooser.pick(&candidates(&[f32::NEG_INFINITY])), None);
    }

    #[test]
    fn the_same_seed_chooses_the_same_and_another_does_not() {
        let even = candidates(&[0.0; 16]);
        let run = |seed| {
            let mut chooser = Chooser::new(Choice { seed, ..WARM });
            (0..32).map(|_| chooser.pick(&even)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn chance_follows_the_likelihoods() {
        let mut chooser = Chooser::new(WARM);
        let two = candidates(&[3f32.ln(), 0.0]);
        let first = (0..4000).filter(|_| chooser.pick(&two) == Some(0)).count();
        assert!((2800..3200).contains(&first), "three in four expected, got {first} of 4000");
    }

    #[test]
    fn the_share_cuts_off_the_unlikely() {
        let mut chooser = Chooser::new(Choice { share: 0.7, ..WARM });
        let two = candidates(&[3f32.ln(), 0.0]);
        assert!((0..200).all(|_| chooser.pick(&two) == Some(0)));
    }

    #[test]
    fn what_was_just_written_becomes_less_likely() {
        let mut chooser = Chooser::new(Choice { repeat_penalty: 2.0, ..Choice::WORDS });
        chooser.wrote(0);
        chooser.wrote(1);
        let mut row = candidates(&[4.0, -1.0, 3.0]);
        chooser.penalise(&mut row);
        assert_eq!(row.iter().map(|c| c.logit).collect::<Vec<_>>(), [2.0, -2.0, 3.0]);
    }
}
