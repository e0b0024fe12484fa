//! Why a call is refused: the rule, the reason and the way out.

/// Why a call is refused.
pub struct Refusal {
    /// The rule's name.
    pub rule: &'static str,
    /// Why, in words for a person.
    pub reason: String,
    /// What to do instead.
    pub remedy: String,
}

/// A path that can't be.
pub fn bad_path(what: &str, remedy: &str) -> Refusal {
    Refusal { rule: "arguments.path", reason: format!("the path {what}"), remedy: remedy.to_owned() }
}

/// A value that can't be.
pub fn bad_value(reason: &str, remedy: &str) -> Refusal {
    Refusal { rule: "arguments.value", reason: reason.to_owned(), remedy: remedy.to_owned() }
}

/// More than there may be.
pub fn too_large(what: &str, limit_bytes: usize) -> Refusal {
    Refusal {
        rule: "arguments.limit",
        reason: format!("{what} may be {limit_bytes} bytes at most"),
        remedy: "Do it in smaller parts.".to_owned(),
    }
}
