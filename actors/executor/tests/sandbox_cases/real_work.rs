//! Real work, in a sandbox and committed, beside the same work without one: what is left must be equal.

use super::beside::{self, Tree, differences, run, tree};
use super::world::World;
use super::{Verdict, ensure};

/// The same each time: who, when, where from.
const SETTLED: &str = "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com \
                       GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com PYTHONDONTWRITEBYTECODE=1 \
                       GIT_AUTHOR_DATE='2020-01-01 00:00:00 +0000' GIT_COMMITTER_DATE='2020-01-01 00:00:00 +0000'\n";

/// Both trees, without what can't be equal: where they are, and files that `skip` names by their last part.
fn both_trees(both: &beside::Both, name: &str, skip: &[&str]) -> Result<[Tree; 2], String> {
    let inside = format!("/workspace/{name}");
    let direct = both.direct.display().to_string();
    let trees = [tree(&both.sandboxed)?, tree(&both.direct)?];
    Ok(trees.map(|tree| {
        let kept = tree.into_iter().filter(|(path, _)| !skip.iter().any(|name| path.ends_with(name)));
        kept.map(|(path, node)| (path, node.with_place(&direct, &inside))).collect()
    }))
}

/// Does it twice and compares all but times.
async fn same(world: &World, name: &str, make: &str, work: &str, skip: &[&str]) -> Verdict {
    let (make, work) = (format!("{SETTLED}{make}"), format!("{SETTLED}{work}"));
    let both = run(world, name, &make, &work).await?;
    ensure(both.said[0] == both.said[1], || format!("{name}: said {:?}", both.said))?;
    let [sandboxed, direct] = both_trees(&both, name, skip)?.map(beside::timeless);
    let differences = differences(&sandboxed, &direct);
    ensure(differences.is_empty(), || format!("{name}: {differences:#?}"))
}

pub async fn git_clones_commits_rebases_and_moves(world: &World) -> Verdict {
    let make = "git init -q -b main src; cd src; mkdir -p dir/deep; echo 1 > dir/one; echo 2 > dir/deep/two; git add .; \
                git commit -qm first; for i in 1 2 3; do echo $i > f$i; git add .; git commit -qm $i; done; \
                git checkout -q -b side HEAD~2; echo side > side; git add .; git commit -qm side; git checkout -q main";
    let work = "git clone -q src copy; cd copy; git checkout -q side; git rebase -q main; git mv dir moved; \
                git commit -qm moved; echo more >> moved/one; git commit -qam more; git fsck --strict --full; \
                git gc -q; git fsck --full; git log --format='%H %s'; git status --short; git stash list; \
                cd ../src; git mv dir/deep dir/deeper; git commit -qm deeper; git fsck; git log -1 --format=%H; ls dir/deeper";
    // The index holds times and inode numbers; a pack's order is that of its threads.
    let skip = [".git/index", "copy/.git/objects/pack", "multi-pack-index"];
    let settled = format!("{work}; rm -rf ../copy/.git/objects/pack ../copy/.git/objects/info");
    same(world, "git", make, &settled, &skip).await
}

pub async fn a_c_project_is_built(world: &World) -> Verdict {
    let make = r#"mkdir src; for i in $(seq 12); do printf 'int f%d(int x) { return x + %d; }\n' $i $i > src/f$i.c; done
        { for i in $(seq 12); do echo "int f$i(int);"; done; echo '#include <stdio.h>'; echo 'int main(void) { int n = 0;'
          for i in $(seq 12); do echo "n = f$i(n);"; done; printf '%s\n' 'printf("%d\n", n); return 0; }'; } > src/main.c
        printf 'OBJECTS = $(patsubst src/%%.c,out/%%.o,$(wildcard src/*.c))\nprogram: $(OBJECTS)\n\t$(CC) -o $@ $^\nout/%%.o: src/%%.c\n\t@mkdir -p out\n\t$(CC) -O2 -c -o $@ $<\nclean:\n\trm -rf out program\n' > Makefile"#;
    let work =
        "make -s -j2 program; ./program; make -s clean; make -s -j2 program; ./program; ar rcD lib.a out/f*.o; ls out";
    same(world, "make", make, work, &[]).await
}

pub async fn a_wheel_is_installed(world: &World) -> Verdict {
    let make = r#"python3 - <<'END'
import zipfile
info = "hello-1.0.dist-info/"
with zipfile.ZipFile("hello-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("hello/__init__.py", "def main():\n    print('hello from a wheel')\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\nhello = hello:main\n")
    wheel.writestr(info + "RECORD", "")
END"#;
    let work = "python3 -m venv --without-pip v; python3 -m pip -q --python v/bin/python install --no-index --no-compile \
                --no-cache-dir --disable-pip-version-check ./hello-1.0-py3-none-any.whl; v/bin/hello; \
                v/bin/python -c 'import hello; print(hello.__name__)'";
    // The record has the digest of a script that begins with its place; the wheel, the time it was packed.
    let skip = ["RECORD", "hello-1.0-py3-none-any.whl", "direct_url.json"];
    same(world, "pip", make, work, &skip).await
}

pub async fn a_database_with_a_write_ahead_log(world: &World) -> Verdict {
    let make = r#"cat > rows.py <<'END'
import os, sqlite3, sys
db = sqlite3.connect("db")
print(db.execute("pragma journal_mode=wal").fetchone())
db.execute("create table if not exists t (n integer primary key, v text)")
for n in range(200):
    with db:
        db.execute("insert into t (v) values (?)", (f"{sys.argv[1]} {n}",))
reader = sqlite3.connect("db")
print(reader.execute("select count(*), max(v) from t").fetchone(), sorted(os.listdir(".")))
if sys.argv[1] == "killed":
    os.kill(os.getpid(), 9)
END
python3 rows.py before"#;
    let work = "python3 rows.py kept; python3 rows.py killed || echo $?; ls; \
                python3 -c 'import sqlite3; db = sqlite3.connect(\"db\"); print(db.execute(\"select count(*) from t\").fetchone(), \
                db.execute(\"pragma integrity_check\").fetchone())'";
    same(world, "sqlite", make, work, &[]).await
}

pub async fn archives_copies_and_deletions(world: &World) -> Verdict {
    let make = "mkdir -p tree/a/b old; for i in 1 2 3; do echo $i > tree/a/$i; done; echo b > tree/a/b/b; ln tree/a/1 tree/one; \
                ln -s a/b tree/link; chmod 750 tree/a; chmod 600 tree/a/2; truncate -s 3M tree/sparse; \
                setfattr -n user.color -v red tree/a/3; echo stale > old/stale; cp -a tree/. old; echo changed > old/a/2; \
                find . -exec touch -h -d '2021-02-03 04:05:06.789' {} +; tar -cf given.tar -C tree .; \
                touch -d '2021-02-03 04:05:06' given.tar";
    let work = "tar --xattrs --sort=name -cf made.tar tree; mkdir out; tar --xattrs -xf made.tar -C out; \
                mkdir given; tar -xf given.tar -C given; rsync -aHX --delete tree/ old/; rsync -a tree/ fresh/; \
                cp -a --reflink=auto tree copy; cp --reflink=auto tree/sparse flat; find old -name '*.none' -delete; \
                find copy -type f -name '[12]' -delete; find given -mindepth 1 -delete; rmdir given; rm made.tar; \
                find . -printf '%p %s %m\\n' | grep -c .";
    same(world, "archives", make, work, &[]).await?;
    // What keeps times keeps them through the commit too.
    let name = "archives";
    let places = [world.workspace().join(name), world.workspace().with_file_name("direct").join(name)];
    for part in ["old", "fresh", "copy", "out/tree"] {
        let [sandboxed, direct] = [tree(&places[0].join(part))?, tree(&places[1].join(part))?];
        let differences = differences(&sandboxed, &direct);
        ensure(differences.is_empty(), || format!("{part}: {differences:#?}"))?;
    }
    Ok(())
}

pub async fn editors_save(world: &World) -> Verdict {
    let make = "mkdir d; echo old > d/file; chmod 640 d/file; ln d/file d/linked; echo x > d/plain";
    let work = r#"python3 - <<'END'
import os
def save(path, text):
    temporary = path + ".tmp"
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, os.stat(path).st_mode & 0o777)
    os.replace(temporary, path)
    above = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(above)
    os.close(above)
save("d/file", "new\n")
# With a copy of the old, as vi does it.
os.rename("d/plain", "d/plain~")
with open("d/plain", "x") as file:
    file.write("y\n")
save("d/plain", "z\n")
END
cat d/*; stat -c '%n %a' d/*"#;
    same(world, "editor", make, work, &[]).await
}

pub async fn files_of_several_names_are_edited(world: &World) -> Verdict {
    let make = "mkdir a b; for i in 1 2 3 4 5; do echo $i > a/$i; ln a/$i b/$i; done; ln a/1 third; mkdir e; echo x > e/x; ln e/x b/x; ln e/x e/y";
    let work = "echo more >> a/1; sed -i s/2/two/ a/2; python3 -c 'open(\"b/3\", \"w\").write(\"three\")'; chmod 600 b/4; \
                rm a/5; mv e moved; cat moved/*";
    // In the overlay itself a link is broken until the commit: what is said of it inside would differ.
    let both = run(world, "links", make, work).await?;
    let [sandboxed, direct] = both_trees(&both, "links", &[])?.map(beside::timeless);
    let differences = differences(&sandboxed, &direct);
    ensure(differences.is_empty(), || format!("{differences:#?}"))
}

pub async fn npm_installs_over_an_older_tree(world: &World) -> Verdict {
    let make = r#"pack() { mkdir -p package/lib; printf '{"name":"p","version":"%s","main":"lib/%s.js","bin":{"p":"lib/%s.js"}}' $1 $2 $2 > package/package.json
        printf '#!/usr/bin/env node\nconsole.log("%s")\n' $1 > package/lib/$2.js; chmod 755 package/lib/$2.js; tar --mtime=@1000000000 -czf p-$1.tgz package; rm -r package; }
        pack 1.0.0 old; pack 2.0.0 new; printf '{"name":"app","version":"1.0.0","private":true}' > package.json
        npm install --offline --no-audit --no-fund --cache /tmp/npm-$$ ./p-1.0.0.tgz >/dev/null 2>&1; rm -r /tmp/npm-$$; node_modules/.bin/p"#;
    let work = "npm install --offline --no-audit --no-fund --cache /tmp/npm-$$ ./p-2.0.0.tgz >/dev/null; rm -r /tmp/npm-$$; \
                node_modules/.bin/p; node -e 'require(\"p\")'; ls node_modules/p/lib; rm p-1.0.0.tgz; mv node_modules n; mv n node_modules; \
                cat node_modules/p/package.json";
    same(world, "npm", make, work, &[]).await
}
