//! A kernel or a host on which no sandbox can be made: every action says so, with the way out.

use std::process::Command;

use schema::tool::Ended;

use super::world::{World, show};
use super::{Verdict, ensure};

/// What the test program does when started with this argument: one call, its failure printed.
pub const ONE_CALL: &str = "one-call-without";

pub async fn without_user_namespaces_each_action_says_what_to_do(_: &World) -> Verdict {
    let text = try_where("echo 0 >/proc/sys/user/max_user_namespaces")?;
    let named =
        text.contains("Failed") && text.contains("user and mount namespace") && text.contains("max_user_namespaces");
    ensure(named, || text.clone())
}

pub async fn without_a_workspace_each_action_names_it(_: &World) -> Verdict {
    let text = try_where("export CHELA_TEST_WORKSPACE=/nowhere")?;
    ensure(text.contains("Failed") && text.contains("bind the workspace"), || text.clone())
}

/// Runs this program again in a user namespace of its own, in which `first` was done.
fn try_where(first: &str) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--", "sh", "-c"])
        .arg(format!("{first}; exec \"$0\" {ONE_CALL}"))
        .arg(program)
        .output()
        .map_err(|error| format!("unshare (of util-linux): {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(format!("{} {}", text(&output.stdout), text(&output.stderr)));
    }
    Ok(text(&output.stdout))
}

/// The other side of [`try_where`].
pub async fn one_call(world: &World) -> Verdict {
    let outcome = world.sh("true").await;
    println!("{}", show(&outcome));
    ensure(outcome.ended == Ended::Failed, || show(&outcome))
}
