//! Edits, moves, deletions and new directories.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use schema::tool::{Admitted, Edit, ToolOutcome};

use super::files::{done, refused};
use super::world::{World, show};
use super::{Verdict, ensure};

async fn replace(world: &World, path: &str, old: &str, new: &str, all: bool) -> ToolOutcome {
    let edit = Edit::Replace { old: old.to_owned(), new: new.to_owned(), all };
    world.call(Admitted::EditFile { path: path.to_owned(), edit }).await
}

async fn diff(world: &World, path: &str, diff: &str) -> ToolOutcome {
    world.call(Admitted::EditFile { path: path.to_owned(), edit: Edit::Diff(diff.to_owned()) }).await
}

async fn rename(world: &World, from: &str, to: &str, overwrite: bool) -> ToolOutcome {
    world.call(Admitted::Move { from: from.to_owned(), to: to.to_owned(), overwrite }).await
}

async fn delete(world: &World, path: &str, recursive: bool) -> ToolOutcome {
    world.call(Admitted::Delete { path: path.to_owned(), recursive }).await
}

async fn make(world: &World, path: &str) -> ToolOutcome {
    world.call(Admitted::MakeDirectory { path: path.to_owned() }).await
}

fn holds(world: &World, path: &str, wanted: &str) -> Verdict {
    let text = fs::read(world.workspace().join(path)).map_err(|error| format!("{path}: {error}"))?;
    ensure(text == wanted.as_bytes(), || format!("{path}: {:?}", String::from_utf8_lossy(&text)))
}

pub async fn an_edit_changes_what_was_said_and_nothing_else(world: &World) -> Verdict {
    world.said("mkdir edits; cd edits; printf 'one\\ntwo\\none\\n' >text; chmod 640 text; ln text other").await?;
    refused(&replace(world, "edits/text", "one", "1", false).await, "2 times, at lines 1, 3")?;
    refused(&replace(world, "edits/text", "four", "4", false).await, "0 matches")?;
    holds(world, "edits/text", "one\ntwo\none\n")?;
    let outcome = replace(world, "edits/text", "two", "zwei", false).await;
    done(&outcome)?;
    ensure(outcome.stdout == b"1 place changed\n", || show(&outcome))?;
    done(&replace(world, "edits/text", "one", "eins", true).await)?;
    holds(world, "edits/text", "eins\nzwei\neins\n")?;
    holds(world, "edits/other", "eins\nzwei\neins\n")?;
    let mode = fs::metadata(world.workspace().join("edits/text")).map(|facts| facts.permissions().mode() & 0o7777);
    ensure(mode.as_ref().is_ok_and(|mode| *mode == 0o640), || format!("{mode:?}"))?;
    done(&diff(world, "edits/text", "--- a\n+++ b\n@@ -1,3 +1,4 @@\n eins\n-zwei\n+two\n+three\n eins\n").await)?;
    holds(world, "edits/text", "eins\ntwo\nthree\neins\n")?;
    refused(&diff(world, "edits/text", "@@ -1 +1 @@\n-zero\n+0\n").await, "hunk 1 of 1")?;
    refused(&diff(world, "edits/text", "sed s/a/b/").await, "no hunk")
}

pub async fn an_edit_follows_no_link_and_takes_no_giant(world: &World) -> Verdict {
    let at = |name: &str| world.workspace().join(name);
    let link = |to: &str, name: &str| symlink(to, at(name)).map_err(|error| error.to_string());
    link("../../outside", "edits/up")?;
    link("..", "edits/parent")?;
    link("text", "edits/inner")?;
    for path in ["edits/up", "edits/parent/../outside", "edits/parent/edits/text", "edits/inner", "/etc/passwd"] {
        let outcome = replace(world, path, "o", "0", true).await;
        refused(&outcome, "edits")
            .or_else(|_| refused(&outcome, "could not use the path"))
            .or_else(|_| refused(&outcome, "symbolic link"))?;
        refused(&diff(world, path, "@@ -1 +1 @@\n-not yours\n+mine\n").await, "could not")?;
    }
    holds(world, "../outside", "not yours\n")?;
    world.said("truncate -s 100M edits/giant; mkfifo /tmp/p; mkdir edits/dir").await?;
    refused(&replace(world, "edits/giant", "x", "y", false).await, "more than")?;
    refused(&replace(world, "edits/dir", "x", "y", false).await, "a directory, not a file")?;
    refused(&replace(world, "edits/missing", "x", "y", false).await, "No such file")?;
    world.said("rm edits/giant; printf %1000s | tr ' ' x >edits/grows").await?;
    let large = "y".repeat(400_000);
    refused(&replace(world, "edits/grows", "x", &large, true).await, "more than")
}

pub async fn what_is_moved_is_the_same_file_in_another_place(world: &World) -> Verdict {
    let made = "mkdir -p moves/from/deep; cd moves/from; echo a >a; ln a deep/b; ln -s a link; chmod 750 deep; \
                touch -d '2020-01-02 03:04:05.678' a; truncate -s 1G sparse";
    world.said(made).await?;
    let before = fs::metadata(world.workspace().join("moves/from/a")).map_err(|error| error.to_string())?;
    done(&rename(world, "moves/from", "moves/new/place", false).await)?;
    let after = fs::metadata(world.workspace().join("moves/new/place/a")).map_err(|error| error.to_string())?;
    let facts = |facts: &fs::Metadata| (facts.ino(), facts.nlink(), facts.mtime_nsec(), facts.mode());
    ensure(facts(&before) == facts(&after), || format!("{before:?}, {after:?}"))?;
    let said =
        world.said("cd moves; ls; cd new/place; readlink link; stat -c %a deep; stat -c %s sparse; cat deep/b").await?;
    ensure(said == "new\na\n750\n1073741824\na\n", || said.clone())?;
    refused(&rename(world, "moves/new", "moves/new/place/in", false).await, "into itself")?;
    refused(&rename(world, "moves/new", "moves/new", true).await, "into itself")?;
    done(&rename(world, "moves/new/place/a", "moves/a", false).await)?;
    world.said("rm moves/new/place/sparse; echo b >moves/b").await?;
    refused(&rename(world, "moves/a", "moves/b", false).await, "set overwrite")?;
    holds(world, "moves/b", "b\n")?;
    done(&rename(world, "moves/a", "moves/b", true).await)?;
    holds(world, "moves/b", "a\n")?;
    refused(&rename(world, "moves/b", "moves/new", true).await, "is a directory")?;
    refused(&rename(world, "moves/new", "moves/b", true).await, "no directory takes its place")?;
    refused(&rename(world, "moves/b", "moves/b/c", false).await, "into itself")?;
    refused(&rename(world, "moves/new", "moves/b/c", false).await, "is a file, not a directory")?;
    refused(&rename(world, "moves/gone", "moves/c", false).await, "there is no")
}

pub async fn what_is_deleted_or_made_is_named_exactly(world: &World) -> Verdict {
    world.said("mkdir -p names/dir/sub; echo x >names/dir/sub/f; ln -s dir names/link; echo y >names/f").await?;
    refused(&delete(world, "names/dir", false).await, "set recursive")?;
    done(&delete(world, "names/link", false).await)?;
    holds(world, "names/dir/sub/f", "x\n")?;
    done(&delete(world, "names/dir", true).await)?;
    done(&delete(world, "names/f", true).await)?;
    refused(&delete(world, "names/f", false).await, "there is no")?;
    done(&make(world, "names/a/b/c").await)?;
    let said = world.said("cd names; find . | sort; stat -c %a a/b").await?;
    ensure(said == ".\n./a\n./a/b\n./a/b/c\n755\n", || said.clone())?;
    refused(&make(world, "names/a/b").await, "there already")?;
    world.said("echo x >names/f").await?;
    refused(&make(world, "names/f/g").await, "a file, not a directory")
}

pub async fn names_that_lead_out_are_refused_here_too(world: &World) -> Verdict {
    let at = |name: &str| world.workspace().join(name);
    world.said("mkdir -p out; echo mine >out/mine").await?;
    symlink("../..", at("out/up")).map_err(|error| error.to_string())?;
    symlink("/", at("out/root")).map_err(|error| error.to_string())?;
    let long = format!("out/{}", "n".repeat(300));
    let deep = "d/".repeat(300) + "d";
    let hostile = [
        "..",
        "../outside",
        "/etc/passwd",
        "out/../../outside",
        "out/up/outside",
        "out/root/etc/passwd",
        "",
        ".",
        "a\0b",
    ];
    for path in hostile.into_iter().chain([long.as_str(), deep.as_str()]) {
        for outcome in [
            delete(world, path, true).await,
            make(world, path).await,
            make(world, &format!("{path}/new")).await,
            rename(world, path, "out/stolen", true).await,
            rename(world, "out/mine", path, true).await,
            rename(world, "out/mine", &format!("{path}/new"), true).await,
        ] {
            refused(&outcome, "").map_err(|why| format!("{path:?}: {why}"))?;
        }
    }
    holds(world, "../outside", "not yours\n")?;
    holds(world, "out/mine", "mine\n")?;
    ensure(!at("out/stolen").exists() && !at("../new").exists(), || "something came from or went out".to_owned())?;
    // The links themselves are the workspace's own.
    done(&rename(world, "out/up", "out/moved", false).await)?;
    done(&delete(world, "out", true).await)?;
    holds(world, "../outside", "not yours\n")
}
