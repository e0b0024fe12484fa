//! A command that names what it is to see: attempts at the rest of the workspace. Each attempt works without the list.

use schema::tool::{Admitted, Ended, ToolOutcome};

use super::files::refused;
use super::world::{World, show};
use super::{Verdict, ensure};

async fn run(world: &World, command: &str, paths: &[&str]) -> ToolOutcome {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    world.call(Admitted::RunCommand { command: command.to_owned(), timeout_ms: 20_000, paths, image: None }).await
}

fn printed(outcome: &ToolOutcome, wanted: &str) -> Verdict {
    let text = String::from_utf8_lossy(&outcome.stdout);
    ensure(outcome.ended == (Ended::Exited { code: 0 }) && text == wanted, || show(outcome))
}

const MAKE: &str = "mkdir -p see/in/deep see/secret see/other; cd see; echo mine >in/file; echo f >in/deep/f; echo one >single; \
                    echo hidden >secret/key; echo o >other/o; ln -s ../secret/key in/link; ln secret/key other/hard";

pub async fn a_command_sees_what_it_names_and_changes_it(world: &World) -> Verdict {
    world.said(MAKE).await?;
    let found =
        run(world, "find . -mindepth 1 | sort; cat see/in/file see/single", &["see/in", "see/single", "see/in/deep"])
            .await;
    let wanted =
        "./see\n./see/in\n./see/in/deep\n./see/in/deep/f\n./see/in/file\n./see/in/link\n./see/single\nmine\none\n";
    printed(&found, wanted)?;
    let change = "echo more >>see/in/file; echo new >see/in/new; rm see/in/deep/f; echo two >see/single; echo t >/tmp/t; cat /tmp/t";
    printed(&run(world, change, &["see/in", "see/single"]).await, "t\n")?;
    let held = world.said("cd see; cat in/file in/new single secret/key; ls in in/deep").await?;
    ensure(held == "mine\nmore\nnew\ntwo\nhidden\nin:\ndeep\nfile\nlink\nnew\n\nin/deep:\n", || held.clone())?;
    printed(&run(world, "ls see", &[]).await, "in\nother\nsecret\nsingle\n")
}

pub async fn a_command_reaches_nothing_that_it_does_not_name(world: &World) -> Verdict {
    let attempts = [
        "cat see/secret/key",
        "cat /workspace/see/secret/key",
        "ls see/secret",
        "stat see/secret",
        "stat see/secret/key",
        "test -e see/secret",
        "cat see/in/link",
        "cat see/in/../secret/key",
        "cat see/in/deep/../../secret/key",
        "cd see/in && cd ../secret",
        "chmod 600 see/secret/key",
        "perl -e 'exit !utime(1, 1, q(see/secret/key))'",
        "perl -e 'exit !rename(q(see/secret/key), q(see/in/stolen))'",
        "mv see/other see/in/stolen",
        "mv see/in/deep see/secret/deep",
        "perl -e 'exit !link(q(see/secret/key), q(see/in/stolen))'",
        "perl -e 'exit !truncate(q(see/secret/key), 0)'",
        "cp see/secret/key see/in/stolen",
        "mv see/secret/key see/in/stolen",
        "rm see/secret/key",
        "rm -r see/other",
        "echo x >see/other/o",
    ];
    for attempt in attempts {
        world.said(&format!("rm -rf see; {MAKE}")).await?;
        let free = run(world, attempt, &[]).await;
        ensure(free.ended == (Ended::Exited { code: 0 }), || {
            format!("{attempt} fails without the list: {}", show(&free))
        })?;
        world.said(&format!("rm -rf see; {MAKE}")).await?;
        let bound = run(world, attempt, &["see/in"]).await;
        let failed = matches!(bound.ended, Ended::Exited { code } if code != 0) && bound.effects.is_empty();
        ensure(failed && !bound.stdout.windows(6).any(|piece| piece == b"hidden"), || {
            format!("{attempt}: {}", show(&bound))
        })?;
    }
    // Ways that no ordinary command has: to what is covered, and to the process that covered it.
    let ways = "cat /proc/1/root/workspace/see/secret/key; cat /proc/*/cwd/see/secret/key; ls /proc/1/fd; \
                umount /workspace; mount -t overlay >&2; mount --bind / /tmp; grep -c hidden /layer/upper/see/secret/key; \
                for n in 3 4 5 6 7 8 9; do cat /proc/self/fd/$n/see/secret/key /dev/fd/$n/../secret/key; done; \
                perl -e 'chroot q(/workspace/see/in)'; find / -name key -not -path '/proc/*' -not -path '/usr/*' 2>/dev/null; \
                touch see/new new; mkdir see/dir; ln -s x see/l; \
                perl -e 'rename(q(see/secret), q(see/in/a)); rename(q(/workspace/see/other), q(/workspace/see/in/b)); \
                rename(q(see/in/deep), q(see/secret/deep)); rename(q(see/in), q(see/elsewhere))'; true";
    let outcome = run(world, ways, &["see/in"]).await;
    printed(&outcome, "")?;
    ensure(outcome.effects.is_empty(), || format!("{:?}", outcome.effects))
}

pub async fn what_can_not_be_named_is_refused_before_the_command_runs(world: &World) -> Verdict {
    world.said(&format!("rm -rf see; {MAKE}")).await?;
    std::os::unix::fs::symlink("../outside", world.workspace().join("see/out")).map_err(|error| error.to_string())?;
    std::os::unix::fs::symlink("..", world.workspace().join("see/up")).map_err(|error| error.to_string())?;
    for (path, because) in [
        ("see/missing", "there is no"),
        ("see/in/missing/deep", "there is no"),
        ("see/out", "a symbolic link"),
        ("see/up", "a symbolic link"),
        ("see/up/outside", ""),
        ("..", ""),
        ("../outside", ""),
        ("/etc", ""),
        ("a\0b", ""),
        ("", ""),
    ] {
        let outcome = run(world, "echo ran; ls", &["see/in", path]).await;
        refused(&outcome, because).map_err(|why| format!("{path:?}: {why}"))?;
    }
    Ok(())
}
