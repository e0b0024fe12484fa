//! Commands in the background, over a real edge, the test being the gate.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use executor::drain;
use executor::serve::{Desk, edge};
use kit::packet::Packets;
use kit::{Control, Link};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use schema::edge::Wire;
use schema::edge::control::{FromRole, ToRole};
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::effects::Standing;
use schema::label::Label;
use schema::limits::CONTROL_PACKET_BYTES;
use schema::tool::{Admitted, Ended, Limit, TerminalSize, ToolOutcome};

use super::world::{World, show};
use super::{Verdict, ensure};

/// A number that no action has.
const UNKNOWN: u64 = 666_666;

/// A gate that commits what it is shown.
struct Gate {
    link: Link<ToExecutor, FromExecutor>,
    next: Cell<u64>,
    commits: bool,
    /// Ends that were told, of commands in the background.
    ended: Vec<(u64, ToolOutcome)>,
    settled: Vec<(u64, Standing)>,
    announced: Vec<u64>,
}

impl Gate {
    async fn at(desk: &Rc<Desk>, first: u64) -> Result<Gate, String> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
        let desk = desk.clone();
        tokio::task::spawn_local(async move {
            let link = Link::open(OwnedFd::from(theirs), ExecutorWire::NAME, ExecutorWire::LIMIT_BYTES).await?;
            let (reader, writer) = link.split();
            edge(&desk, reader, writer).await
        });
        let link = Link::open(OwnedFd::from(ours), ExecutorWire::NAME, ExecutorWire::LIMIT_BYTES).await;
        let link = link.map_err(|error| error.to_string())?;
        let (ended, settled, announced) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Gate { link, next: Cell::new(first), commits: true, ended, settled, announced })
    }

    /// The outcome of a call; what else is told meanwhile is noted, and settled.
    async fn call(&mut self, call: Admitted) -> Result<(u64, ToolOutcome), String> {
        let action = self.next.replace(self.next.get() + 1);
        let run = ToExecutor::Run { action, call, label: Label::OWN };
        self.link.send(&run).await.map_err(|error| error.to_string())?;
        let mut staged = None;
        loop {
            match self.told().await? {
                FromExecutor::Finished { action: of, outcome } if of == action => {
                    if outcome.standing != Standing::Staged {
                        return Ok((action, outcome));
                    }
                    staged = Some(outcome);
                    self.settle(action, true).await?;
                }
                FromExecutor::Settled { action: of, standing } if of == action => {
                    let outcome = staged.take().ok_or("settled, but nothing was staged")?;
                    return Ok((action, ToolOutcome { standing, ..outcome }));
                }
                _ => {}
            }
        }
    }

    async fn settle(&mut self, action: u64, commit: bool) -> Verdict {
        let settle = ToExecutor::Settle { action, commit, label: Label::OWN };
        self.link.send(&settle).await.map_err(|error| error.to_string())
    }

    async fn told(&mut self) -> Result<FromExecutor, String> {
        let told = tokio::time::timeout(Duration::from_secs(30), self.link.recv()).await;
        let told = told.map_err(|_| "nothing was told in time".to_owned())?.map_err(|error| error.to_string())?;
        match &told {
            FromExecutor::Ended { action, outcome } => {
                self.ended.push((*action, outcome.clone()));
                if outcome.standing == Standing::Staged {
                    self.settle(*action, self.commits).await?;
                }
            }
            FromExecutor::Settled { action, standing } => self.settled.push((*action, standing.clone())),
            FromExecutor::Background { action } => self.announced.push(*action),
            FromExecutor::Output { .. }
            | FromExecutor::Again { .. }
            | FromExecutor::Finished { .. }
            | FromExecutor::UndoPreviewed { .. }
            | FromExecutor::Uploaded { .. } => {}
        }
        Ok(told)
    }

    async fn start(&mut self, command: &str) -> Result<u64, String> {
        self.start_on(command, None).await
    }

    async fn start_on(&mut self, command: &str, terminal: Option<TerminalSize>) -> Result<u64, String> {
        let call = Admitted::Start { command: command.to_owned(), timeout_ms: 60_000, terminal, image: None };
        let (action, outcome) = self.call(call).await?;
        ensure(outcome.ended == Ended::Running, || show(&outcome))?;
        ensure(self.announced.contains(&action), || "it was not said to run".to_owned())?;
        Ok(action)
    }

    async fn poll(&mut self, action: u64) -> Result<ToolOutcome, String> {
        Ok(self.call(Admitted::Poll { action, wait_ms: 10_000 }).await?.1)
    }

    /// Polls until it has ended: all that it wrote on standard output, and how it ended.
    async fn end(&mut self, action: u64) -> Result<(String, ToolOutcome), String> {
        self.until(action, |_| false).await
    }

    async fn until(&mut self, action: u64, enough: impl Fn(&str) -> bool) -> Result<(String, ToolOutcome), String> {
        let mut text = String::new();
        loop {
            let outcome = self.poll(action).await?;
            text.push_str(&String::from_utf8_lossy(&outcome.stdout));
            if outcome.ended != Ended::Running || enough(&text) {
                return Ok((text, outcome));
            }
        }
    }

    async fn input(&mut self, action: u64, text: &str, end: bool) -> Verdict {
        let (_, outcome) = self.call(Admitted::Input { action, text: text.to_owned(), end }).await?;
        ensure(outcome.ended == (Ended::Exited { code: 0 }), || show(&outcome))
    }

    async fn sh(&mut self, command: &str) -> Result<ToolOutcome, String> {
        let call =
            Admitted::RunCommand { command: command.to_owned(), timeout_ms: 20_000, paths: Vec::new(), image: None };
        Ok(self.call(call).await?.1)
    }
}

fn desk(world: &World) -> Rc<Desk> {
    Desk::new(world.hands(), world.area(), None)
}

/// One with a supervisor's line, whose other end is the test's.
fn supervised(world: &World) -> Result<(Rc<Desk>, Packets<ToRole, FromRole>), String> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|errno| errno.to_string())?;
    let supervisor = Packets::new(ours, CONTROL_PACKET_BYTES).map_err(|error| error.to_string())?;
    let control = Control::start(theirs).map_err(|error| error.to_string())?;
    Ok((Desk::new(world.hands(), world.area(), Some(control)), supervisor))
}

/// A copy goes once the end of its command is told.
async fn no_copy_is_left(world: &World) -> Verdict {
    let copies = world.workspace().with_file_name("store").join("frozen");
    let mut left = 0;
    for _ in 0..500 {
        left = std::fs::read_dir(&copies).map_err(|error| error.to_string())?.count();
        if left == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("{left} copies are left"))
}

pub async fn it_runs_while_others_commit_and_is_committed_when_it_ends(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_000).await?;
    gate.sh("echo old >shared; echo old >other").await?;
    let action = gate.start("read go; cat shared; echo built >built; echo more >>other; echo said >&2; exit 3").await?;
    let meanwhile = gate.sh("echo new >shared; ls").await?;
    ensure(meanwhile.standing == Standing::Committed, || show(&meanwhile))?;
    gate.input(action, "go\n", false).await?;
    let (text, outcome) = gate.end(action).await?;
    ensure(text == "old\n", || format!("it saw {text:?}, not what was there when it began"))?;
    let whole = outcome.ended == (Ended::Exited { code: 3 }) && outcome.standing == Standing::Committed;
    ensure(whole && outcome.effects.list.len() == 2, || format!("{} {:?}", show(&outcome), outcome.effects))?;
    ensure(gate.settled.contains(&(action, Standing::Committed)), || format!("{:?}", gate.settled))?;
    let now = gate.sh("cat shared built other").await?;
    ensure(now.stdout == b"new\nbuilt\nold\nmore\n", || show(&now))?;
    let (_, undone) = gate.call(Admitted::Undo { action }).await?;
    ensure(undone.standing == Standing::Committed, || show(&undone))?;
    let now = gate.sh("cat shared other; ls built; rm shared other").await?;
    ensure(now.stdout == b"new\nold\n", || show(&now))?;
    let again = gate.poll(action).await?;
    ensure(again.stdout.is_empty() && again.standing == Standing::Committed, || show(&again))
}

pub async fn what_was_changed_meanwhile_is_a_conflict_and_stays(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_100).await?;
    gate.sh("echo old >both").await?;
    let action = gate.start("read go; echo mine >both; echo mine >alone").await?;
    gate.sh("echo theirs >both").await?;
    gate.input(action, "go\n", true).await?;
    let (_, outcome) = gate.end(action).await?;
    let Standing::Discarded { reason } = &outcome.standing else { return Err(show(&outcome)) };
    ensure(reason.contains("both was changed") && !reason.contains("alone"), || reason.clone())?;
    let now = gate.sh("cat both; ls alone; rm both").await?;
    ensure(now.stdout == b"theirs\n", || show(&now))
}

pub async fn input_is_read_and_its_end_told(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_200).await?;
    let action = gate.start("cat; echo over").await?;
    gate.input(action, "one\n", false).await?;
    let (text, _) = gate.until(action, |text| text.contains('\n')).await?;
    ensure(text == "one\n", || text.clone())?;
    gate.input(action, "two\n", true).await?;
    let (text, outcome) = gate.end(action).await?;
    ensure(text == "two\nover\n" && outcome.ended == (Ended::Exited { code: 0 }), || text.clone())?;
    for call in [
        Admitted::Input { action, text: "x".to_owned(), end: false },
        Admitted::Input { action: UNKNOWN, text: "x".to_owned(), end: false },
        Admitted::Poll { action: UNKNOWN, wait_ms: 10_000 },
        Admitted::Stop { action: UNKNOWN },
    ] {
        let (_, outcome) = gate.call(call).await?;
        ensure(outcome.ended == Ended::Failed, || show(&outcome))?;
    }
    Ok(())
}

pub async fn a_stop_kills_all_of_it_and_keeps_nothing(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_300).await?;
    let look_up = "getent hosts stopped.example >/dev/null";
    let action =
        gate.start(&format!("echo half >half; {look_up}; (setsid sleep 54321 &); echo ready; sleep 54321")).await?;
    gate.until(action, |text| text.contains("ready")).await?;
    let (_, outcome) = gate.call(Admitted::Stop { action }).await?;
    let discarded = matches!(&outcome.standing, Standing::Discarded { reason } if reason.contains("stopped"));
    ensure(outcome.ended == Ended::Cancelled && discarded, || show(&outcome))?;
    ensure(outcome.effects.hosts.list == ["stopped.example"], || format!("{:?}", outcome.effects))?;
    ensure(!world.workspace().join("half").exists(), || "something was kept".to_owned())?;
    let left = std::fs::read_dir("/proc")
        .map_err(|error| error.to_string())?
        .flatten()
        .any(|process| std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x0054321\0"));
    ensure(!left, || "a process is left".to_owned())
}

pub async fn the_time_limit_and_the_number_of_commands_hold(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_400).await?;
    let call =
        Admitted::Start { command: "echo x >x; sleep 60".to_owned(), timeout_ms: 300, terminal: None, image: None };
    let (action, _) = gate.call(call).await?;
    let (_, outcome) = gate.end(action).await?;
    ensure(outcome.limit == Some(Limit::WallTime), || show(&outcome))?;
    ensure(outcome.ended == Ended::TimedOut && !world.workspace().join("x").exists(), || show(&outcome))?;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(gate.start("sleep 60").await?);
    }
    let call = Admitted::Start { command: "true".to_owned(), timeout_ms: 300, terminal: None, image: None };
    let (_, refused) = gate.call(call).await?;
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure(refused.ended == Ended::Failed && text.contains("stop one first"), || show(&refused))?;
    let other = gate.sh("echo there is room").await?;
    ensure(other.ended == (Ended::Exited { code: 0 }), || show(&other))?;
    for action in running {
        gate.call(Admitted::Stop { action }).await?;
    }
    let action = gate.start("true").await?;
    gate.end(action).await?;
    no_copy_is_left(world).await
}

pub async fn a_new_gate_is_told_of_it_and_decides(world: &World) -> Verdict {
    let desk = desk(world);
    let mut gate = Gate::at(&desk, 610_500).await?;
    let action = gate.start("read go; echo stays >stays").await?;
    let forgotten = gate.start("echo no >no; sleep 60").await?;
    drop(gate);
    let mut gate = Gate::at(&desk, 610_600).await?;
    // Its first answer comes behind what is announced.
    gate.input(action, "go\n", true).await?;
    ensure(gate.announced == [action, forgotten], || format!("{:?}", gate.announced))?;
    gate.link.send(&ToExecutor::Forget { action: forgotten }).await.map_err(|error| error.to_string())?;
    let (_, outcome) = gate.end(forgotten).await?;
    ensure(outcome.ended == Ended::Cancelled, || show(&outcome))?;
    let (_, outcome) = gate.end(action).await?;
    ensure(outcome.standing == Standing::Committed, || show(&outcome))?;
    let now = gate.sh("cat stays; rm stays; ls no").await?;
    ensure(now.stdout == b"stays\n", || show(&now))?;
    gate.commits = false;
    let action = gate.start("echo shown >shown").await?;
    let (_, outcome) = gate.end(action).await?;
    let discarded = matches!(outcome.standing, Standing::Discarded { .. });
    ensure(discarded && !world.workspace().join("shown").exists(), || show(&outcome))
}

pub async fn a_successor_knows_what_was_committed_and_begins_nothing_again(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_900).await?;
    let command = "echo once >>once; echo told";
    let action = gate.start(command).await?;
    gate.end(action).await?;
    // Another desk over the same store: what an executor that was started anew knows.
    let mut next = Gate::at(&desk(world), 610_950).await?;
    let polled = next.poll(action).await?;
    ensure(polled.standing == Standing::Committed, || show(&polled))?;
    next.next.set(action);
    let call = Admitted::Start { command: command.to_owned(), timeout_ms: 60_000, terminal: None, image: None };
    let (_, again) = next.call(call).await?;
    ensure(again.standing == Standing::Committed && again.ended != Ended::Running, || show(&again))?;
    next.next.set(610_960);
    let now = next.sh("cat once; rm once").await?;
    ensure(now.stdout == b"once\n", || show(&now))
}

pub async fn a_pseudo_terminal_is_there_when_asked_for(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_700).await?;
    let size = TerminalSize { rows: 31, columns: 97 };
    let command = "tty; stty size; test -t 0 -a -t 1 -a -t 2 && echo all; echo $TERM; printf '\\033[1mraw\\033[0m\\n'; \
                   echo on >/dev/tty; ls /dev/pts | tr '\\n' ' '; read line; echo got $line; cat; exit 5";
    let action = gate.start_on(command, Some(size)).await?;
    gate.input(action, "hello\n", false).await?;
    gate.until(action, |text| text.contains("got hello")).await?;
    gate.input(action, "rest\n", true).await?;
    let (_, outcome) = gate.end(action).await?;
    ensure(outcome.ended == (Ended::Exited { code: 5 }), || show(&outcome))?;
    let action = gate.start_on(&command.replace("read line; echo got $line; cat; ", ""), Some(size)).await?;
    let (text, _) = gate.end(action).await?;
    let wanted = "/dev/pts/0\r\n31 97\r\nall\r\nxterm\r\n\x1b[1mraw\x1b[0m\r\non\r\n0 ptmx ";
    ensure(text == wanted, || format!("{text:?}"))?;
    let action = gate.start_on("kill -TERM $$", Some(size)).await?;
    let (_, outcome) = gate.end(action).await?;
    ensure(outcome.ended == (Ended::Signalled { signal: 15 }), || show(&outcome))?;
    let action =
        gate.start_on("perl -e 'my $c=q(x); print ioctl(STDIN,0x5412,$c) ? q(typed) : $!'", Some(size)).await?;
    let (text, _) = gate.end(action).await?;
    ensure(text == "Operation not permitted", || text.clone())?;
    let without = gate.sh("ls -A /dev/pts; tty; cat /dev/ptmx").await?;
    let none = without.stdout == b"not a tty\n" && without.ended == (Ended::Exited { code: 1 });
    ensure(none, || show(&without))
}

pub async fn a_server_on_its_loopback_serves_its_own_clients(world: &World) -> Verdict {
    let mut gate = Gate::at(&desk(world), 610_800).await?;
    let server = "$s=IO::Socket::INET->new(LocalAddr=>q(127.0.0.1:8080),Listen=>5); \
                  while($c=$s->accept){print $c qq(page\\n);close $c}";
    let client = "$c=IO::Socket::INET->new(PeerAddr=>q(127.0.0.1:8080)) or exit 1; print <$c>";
    let perl = "perl -MIO::Socket::INET -e";
    let command = &format!("echo served >served; {perl} '{server}' & until {perl} '{client}'; do sleep 0.1; done");
    let action = gate.start(command).await?;
    let (text, outcome) = gate.end(action).await?;
    ensure(text.contains("page") && outcome.standing == Standing::Committed, || format!("{text} {}", show(&outcome)))?;
    gate.sh("rm served").await.map(drop)
}

pub async fn a_reload_waits_for_it_a_while_and_then_stops_it(world: &World) -> Verdict {
    let (desk, mut supervisor) = supervised(world)?;
    let mut gate = Gate::at(&desk, 611_000).await?;
    let ended = |wait| {
        let desk = desk.clone();
        tokio::task::spawn_local(async move { drain::asked(&desk, wait).await })
    };
    // It ends by itself within that time: it is waited for, and nothing new begins beside it.
    let action = gate.start("read go; echo kept >stays").await?;
    let over = ended(Duration::from_secs(600));
    supervisor.send(&ToRole::Reload).await.map_err(|error| error.to_string())?;
    while !matches!(supervisor.recv().await.map_err(|error| error.to_string())?, FromRole::Idle) {}
    let call = || Admitted::Start { command: "true".to_owned(), timeout_ms: 5000, terminal: None, image: None };
    let mut refused = gate.call(call()).await?.1;
    for _ in 0..100 {
        if refused.ended == Ended::Failed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        refused = gate.call(call()).await?.1;
    }
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure(said.contains("starts anew"), || show(&refused))?;
    ensure(!over.is_finished(), || "it did not wait".to_owned())?;
    gate.input(action, "go\n", true).await?;
    let (_, outcome) = gate.end(action).await?;
    ensure(outcome.standing == Standing::Committed, || show(&outcome))?;
    over.await.map_err(|error| error.to_string())?;
    // It does not: it is stopped, and whoever asks is told why.
    let (desk, supervisor) = supervised(world)?;
    let mut gate = Gate::at(&desk, 611_100).await?;
    let action = gate.start("echo half >half; sleep 60").await?;
    let waits = desk.clone();
    let over = tokio::task::spawn_local(async move { drain::asked(&waits, Duration::from_millis(300)).await });
    supervisor.send(&ToRole::Reload).await.map_err(|error| error.to_string())?;
    let (_, outcome) = gate.end(action).await?;
    let why = matches!(&outcome.standing, Standing::Discarded { reason } if reason.contains("had to start anew"));
    ensure(why && outcome.ended == Ended::Cancelled, || show(&outcome))?;
    over.await.map_err(|error| error.to_string())?;
    gate.sh("rm stays; ls half").await.map(drop)
}
