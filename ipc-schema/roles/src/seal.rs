//! How many seccomp filters a sealed process has, on top of those that chelad itself runs under (a container's).

use crate::grant::Row;

/// Of a role: its allow-list, and one filter for each error number that the row answers with.
pub const fn filter_count(row: &Row) -> u32 {
    if row.syscalls.is_empty() {
        return 0;
    }
    let mut count = 1;
    let mut i = 0;
    while i < row.answered.len() {
        let mut is_first = true;
        let mut j = 0;
        while j < i {
            is_first = is_first && row.answered[j].errno != row.answered[i].errno;
            j += 1;
        }
        if is_first {
            count += 1;
        }
        i += 1;
    }
    count
}

/// Of an executor's maker: one allow-list. It is forked before the executor seals itself.
pub const MAKER_FILTERS: u32 = 1;
/// Of a sandbox: the maker's, and what it gives up on top; a command may add filters of its own.
pub const SANDBOX_FILTERS_MIN: u32 = MAKER_FILTERS + 1;

/// Lines that `/proc/PID/status` has of each thread of a sealed process, beside those of its ids.
pub const STATUS_LINES: [&str; 8] = [
    "Seccomp:\t2",
    "NoNewPrivs:\t1",
    "CapInh:\t0000000000000000",
    "CapPrm:\t0000000000000000",
    "CapEff:\t0000000000000000",
    "CapBnd:\t0000000000000000",
    "CapAmb:\t0000000000000000",
    "Groups:",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    #[test]
    fn one_filter_an_error_number_and_one_that_kills() {
        assert_eq!(filter_count(Role::Launcher.row()), 0);
        assert_eq!(filter_count(Role::Executor.row()), 1);
        assert_eq!(filter_count(Role::Brain.row()), 2);
        assert_eq!(filter_count(Role::Connector.row()), 3, "ENOSYS for clone3, EPERM for bind");
    }
}
