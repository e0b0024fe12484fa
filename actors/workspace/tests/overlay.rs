//! Commands in a real overlay: what is committed is what the same command does without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::path::Path;

use common::{Home, Tree, assert_same, lines, timeless};
use workspace::State;

/// A workspace made by a script.
fn home(make: &str) -> Home {
    let home = Home::new();
    home.run(make);
    home
}

/// Times of files; a directory's say little, since a commit works in it otherwise than a command.
fn file_times(tree: &Tree) -> Vec<(&Path, (i64, i64))> {
    tree.iter().filter(|(_, node)| node.kind != "directory").map(|(path, node)| (path.as_path(), node.mtime)).collect()
}

/// Commits the script's changes and compares with the script run in the workspace itself. The lines of its effects.
#[track_caller]
fn as_without(make: &str, script: &str) -> Vec<String> {
    let (direct, home) = (home(make), home(make));
    direct.run(script);
    let before = home.look();
    let mut area = home.open();
    let effects = home.stage(&mut area, 1, script).unwrap();
    assert_same(&home.look(), &before, "staging changed something");
    area.commit(1, b"").unwrap();
    assert_eq!(area.state(1), State::Committed { undoable: true });
    assert_same(&timeless(&home.look()), &timeless(&direct.look()), script);
    lines(&effects)
}

#[test]
fn files_and_directories() {
    let effects = as_without(
        "echo a > a; mkdir -p d/e; echo 1 > d/e/1; echo 2 > d/2; ln -s a l",
        "echo b >> a; rm d/2; mkdir -p n/m; echo x > n/m/x; ln -sfn d l; chmod 700 d/e; touch empty",
    );
    let expected = [
        "~ file a",
        "- file d/2",
        "~ directory d/e",
        "+ file empty",
        "~ link l",
        "+ directory n",
        "+ directory n/m",
        "+ file n/m/x",
    ];
    assert_eq!(effects, expected);
}

#[test]
fn what_is_rewritten_unchanged_is_no_effect() {
    let effects = as_without(
        "echo a > a; mkdir d; echo b > d/b; ln -s a l",
        "cp a c; mv c a; touch d/b; cp -r d e; rm -r d; mv e d; ln -sfn a l; echo x > x; rm x",
    );
    assert_eq!(effects, Vec::<String>::new());
}

#[test]
fn kinds_are_exchanged() {
    let make = "mkdir -p d/e; echo 1 > d/e/1; echo f > f; echo g > g; ln -s f l";
    let effects =
        as_without(make, "rm -r d; echo now > d; rm f; mkdir f; echo in > f/in; rm g; ln -s x g; rm l; mkdir l");
    let expected =
        ["~ file d", "- directory d/e", "- file d/e/1", "~ directory f", "+ file f/in", "~ link g", "~ directory l"];
    assert_eq!(effects, expected);
}

#[test]
fn a_directory_made_anew_hides_the_old_one() {
    let make = "mkdir -p d/e; echo 1 > d/1; echo 2 > d/e/2; echo 3 > d/3";
    let effects = as_without(make, "rm -r d; mkdir d; echo 1 > d/1; echo new > d/new");
    assert_eq!(effects, ["+ file d/new", "- file d/3", "- directory d/e", "- file d/e/2"]);
}

#[test]
fn what_is_below_a_directory_made_anew_is_new_too() {
    let make = "mkdir -p d/e/f; echo 1 > d/1; echo 2 > d/e/2; echo 3 > d/e/f/3";
    let effects = as_without(make, "rm -r d; mkdir -p d/e/f; echo new > d/e/f/new");
    assert_eq!(effects, ["+ file d/e/f/new", "- file d/e/f/3", "- file d/e/2", "- file d/1"]);
}

#[test]
fn a_tree_is_deleted() {
    let effects = as_without("mkdir -p d/e/f; echo 1 > d/e/f/1; ln -s x d/l; chmod 555 d/e", "chmod 755 d/e; rm -r d");
    assert_eq!(effects, ["- directory d", "- directory d/e", "- directory d/e/f", "- file d/e/f/1", "- link d/l"]);
}

#[test]
fn a_file_written_in_place_keeps_its_other_names() {
    let make = "echo a > a; ln a b; ln a c; echo u > u; ln u v";
    assert_eq!(as_without(make, "echo more >> a"), ["~ file a"]);
    assert_eq!(as_without(make, "chmod 600 b"), ["~ file b"]);
    assert_eq!(as_without(make, "echo new > n; mv n a"), ["~ file a"]);
    assert_eq!(as_without(make, "rm b; echo x >> v; touch a"), ["- file b", "~ file v"]);
    assert_eq!(as_without(make, "ln a d; echo more >> d"), ["~ file a", "+ file d"]);
    assert_eq!(as_without(make, "mv a d"), ["- file a", "+ file d"]);
    assert_eq!(as_without(make, "mv u a"), ["~ file a", "- file u"]);
}

#[test]
fn a_file_of_a_moved_directory_keeps_its_names_elsewhere() {
    let make = "mkdir d; echo a > d/a; ln d/a d/b; ln d/a c; mkdir e; echo x > e/x; ln e/x y";
    // What the init does for `mv d n`: the overlay itself refuses it.
    let moved = "mkdir n; mv d/a n/a; ln n/a n/b; rm d/b; rmdir d";
    assert_eq!(
        as_without(make, moved),
        ["- directory d", "- file d/a", "- file d/b", "+ directory n", "+ file n/a", "+ file n/b"]
    );
    as_without(make, &format!("{moved}; mkdir d; echo new > d/a; mv e/x d/x; rmdir e"));
}

#[test]
fn names_of_one_file_changed_apart_are_refused() {
    let home = home("echo a > a; ln a b");
    let mut area = home.open();
    let error = home.stage(&mut area, 1, "echo 1 >> a; echo 2 >> b").unwrap_err();
    assert_eq!(error.to_string(), "a, b are names of one file and were changed to different contents");
    assert_eq!(area.state(1), State::Unknown);
}

#[test]
fn new_links_are_links() {
    let effects =
        as_without("echo a > a; mkdir d", "echo n > n; ln n d/m; ln a d/a; mkdir new; ln n new/o; ln a new/a");
    let expected = ["+ file d/a", "+ file d/m", "+ file n", "+ directory new", "+ file new/a", "+ file new/o"];
    assert_eq!(effects, expected);
}

#[test]
fn attributes_modes_and_times() {
    let make =
        "echo a > a; touch -d @1000.123456789 a; mkdir d; setfattr -n user.one -v 1 a; setfattr -n user.d -v d d";
    let script = "setfattr -n user.two -v 2 a; setfattr -x user.one a; setfattr -n user.d -v e d; echo b > b; \
                  touch -d @-5.25 b; chmod 1777 d; echo s > s; chmod 4755 s; setfattr -n user.a=b%3D -v x b";
    let (direct, home) = (home(make), home(make));
    direct.run(&format!("{script}; chmod 755 s"));
    let mut area = home.open();
    let effects = home.stage(&mut area, 1, script).unwrap();
    area.commit(1, b"").unwrap();
    assert_eq!(lines(&effects), ["~ file a", "+ file b", "~ directory d", "+ file s"]);
    assert_same(&timeless(&home.look()), &timeless(&direct.look()), "but for setuid");
    let times = |home: &Home| file_times(&home.look()).iter().find(|(path, _)| path.ends_with("b")).unwrap().1;
    assert_eq!(times(&home), (-6, 750_000_000));
    assert_eq!(times(&home), times(&direct));
}

#[test]
fn sparse_files_stay_sparse() {
    let script = "truncate -s 64M s; echo x | dd of=s bs=1 seek=30000000 conv=notrunc 2>/dev/null; truncate -s 10M e";
    let effects = as_without("echo a > a", script);
    assert_eq!(effects, ["+ file e", "+ file s"]);
    let home = home("echo a > a");
    let layer = home.rehearse(script);
    assert!(layer.len() < 200 << 10, "the holes were written: {} bytes", layer.len());
    let mut area = home.open();
    area.stage(1, &mut &layer[..]).unwrap();
    area.commit(1, b"").unwrap();
    let blocks = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(home.path("s")).unwrap());
    assert!(blocks < 200, "{blocks} blocks on disk");
}

#[test]
fn any_names() {
    let script = r#"printf n > "$(printf 'new\nline')"; printf n > "naïve's 🦀";  printf n > "$(printf '\377\376')"; mkdir -- '-rf * $(x)';
        echo x > "-rf * \$(x)/$(printf 'a%.0s' $(seq 255))"; d=.; for i in $(seq 30); do d=$d/$(printf 'b%.0s' $(seq 100)); done;
        mkdir -p "$d"; echo deep > "$d/file""#;
    let effects = as_without("echo a > a", script);
    assert_eq!(effects.len(), 5 + 31);
    assert!(effects.contains(&"+ file naïve's 🦀".to_owned()), "{effects:?}");
    assert!(effects.contains(&r"+ file new\nline".to_owned()) && effects.contains(&r"+ file \xff\xfe".to_owned()));
}

#[test]
fn pipes_and_sockets_are_refused_by_name() {
    let home = home("mkdir d");
    let error = home.try_rehearse("mkfifo d/pipe").unwrap_err();
    assert_eq!(error.to_string(), "d/pipe is a pipe: only files, directories and symbolic links can be committed");
}
