//! Real work inside a sandbox, beside the same outside: a build of a C project, and `git status`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::calls::Calls;
use crate::sample::Sample;

/// Makes a project of 60 files of C in the directory it is run in.
const PROJECT: &str = r#"mkdir -p project && cd project && for i in $(seq 60); do { echo '#include <stdio.h>'; echo '#include <stdlib.h>'
echo '#include <string.h>'; for j in $(seq 30); do
echo "int f${i}_$j(const char *s, int n) { int t = 0; for (int k = 0; k < n; k++) t += s[k % 7] * $j + k % $i; return t; }"
done; } >f$i.c; done
{ echo 'int main(void) { return 0; }'; } >main.c
{ echo 'objects := $(patsubst %.c,%.o,$(wildcard *.c))'; echo 'project: $(objects)'; printf '\tcc -o $@ $^\n'
echo '%.o: %.c'; printf '\tcc -O2 -c -o $@ $<\n'; } >Makefile"#;
const BUILD: &str = "cd project && make -s -j2";
const CLEAN: &str = "cd project && rm -f *.o project";

/// Makes a repository of 10^4 files.
const REPOSITORY: &str = "mkdir repository && cd repository && git init -q . && for d in $(seq 100); do mkdir d$d
for f in $(seq 100); do echo $d $f >d$d/f$f; done; done
git add . && git -c user.name=u -c user.email=u@localhost commit -q -m all";
/// Prints nanoseconds of one `git status`, the first of six left out.
const STATUS: &str = "cd repository && s() { git -c safe.directory='*' --no-optional-locks status --porcelain; }; s
a=$(date +%s%N); s; s; s; s; s; b=$(date +%s%N); echo $(((b - a) / 5))";

/// Milliseconds inside, and those beside it.
pub struct Beside {
    /// In a sandbox.
    pub inside: Sample,
    /// Over an overlay without our filters.
    pub overlay: Option<Sample>,
    /// Outside.
    pub outside: Sample,
}

fn outside(dir: &Path, script: &str) -> Result<(f64, String), String> {
    let from = std::time::Instant::now();
    let output = Command::new("sh").args(["-euc", script]).current_dir(dir).output().map_err(|e| format!("sh: {e}"))?;
    if !output.status.success() {
        return Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok((from.elapsed().as_secs_f64() * 1e3, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// A build inside, from request to report, and outside.
pub fn build(calls: &mut Calls, scratch: &Path, rounds: usize) -> Result<Beside, String> {
    let dir = crate::cells::made(scratch.join("build"))?;
    outside(&dir, PROJECT)?;
    calls.must(PROJECT)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(outside(&dir, BUILD)?.0);
        ours.push(calls.must(BUILD)?.0);
        outside(&dir, CLEAN)?;
        calls.must(CLEAN)?;
    }
    fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(Beside { inside: Sample::of(ours)?, overlay: None, outside: Sample::of(theirs)? })
}

/// `git status`, timed where it runs.
pub fn git_status(calls: &mut Calls, workspace: &Path, scratch: &Path, rounds: usize) -> Result<Beside, String> {
    calls.must(REPOSITORY)?;
    let layer = crate::cells::made(scratch.join("git-layer"))?;
    let over = format!(
        "mount -t tmpfs layer '{0}' && mkdir '{0}/upper' '{0}/work' '{0}/merged' && \
         mount -t overlay -o 'lowerdir={1},upperdir={0}/upper,workdir={0}/work,userxattr' overlay '{0}/merged' && \
         cd '{0}/merged' && {STATUS}",
        layer.display(),
        workspace.display()
    );
    let over = format!("exec unshare --mount sh -euc {}", quoted(&over));
    let parse = |text: String| text.trim().parse::<f64>().map(|ns| ns / 1e6).map_err(|e| format!("{text:?}: {e}"));
    let (mut inside, mut overlay, mut direct) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        inside.push(parse(calls.must(STATUS)?.1)?);
        overlay.push(parse(outside(scratch, &over)?.1)?);
        direct.push(parse(outside(workspace, STATUS)?.1)?);
    }
    Ok(Beside { inside: Sample::of(inside)?, overlay: Some(Sample::of(overlay)?), outside: Sample::of(direct)? })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
