//! The cases, by subject.

use std::pin::Pin;

pub mod basics;
pub mod bench;
pub mod world;

use world::World;

/// What a case says: nothing, or what was not as it should be.
pub type Verdict = Result<(), String>;
type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;
/// A case's name and what it does.
pub type Case = (&'static str, for<'a> fn(&'a World) -> Running<'a>);

/// Pairs of a function's name and the function.
macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        vec![$({
            fn case(world: &World) -> Running<'_> {
                Box::pin($module::$name(world))
            }
            (stringify!($name), case as for<'a> fn(&'a World) -> Running<'a>)
        }),+]
    };
}

pub fn all() -> Vec<Case> {
    cases![basics::a_command_runs_in_the_workspace]
}

/// The case fails with the reason unless the condition holds.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(why()) }
}
