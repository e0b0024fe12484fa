//! Whom a command tried to reach is seen, and nobody is reached.

use schema::effects::Standing;
use schema::tool::{Admitted, Ended, Limit};
use tokio::sync::Notify;

use super::world::{World, show};
use super::{Verdict, ensure};

/// The command reaches for exactly these, changes nothing, and so commits nothing.
async fn reaches(world: &World, command: &str, hosts: &[&str]) -> Verdict {
    let outcome = world.sh(command).await;
    let right = outcome.effects.hosts.list == hosts && outcome.standing == Standing::Nothing;
    ensure(right, || format!("{command}: {:?} {:?} {}", outcome.effects, outcome.standing, show(&outcome)))
}

fn python(text: &str) -> String {
    format!("python3 - <<'END'\nimport socket, os\nS = socket.socket\nUDP = socket.SOCK_DGRAM\n{text}\nEND")
}

pub async fn whom_a_command_tried_to_reach_is_seen(world: &World) -> Verdict {
    for (text, hosts) in [
        ("S().connect(('192.0.2.1', 443))", &["192.0.2.1:443/tcp"][..]),
        ("S(type=UDP).connect(('192.0.2.1', 53))", &["192.0.2.1:53/udp"]),
        ("S(type=UDP).sendto(b'x', ('192.0.2.2', 53))", &["192.0.2.2:53/udp"]),
        ("S(type=UDP).sendmsg([b'x'], [], 0, ('192.0.2.3', 9))", &["192.0.2.3:9/udp"]),
        ("S().sendto(b'x', 0x20000000, ('192.0.2.4', 80))", &["192.0.2.4:80/tcp"]),
        ("S(socket.AF_INET6).connect(('2001:db8::1', 443))", &["[2001:db8::1]:443/tcp"]),
        ("S(socket.AF_INET6).connect(('::ffff:192.0.2.5', 443))", &["192.0.2.5:443/tcp"]),
        ("socket.create_connection(('example.com', 443), timeout=1)", &["example.com:443/tcp"]),
        ("import urllib.request as u; u.urlopen('http://www.Example.org/x', timeout=1)", &["www.example.org:80/tcp"]),
        ("socket.gethostbyname('only.looked.up.example')", &["only.looked.up.example"]),
        ("for n in range(3):\n  S().connect_ex(('192.0.2.1', 1 + n % 2))", &["192.0.2.1:1/tcp", "192.0.2.1:2/tcp"]),
    ] {
        reaches(world, &python(text), hosts).await?;
    }
    reaches(world, "getent hosts a.example b.example >/dev/null", &["a.example", "b.example"]).await?;
    reaches(world, "git ls-remote https://git.example/x.git", &["git.example:443/tcp"]).await
}

pub async fn whom_it_reached_by_itself_is_nobodys_business(world: &World) -> Verdict {
    for text in [
        "a = S(); a.bind(('127.0.0.1', 0)); a.listen(); S().connect(a.getsockname())",
        "a = S(socket.AF_INET6); a.bind(('::1', 0)); a.listen(); S(socket.AF_INET6).connect(a.getsockname())",
        "a = S(type=UDP); a.bind(('127.0.0.1', 0)); S(type=UDP).sendto(b'x', a.getsockname()); assert a.recv(9) == b'x'",
        "a, b = socket.socketpair(); a.sendmsg([b'x']); assert b.recv(9) == b'x'",
        "a = S(socket.AF_UNIX); a.bind('/tmp/s'); a.listen(); S(socket.AF_UNIX).connect('/tmp/s')",
        "a = S(socket.AF_UNIX, UDP); a.bind('/tmp/d'); S(socket.AF_UNIX, UDP).sendto(b'x', '/tmp/d')",
        "socket.getaddrinfo('localhost', 80); socket.getaddrinfo('sandbox', 80)",
    ] {
        world.said(&python(text)).await?;
        reaches(world, &python(text), &[]).await?;
    }
    Ok(())
}

pub async fn a_command_cannot_confuse_who_watches_it(world: &World) -> Verdict {
    // No address, no memory, no socket; noise for the resolver; names that are none.
    let noise = "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\n\
        for call in (42, 44, 46, 307, 82, 264, 316):\n  for a in (0, 1, -1, 2**63 - 1):\n    for b in (0, 1, 8, 2**40):\n      \
        c.syscall(call, ctypes.c_long(a), ctypes.c_long(b), ctypes.c_long(a), ctypes.c_long(b), ctypes.c_long(b), ctypes.c_long(b))\n\
        u = S(type=UDP)\n\
        for n in range(3000):\n  u.sendto(os.urandom(n % 600), ('127.0.0.1', 53))\n\
        u.sendto(b'\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + b'\\x05\\x1b[31m\\0\\0\\1\\0\\1', ('127.0.0.1', 53))\n\
        print(socket.gethostbyname('still.there.example'))";
    let outcome = world.sh(&python(noise)).await;
    let said = String::from_utf8_lossy(&outcome.stdout).starts_with("198.18.");
    ensure(said && outcome.effects.hosts.list == ["still.there.example"], || {
        format!("{:?} {}", outcome.effects, show(&outcome))
    })?;
    // More than is listed is counted.
    let many = "for n in range(100):\n  S(type=UDP).connect(('192.0.2.1', 1000 + n))";
    let outcome = world.sh(&python(&many.replace(".connect(", ".connect_ex("))).await;
    let (listed, more) = (outcome.effects.hosts.list.len(), outcome.effects.hosts.more);
    ensure((listed, more) == (64, 36), || format!("{listed} {more} {}", show(&outcome)))?;
    // Threads that write over the address while it is looked at reach nobody either, and break nothing.
    let race = "import ctypes, struct, threading\nc = ctypes.CDLL(None, use_errno=True)\n\
        def address(ip): return struct.pack('=H', 2) + struct.pack('!H', 80) + socket.inet_aton(ip) + bytes(8)\n\
        one, two = address('127.0.0.1'), address('192.0.2.9')\nmemory = ctypes.create_string_buffer(one, 16)\nstop = False\n\
        def flip():\n  while not stop:\n    memory.raw = two\n    memory.raw = one\n\
        t = threading.Thread(target=flip); t.start()\n\
        for n in range(300):\n  s = S(type=UDP); c.connect(s.fileno(), memory, 16); s.close()\n\
        stop = True; t.join(); print('whole')";
    let outcome = world.sh(&python(race)).await;
    ensure(outcome.stdout == b"whole\n", || show(&outcome))
}

pub async fn a_command_that_is_killed_has_said_whom_it_tried_to_reach(world: &World) -> Verdict {
    let reaching = "try: socket.create_connection(('late.example', 443), timeout=1)\nexcept OSError: pass\n\
        socket.gethostbyname('looked.up.example')\nopen('tried', 'w').write('x')\n";
    let hosts = ["late.example:443/tcp", "looked.up.example"];
    let forever = python(&format!("{reaching}print('tried', flush=True)\nimport time; time.sleep(60)"));
    let outcome = world.sh_for(&forever, 3000).await;
    let told = outcome.ended == Ended::TimedOut && outcome.limit == Some(Limit::WallTime);
    ensure(told && outcome.effects.hosts.list == hosts, || format!("{:?} {}", outcome.effects, show(&outcome)))?;
    let cancel = Notify::new();
    let call = Admitted::RunCommand { command: forever, timeout_ms: 60_000, paths: Vec::new(), image: None };
    let (outcome, ()) = tokio::join!(world.call_until(call, &cancel), async {
        while !world.has_streamed("tried") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cancel.notify_one();
    });
    let told = outcome.ended == Ended::Cancelled && outcome.limit.is_none();
    ensure(told && outcome.effects.hosts.list == hosts, || format!("{:?} {}", outcome.effects, show(&outcome)))?;
    let killed = world.sh(&python(&format!("{reaching}os.kill(os.getpid(), 9)"))).await;
    ensure(killed.effects.hosts.list == hosts, || format!("{:?} {}", killed.effects, show(&killed)))?;
    // More than are told, and then killed: there are more, nobody knows how many.
    let many = "for n in range(100):\n  S(type=UDP).connect_ex(('192.0.2.1', 1000 + n))\nimport time; time.sleep(60)";
    let outcome = world.sh_for(&python(many), 3000).await;
    let (listed, more) = (outcome.effects.hosts.list.len(), outcome.effects.hosts.more);
    ensure((listed, more) == (64, 1), || format!("{listed} {more} {}", show(&outcome)))
}

pub async fn names_are_looked_up_over_tcp_too(world: &World) -> Verdict {
    reaches(world, "RES_OPTIONS=use-vc getent hosts tcp.example other.example", &["tcp.example", "other.example"])
        .await?;
    // Byte by byte, several at once, one of 1232 bytes; and what is none.
    let asks = "import struct\ndef q(name):\n  \
        b = b'\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + b''.join(bytes([len(p)]) + p.encode() for p in name.split('.')) + \
        b'\\0\\0\\1\\0\\1'\n  return struct.pack('!H', len(b)) + b\n\
        def c():\n  s = S(); s.settimeout(5); s.connect(('127.0.0.1', 53)); return s\n\
        def answer(s):\n  n = b''\n  while len(n) < 2: n += s.recv(2 - len(n))\n  \
        b = b''\n  while len(b) < struct.unpack('!H', n)[0]: b += s.recv(9999)\n  return b\n";
    let whole = "s = c()\nfor byte in q('slow.example'): s.send(bytes([byte]))\nassert answer(s)[-4:-2] == b'\\xc6\\x12'\n\
        s.sendall(q('one.example') + q('two.example')); answer(s) and answer(s)\n";
    let bad = "for b in (b'\\xff\\xff', b'\\0\\3abc', b'\\0\\0', os.urandom(5000), q('x.example')[:-1] + b'y'):\n  \
        t = c(); t.sendall(b)\n  try:\n    t.shutdown(1); assert t.recv(9) == b''\n  except OSError: pass\n";
    // Those who say nothing keep nobody out, and who never reads is let go.
    let many = "held = [c() for _ in range(100)]\nu = c()\nu.setblocking(False)\ntry:\n  \
        for _ in range(100000): u.send(q('flood.example'))\nexcept OSError: pass\n\
        s = c(); s.sendall(q('last.example')); answer(s)\nprint('whole')";
    let outcome = world.sh(&python(&format!("{asks}{whole}{bad}{many}"))).await;
    let hosts = ["slow.example", "one.example", "two.example", "flood.example", "last.example"];
    let right = outcome.stdout == b"whole\n" && outcome.effects.hosts.list == hosts;
    ensure(right, || format!("{:?} {}", outcome.effects.hosts, show(&outcome)))
}
