//! A hostile supervisor and the real launcher: requests that are mislabelled, cut short, too long, repeated, or not its to
//! make. Each is refused by name, comes to nothing, or ends the supervisor; the launcher and every role live on.

use harness::procs;
use hostile::puppet;
use roles::Role;
use roles::launch::{Instance, Notice, REQUEST_BYTES, Request, Signal};
use roles::limits::STARTS_PER_WINDOW_MAX;

use crate::scene::{Scene, number_in, place};

/// What comes of a request.
enum Comes {
    /// A refusal with this reason.
    Refused(&'static str),
    /// The end of the supervisor, for this reason in the launcher's log.
    Ended(&'static str),
    /// Nothing at all.
    Nothing,
}

use Comes::{Ended, Nothing, Refused};

struct Case {
    name: &'static str,
    /// What is sent, given an instance that lives.
    record: fn(Instance) -> Vec<u8>,
    comes: Comes,
}

const fn case(name: &'static str, record: fn(Instance) -> Vec<u8>, comes: Comes) -> Case {
    Case { name, record, comes }
}

fn start(role: Role, slot: u32) -> Vec<u8> {
    Request::Start { role, slot }.to_bytes().to_vec()
}

fn signal(to: Instance) -> Vec<u8> {
    Request::Signal { to, signal: Signal::Kill }.to_bytes().to_vec()
}

/// The record with one byte changed.
fn with(mut record: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    record[at] = byte;
    record
}

const NO_REQUEST: Comes = Ended("a request that is none");
const NOT_ITS: Comes = Ended("it asked to signal what is not its to signal");

const CASES: &[Case] = &[
    case("a start of the launcher", |_| start(Role::Launcher, 0), Refused("NoSuchSlot")),
    case("a start of a second supervisor", |_| start(Role::Supervisor, 1), Refused("NoSuchSlot")),
    case("a link that can't be", |_| start(Role::Connector, 0), Refused("NoSuchSlot")),
    case("a link beyond the last", |_| start(Role::Connector, 1001), Refused("NoSuchSlot")),
    case("an executor of the house", |_| start(Role::Executor, 0), Refused("NoSuchSlot")),
    case("an executor beyond the last", |_| start(Role::Executor, 1001), Refused("NoSuchSlot")),
    case("a memory beyond the last", |_| start(Role::Memory, 1001), Refused("NoSuchSlot")),
    case("a model of the house", |_| start(Role::Model, 0), Refused("NoSuchSlot")),
    case("a brain of a slot near overflow", |_| start(Role::Brain, u32::MAX), Refused("NoSuchSlot")),
    case("a second gate", |_| start(Role::Gate, 1), Refused("NoSuchSlot")),
    case("the gate, again", |_| start(Role::Gate, 0), Refused("Running")),
    case("the first number that is no role", |_| with(start(Role::Brain, 1), 1, 8), NO_REQUEST),
    case("the last number that is no role", |_| with(start(Role::Brain, 1), 1, 255), NO_REQUEST),
    case("a start with a signal", |_| with(start(Role::Brain, 1), 2, 1), NO_REQUEST),
    case("a reserved byte", |_| with(start(Role::Brain, 1), 3, 1), NO_REQUEST),
    case("a start of a numbered instance", |_| with(start(Role::Brain, 1), 8, 1), NO_REQUEST),
    case("a start with something after it", |_| with(start(Role::Brain, 1), 15, 1), NO_REQUEST),
    case("the kind before the first", |_| with(start(Role::Brain, 1), 0, 0), NO_REQUEST),
    case("the kind after the last", |_| with(start(Role::Brain, 1), 0, 4), NO_REQUEST),
    case("a start cut short", |_| start(Role::Brain, 1)[..REQUEST_BYTES - 1].to_vec(), NO_REQUEST),
    case("half a start", |_| start(Role::Brain, 1)[..REQUEST_BYTES / 2].to_vec(), NO_REQUEST),
    case("one byte", |_| vec![1], NO_REQUEST),
    case("that it is sealed, again", |_| vec![roles::launch::SEALED], NO_REQUEST),
    case("a start and one byte more", |_| [start(Role::Brain, 1), vec![0]].concat(), NO_REQUEST),
    case("two starts at once", |_| [start(Role::Brain, 1), start(Role::Brain, 2)].concat(), NO_REQUEST),
    case("a long packet", |_| vec![1; 60_000], NO_REQUEST),
    case("an empty packet", |_| Vec::new(), Ended("it closed its line and did not end")),
    case("no signal", |who| with(signal(who), 2, 0), NO_REQUEST),
    case("a signal after the last", |who| with(signal(who), 2, 3), NO_REQUEST),
    case("a signal to no role", |who| with(signal(who), 1, 77), NO_REQUEST),
    case("a signal to the launcher", |who| signal(Instance { role: Role::Launcher, slot: 0, ..who }), NOT_ITS),
    case(
        "a signal to the launcher by no number",
        |_| signal(Instance { role: Role::Launcher, slot: 0, number: 0 }),
        NOT_ITS,
    ),
    case("a signal to itself", |_| signal(Instance { role: Role::Supervisor, slot: 0, number: 1 }), NOT_ITS),
    case("a signal to a neighbour's number", |who| signal(Instance { number: who.number + 1, ..who }), Nothing),
    case("a signal to a number nobody has", |who| signal(Instance { number: u64::MAX, ..who }), Nothing),
    case("a signal to another slot of that number", |who| signal(Instance { slot: who.slot + 1, ..who }), Nothing),
    case("a signal to another role of that number", |who| signal(Instance { role: Role::Memory, ..who }), Nothing),
    case("no notice", |_| with(notice(), 2, 0), NO_REQUEST),
    case("a notice after the last", |_| with(notice(), 2, 5), NO_REQUEST),
    case("a notice of a role", |_| with(notice(), 1, 3), NO_REQUEST),
    case("a notice with words", |_| with(notice(), 4, b'X'), NO_REQUEST),
];

fn notice() -> Vec<u8> {
    Request::Notify(Notice::Alive).to_bytes().to_vec()
}

/// A gate, a brain and a memory, who have done nothing.
struct Bystanders {
    scene: Scene,
    pids: Vec<(Role, u32, u32)>,
    brain: Instance,
}

impl Bystanders {
    fn open(name: &str) -> Bystanders {
        let scene = Scene::with_gate(name);
        let mut brain = 0;
        for (role, slot) in [(Role::Brain, 0), (Role::Memory, 1)] {
            scene.order(&format!("start {} {slot}", role.name()));
            let started = scene.report(&["Started", &place(role, slot)]);
            if role == Role::Brain {
                brain = number_in(&started, "number: ");
            }
            scene.report(&["Sealed", &place(role, slot)]);
        }
        let find = |role, slot| (role, slot, procs::find(scene.chelad.pid(), role, slot).unwrap());
        let pids = vec![find(Role::Gate, 0), find(Role::Brain, 0), find(Role::Memory, 1)];
        Bystanders { scene, pids, brain: Instance { role: Role::Brain, slot: 0, number: brain } }
    }

    fn send(&self, record: &[u8]) {
        let numbers: Vec<String> = record.iter().map(u8::to_string).collect();
        self.scene.order(&format!("raw {}", numbers.join(" ")));
    }

    /// The supervisor was ended, said to be so, and its successor finds everybody as they were.
    #[track_caller]
    fn is_ended(&self, why: &str, what: &str) {
        self.scene.report(&[puppet::LISTENS]);
        let said = self.scene.chelad.stderr();
        let words = format!(": {why}");
        let killed = said.lines().any(|line| line.contains("kill supervisor-0") && line.ends_with(&words));
        assert!(killed, "{what}: no word of `{why}` in: {said}");
        for (role, slot, pid) in &self.pids {
            self.scene.report(&["Adopted", &place(*role, *slot), &format!("pid: {pid}, sealed: true")]);
        }
    }

    /// Nobody noticed anything, and the launcher goes on working.
    #[track_caller]
    fn the_rest_goes_on(&mut self, what: &str) {
        self.scene.order("start connector 7");
        self.scene.report(&["Sealed", &place(Role::Connector, 7)]);
        for (role, slot, pid) in &self.pids {
            let now = procs::find(self.scene.chelad.pid(), *role, *slot);
            assert_eq!(now, Some(*pid), "{what}: {} {slot}: {}", role.name(), self.scene.chelad.stderr());
            assert!(procs::is_alive(*pid), "{what}: {} {slot}", role.name());
        }
        self.scene.end();
    }
}

fn try_case(case: &Case) {
    let mut all = Bystanders::open("protocol");
    let before = all.scene.chelad.stderr();
    let record = (case.record)(all.brain);
    all.send(&record);
    match case.comes {
        Refused(reason) => {
            let role = Role::from_u8(record[1]).unwrap();
            all.scene.report(&["Refused", &format!("role: {role:?},"), &format!("reason: {reason},")]);
        }
        Ended(why) => all.is_ended(why, case.name),
        Nothing => {}
    }
    all.the_rest_goes_on(case.name);
    if matches!(case.comes, Nothing) {
        let ended = |text: &str| text.matches("supervisor-0 (process").count();
        // One end: the ordered one.
        assert_eq!(ended(&all.scene.chelad.stderr()), ended(&before) + 1, "{}", case.name);
    }
}

#[test]
fn requests_that_may_not_be_are_refused_or_end_the_supervisor() {
    const AT_ONCE: usize = 4;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let take = || CASES.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = take() {
                    try_case(case);
                }
            });
        }
    });
}

#[test]
fn a_flood_of_requests_whose_answers_are_not_read_ends_the_supervisor() {
    let mut all = Bystanders::open("flood");
    let numbers: Vec<String> = start(Role::Brain, 0).iter().map(u8::to_string).collect();
    all.scene.order(&format!("flood {}", numbers.join(" ")));
    all.is_ended("No buffer space available", "a flood");
    all.the_rest_goes_on("a flood");
}

#[test]
fn a_flood_of_requests_is_answered_one_by_one_and_starts_nothing() {
    const TIMES: usize = 2_000;
    let mut all = Bystanders::open("burst");
    let orders = "start brain 0\n".repeat(TIMES);
    all.scene.order(orders.trim_end());
    for _ in 0..TIMES {
        all.scene.report(&["Refused", &place(Role::Brain, 0), "reason: Running"]);
    }
    all.the_rest_goes_on("a burst");
}

#[test]
fn one_of_two_starts_of_a_slot_is_carried_out() {
    let mut all = Bystanders::open("twice");
    all.scene.order("start brain 5\nstart brain 5");
    all.scene.report(&["Refused", &place(Role::Brain, 5), "reason: Running"]);
    all.scene.report(&["Sealed", &place(Role::Brain, 5)]);
    let brains = procs::roles_of(all.scene.chelad.pid()).into_iter();
    assert_eq!(brains.filter(|one| one.role == Role::Brain && one.slot == 5).count(), 1);
    all.the_rest_goes_on("two starts");
}

#[test]
fn a_slot_is_started_so_often_and_no_more() {
    let mut all = Bystanders::open("often");
    for _ in 0..STARTS_PER_WINDOW_MAX {
        all.scene.order("start brain 9");
        all.scene.report(&["Started", &place(Role::Brain, 9)]);
        all.scene.order("kill brain 9");
        all.scene.report(&["Exited", &place(Role::Brain, 9)]);
    }
    all.scene.order("start brain 9");
    all.scene.report(&["Refused", &place(Role::Brain, 9), "reason: TooOften"]);
    all.the_rest_goes_on("many starts");
}

#[test]
fn a_supervisor_that_closes_half_its_line_is_ended() {
    let mut all = Bystanders::open("half-close");
    all.scene.order("half-close");
    all.is_ended("it closed its line and did not end", "half a line");
    all.the_rest_goes_on("half a line");
}
