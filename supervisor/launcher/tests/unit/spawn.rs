//! Unit tests of `src/spawn.rs`.

use super::*;
use roles::Role;

#[test]
fn what_failed_survives_the_pipe_and_is_named() {
    let row = Role::Gate.row();
    for (number, act) in acts(row).enumerate() {
        let failed = Failed { act: number as u8, errno: libc::EPERM };
        assert_eq!(Failed::from_bytes(failed.to_bytes()), failed);
        let words = describe(failed, row);
        match act {
            Act::Step(name, _) => assert!(words.starts_with(name), "{words}"),
            Act::Place(grant) => assert!(words.contains(grant.inside), "{words}"),
        }
        assert_eq!(refusal(failed, row), (Refusal::Failed, libc::EPERM));
    }
}

#[test]
fn only_a_granted_file_can_be_missing() {
    let row = Role::Gate.row();
    let refused = |act: usize| refusal(Failed { act: act as u8, errno: libc::ENOENT }, row).0;
    assert_eq!(refused(AS_ROOT.len()), Refusal::FileMissing);
    assert_eq!(refused(AS_ROOT.len() - 1), Refusal::Failed);
    assert_eq!(refused(AS_ROOT.len() + row.files.len()), Refusal::Failed);
    assert_eq!(refused(255), Refusal::Failed);
}
