//! From the table's lists of system calls to seccomp programs: the one place for every process that has such a filter.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use roles::grant::{ArgRule, ArgTest, SyscallGrant, Width};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use syscalls::Sysno;

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A name is none.
    #[error("the table names a system call that is not: `{name}`")]
    Unknown {
        /// Which.
        name: &'static str,
    },
    /// A rule does not compile.
    #[error("rule for {name}: {error}")]
    Rule {
        /// Of which call.
        name: &'static str,
        /// Why.
        error: BackendError,
    },
    /// The whole does not compile.
    #[error("{0}")]
    Whole(BackendError),
}

/// A program that does `on_match` with what is granted, and with calls of these names whatever their arguments; `otherwise`
/// with all others.
///
/// # Errors
/// See [`FilterError`].
pub fn compile<'a>(
    grants: impl Iterator<Item = &'a SyscallGrant>,
    names: impl Iterator<Item = &'static str>,
    otherwise: SeccompAction,
    on_match: SeccompAction,
) -> Result<BpfProgram, FilterError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut unconditional = Vec::new();
    for grant in grants {
        let number = number(grant.name)?;
        let alternatives = rules.entry(number).or_default();
        if grant.args.is_empty() {
            unconditional.push(number);
            continue;
        }
        let conditions: Result<Vec<_>, _> = grant.args.iter().map(condition).collect();
        let rule = conditions.and_then(SeccompRule::new);
        alternatives.push(rule.map_err(|error| FilterError::Rule { name: grant.name, error })?);
    }
    for name in names {
        unconditional.push(number(name)?);
    }
    for number in unconditional {
        rules.insert(number, Vec::new());
    }
    SeccompFilter::new(rules, otherwise, on_match, TargetArch::x86_64)
        .and_then(BpfProgram::try_from)
        .map_err(FilterError::Whole)
}

fn number(name: &'static str) -> Result<i64, FilterError> {
    name.parse::<Sysno>().map(|known| i64::from(known.id())).map_err(|()| FilterError::Unknown { name })
}

fn condition(rule: &ArgRule) -> Result<SeccompCondition, BackendError> {
    let length = match rule.width {
        Width::Low32 => SeccompCmpArgLen::Dword,
        Width::Full64 => SeccompCmpArgLen::Qword,
    };
    let (operator, value) = match rule.test {
        ArgTest::Is(value) => (SeccompCmpOp::Eq, value),
        ArgTest::Masked { mask, value } => (SeccompCmpOp::MaskedEq(mask), value),
    };
    SeccompCondition::new(rule.arg, length, operator, value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn program(name: &'static str) -> Result<BpfProgram, FilterError> {
        let grants = [roles::rows::common::any("read", "test")];
        compile(grants.iter(), std::iter::once(name), SeccompAction::KillProcess, SeccompAction::Allow)
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error_and_one_that_does_is_in_the_program() {
        assert!(program("opena").unwrap_err().to_string().contains("`opena`"));
        assert_ne!(program("write").unwrap(), program("openat").unwrap());
    }
}
