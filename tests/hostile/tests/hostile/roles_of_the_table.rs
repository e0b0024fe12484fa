//! Each role's twin makes every attempt: what its row omits fails, and in the way that follows from the row.

use hostile::attempts::{self, Attempt, Behind};
use hostile::expect;
use hostile::given::Given;
use hostile::orders::Order;
use roles::Role;
use roles::grant::Slots;
use roles::limits::STARTS_PER_WINDOW_MAX;

use crate::scene::Scene;
use crate::tally::Tally;

/// Slots that the attempts are spread over.
const SLOTS: u32 = 16;

/// What the test knows of the twin's surroundings.
pub fn given(order: &Order, attempt: &Attempt) -> Given {
    let mut given = Given::only(-1);
    order.inform(&mut given);
    given.aim(attempt.target);
    given
}

fn slot(role: Role, nth: u32) -> u32 {
    match role.row().slots {
        Slots::One => 0,
        Slots::Pool { first, .. } | Slots::Each { first, .. } => first + nth % SLOTS,
    }
}

/// How long a twin's log is made before an attempt to write beyond its limit.
pub fn log_bytes(role: Role, attempt: &Attempt) -> Option<u64> {
    role.row().limits.file_size_bytes.filter(|_| attempt.behind == Behind::FileSize)
}

fn can_do_nothing_its_row_omits(role: Role) {
    let alone = role == Role::Gate;
    let mut scene = if alone { Scene::open(role.name()) } else { Scene::with_gate(role.name()) };
    let mut tally = Tally::default();
    for (attempt, nth) in attempts::all().zip(0..) {
        // One slot is started only so often.
        if alone && nth % (STARTS_PER_WINDOW_MAX - 1) == STARTS_PER_WINDOW_MAX - 2 {
            scene.start_again();
        }
        let (slot, order) = (slot(role, nth), scene.order_for(attempt.name));
        let log_bytes = log_bytes(role, attempt);
        let outcome = scene.attempt(role, slot, &order, log_bytes);
        // A full log says nothing; writing has the same arguments everywhere.
        let args = if log_bytes.is_some() { Some([0; 6]) } else { scene.announced(role, slot, attempt.name) };
        let args = args.unwrap_or_else(|| panic!("{}: its arguments were not announced: {outcome}", attempt.name));
        let expected = expect::in_role(role.row(), attempt, args, &given(&order, attempt));
        tally.add(attempt, expected, outcome);
    }
    scene.end();
    tally.judge(role.name());
}

#[test]
fn a_connector_can_do_nothing_its_row_omits() {
    can_do_nothing_its_row_omits(Role::Connector);
}

#[test]
fn a_brain_can_do_nothing_its_row_omits() {
    can_do_nothing_its_row_omits(Role::Brain);
}

#[test]
fn the_gate_can_do_nothing_its_row_omits() {
    can_do_nothing_its_row_omits(Role::Gate);
}

#[test]
fn an_executor_can_do_nothing_its_row_omits() {
    can_do_nothing_its_row_omits(Role::Executor);
}

#[test]
fn a_memory_can_do_nothing_its_row_omits() {
    can_do_nothing_its_row_omits(Role::Memory);
}

#[test]
fn a_model_can_do_nothing_its_row_omits() {
    can_do_nothing_its_row_omits(Role::Model);
}
