//! From the table's lists to seccomp programs: compiled once, when the maker starts.

use roles::grant::SyscallGrant;
use roles::rows::sandbox::{COMMANDS, MAKING, SANDBOX_REFUSED};
use seccompiler::{BpfProgram, SeccompAction};

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
    filters::compile(grants, std::iter::empty(), otherwise, on_match).map_err(|error| error.to_string())
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
