//! Whole characters out of tokens, which may end in the middle of one.

/// Collects bytes and gives out text as soon as its characters are whole.
#[derive(Default, Debug)]
pub struct Assembler {
    pending: Vec<u8>,
}

impl Assembler {
    /// Takes the bytes of one token; returns the text that is whole by now. Bytes that can't become a character are
    /// replaced by U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut done = 0;
        while let Some(rest) = self.pending.get(done..) {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    done = self.pending.len();
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    done += valid.len();
                    match error.error_len() {
                        Some(broken) if broken <= after.len() => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            done += broken;
                        }
                        Some(_) | None => break,
                    }
                }
            }
        }
        self.pending.drain(..done);
        text
    }

    /// What is left at the end: nothing, or U+FFFD for a character that was never finished.
    pub fn finish(&mut self) -> String {
        let left = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(tokens: &[&[u8]]) -> (Vec<String>, String) {
        let mut assembler = Assembler::default();
        let texts = tokens.iter().map(|token| assembler.push(token)).collect();
        (texts, assembler.finish())
    }

    #[test]
    fn a_character_cut_across_three_tokens_comes_out_whole() {
        let crab = "🦀".as_bytes();
        let (texts, left) = assembled(&[&crab[..1], &crab[1..3], &crab[3..], b"!"]);
        assert_eq!(texts, ["", "", "🦀", "!"]);
        assert_eq!(left, "");
    }

    #[test]
    fn text_before_a_cut_character_is_not_held_back() {
        let (texts, left) = assembled(&[b"caf\xc3", b"\xa9 au"]);
        assert_eq!(texts, ["caf", "é au"]);
        assert_eq!(left, "");
    }

    #[test]
    fn bytes_that_are_no_character_are_replaced_and_the_rest_survives() {
        let (texts, left) = assembled(&[b"a\xff\xffb", b"\xe2\x82c"]);
        assert_eq!(texts, ["a\u{fffd}\u{fffd}b", "\u{fffd}c"]);
        assert_eq!(left, "");
    }

    #[test]
    fn a_character_that_never_ends_is_replaced_at_the_end() {
        let (texts, left) = assembled(&[b"ok\xf0\x9f"]);
        assert_eq!(texts, ["ok"]);
        assert_eq!(left, "\u{fffd}");
    }

    #[test]
    fn every_way_to_cut_a_text_gives_the_text() {
        let text = "aé漢🦀z";
        for cut in 1..text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let (texts, left) = assembled(&[first, second]);
            assert_eq!(texts.concat() + &left, text, "cut at {cut}");
        }
    }
}
