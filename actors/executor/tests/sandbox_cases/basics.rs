//! What a command finds.

use super::world::World;
use super::{Verdict, ensure};

pub async fn a_command_runs_in_the_workspace(world: &World) -> Verdict {
    let said = world.said("pwd; id -u; ls -a /; echo $HOME $PATH; cat /proc/self/status | grep -E 'Cap|Sec|NoNew'; mount; ip a; ls -l /dev /proc").await?;
    eprintln!("{said}");
    ensure(said.starts_with("/workspace\n1000\n"), || said.clone())
}
