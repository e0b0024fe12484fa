//! From the table's lists to seccomp programs: compiled once, when the maker starts.

use std::collections::BTreeMap;

use roles::grant::{ArgRule, ArgTest, SyscallGrant, Width};
use roles::rows::sandbox::{COMMANDS, MAKING, SANDBOX_REFUSED};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use syscalls::Sysno;

/// The maker's filter, which everything below it inherits: an allow-list, anything else is answered ENOSYS.
pub fn maker() -> Result<BpfProgram, String> {
    let groups = COMMANDS.iter().copied().chain([MAKING]);
    compile(groups.flatten(), SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow)
}

/// What a sandbox gives up on top of that before a command runs in it: answered EPERM.
pub fn sandbox() -> Result<BpfProgram, String> {
    compile(SANDBOX_REFUSED.iter(), SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))
}

/// Installs a program on this thread. It stays for ever and passes to every child.
pub fn install(program: &BpfProgram) -> Result<(), i32> {
    seccompiler::apply_filter(program).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error.raw_os_error().unwrap_or(0),
        seccompiler::Error::EmptyFilter | seccompiler::Error::Backend(_) | seccompiler::Error::ThreadSync(_) => 0,
    })
}

fn compile<'a>(
    grants: impl Iterator<Item = &'a SyscallGrant>,
    otherwise: SeccompAction,
    on_match: SeccompAction,
) -> Result<BpfProgram, String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut unconditional = Vec::new();
    for grant in grants {
        let number = grant
            .name
            .parse::<Sysno>()
            .map_err(|_| format!("the table names a system call that is not: {}", grant.name))?;
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
    SeccompFilter::new(rules, otherwise, on_match, TargetArch::x86_64)
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
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    #[test]
    fn every_name_of_the_table_is_a_system_call_and_both_filters_compile() {
        assert!(!super::maker().unwrap().is_empty());
        assert!(!super::sandbox().unwrap().is_empty());
    }
}
