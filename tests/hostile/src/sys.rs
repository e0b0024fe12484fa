//! System calls as an attacker makes them: by number, with any arguments.
#![allow(unsafe_code)]

use std::arch::asm;
use std::io;
use std::os::fd::RawFd;

use crate::outcome::Outcome;

/// Makes the call and returns what the kernel does, or -1.
pub fn raw(number: i64, args: [u64; 6]) -> i64 {
    // SAFETY: the arguments are plain numbers or point to memory that is leaked for the purpose; at worst this process
    // comes to harm, which exists for this one call.
    unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) }
}

/// Makes the call.
pub fn call(number: i64, args: [u64; 6]) -> Outcome {
    if raw(number, args) >= 0 {
        return Outcome::Done;
    }
    Outcome::Denied(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// Makes a call that returns twice. The second process ends before it touches memory, which it may share with the first.
pub fn fork(number: i64, args: [u64; 6]) -> Outcome {
    let done: i64;
    // SAFETY: as in `call`; the child runs three instructions on registers only, and is gone.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor edi, edi",
            "mov eax, 60",
            "syscall",
            "2:",
            inlateout("rax") number => done,
            inlateout("rdi") args[0] => _,
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match i32::try_from(-done) {
        Ok(errno) if errno > 0 => Outcome::Denied(errno),
        Ok(_) | Err(_) => Outcome::Done,
    }
}

/// Makes a call without arguments through the gate of 32-bit programs.
pub fn int80(number: u32) -> Outcome {
    let done: u64;
    // SAFETY: the call has no arguments; the kernel may change the registers that are named.
    unsafe {
        asm!(
            "int 0x80",
            inlateout("rax") u64::from(number) => done,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    match (done as u32).cast_signed() {
        errno @ -4095..=-1 => Outcome::Denied(-errno),
        _ => Outcome::Done,
    }
}

/// Brings the loopback of this network namespace up.
pub fn loopback_up(socket: RawFd) -> io::Result<()> {
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which lives here.
    match unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw mut request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
