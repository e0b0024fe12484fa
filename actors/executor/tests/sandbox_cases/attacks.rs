//! Attacks on the sandbox's first process where it answers a command's renames: on what it holds, on what it reads while it
//! is read, by many at once, and by a caller that dies meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use schema::effects::Standing;
use schema::tool::Ended;

use super::world::{World, show};
use super::{Verdict, ensure};

/// The attacks' program, made in the sandbox; and a tree that was there before, so that the overlay refuses to move it.
async fn ready(world: &World, name: &str) -> Verdict {
    let source = world.workspace().join("attack.c");
    std::fs::write(&source, include_str!("attack.c")).map_err(|error| error.to_string())?;
    world.said("cc -O1 -w -pthread -o attack attack.c && rm attack.c").await?;
    let tree = "mkdir -p d/e/g d/f; for i in $(seq 50); do echo $i >d/$i; echo $i >d/e/$i; echo $i >d/e/g/$i; done";
    world.said(&format!("mkdir {name}; cd {name}; {tree}; cp -a d ../{name}.was")).await.map(drop)
}

async fn attack(world: &World, name: &str, what: &str) -> Result<String, String> {
    let outcome = world.sh_for(&format!("cd {name}; ../attack {what}"), 120_000).await;
    let fine = outcome.ended == (Ended::Exited { code: 0 })
        && matches!(outcome.standing, Standing::Committed | Standing::Nothing);
    ensure(fine, || format!("{what}: {:?} {}", outcome.standing, show(&outcome)))?;
    Ok(String::from_utf8_lossy(&outcome.stdout).into_owned())
}

/// Contents by the last part of their path, so that a tree that was rearranged is told from one that lost something.
fn contents(of: &Path) -> Result<BTreeMap<Vec<u8>, usize>, String> {
    let mut all = BTreeMap::new();
    let mut left: Vec<PathBuf> = vec![of.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            ensure(!name.starts_with(".moving"), || format!("{} is left over", path.display()))?;
            if path.is_dir() {
                left.push(path);
            } else {
                *all.entry(std::fs::read(&path).map_err(|error| error.to_string())?).or_default() += 1;
            }
        }
    }
    Ok(all)
}

/// All that was in the tree is there once, wherever in its directory.
fn whole(world: &World, name: &str) -> Verdict {
    let [now, was] = [name.to_owned(), format!("{name}.was")].map(|dir| contents(&world.workspace().join(dir)));
    let (now, was) = (now?, was?);
    ensure(now == was, || format!("{name}: {now:?}, {was:?}"))
}

async fn over(world: &World, name: &str) -> Verdict {
    world.said(&format!("rm -rf {name} {name}.was attack")).await.map(drop)
}

pub async fn what_the_first_process_holds_is_nobodys_to_take(world: &World) -> Verdict {
    ready(world, "take").await?;
    let said = attack(world, "take", "take").await?;
    ensure(said.lines().count() == 8 && said.lines().all(|line| line.ends_with(" refused")), || said.clone())?;
    // The same succeeds outside, on a process of one's own: the attempts are made as they should be.
    let outside = Command::new(world.workspace().join("attack")).arg("outside").output();
    let said = String::from_utf8_lossy(&outside.map_err(|error| error.to_string())?.stdout).into_owned();
    for attempt in ["pidfd_getfd", "ptrace", "mem", "environ", "exe"] {
        ensure(said.contains(&format!("{attempt} DONE")), || format!("outside, {attempt}: {said}"))?;
    }
    over(world, "take").await
}

pub async fn a_path_that_changes_while_it_is_read_leads_nowhere_else(world: &World) -> Verdict {
    ready(world, "race").await?;
    let outside = world.workspace().parent().map(Path::to_path_buf).unwrap_or_default();
    let names = |dir: &Path| -> Result<Vec<_>, String> {
        let entries = std::fs::read_dir(dir).map_err(|error| error.to_string())?;
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        Ok(names)
    };
    let before = (names(&outside)?, names(Path::new("/"))?, names(Path::new("/etc"))?);
    let said = attack(world, "race", "race").await?;
    ensure(said == "10000 rounds, some moved\n", || said.clone())?;
    ensure((names(&outside)?, names(Path::new("/"))?, names(Path::new("/etc"))?) == before, || "outside".to_owned())?;
    ensure(names(&world.workspace().join("race"))? == ["d"], || "something else moved".to_owned())?;
    whole(world, "race")?;
    over(world, "race").await
}

pub async fn a_flood_of_renames_and_connections_is_answered(world: &World) -> Verdict {
    ready(world, "flood").await?;
    let said = attack(world, "flood", "flood").await?;
    ensure(said == "quiet\n", || said.clone())?;
    whole(world, "flood")?;
    over(world, "flood").await
}

pub async fn a_caller_that_dies_while_its_tree_moves_leaves_all_of_it(world: &World) -> Verdict {
    ready(world, "die").await?;
    let said = attack(world, "die", "die").await?;
    ensure(said == "dead\n", || said.clone())?;
    whole(world, "die")?;
    let moved = ["d", "n"].map(|name| world.workspace().join("die").join(name).exists());
    ensure(moved[0] != moved[1], || format!("in both places, or in none: {moved:?}"))?;
    over(world, "die").await
}

pub async fn whoever_moves_a_tree_is_not_killed_meanwhile(world: &World) -> Verdict {
    for round in 0..5 {
        let name = format!("slay{round}");
        ready(world, &name).await?;
        // Of the shell that started it nothing is left: it is one of those that are killed.
        let outcome = world.sh_for(&format!("cd {name}; exec ../attack slay"), 20_000).await;
        ensure(outcome.stdout == b"slain\n" && outcome.standing != Standing::Staged, || show(&outcome))?;
        whole(world, &name)?;
        over(world, &name).await?;
    }
    Ok(())
}

pub async fn trees_in_trees_move_at_once_and_none_onto_itself(world: &World) -> Verdict {
    ready(world, "nested").await?;
    let said = attack(world, "nested", "nested").await?;
    ensure(said == "nested\n", || said.clone())?;
    whole(world, "nested")?;
    over(world, "nested").await
}
