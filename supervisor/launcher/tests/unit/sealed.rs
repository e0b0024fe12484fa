//! Unit tests of `src/sealed.rs`.

use super::*;

const IDS: Ids = Ids { uid: 70_001, gid: 70_001 };
const SEALED: &str = "Name:\tchela-brain\nUid:\t70001\t70001\t70001\t70001\nGid:\t70001\t70001\t70001\t70001\n\
    Groups:\t \nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
    CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

#[test]
fn a_sealed_status_passes() {
    assert_eq!(first_missing(SEALED, IDS), None);
}

#[test]
fn each_deviation_is_found() {
    for (is, was) in [
        ("Seccomp:\t2\n", "Seccomp:\t0\n"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
        ("CapInh:\t0000000000000000", "CapInh:\t0000000000000001"),
        ("CapPrm:\t0000000000000000", "CapPrm:\t0000000000000001"),
        ("CapEff:\t0000000000000000", "CapEff:\t0000000000000001"),
        ("CapBnd:\t0000000000000000", "CapBnd:\t000001ffffffffff"),
        ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001"),
        ("Uid:\t70001\t70001\t70001", "Uid:\t70001\t70001\t0"),
        ("Gid:\t70001\t70001", "Gid:\t70001\t0"),
        ("Groups:\t ", "Groups:\t0 "),
    ] {
        assert!(SEALED.contains(is));
        assert!(first_missing(&SEALED.replace(is, was), IDS).is_some(), "{was}");
    }
    assert!(first_missing("", IDS).is_some(), "an empty status is none");
}

#[test]
fn the_test_itself_is_not_sealed() {
    let me = nix::unistd::getpid();
    assert!(look(me, Role::Brain, IDS).is_err());
}
