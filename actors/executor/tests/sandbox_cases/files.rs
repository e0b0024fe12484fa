//! File operations: whole or not at all, and never out of the workspace.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Instant;

use schema::tool::{Admitted, Ended, ToolOutcome};

use super::world::{World, show};
use super::{Verdict, ensure};

async fn read(world: &World, path: &str) -> ToolOutcome {
    world.call(Admitted::ReadFile { path: path.to_owned(), offset: 1, limit: None }).await
}

async fn write(world: &World, path: &str, content: &str) -> ToolOutcome {
    world.call(Admitted::WriteFile { path: path.to_owned(), content: content.as_bytes().to_vec() }).await
}

async fn list(world: &World, path: &str) -> ToolOutcome {
    world.call(Admitted::ListFiles { path: path.to_owned(), recursive: false }).await
}

pub fn done(outcome: &ToolOutcome) -> Verdict {
    ensure(outcome.ended == (Ended::Exited { code: 0 }) && outcome.stderr.is_empty(), || show(outcome))
}

pub fn refused(outcome: &ToolOutcome, because: &str) -> Verdict {
    let text = String::from_utf8_lossy(&outcome.stderr);
    let held = outcome.ended == Ended::Failed && outcome.stdout.is_empty() && text.contains(because);
    ensure(held, || format!("wanted a refusal with {because:?}: {}", show(outcome)))
}

pub async fn what_is_written_is_read_and_listed(world: &World) -> Verdict {
    done(&write(world, "files/a/b/one.txt", "text\n").await)?;
    done(&write(world, "files/two", "").await)?;
    let content = read(world, "files/a/b/one.txt").await;
    done(&content)?;
    ensure(content.stdout == b"text\n", || show(&content))?;
    let names = list(world, "files").await;
    ensure(names.stdout == b"a/\ntwo\n", || show(&names))?;
    let large = "0123456789abcdef".repeat(60_000);
    done(&write(world, "files/large", &large).await)?;
    ensure(fs::read(world.workspace().join("files/large")).is_ok_and(|bytes| bytes == large.as_bytes()), || {
        "the large file is not as written".to_owned()
    })
}

pub async fn a_file_is_replaced_in_one_step_and_keeps_its_mode(world: &World) -> Verdict {
    let path = world.workspace().join("script.sh");
    done(&write(world, "script.sh", "old").await)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).map_err(|error| error.to_string())?;
    done(&write(world, "script.sh", "new").await)?;
    let mode = fs::metadata(&path).map(|facts| facts.permissions().mode() & 0o7777);
    ensure(mode.as_ref().is_ok_and(|mode| *mode == 0o750), || format!("{mode:?}"))?;
    let left: Vec<_> = fs::read_dir(world.workspace())
        .map_err(|error| error.to_string())?
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name()))
        .filter(|name| name.to_string_lossy().starts_with(".chela"))
        .collect();
    ensure(left.is_empty(), || format!("{left:?}"))
}

pub async fn links_lead_nowhere_outside(world: &World) -> Verdict {
    let at = |name: &str| world.workspace().join(name);
    let link = |to: &str, name: &str| symlink(to, at(name)).map_err(|error| error.to_string());
    link("../outside", "up")?;
    link("/etc/passwd", "absolute")?;
    link("..", "parent")?;
    link("/proc/self/root", "magic")?;
    for path in ["up", "absolute", "parent/outside", "magic/etc/passwd"] {
        refused(&read(world, path).await, "could not open")?;
    }
    refused(&list(world, "parent").await, "out of the workspace")?;
    refused(&write(world, "up", "x").await, "a symbolic link, not a file")?;
    refused(&write(world, "parent/outside", "x").await, "symbolic link")?;
    refused(&write(world, "magic/tmp/x", "x").await, "symbolic link")?;
    let outside = fs::read(at("../outside")).map_err(|error| error.to_string())?;
    ensure(outside == b"not yours\n", || format!("{outside:?}"))?;
    // A link that stays inside is followed to read, not to write.
    done(&write(world, "target", "inside").await)?;
    link("target", "inner")?;
    let inner = read(world, "inner").await;
    ensure(inner.stdout == b"inside", || show(&inner))?;
    refused(&write(world, "inner", "x").await, "a symbolic link, not a file")
}

pub async fn paths_that_lead_out_are_refused_here_too(world: &World) -> Verdict {
    for path in ["/etc/passwd", "../outside", "a/../../outside", "..", "a/.."] {
        refused(&read(world, path).await, "could not use the path")?;
        refused(&write(world, path, "x").await, "could not use the path")?;
        refused(&list(world, path).await, "could not use the path")?;
    }
    refused(&read(world, "a\0b").await, "could not use the path")?;
    refused(&read(world, "missing").await, "No such file")?;
    refused(&write(world, "", "x").await, "could not write")?;
    refused(&write(world, "dir/", "x").await, "could not write")?;
    done(&list(world, "").await)?;
    done(&list(world, ".").await)
}

pub async fn what_is_no_file_is_named(world: &World) -> Verdict {
    let started = Instant::now();
    world.said("mkdir directory; truncate -s 100M sparse").await?;
    let pipe = world.workspace().join("waits");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).map_err(|errno| errno.to_string())?;
    let made = world.sh("mkfifo another").await;
    ensure(String::from_utf8_lossy(&made.stderr).contains("another") && made.ended == Ended::Failed, || show(&made))?;
    refused(&read(world, "waits").await, "a pipe, not a file")?;
    refused(&read(world, "directory").await, "a directory, not a file")?;
    refused(&write(world, "waits", "x").await, "a pipe, not a file")?;
    refused(&write(world, "directory", "x").await, "a directory, not a file")?;
    let binary = read(world, "sparse").await;
    done(&binary)?;
    let text = String::from_utf8_lossy(&binary.stdout).into_owned();
    ensure(text.starts_with("\"sparse\" is binary, 104857600 bytes, sha256 ") && text.len() < 300, || show(&binary))?;
    refused(&list(world, "script.sh").await, "could not open")?;
    ensure(started.elapsed().as_secs() < 5, || format!("{:?}", started.elapsed()))
}

pub async fn names_are_listed_one_a_line_whatever_they_hold(world: &World) -> Verdict {
    world.said("mkdir odd; cd odd; touch 'a b' \"$(printf 'new\\nline')\" \"$(printf 'esc\\033[31m')\" \"$(printf 'bad\\377')\"").await?;
    let names = list(world, "odd").await;
    let text = String::from_utf8_lossy(&names.stdout).into_owned();
    ensure(text == "a b\nbad\u{fffd}\nesc\\u{1b}[31m\nnew\\nline\n", || format!("{text:?}"))
}
