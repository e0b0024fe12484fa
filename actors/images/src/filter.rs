//! From grants of the table to a seccomp program.

use roles::grant::SyscallGrant;
use seccompiler::{BpfProgram, SeccompAction};

/// An allow-list: anything else kills the process.
///
/// # Errors
/// An unknown name, or a rule that does not compile.
pub fn allow_list(groups: &[&[SyscallGrant]]) -> Result<BpfProgram, String> {
    let grants = groups.iter().copied().flatten();
    filters::compile(grants, std::iter::empty(), SeccompAction::KillProcess, SeccompAction::Allow)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn the_tables_list_compiles() {
        assert!(super::allow_list(roles::rows::unpack::SYSCALLS).unwrap().len() > 40);
    }
}
