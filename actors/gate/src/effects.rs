//! The decision on what a rehearsal has shown, pure: it is made on what a call *did*, not on what it said it would do.

use schema::effects::Effects;

/// What is to become of staged effects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// They become real.
    pub commit: bool,
    /// The rule that decided.
    pub rule: &'static str,
    /// Why, in words for a person.
    pub reason: &'static str,
}

/// The decision on an action could not be written down.
pub const UNWRITTEN: Settlement = Settlement {
    commit: false,
    rule: "effects.unwritten",
    reason: "the decision on it could not be written down, in the journal or in the audit log; is the disk full?",
};

/// Decides. All effects are in the principal's own workspace, by construction; what can be taken back becomes real.
pub fn decide(effects: &Effects) -> Settlement {
    if effects.undoable {
        return Settlement { commit: true, rule: "effects.undoable", reason: "it can be undone" };
    }
    Settlement {
        commit: false,
        rule: "effects.irreversible",
        reason: "it could not be undone: what it would take is more than the undo store may hold; do it in smaller parts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_taken_back_becomes_real_and_nothing_else() {
        for undoable in [true, false] {
            let settlement = decide(&Effects { undoable, more: 1, ..Effects::default() });
            assert_eq!(settlement.commit, undoable);
            assert!(!settlement.reason.is_empty());
        }
    }
}
