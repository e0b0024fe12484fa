//! SIGHUP: the configuration is read again, and nothing stops that it does not name.

use roles::Role;
use roles::launch::{Notice, Report};
use schema::edge::control::{FromRole, ToRole};

use crate::role::Conduct;
use crate::run;
use crate::world::{ALL, BRAIN, CONNECTOR, Did, EXECUTOR, GATE, MODEL, World, place};

const NEW_LINK: schema::edge::control::Place = place(Role::Connector, 2);

/// Tells it to reload this; from then on until everything has come to rest.
async fn reload(world: &mut World, config: &str) {
    world.configure(config);
    world.forget();
    world.report(Report::Reload, None);
    world.until(|world| world.has_notified(Notice::Ready)).await;
    world.quiet(5_000).await;
    assert_eq!(world.did.first(), Some(&Did::Notify(Notice::Reloading)));
}

fn ended(world: &World) -> Vec<&Did> {
    let ends = |did: &&Did| matches!(did, Did::Signal(..) | Did::Tell(_, ToRole::Drain { .. }));
    world.did.iter().filter(ends).collect()
}

#[test]
fn everybody_is_told_and_nothing_is_started_or_stopped() {
    run(async {
        let mut world = World::ready("").await;
        let before = world.running();
        reload(&mut world, "").await;
        assert_eq!(world.running(), before);
        for at in ALL {
            assert_eq!(world.told(at), [ToRole::Reload], "{at:?}");
        }
        assert!(world.starts().is_empty());
    });
}

#[test]
fn links_come_and_go_and_the_rest_stays() {
    run(async {
        let mut world = World::ready("links = [1]").await;
        let mut before = world.running();
        reload(&mut world, "links = [2]").await;
        assert_eq!(world.starts(), [NEW_LINK]);
        assert!(matches!(world.told(CONNECTOR)[0], ToRole::Drain { .. }));
        let mut after = world.running();
        assert!(after.remove(&NEW_LINK).is_some() && before.remove(&CONNECTOR).is_some());
        assert_eq!(after, before);
        reload(&mut world, "links = [2, 1]").await;
        assert_eq!(world.starts(), [CONNECTOR]);
        assert!(ended(&world).is_empty());
    });
}

#[test]
fn a_broken_file_changes_nothing_and_that_is_said() {
    run(async {
        let broken = [
            ("links = [2", "line 1"),
            ("links = [2]\nspares = 0", "`spares`"),
            ("link = [2]", "unknown key `link`"),
            ("heartbeat_ms = 5000\nhung_ms = 1000", "`hung_ms`"),
        ];
        for (config, named) in broken {
            let mut world = World::ready("links = [1]").await;
            let before = world.running();
            reload(&mut world, config).await;
            assert_eq!(world.running(), before, "{config}");
            let log = world.log.text();
            assert!(log.contains("etc/supervisor/tree.toml") && log.contains(named), "{log}");
            assert!(log.contains("the settings stay as they were"), "{log}");
            world.ends(CONNECTOR, 1, 0).await;
            world.until(|world| world.roles.contains_key(&CONNECTOR)).await;
            assert!(!world.roles.contains_key(&NEW_LINK));
        }
    });
}

#[test]
fn more_spares_are_started_and_fewer_are_used_up() {
    run(async {
        let mut world = World::ready("spares = 1").await;
        reload(&mut world, "spares = 3").await;
        assert_eq!(world.starts(), [place(Role::Brain, 1), place(Role::Brain, 2)]);
        reload(&mut world, "spares = 1").await;
        assert!(ended(&world).is_empty());
        world.says(place(Role::Brain, 0), &FromRole::Busy);
        world.says(place(Role::Brain, 1), &FromRole::Busy);
        world.quiet(1_000).await;
        assert!(world.starts().is_empty(), "one is left");
        world.says(place(Role::Brain, 2), &FromRole::Busy);
        world.until(|world| world.starts().len() == 1).await;
    });
}

#[test]
fn what_is_no_longer_kept_warm_goes_when_the_gate_lets_go_of_it() {
    run(async {
        let mut world = World::ready("").await;
        world.says(GATE, &FromRole::Unwant(EXECUTOR));
        world.quiet(1_000).await;
        assert!(ended(&world).is_empty(), "kept warm");
        let other = place(Role::Executor, 3);
        reload(&mut world, "[warm]\nexecutor = [3]").await;
        assert_eq!(world.starts(), [other]);
        assert!(ended(&world).is_empty());
        world.says(GATE, &FromRole::Unwant(EXECUTOR));
        world.until(|world| !world.roles.contains_key(&EXECUTOR)).await;
        world.quiet(60_000).await;
        assert!(!world.roles.contains_key(&EXECUTOR));
    });
}

#[test]
fn new_times_count_for_what_runs_already() {
    run(async {
        let mut world = World::ready("heartbeat_ms = 10000\nhung_ms = 60000").await;
        reload(&mut world, "heartbeat_ms = 500\nhung_ms = 1000").await;
        world.quiet(10_000).await;
        let pings = world.pings;
        world.quiet(10_000).await;
        let pings = world.pings - pings;
        assert!((19 * 7..=21 * 7).contains(&pings), "{pings} in ten seconds");
    });
}

#[test]
fn what_was_given_up_is_tried_again() {
    run(async {
        let mut world = World::without_supervisor("");
        world.conduct.insert(MODEL, Conduct::Missing);
        world.start_supervisor();
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(60_000).await;
        assert!(!world.roles.contains_key(&MODEL));
        reload(&mut world, "").await;
        assert_eq!(world.starts(), [MODEL], "still in vain");
        world.conduct.clear();
        reload(&mut world, "").await;
        assert!(world.roles.contains_key(&MODEL));
    });
}

#[test]
fn a_spare_or_one_that_the_gate_wants_is_tried_again_too() {
    run(async {
        let on_demand = place(Role::Executor, 2);
        let mut world = World::without_supervisor("");
        world.conduct.extend([(BRAIN, Conduct::Missing), (on_demand, Conduct::Missing)]);
        world.start_supervisor();
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.says(GATE, &FromRole::Want(on_demand));
        world.until(|world| world.starts().contains(&on_demand)).await;
        world.quiet(1_000).await;
        world.conduct.clear();
        reload(&mut world, "links = [").await;
        assert_eq!(world.starts().len(), 2, "and only those: {:?}", world.starts());
        assert!(world.roles.contains_key(&BRAIN) && world.roles.contains_key(&on_demand));
    });
}

#[test]
fn without_a_file_everything_has_its_default() {
    run(async {
        let mut world = World::ready("links = []\nspares = 2").await;
        assert!(!world.roles.contains_key(&CONNECTOR));
        world.remove_configuration();
        world.report(Report::Reload, None);
        world.until(|world| world.roles.contains_key(&CONNECTOR)).await;
    });
}
