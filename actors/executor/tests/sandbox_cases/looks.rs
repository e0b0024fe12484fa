//! Searching, reading and listing: bounded, and never out of the workspace.

use std::fs;
use std::os::unix::fs::symlink;

use schema::tool::{Admitted, Search, ToolOutcome};

use super::files::{done, refused};
use super::world::{World, show};
use super::{Verdict, ensure};

fn what(pattern: &str) -> Search {
    Search { pattern: pattern.to_owned(), literal: false, ignore_case: false, glob: None, context: 0 }
}

async fn search(world: &World, path: &str, what: Search) -> ToolOutcome {
    world.call(Admitted::SearchFiles { path: path.to_owned(), what }).await
}

async fn read(world: &World, path: &str, offset: u64, limit: Option<u64>) -> ToolOutcome {
    world.call(Admitted::ReadFile { path: path.to_owned(), offset, limit }).await
}

fn said(outcome: &ToolOutcome, stdout: &str, stderr: &str) -> Verdict {
    let text = String::from_utf8_lossy(&outcome.stdout);
    let about = String::from_utf8_lossy(&outcome.stderr);
    ensure(text == stdout && about.contains(stderr), || format!("wanted {stdout:?}, {stderr:?}: {}", show(outcome)))
}

pub async fn a_search_finds_lines_and_says_where(world: &World) -> Verdict {
    world
        .said(
            "mkdir -p hunt/src/.git; cd hunt; printf 'one\\nTwo\\nthree\\n' >src/a.rs; printf 'two.\\n' >b.txt; \
               printf 'two\\0' >bin; echo two >src/.git/packed; echo two >.hidden; printf 'esc\\033[31mtwo\\n' >src/z",
        )
        .await?;
    let all = search(world, "hunt", what("[Tt]wo")).await;
    said(
        &all,
        "hunt/.hidden:1:two\nhunt/b.txt:1:two.\nhunt/src/a.rs:2:Two\nhunt/src/z:1:esc\\u{1b}[31mtwo\n",
        "[1 file with binary content left out]",
    )?;
    let literal = search(world, "hunt", Search { literal: true, ..what("two.") }).await;
    said(&literal, "hunt/b.txt:1:two.\n", "")?;
    let glob = Search { ignore_case: true, glob: Some("*.rs".to_owned()), ..what("two") };
    said(&search(world, "hunt", glob).await, "hunt/src/a.rs:2:Two\n", "")?;
    let glob = Search { glob: Some("src/*".to_owned()), ..what("t.*") };
    said(&search(world, "hunt", glob).await, "hunt/src/a.rs:3:three\nhunt/src/z:1:esc\\u{1b}[31mtwo\n", "")?;
    let around = search(world, "hunt/src/a.rs", Search { context: 1, ..what("Two") }).await;
    said(&around, "hunt/src/a.rs-1-one\nhunt/src/a.rs:2:Two\nhunt/src/a.rs-3-three\n", "")?;
    said(&search(world, "hunt", what("nowhere")).await, "", "[no match; 5 files searched]")
}

pub async fn a_search_is_bounded_and_a_bad_pattern_is_named(world: &World) -> Verdict {
    refused(&search(world, ".", what("(")).await, "the pattern can't be used")?;
    refused(&search(world, ".", what("a\nb")).await, "the pattern can't be used")?;
    refused(&search(world, ".", what(&format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000)))).await, "can't be used")?;
    refused(&search(world, ".", what("(\\w{1000}){1000}")).await, "can't be used")?;
    refused(&search(world, ".", Search { glob: Some("[".to_owned()), ..what("a") }).await, "the glob can't be used")?;
    world.said("mkdir much; cd much; yes match | head -100000 >many; truncate -s 100M hole; mkfifo /tmp/p").await?;
    let many = search(world, "much/many", what("match")).await;
    done(&ToolOutcome { stderr: Vec::new(), ..many.clone() })?;
    let about = String::from_utf8_lossy(&many.stderr).into_owned();
    let lines = many.stdout.iter().filter(|byte| **byte == b'\n').count();
    ensure(lines == 200 && about.contains("200 matches are shown, and there are more"), || show(&many))?;
    world.said("cd much; head -c 2000000 /dev/zero | tr '\\0' x >long; echo needle >>long; echo end >>long").await?;
    let long = search(world, "much/long", what("needle")).await;
    let text = String::from_utf8_lossy(&long.stdout).into_owned();
    ensure(text.starts_with("much/long:1:…") && text.contains("xneedle [a line of 2000006 bytes]"), || show(&long))?;
    // A line that is too long to be held, and bytes that are no text.
    world.said("cd much; rm long; head -c 20000000 /dev/zero | tr '\\0' x >giant").await?;
    let left_out = search(world, "much", Search { glob: Some("[gh]*".to_owned()), ..what("needle") }).await;
    let about = String::from_utf8_lossy(&left_out.stderr).into_owned();
    ensure(about.contains("binary") && about.contains("1 file that can't be read"), || show(&left_out))
}

pub async fn no_look_leaves_the_workspace(world: &World) -> Verdict {
    let at = |name: &str| world.workspace().join(name);
    fs::create_dir(at("look")).map_err(|error| error.to_string())?;
    for (to, name) in [("../../outside", "file"), ("../..", "up"), ("/etc", "etc"), ("/proc/self/root", "root")] {
        symlink(to, at("look").join(name)).map_err(|error| error.to_string())?;
    }
    let found = search(world, "look", what(".")).await;
    said(&found, "", "[no match; 0 files searched]")?;
    for path in ["look/file", "look/up", "look/etc", "look/up/outside", "..", "/etc", "look/../.."] {
        refused(&search(world, path, what(".")).await, "could not")?;
        refused(&world.call(Admitted::GetFile { path: path.to_owned(), offset: 0 }).await, "could not")?;
        refused(&world.call(Admitted::ListFiles { path: path.to_owned(), recursive: true }).await, "could not")?;
    }
    let names = world.call(Admitted::ListFiles { path: "look".to_owned(), recursive: true }).await;
    said(&names, "etc\nfile\nroot\nup\n", "")
}

pub async fn a_text_is_read_in_parts_and_a_name_list_is_cut(world: &World) -> Verdict {
    world.said("mkdir parts; cd parts; seq 1 100000 >text; seq 1 3 >short; mkdir d; touch d/f").await?;
    said(&read(world, "parts/short", 1, None).await, "1\n2\n3\n", "")?;
    said(&read(world, "parts/text", 99_999, None).await, "99999\n100000\n", "")?;
    said(
        &read(world, "parts/text", 5, Some(2)).await,
        "5\n6\n",
        "[lines 5 to 6 of a file of 588895 bytes; read on with offset 7]",
    )?;
    refused(&read(world, "parts/text", 100_001, None).await, "no line 100001")?;
    let first = read(world, "parts/text", 1, None).await;
    let count = first.stdout.iter().filter(|byte| **byte == b'\n').count() as u64;
    ensure(first.stdout.len() <= 8 << 10 && first.stdout.starts_with(b"1\n2\n"), || show(&first))?;
    let next = read(world, "parts/text", count + 1, Some(1)).await;
    ensure(next.stdout == format!("{}\n", count + 1).as_bytes(), || show(&next))?;
    let all = world.call(Admitted::ListFiles { path: "parts".to_owned(), recursive: true }).await;
    said(&all, "d/\nd/f\nshort\ntext\n", "")?;
    world.said("mkdir parts/crowd; cd parts/crowd; seq -f 'name-%06g' 1 5000 | xargs touch").await?;
    let crowd = world.call(Admitted::ListFiles { path: "parts/crowd".to_owned(), recursive: false }).await;
    let lines = crowd.stdout.iter().filter(|byte| **byte == b'\n').count();
    let about = String::from_utf8_lossy(&crowd.stderr).into_owned();
    ensure(about.contains(&format!("[{lines} shown, {} more:", 5000 - lines)) && lines > 100, || show(&crowd))
}

pub async fn a_file_is_copied_out_as_it_is(world: &World) -> Verdict {
    world.said("head -c 300000 /dev/urandom >raw").await?;
    let held = fs::read(world.workspace().join("raw")).map_err(|error| error.to_string())?;
    let (mut copy, mut versions) = (Vec::new(), Vec::new());
    while copy.len() < held.len() {
        let part = world.call(Admitted::GetFile { path: "raw".to_owned(), offset: copy.len() as u64 }).await;
        ensure(part.stdout_dropped_bytes == 0 && !part.stdout.is_empty(), || show(&part))?;
        copy.extend(part.stdout);
        versions.push(part.stderr);
    }
    versions.dedup();
    let told = versions.first().is_some_and(|told| told.starts_with(b"300000 "));
    ensure(copy == held && versions.len() == 1 && told, || format!("{} bytes, {versions:?}", copy.len()))?;
    world.said("mkdir -p d; rm raw").await?;
    refused(&world.call(Admitted::GetFile { path: "d".to_owned(), offset: 0 }).await, "a directory, not a file")
}
