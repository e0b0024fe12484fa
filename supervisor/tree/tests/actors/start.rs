//! The start: in order, ready when everything is, and signs of life ever after.

use std::collections::BTreeSet;

use roles::launch::Notice;
use schema::edge::control::FromRole;

use crate::role::Conduct;
use crate::run;
use crate::world::{ALL, BRAIN, Did, EXECUTOR, GATE, MODEL, World};

#[test]
fn the_gate_is_asked_for_first_the_model_last_and_each_once() {
    run(async {
        let mut world = World::new("");
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(100).await;
        let starts = world.starts();
        assert_eq!(starts.first(), Some(&GATE));
        assert_eq!(starts.last(), Some(&MODEL));
        assert_eq!(starts.len(), ALL.len(), "{starts:?}");
        assert_eq!(starts.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(ALL));
        assert_eq!(world.did.last(), Some(&Did::Notify(Notice::Ready)), "and nothing else: {:?}", world.did);
        assert!(world.log.text().contains("ready after"));
    });
}

#[test]
fn nothing_is_ready_before_the_last_is() {
    for last in ALL {
        run(async {
            let mut world = World::without_supervisor("");
            world.conduct.insert(last, Conduct::Slow);
            world.start_supervisor();
            world.until(|world| world.roles.len() == ALL.len()).await;
            world.quiet(5_000).await;
            assert!(!world.has_notified(Notice::Ready), "{last:?}");
            world.says(last, &FromRole::Ready);
            world.until(|world| world.has_notified(Notice::Ready)).await;
        });
    }
}

#[test]
fn ready_is_said_once_whatever_ends_later() {
    run(async {
        let mut world = World::ready("").await;
        for _ in 0..3 {
            world.ends(EXECUTOR, -1, 9).await;
            world.quiet(1_000).await;
        }
        assert_eq!(world.starts(), [EXECUTOR; 3]);
        assert!(!world.has_notified(Notice::Ready));
    });
}

#[test]
fn links_spares_and_warm_ones_are_those_of_the_configuration() {
    run(async {
        use crate::world::{CONNECTOR, HOUSE, MEMORY, place};
        use roles::Role::{Brain, Connector};
        let world = World::ready("spares = 3\nlinks = [4, 9]\n[warm]\nexecutor = []\nmodel = []").await;
        let running: BTreeSet<_> = world.roles.keys().copied().collect();
        let expected = [GATE, HOUSE, MEMORY, BRAIN, place(Brain, 1), place(Brain, 2), place(Connector, 4)];
        assert_eq!(running, expected.into_iter().chain([place(Connector, 9)]).collect());
        assert!(!running.contains(&CONNECTOR));
    });
}

#[test]
fn the_watchdog_hears_a_sign_of_life_at_its_interval_and_every_role_is_asked_for_its_pulse() {
    run(async {
        let mut world = World::ready("heartbeat_ms = 1000\nhung_ms = 3000").await;
        let (signs, pings) = (world.signs_of_life, world.pings);
        world.quiet(60_000).await;
        let signs = world.signs_of_life - signs;
        assert!((11..=13).contains(&signs), "{signs} in a minute");
        let pings = world.pings - pings;
        assert!((59 * 7..=61 * 7).contains(&pings), "{pings} in a minute");
        assert!(world.did.is_empty(), "and nothing else: {:?}", world.did);
    });
}
