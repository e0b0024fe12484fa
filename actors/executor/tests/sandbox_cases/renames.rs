//! Renames of directories that an unprivileged overlay refuses: the sandbox's init has them done.

use nix::errno::Errno;

use super::beside::{run, same, tree};
use super::world::{World, show};
use super::{Verdict, ensure};

const MAKE: &str = "mkdir -p d/e/f empty full/x; echo 1 > d/1; echo 2 > d/e/2; echo 3 > d/e/f/3; ln d/1 d/e/one; \
                    ln -s ../1 d/e/link; ln -s nowhere d/dangling; chmod 640 d/1; chmod 750 d/e; chmod 555 d/e/f; \
                    setfattr -n user.of -v file d/e/2; setfattr -n user.of -v dir d/e; truncate -s 1M d/sparse; \
                    echo x > file; touch -d '2020-01-02 03:04:05.678' d/1 d/e/2";

/// rename(2) and its flags as Perl sees them; prints the error number.
fn renameat2(from: &str, to: &str, flags: u32) -> String {
    format!(
        "perl -e '$f=qq({from}\\0); $t=qq({to}\\0); syscall(316, -100, $f, -100, $t, {flags}); print $!+0, qq(\\n)'"
    )
}

pub async fn a_directory_of_the_workspace_is_renamed(world: &World) -> Verdict {
    same(world, "plain", MAKE, "mv d moved; ls -A . moved").await?;
    same(world, "deeper", MAKE, "chmod 755 d/e/f; mv d/e/f f; mv d full/x/d; test ! -e d").await?;
    same(world, "python", MAKE, "python3 -c 'import os; os.rename(\"d\", \"n\"); os.rename(\"n/e\", \"n/e2\")'")
        .await?;
    same(world, "over", MAKE, "mv -T d empty; cat empty/e/f/3").await?;
    same(world, "twice", MAKE, "mv d d2; echo new > d2/new; mv d2 d3; mv d3/e .; rm -r d3/dangling; mv d3 d").await?;
    same(world, "mixed", MAKE, "echo new > d/e/new; rm d/1; mkdir d/g; echo 4 >> d/e/2; mv d/g d/h; mv d x").await?;
    same(world, "fifo", MAKE, "mkfifo d/p; mv d n; test -p n/p; rm n/p").await?;
    same(world, "perl", MAKE, "perl -e 'rename(qq(d/), qq(n/)) or die $!'; ls n").await?;
    let linked = format!("{MAKE}; ln d/1 outside; ln d/e/2 full/2");
    same(world, "linked", &linked, "mv d n; echo more >> full/2; cat n/e/one").await?;
    same(world, "denied", MAKE, "chmod 0 d/e/f; mv d n; stat -c %a n/e/f; chmod 755 n/e/f").await
}

pub async fn times_attributes_and_open_files_go_along(world: &World) -> Verdict {
    let make = format!("{MAKE}; touch -d @1000.5 d/e/f d/e d");
    let work = "exec 3>>d/e/2; mv d n; echo late >&3; stat -c '%n %Y %a' n n/e n/e/f n/1; getfattr -d n/e | tail -2; \
                cat n/e/2";
    let both = run(world, "times", &make, work).await?;
    ensure(both.said[0] == both.said[1], || format!("{:?}", both.said))?;
    ensure(both.said[0].contains("n/e 1000 750\n") && both.said[0].contains("late"), || both.said[0].clone())?;
    let [sandboxed, direct] = [tree(&both.sandboxed)?, tree(&both.direct)?];
    let time = |tree: &super::beside::Tree| tree.get(std::path::Path::new("n/1")).map(|node| node.mtime);
    ensure(time(&sandboxed).is_some() && time(&sandboxed) == time(&direct), || format!("{:?}", time(&sandboxed)))
}

pub async fn errors_and_flags_are_those_of_rename(world: &World) -> Verdict {
    for (number, (from, to, flags)) in [
        ("d", "full", 0),
        ("d", "empty", 1),
        ("d", "file", 0),
        ("file", "d", 0),
        ("d", "d/e/inside", 0),
        ("d", "d", 0),
        ("none", "other", 0),
        ("d", "none/other", 0),
        ("d/e/f", "d/e", 0),
        ("d", "n", 1),
        ("d", "full", 2),
        ("d", "file", 2),
        ("file", "d/e", 2),
        ("d", "d/e", 2),
        ("d", "none", 2),
        ("d", "n", 8),
        ("d/.", "n", 0),
    ]
    .into_iter()
    .enumerate()
    {
        same(world, &format!("flags{number}"), MAKE, &format!("{}; find . | sort", renameat2(from, to, flags))).await?;
    }
    Ok(())
}

pub async fn what_goes_wrong_half_way_leaves_everything_where_it_was(world: &World) -> Verdict {
    // More than a layer holds: it is full in the middle.
    let make = "mkdir -p big/a big/b; echo 1 > big/a/1; chmod 500 big/a; for i in 1 2 3 4; do \
                head -c 200M /dev/zero > big/b/$i; done; echo z > big/z";
    let work = format!("{}; find . | sort; stat -c '%a %s' big/a big/b/*", renameat2("big", "n", 0));
    let place = world.workspace().join("half");
    std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
    super::beside::script(&place, make)?;
    let before = tree(&place)?;
    let outcome = world.sh_for(&format!("cd half; {work}"), 60_000).await;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let listed = ".\n./big\n./big/a\n./big/a/1\n./big/b\n./big/b/1\n./big/b/2\n./big/b/3\n./big/b/4\n./big/z\n";
    ensure(said.starts_with(&format!("{}\n{listed}500 ", Errno::ENOSPC as i32)), || show(&outcome))?;
    ensure(tree(&place)? == before, || "it changed something".to_owned())?;
    std::fs::set_permissions(place.join("big/a"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .and_then(|()| std::fs::remove_dir_all(&place))
        .map_err(|error| error.to_string())
}

/// Only git is told that it can't link, and only of what was there before.
pub async fn links_are_made(world: &World) -> Verdict {
    let work = "rm d/dangling d/e/link; ln d/1 hard; ln hard harder; cp -al d copy; perl -e 'link(qq(file), qq(linked)) or die $!'; ls -A . copy";
    same(world, "hard", MAKE, work).await
}

pub async fn many_at_once(world: &World) -> Verdict {
    let make = "for i in $(seq 40); do mkdir -p d$i/e; echo $i > d$i/e/f; done";
    same(world, "many", make, "for i in $(seq 40); do mv d$i n$i & done; wait; cat n*/e/f | sort -n | tail -1").await?;
    // The last one is still on its way when the command ends: it is done or not, never half.
    let make = "mkdir d; for i in $(seq 3000); do : > d/$i; done";
    let place = world.workspace().join("late");
    std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
    super::beside::script(&place, make)?;
    world.said("cd late; mv d n & sleep 0.02").await?;
    let names = std::fs::read_dir(&place).map_err(|error| error.to_string())?;
    let names: Vec<_> = names.flatten().map(|entry| entry.file_name()).collect();
    ensure(names == ["n"] || names == ["d"], || format!("{names:?}"))
}

pub async fn the_listener_and_what_landlock_keeps_stay_out_of_reach(world: &World) -> Verdict {
    // Nobody but the init has the listener, and the command's filter can have no second one.
    let said = world.said("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c seccomp; true").await?;
    ensure(said == "0\n", || said.clone())?;
    for (from, to) in [("/usr", "/workspace/u"), ("/etc", "e"), ("/proc/1/cwd", "c"), ("/dev", "/tmp/dev")] {
        let said = world.said(&renameat2(from, to, 0)).await?;
        ensure(said != "0\n", || format!("{from} to {to}: {said}"))?;
    }
    let said = world.said(&renameat2("plain", "/tmp/elsewhere", 0)).await?;
    ensure(said == format!("{}\n", Errno::EXDEV as i32), || said.clone())?;
    world.said("mkdir here && mv here there && rmdir there").await.map(drop)
}
