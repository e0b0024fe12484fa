//! From grants of the table to a seccomp program.

use std::collections::BTreeMap;

use roles::grant::{ArgRule, ArgTest, SyscallGrant, Width};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use syscalls::Sysno;

/// An allow-list: anything else kills the process.
///
/// # Errors
/// An unknown name, or a rule that does not compile.
pub fn allow_list(groups: &[&[SyscallGrant]]) -> Result<BpfProgram, String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut unconditional = Vec::new();
    for grant in groups.iter().copied().flatten() {
        let number = grant
            .name
            .parse::<Sysno>()
            .map_err(|()| format!("the table names a system call that is not: {}", grant.name))?;
        let number = i64::from(number.id());
        let alternatives = rules.entry(number).or_default();
        if grant.args.is_empty() {
            unconditional.push(number);
            continue;
        }
        let conditions: Result<Vec<_>, _> = grant.args.iter().map(condition).collect();
        let rule = conditions.and_then(SeccompRule::new);
        alternatives.push(rule.map_err(|error| format!("rule for {}: {error}", grant.name))?);
    }
    for number in unconditional {
        rules.insert(number, Vec::new());
    }
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, TargetArch::x86_64)
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
}

fn condition(rule: &ArgRule) -> Result<SeccompCondition, seccompiler::BackendError> {
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
    #[test]
    fn the_tables_list_compiles() {
        assert!(super::allow_list(roles::rows::unpack::SYSCALLS).unwrap().len() > 40);
    }
}
