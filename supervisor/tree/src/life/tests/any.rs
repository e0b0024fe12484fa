//! Any sequence of events that a launcher and a role could bring about: what always holds.

use proptest::prelude::*;
use proptest::strategy::Strategy;
use roles::launch::Refusal;

use super::world::{Turn, Who, World};
use super::*;

fn refusal() -> impl Strategy<Value = (Refusal, i32)> {
    let reasons = [
        Refusal::NoSuchSlot,
        Refusal::Running,
        Refusal::AccountBusy,
        Refusal::TooOften,
        Refusal::TooMany,
        Refusal::Failed,
        Refusal::FileMissing,
    ];
    (proptest::sample::select(reasons.to_vec()), 0..40)
}

fn said() -> impl Strategy<Value = FromRole> {
    let place = Place::new(Role::Executor, 3);
    prop_oneof![
        4 => Just(FromRole::Ready),
        2 => Just(FromRole::Busy),
        2 => Just(FromRole::Idle),
        1 => Just(FromRole::Want(place)),
        1 => Just(FromRole::DescribeTree { request: 1 }),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![8 => Just(Who::Running), 1 => Just(Who::Before), 1 => Just(Who::Never)]
}

fn timer() -> impl Strategy<Value = Timer> {
    proptest::sample::select(vec![Timer::Start, Timer::Heartbeat, Timer::Stop, Timer::Ready])
}

fn exit() -> impl Strategy<Value = Turn> {
    let how = prop_oneof![Just((0, 0)), Just((1, 0)), Just((-1, SIGTERM)), Just((-1, SIGKILL)), Just((-1, 11))];
    (how, any::<bool>()).prop_map(|((status, signal), with_gate)| Turn::Exited { status, signal, with_gate })
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => Just(Turn::Want),
        2 => Just(Turn::Unwant),
        1 => Just(Turn::Reload),
        6 => Just(Turn::Answer(None)),
        2 => refusal().prop_map(|refusal| Turn::Answer(Some(refusal))),
        1 => any::<(bool, bool)>().prop_map(|(adopted, sealed)| Turn::Inherited { adopted, sealed }),
        4 => who().prop_map(Turn::Sealed),
        4 => exit(),
        4 => (who(), said()).prop_map(|(who, what)| Turn::Said(who, what)),
        2 => any::<bool>().prop_map(|right| Turn::Pong { right }),
        1 => who().prop_map(Turn::Misbehaved),
        1 => who().prop_map(Turn::LineClosed),
        4 => prop_oneof![0u64..100, 0u64..5_000, 0u64..40_000].prop_map(Turn::Wait),
        1 => (timer(), 1u64..40).prop_map(|(timer, token)| Turn::Late(timer, token)),
    ]
}

fn instance() -> impl Strategy<Value = (Role, u32)> {
    proptest::sample::select(vec![
        (Role::Gate, 0),
        (Role::Memory, 0),
        (Role::Executor, 1),
        (Role::Brain, 0),
        (Role::Connector, 1),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_machine_keeps_its_promises_and_can_be_stopped(
        instance in instance(),
        seed: u64,
        turns in proptest::collection::vec(turn(), 0..60),
    ) {
        let mut world = World::new(instance, seed);
        for turn in turns {
            world.play(turn);
        }
        world.play(Turn::Unwant);
        // The answer that is due, the end of the grace, of SIGTERM's; then the kernel has had its way.
        world.play(Turn::Answer(None));
        world.play(Turn::Wait(60_000));
        world.play(Turn::Exited { status: -1, signal: SIGKILL, with_gate: false });
        let summary = world.machine.state.summary();
        prop_assert_eq!(summary.phase, Phase::Stopped);
        prop_assert!(!summary.outstanding && !summary.wanted);
        world.play(Turn::Wait(3_600_000));
        prop_assert_eq!(world.machine.state.summary().phase, Phase::Stopped);
    }

    #[test]
    fn what_is_wanted_and_neither_fails_nor_hangs_gets_ready(
        instance in instance(),
        seed: u64,
        turns in proptest::collection::vec(turn(), 0..60),
    ) {
        let mut world = World::new(instance, seed);
        for turn in turns {
            world.play(turn);
        }
        // Whatever was on its way out goes; what comes then comes to stay.
        world.play(Turn::Unwant);
        world.play(Turn::Answer(None));
        world.play(Turn::Exited { status: 0, signal: 0, with_gate: false });
        world.play(Turn::Want);
        world.play(Turn::Answer(None));
        world.play(Turn::Sealed(Who::Running));
        world.play(Turn::Said(Who::Running, FromRole::Ready));
        let summary = world.machine.state.summary();
        prop_assert_eq!(summary.phase, Phase::Ready);
        prop_assert!(summary.wanted);
    }
}
