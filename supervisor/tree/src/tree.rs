//! The root's decisions, pure: what should run, which slot the next spare brain takes, when the tree is ready, what is
//! stopped when, how the tree is described.

use std::collections::{BTreeMap, BTreeSet};

use roles::Role;
use roles::limits::BRAIN_SLOTS;
use schema::edge::control::{InstanceState, Phase, Place};

use crate::life::Summary;
use crate::limits::DESCRIBED_MAX;
use crate::settings::Settings;
use crate::strategies::{HOUSE, STRATEGIES, Strategy, row_of, strategy_of};

/// Every instance, by place.
pub type Instances = BTreeMap<Place, Summary>;

/// What runs always under these settings, in start order; brains, which have no fixed slots, aside.
pub fn always(settings: &Settings) -> Vec<(Role, u32)> {
    let mut places = Vec::new();
    for row in &STRATEGIES {
        let slots: &[u32] = match row.role {
            Role::Gate => &[0],
            Role::Memory => &settings.warm_memories,
            Role::Executor => &settings.warm_executors,
            Role::Connector => &settings.links,
            Role::Model => &settings.warm_models,
            Role::Brain | Role::Launcher | Role::Supervisor => &[],
        };
        if row.role == Role::Memory {
            places.push((Role::Memory, HOUSE));
        }
        places.extend(slots.iter().map(|slot| (row.role, *slot)));
    }
    places
}

/// What an instance that runs already is to become: `None` when nothing says that it should run.
pub fn keeps(settings: &Settings, role: Role, slot: u32) -> bool {
    match strategy_of(role, slot) {
        None => false,
        Some(Strategy::Pool | Strategy::OnDemand) => true,
        Some(Strategy::Permanent) => always(settings).contains(&(role, slot)),
    }
}

/// The slots of the next spare brains. `last_started` orders the free slots: the one that was used longest ago first,
/// so that quick turns do not wear out one slot's allowance of starts.
pub fn next_spares(spares: u32, instances: &Instances, last_started: &BTreeMap<u32, u64>) -> Vec<u32> {
    let brains = |instance: &&Summary| instance.place.role() == Some(Role::Brain);
    let idle = instances.values().filter(brains).filter(|brain| brain.spare).count();
    let missing = (spares as usize).saturating_sub(idle);
    let taken = |slot: &u32| {
        let instance = instances.get(&Place::new(Role::Brain, *slot));
        instance.is_some_and(|brain| brain.spare || brain.outstanding)
    };
    let mut free: Vec<u32> = (0..BRAIN_SLOTS).filter(|slot| !taken(slot)).collect();
    free.sort_by_key(|slot| last_started.get(slot).copied().unwrap_or(0));
    free.truncate(missing);
    free
}

/// Whether everything that runs always is ready, as far as it can be: what was given up is not waited for.
pub fn is_settled(settings: &Settings, instances: &Instances) -> bool {
    let settled = |summary: &Summary| matches!(summary.phase, Phase::Ready | Phase::GivenUp);
    let all =
        always(settings).into_iter().all(|(role, slot)| instances.get(&Place::new(role, slot)).is_some_and(settled));
    let brains = instances.values().filter(|i| i.place.role() == Some(Role::Brain) && i.spare && settled(i));
    all && brains.count() >= settings.spares as usize
}

/// What belongs to a wave of the stop.
pub fn wave(instances: &Instances, number: u8) -> BTreeSet<Place> {
    let of_wave = |place: &&Place| place.role().and_then(row_of).is_some_and(|row| row.stop_wave == number);
    instances.keys().filter(of_wave).copied().collect()
}

/// Whether nothing of a wave runs or is about to.
pub fn is_over(instances: &Instances, number: u8) -> bool {
    let places = wave(instances, number);
    instances.values().all(|instance| !places.contains(&instance.place) || !instance.outstanding)
}

/// Every instance that runs or should run, those that run first, and those that ran; no more than one packet holds.
pub fn describe(instances: &Instances, now_ms: u64) -> Vec<InstanceState> {
    let shown =
        |instance: &&Summary| instance.place.role() != Some(Role::Brain) || instance.outstanding || instance.spare;
    let mut all: Vec<&Summary> = instances.values().filter(shown).collect();
    all.sort_by_key(|instance| (!instance.outstanding, !instance.wanted, instance.place));
    all.truncate(DESCRIBED_MAX);
    all.sort_by_key(|instance| instance.place);
    all.into_iter()
        .map(|instance| InstanceState {
            place: instance.place,
            number: instance.number,
            pid: instance.pid,
            phase: instance.phase,
            restarts: instance.restarts,
            uptime_ms: if instance.number == 0 { 0 } else { now_ms.saturating_sub(instance.since_ms) },
            last_exit: instance.last_exit.clone(),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn summary(role: Role, slot: u32, phase: Phase) -> Summary {
        let running = matches!(phase, Phase::Starting | Phase::Ready | Phase::Stopping);
        Summary {
            place: Place::new(role, slot),
            phase,
            number: u64::from(running),
            pid: 0,
            wanted: phase != Phase::Stopped,
            outstanding: running,
            spare: role == Role::Brain && phase != Phase::Stopped,
            since_ms: 0,
            restarts: 0,
            last_exit: String::new(),
            given_up: None,
        }
    }

    fn instances(all: &[(Role, u32, Phase)]) -> Instances {
        all.iter().map(|(role, slot, phase)| (Place::new(*role, *slot), summary(*role, *slot, *phase))).collect()
    }

    fn ready() -> Instances {
        let mut all: Vec<_> = always(&Settings::default()).into_iter().map(|(r, s)| (r, s, Phase::Ready)).collect();
        all.push((Role::Brain, 0, Phase::Ready));
        instances(&all)
    }

    #[test]
    fn the_gate_is_asked_for_first_and_the_model_last() {
        let always = always(&Settings::default());
        assert_eq!(always.first(), Some(&(Role::Gate, 0)));
        assert_eq!(always.last(), Some(&(Role::Model, 1)));
        assert_eq!(always.len(), 6);
    }

    #[test]
    fn settled_is_all_ready_or_given_up() {
        let settings = Settings::default();
        let mut instances = ready();
        assert!(is_settled(&settings, &instances));
        let model = Place::new(Role::Model, 1);
        instances.insert(model, summary(Role::Model, 1, Phase::BackingOff));
        assert!(!is_settled(&settings, &instances));
        instances.insert(model, summary(Role::Model, 1, Phase::GivenUp));
        assert!(is_settled(&settings, &instances), "a model that can't start does not hold up the rest");
        instances.remove(&Place::new(Role::Brain, 0));
        assert!(!is_settled(&settings, &instances), "no spare brain");
    }

    #[test]
    fn a_busy_brain_is_replaced_and_a_failing_spare_is_not_doubled() {
        let mut instances = ready();
        assert!(next_spares(1, &instances, &BTreeMap::new()).is_empty());
        instances.get_mut(&Place::new(Role::Brain, 0)).unwrap().spare = false;
        assert_eq!(next_spares(1, &instances, &BTreeMap::new()), [1]);
        instances.insert(Place::new(Role::Brain, 1), summary(Role::Brain, 1, Phase::BackingOff));
        assert!(next_spares(1, &instances, &BTreeMap::new()).is_empty());
        instances.insert(Place::new(Role::Brain, 1), summary(Role::Brain, 1, Phase::GivenUp));
        assert!(next_spares(1, &instances, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn the_slot_used_longest_ago_is_next() {
        let used: BTreeMap<u32, u64> = (0..BRAIN_SLOTS).map(|slot| (slot, 100 - u64::from(slot))).collect();
        assert_eq!(next_spares(1, &Instances::new(), &used), [BRAIN_SLOTS - 1]);
    }

    #[test]
    fn waves_end_when_nothing_of_them_is_outstanding() {
        let mut instances = ready();
        assert!(!is_over(&instances, 0) && !is_over(&instances, 1) && !is_over(&instances, 2));
        instances.insert(Place::new(Role::Gate, 0), summary(Role::Gate, 0, Phase::Stopped));
        assert!(is_over(&instances, 0));
        assert!(!wave(&instances, 1).contains(&Place::new(Role::Memory, 1)), "memory outlives what writes to it");
        assert!(wave(&instances, 2).contains(&Place::new(Role::Memory, HOUSE)));
    }

    #[test]
    fn a_description_fits_a_packet() {
        let mut instances = Instances::new();
        for slot in 1..=1000 {
            let mut one = summary(Role::Executor, slot, Phase::Ready);
            one.last_exit = "x".repeat(crate::limits::LAST_EXIT_BYTES);
            (one.number, one.pid, one.since_ms) = (u64::MAX, u32::MAX, 0);
            one.restarts = u32::MAX;
            instances.insert(one.place, one);
        }
        let described = describe(&instances, u64::MAX);
        let probe = schema::edge::ProbeResult::Denied { errno: 13 };
        let told = schema::edge::control::ToRole::TreeDescribed { request: u64::MAX, instances: described, probe };
        let bytes = schema::codec::encode(&told, schema::limits::CONTROL_PACKET_BYTES).unwrap();
        assert!(bytes.len() > 20_000, "{}", bytes.len());
    }

    #[test]
    fn an_instance_of_a_link_that_is_no_longer_configured_is_not_kept() {
        let settings = Settings { links: vec![2], ..Settings::default() };
        assert!(!keeps(&settings, Role::Connector, 1));
        assert!(keeps(&settings, Role::Connector, 2));
        assert!(keeps(&settings, Role::Executor, 9));
        assert!(!keeps(&settings, Role::Gate, 1));
    }

    proptest! {
        #[test]
        fn spares_never_take_a_slot_in_use(busy in proptest::collection::vec(0u32..BRAIN_SLOTS, 0..20), spares in 1u32..8) {
            let mut instances = Instances::new();
            for slot in busy {
                let mut brain = summary(Role::Brain, slot, Phase::Ready);
                brain.spare = false;
                instances.insert(brain.place, brain);
            }
            let next = next_spares(spares, &instances, &BTreeMap::new());
            let free = BRAIN_SLOTS as usize - instances.len();
            prop_assert_eq!(next.len(), free.min(spares as usize));
            for slot in next {
                prop_assert!(!instances.contains_key(&Place::new(Role::Brain, slot)));
            }
        }
    }
}
