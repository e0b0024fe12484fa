//! The real root and instance actors, with everything around them played: chelad, the roles, the configuration file.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;

use chela_supervisor::serve::{Means, ServeError, serve};
use chela_supervisor::settings::Settings;
use kit::Line;
use roles::Role as Kind;
use roles::launch::{Instance, Notice, Refusal, Report, Request, Signal};
use schema::edge::ProbeResult;
use schema::edge::control::{FromRole, Place, ToRole};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, timeout, timeout_at};

use crate::launcher::LauncherEnd;
use crate::log::Log;
use crate::role::{Conduct, Role, pair};

/// Far longer, on the clock that jumps, than anything here may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where each role of the default settings runs.
pub const GATE: Place = place(Kind::Gate, 0);
pub const HOUSE: Place = place(Kind::Memory, 0);
pub const MEMORY: Place = place(Kind::Memory, 1);
pub const EXECUTOR: Place = place(Kind::Executor, 1);
pub const CONNECTOR: Place = place(Kind::Connector, 1);
pub const MODEL: Place = place(Kind::Model, 1);
pub const BRAIN: Place = place(Kind::Brain, 0);
/// All that runs under the default settings.
pub const ALL: [Place; 7] = [GATE, HOUSE, MEMORY, BRAIN, EXECUTOR, CONNECTOR, MODEL];

/// The place of a role and slot.
pub const fn place(role: Kind, slot: u32) -> Place {
    Place { role: role as u8, slot }
}

/// Far more than a supervisor does within any test.
const DID_MAX: usize = 2_000;

/// A process id for a start.
pub fn pid(who: Instance) -> u32 {
    1000 + who.number as u32
}

/// Something that the supervisor did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Did {
    Start(Place),
    Signal(Place, Signal),
    Notify(Notice),
    Tell(Place, ToRole),
}

/// Everything around the supervisor.
pub struct World {
    pub launcher: LauncherEnd,
    pub roles: BTreeMap<Place, Role>,
    /// How the roles of a place behave; those that are not here are good.
    pub conduct: BTreeMap<Place, Conduct>,
    /// What the supervisor did, pings and signs of life aside.
    pub did: Vec<Did>,
    pub pings: u64,
    pub signs_of_life: u64,
    pub log: Log,
    _log: tracing::subscriber::DefaultGuard,
    last_number: u64,
    ear: mpsc::UnboundedSender<(Instance, ToRole)>,
    heard: mpsc::UnboundedReceiver<(Instance, ToRole)>,
    config: TempDir,
    served: Option<JoinHandle<Result<(), ServeError>>>,
}

impl World {
    /// A world whose supervisor is not there yet.
    pub fn without_supervisor(config: &str) -> World {
        let (log, guard) = Log::collect();
        let (launcher, _) = pair();
        let (ear, heard) = mpsc::unbounded_channel();
        let world = World {
            launcher: LauncherEnd::new(launcher),
            roles: BTreeMap::new(),
            conduct: BTreeMap::new(),
            did: Vec::new(),
            pings: 0,
            signs_of_life: 0,
            log,
            _log: guard,
            last_number: 0,
            ear,
            heard,
            config: tempfile::tempdir().unwrap(),
            served: None,
        };
        world.configure(config);
        world
    }

    /// A supervisor that has just been started, under this configuration.
    pub fn new(config: &str) -> World {
        let mut world = World::without_supervisor(config);
        world.start_supervisor();
        world
    }

    /// As `new`, and everything is ready.
    pub async fn ready(config: &str) -> World {
        let mut world = World::new(config);
        world.until(|world| world.has_notified(Notice::Ready)).await;
        world.quiet(100).await;
        world.forget();
        world
    }

    /// Writes the configuration; nobody is told.
    pub fn configure(&self, config: &str) {
        fs::write(self.config.path().join("tree.toml"), config).unwrap();
    }

    /// As if nobody had ever configured anything.
    pub fn remove_configuration(&self) {
        fs::remove_file(self.config.path().join("tree.toml")).unwrap();
    }

    /// Starts one, with a line of its own. What ran stays, and is the test's to report.
    pub fn start_supervisor(&mut self) {
        let (launcher, own) = pair();
        self.launcher = LauncherEnd::new(launcher);
        let path = self.config.path().join("tree.toml");
        let settings = Settings::read(&path).unwrap();
        let probe = || ProbeResult::Denied { errno: 13 };
        let means = Means { settings, path, seed: 7, probe };
        self.served = Some(tokio::spawn(async move {
            let line = Line::new(own).unwrap();
            serve(&line, means).await
        }));
    }

    /// The supervisor dies on the spot, with all its actors: it is handed a control line that is none.
    pub async fn kill_supervisor(&mut self) {
        let file: OwnedFd = tempfile::tempfile().unwrap().into();
        let who = Instance { role: Kind::Executor, slot: 1000, number: u64::MAX };
        self.report(Report::Started { who, pid: 1 }, Some(&file));
        let ended = self.ended().await;
        assert!(matches!(ended, Err(ServeError::RootEnded)), "{ended:?}");
        // What it was about to say is said, and nothing more comes of it.
        while timeout(Duration::from_millis(1), self.play()).await.is_ok_and(|alive| alive) {}
        self.forget();
    }

    /// What became of the supervisor, which must have ended by itself.
    pub async fn ended(&mut self) -> Result<(), ServeError> {
        let served = self.served.take().unwrap();
        timeout(PATIENCE, served).await.expect("the supervisor ends").unwrap()
    }

    /// Plays on until `done`.
    pub async fn until(&mut self, mut done: impl FnMut(&World) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            match timeout_at(deadline, self.play()).await {
                Ok(true) => {}
                Ok(false) => panic!("the supervisor is gone: {:#?}", self.did),
                Err(_) => panic!("this never came: {:#?}\n{}", self.did, self.log.text()),
            }
        }
    }

    /// Plays on for that long.
    pub async fn quiet(&mut self, ms: u64) {
        let play = async { while self.play().await {} };
        assert!(timeout(Duration::from_millis(ms), play).await.is_err(), "the supervisor is gone");
    }

    /// What any role is told next, if anything, with a launcher that does nothing.
    pub async fn told_within(&mut self, ms: u64) -> Option<(Instance, ToRole)> {
        timeout(Duration::from_millis(ms), self.heard.recv()).await.ok().flatten()
    }

    /// Plays on until the supervisor has let go of its line.
    pub async fn until_gone(&mut self) {
        let play = async { while self.play().await {} };
        timeout(PATIENCE, play).await.expect("the supervisor lets go of its line");
    }

    /// One thing that happens; false when the supervisor is gone.
    async fn play(&mut self) -> bool {
        // The clock stands still for a supervisor that goes round in circles.
        assert!(self.did.len() < DID_MAX, "in circles: {:#?}", &self.did[DID_MAX - 20..]);
        tokio::select! {
            request = self.launcher.next() => match request {
                Some(request) => self.serve(request).await,
                None => return false,
            },
            Some((who, told)) = self.heard.recv() => self.hear(who, told).await,
        }
        true
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Start { role, slot } => {
                self.did.push(Did::Start(place(role, slot)));
                self.start(role, slot).await;
            }
            Request::Signal { to, signal } => {
                let at = place(to.role, to.slot);
                self.did.push(Did::Signal(at, signal));
                let Some(role) = self.roles.get(&at).filter(|role| role.who == to) else { return };
                match (signal, role.conduct) {
                    (Signal::Term, Conduct::Stays) => {}
                    (Signal::Term, _) => self.ends(at, -1, 15).await,
                    (Signal::Kill, _) => self.ends(at, -1, 9).await,
                }
            }
            Request::Notify(Notice::Alive) => self.signs_of_life += 1,
            Request::Notify(notice) => self.did.push(Did::Notify(notice)),
        }
    }

    async fn hear(&mut self, who: Instance, told: ToRole) {
        let at = place(who.role, who.slot);
        let Some(role) = self.roles.get(&at).filter(|role| role.who == who) else { return };
        match told {
            ToRole::Ping { nonce } => {
                self.pings += 1;
                if role.conduct != Conduct::Deaf {
                    role.says(&FromRole::Pong { nonce });
                }
            }
            told => {
                let drains = matches!(told, ToRole::Drain { .. }) && role.conduct != Conduct::Stays;
                self.did.push(Did::Tell(at, told));
                if drains {
                    self.ends(at, 0, 0).await;
                }
            }
        }
    }

    async fn start(&mut self, role: Kind, slot: u32) {
        let at = place(role, slot);
        let conduct = self.conduct.get(&at).copied().unwrap_or(Conduct::Good);
        let refuse = |reason| Report::Refused { role, slot, reason, errno: 0 };
        if self.roles.contains_key(&at) {
            return self.report(refuse(Refusal::Running), None);
        }
        if conduct == Conduct::Missing {
            return self.report(refuse(Refusal::FileMissing), None);
        }
        let who = self.spawn(role, slot, conduct);
        self.report(Report::Started { who, pid: pid(who) }, Some(&self.roles[&at].supervisors_end));
        if conduct == Conduct::Crashes {
            return self.ends(at, 3, 0).await;
        }
        self.report(Report::Sealed { who }, None);
        if conduct != Conduct::Slow {
            self.says(at, &FromRole::Ready);
        }
    }

    /// A role comes up, and nobody is told.
    pub fn spawn(&mut self, role: Kind, slot: u32, conduct: Conduct) -> Instance {
        self.last_number += 1;
        let who = Instance { role, slot, number: self.last_number };
        let role = Role::start(who, conduct, self.ear.clone());
        self.roles.insert(place(who.role, slot), role);
        who
    }

    /// What runs is reported to a new supervisor, before it hears anything else.
    pub fn report_adopted(&self, sealed: bool) {
        for Role { who, supervisors_end, .. } in self.roles.values() {
            self.report(Report::Adopted { who: *who, pid: pid(*who), sealed }, Some(supervisors_end));
        }
    }

    /// The role of that place ends: its line is closed, then the launcher reports.
    pub async fn ends(&mut self, at: Place, status: i32, signal: i32) {
        let mut role = self.roles.remove(&at).expect("it runs");
        role.closes_its_line().await;
        self.report(Report::Exited { who: role.who, status, signal, cpu_ms: 1, rss_max_kib: 1000 }, None);
    }

    /// Roles end at once: all are reported before the supervisor sees any of their lines close.
    pub async fn end_together(&mut self, all: &[(Place, i32, i32)]) {
        let mut gone = Vec::new();
        for (at, status, signal) in all.iter().copied() {
            let role = self.roles.remove(&at).expect("it runs");
            self.report(Report::Exited { who: role.who, status, signal, cpu_ms: 1, rss_max_kib: 1000 }, None);
            gone.push(role);
        }
        for mut role in gone {
            role.closes_its_line().await;
        }
    }

    /// The launcher reports.
    pub fn report(&self, report: Report, fd: Option<&OwnedFd>) {
        self.launcher.report(report, fd).expect("the supervisor is there");
    }

    /// The role of that place says something on its control line.
    pub fn says(&self, at: Place, what: &FromRole) {
        self.roles[&at].says(what);
    }

    /// From here on only what is done next counts.
    pub fn forget(&mut self) {
        self.did.clear();
    }

    /// The starts that were asked for, in order.
    pub fn starts(&self) -> Vec<Place> {
        let start = |did: &Did| if let Did::Start(place) = did { Some(*place) } else { None };
        self.did.iter().filter_map(start).collect()
    }

    /// What a role was told, in order.
    pub fn told(&self, at: Place) -> Vec<ToRole> {
        let told = |did: &Did| match did {
            Did::Tell(place, told) if *place == at => Some(told.clone()),
            Did::Tell(..) | Did::Start(_) | Did::Signal(..) | Did::Notify(_) => None,
        };
        self.did.iter().filter_map(told).collect()
    }

    /// Whether the service manager was told.
    pub fn has_notified(&self, notice: Notice) -> bool {
        self.did.contains(&Did::Notify(notice))
    }

    /// The number of the start that runs there, or 0.
    pub fn number(&self, at: Place) -> u64 {
        self.roles.get(&at).map_or(0, |role| role.who.number)
    }

    /// From now on a role that runs behaves like this.
    pub fn behaves(&mut self, at: Place, conduct: Conduct) {
        self.roles.get_mut(&at).expect("it runs").conduct = conduct;
    }

    /// Every role that runs, with the number of its start.
    pub fn running(&self) -> BTreeMap<Place, u64> {
        self.roles.iter().map(|(place, role)| (*place, role.who.number)).collect()
    }

    /// Where in the order of events something was done first.
    pub fn when(&self, did: &Did) -> usize {
        self.did.iter().position(|one| one == did).unwrap_or_else(|| panic!("never {did:?}: {:#?}", self.did))
    }
}
