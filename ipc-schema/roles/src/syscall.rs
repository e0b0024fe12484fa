//! The part of the vocabulary that is about system calls.

/// One system call, possibly only with certain arguments. Several grants of one name are alternatives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyscallGrant {
    /// Its name in the kernel's table for x86-64, for example `read`.
    pub name: &'static str,
    /// All must hold. Empty: any arguments.
    pub args: &'static [ArgRule],
    /// Why.
    pub why: &'static str,
}

/// A condition on one argument of a system call. 32-bit arguments (descriptors, flags) are compared as such.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArgRule {
    /// Position, from 0.
    pub arg: u8,
    /// Whether the upper half counts.
    pub width: Width,
    /// The condition.
    pub test: ArgTest,
}

/// How much of an argument is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// The low 32 bits.
    Low32,
    /// All 64 bits.
    Full64,
}

/// A condition on an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgTest {
    /// It equals the value.
    Is(u64),
    /// `argument & mask == value`.
    Masked {
        /// Bits that are looked at.
        mask: u64,
        /// What they must be.
        value: u64,
    },
}

/// A system call that is answered with an error rather than with death.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyscallAnswer {
    /// Its name.
    pub name: &'static str,
    /// The error number.
    pub errno: i32,
    /// Why it is not simply fatal.
    pub why: &'static str,
}
