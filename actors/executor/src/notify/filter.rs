//! Which calls come to the init: a seccomp program of a few instructions. seccompiler has no action for it.

use std::mem::{offset_of, size_of};

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF, seccomp_data,
    sock_filter,
};

/// x86-64's number in a filter's data. Calls of others end the process, by the filter below this one.
const ARCHITECTURE: u32 = 0xc000_003e;

/// Calls that are noticed, whatever their arguments.
pub const NOTICED: [i64; 8] = [
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_connect,
    // Where these have their address is out of a filter's sight.
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
];
/// And this one, when it has an address: without, it is how a connected socket writes.
pub const NOTICED_WITH_ADDRESS: i64 = libc::SYS_sendto;
const ADDRESS_ARGUMENT: usize = 4;

/// The program.
pub fn program() -> Vec<sock_filter> {
    let mut program = vec![
        load(offset_of!(seccomp_data, arch)),
        if_equal(ARCHITECTURE, 1, 0),
        give(SECCOMP_RET_ALLOW),
        load(offset_of!(seccomp_data, nr)),
    ];
    for (left, number) in (0..NOTICED.len()).rev().zip(NOTICED) {
        // Over the rest of these, and over what follows but its last.
        program.push(if_equal(number as u32, left as u8 + 6, 0));
    }
    let address = offset_of!(seccomp_data, args) + ADDRESS_ARGUMENT * size_of::<u64>();
    program.extend([
        if_equal(NOTICED_WITH_ADDRESS as u32, 0, 4),
        load(address),
        if_equal(0, 0, 3),
        load(address + size_of::<u32>()),
        if_equal(0, 0, 1),
        give(SECCOMP_RET_ALLOW),
        give(SECCOMP_RET_USER_NOTIF),
    ]);
    program
}

fn load(offset: usize) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset as u32, 0, 0)
}

fn if_equal(value: u32, then: u8, otherwise: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
}

fn give(action: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, action, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    /// What the program answers: its own instructions only, carried out as the kernel does.
    fn answer(data: &[u32; 16]) -> u32 {
        let (program, mut at, mut accumulator) = (program(), 0, 0);
        loop {
            let now = program[at];
            at += 1;
            match u32::from(now.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => accumulator = data[now.k as usize / 4],
                code if code == BPF_JMP | BPF_JEQ | BPF_K => {
                    at += usize::from(if accumulator == now.k { now.jt } else { now.jf });
                }
                code if code == BPF_RET | BPF_K => return now.k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn call(number: i64) -> [u32; 16] {
        let mut data = [0; 16];
        (data[0], data[1]) = (number as u32, ARCHITECTURE);
        data
    }

    #[test]
    fn those_calls_are_noticed_and_no_other() {
        for number in 0..500 {
            let expected = if NOTICED.contains(&number) { SECCOMP_RET_USER_NOTIF } else { SECCOMP_RET_ALLOW };
            assert_eq!(answer(&call(number)), expected, "{number}");
        }
        for half in [4 + 2 * ADDRESS_ARGUMENT, 5 + 2 * ADDRESS_ARGUMENT] {
            let mut with_address = call(NOTICED_WITH_ADDRESS);
            with_address[half] = 1;
            assert_eq!(answer(&with_address), SECCOMP_RET_USER_NOTIF);
        }
        let mut other = call(libc::SYS_rename);
        other[1] = 0x4000_0003;
        assert_eq!(answer(&other), SECCOMP_RET_ALLOW);
    }
}
