//! The steps of making a sandbox, each with its object and the way out of its failure.

/// A step that can fail. The number is what stands on the wire between maker and executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Step {
    /// The maker's own user and mount namespace.
    MakerNamespaces = 1,
    /// Its id maps.
    MakerIdMaps = 2,
    /// The root directory of the sandboxes.
    Root = 3,
    /// A system directory.
    SystemDirectory = 4,
    /// A device node.
    Device = 5,
    /// The workspace.
    Workspace = 6,
    /// The maker's seal.
    MakerSeal = 7,
    /// A pipe of the maker's.
    Pipe = 8,
    /// A sandbox's namespaces.
    Namespaces = 9,
    /// A sandbox's id maps.
    IdMaps = 10,
    /// A sandbox's loopback interface.
    Loopback = 11,
    /// A sandbox's host name.
    HostName = 12,
    /// A sandbox's /proc.
    Proc = 13,
    /// A sandbox's /tmp.
    Tmp = 14,
    /// The working directory.
    WorkingDirectory = 15,
    /// A sandbox's Landlock ruleset.
    Landlock = 16,
    /// A sandbox's resource limits.
    Limits = 17,
    /// A sandbox's capabilities.
    Capabilities = 18,
    /// A sandbox's system-call filter.
    Filter = 19,
    /// The command's process.
    Fork = 20,
    /// What is to be done, from the executor.
    Payload = 21,
    /// The command's standard descriptors.
    Descriptors = 22,
    /// The shell.
    Exec = 23,
    /// Too many sandboxes at once.
    TooMany = 24,
    /// The layer over the workspace.
    Layer = 25,
    /// Handing out what the layer holds.
    HandOut = 26,
    /// A sandbox's clocks.
    Clocks = 27,
    /// A directory of the principal's own.
    Directory = 28,
    /// What of the workspace a command is to see.
    Paths = 29,
    /// An image as the root.
    Image = 40,
    /// The shell of an image.
    ImageShell = 41,
    /// Noticing what a command asks the kernel for.
    Notify = 30,
    /// A sandbox's resolver of names.
    Resolver = 31,
    /// The copy of the workspace for a command in the background.
    Copy = 42,
    /// Its pseudo-terminal.
    Terminal = 43,
}

const ALL: [Step; 35] = [
    Step::MakerNamespaces,
    Step::MakerIdMaps,
    Step::Root,
    Step::SystemDirectory,
    Step::Device,
    Step::Workspace,
    Step::MakerSeal,
    Step::Pipe,
    Step::Namespaces,
    Step::IdMaps,
    Step::Loopback,
    Step::HostName,
    Step::Proc,
    Step::Tmp,
    Step::WorkingDirectory,
    Step::Landlock,
    Step::Limits,
    Step::Capabilities,
    Step::Filter,
    Step::Fork,
    Step::Payload,
    Step::Descriptors,
    Step::Exec,
    Step::TooMany,
    Step::Layer,
    Step::HandOut,
    Step::Clocks,
    Step::Directory,
    Step::Paths,
    Step::Image,
    Step::ImageShell,
    Step::Notify,
    Step::Resolver,
    Step::Copy,
    Step::Terminal,
];

impl Step {
    /// The step of that number.
    pub fn from_u8(number: u8) -> Option<Step> {
        ALL.into_iter().find(|step| *step as u8 == number)
    }

    /// What was tried, for a person.
    pub fn what(self) -> &'static str {
        match self {
            Step::MakerNamespaces => "make a user and mount namespace for the sandboxes",
            Step::MakerIdMaps => "map the executor's account into its user namespace",
            Step::Root => "put together the sandboxes' root directory",
            Step::SystemDirectory => "bind the system directories into the sandboxes' root",
            Step::Device => "bind the device nodes into the sandboxes' root",
            Step::Workspace => "bind the workspace into the sandboxes' root",
            Step::MakerSeal => "seal the process that makes sandboxes",
            Step::Pipe => "make a pipe",
            Step::Namespaces => "make the sandbox's namespaces",
            Step::IdMaps => "map the account into the sandbox",
            Step::Loopback => "bring up the sandbox's loopback interface",
            Step::HostName => "set the sandbox's host name",
            Step::Proc => "mount the sandbox's /proc",
            Step::Tmp => "mount the sandbox's /tmp",
            Step::WorkingDirectory => "enter /workspace in the sandbox",
            Step::Landlock => "confine the sandbox's file access by Landlock",
            Step::Limits => "set the sandbox's resource limits",
            Step::Capabilities => "drop the sandbox's capabilities",
            Step::Filter => "install the sandbox's system-call filter",
            Step::Fork => "start the command's process",
            Step::Payload => "read what is to be done",
            Step::Descriptors => "set up the command's input and output",
            Step::Exec => "run /bin/sh in the sandbox",
            Step::TooMany => "start one more sandbox",
            Step::Image => "make the image the root of the sandbox",
            Step::ImageShell => "run /bin/sh of the image",
            Step::Layer => "put a layer over the workspace (an overlay in a user namespace)",
            Step::HandOut => "hand out what was changed",
            Step::Paths => "show the command the paths that it names, and nothing else",
            Step::Notify => "have the sandbox's first process see the command's renames",
            Step::Resolver => "answer look-ups of names on the sandbox's loopback",
            Step::Clocks => "set the sandbox's clocks (a time namespace)",
            Step::Directory => "bind a directory that was added into the sandboxes' root",
            Step::Copy => "bind the copy of the workspace for a command in the background",
            Step::Terminal => "make a pseudo-terminal (a devpts in a user namespace)",
        }
    }

    /// What a person can do about it.
    pub fn way_out(self) -> &'static str {
        match self {
            Step::MakerNamespaces | Step::MakerIdMaps | Step::Namespaces | Step::IdMaps => {
                "sandboxes need unprivileged user namespaces: check that sysctl user.max_user_namespaces is not 0, \
                 kernel.unprivileged_userns_clone (if there) is 1 and \
                 kernel.apparmor_restrict_unprivileged_userns (if there) is 0; `chela doctor` says more"
            }
            Step::Proc => {
                "the executor needs a whole /proc: a container that masks parts of /proc must be started without \
                 that mask; `chela doctor` says more"
            }
            Step::Landlock => "the kernel needs Landlock (CONFIG_SECURITY_LANDLOCK, and `landlock` in lsm=)",
            Step::SystemDirectory | Step::Exec => "check that the host has /usr, /bin/sh and their libraries",
            Step::Image => "remove the image and import it again; `chela images list` shows what there is",
            Step::ImageShell => "commands need an image with a shell: add one to it, or use another",
            Step::Device => "check that the host's /dev has null, zero, full, random, urandom and tty",
            Step::Terminal => "the kernel must mount devpts in user namespaces (CONFIG_UNIX98_PTYS)",
            Step::Workspace | Step::Copy | Step::WorkingDirectory => {
                "check that the principal's workspace is there and belongs to the executor's account; `./x setup` \
                 makes it"
            }
            Step::Pipe | Step::Fork | Step::TooMany | Step::Limits => {
                "too much runs at once: wait for other actions to end, or cancel them"
            }
            Step::Layer => {
                "the kernel must mount overlays in user namespaces (Linux 5.11, CONFIG_OVERLAY_FS), over a filesystem \
                 that allows it; `chela doctor` says more"
            }
            Step::Directory => "`chela workspace list` shows those that were added; take it away and add it again",
            Step::Paths => "name files and directories that are there, each by its own path: links are not followed",
            Step::Notify => "the kernel needs seccomp user notification (Linux 5.9, CONFIG_SECCOMP_FILTER)",
            Step::HandOut => "ask for less, or for something else",
            Step::Root | Step::Tmp => "check that memory is free, and that tmpfs may be mounted in user namespaces",
            Step::MakerSeal | Step::Filter => "the kernel needs seccomp filters (CONFIG_SECCOMP_FILTER)",
            Step::Loopback
            | Step::Resolver
            | Step::HostName
            | Step::Clocks
            | Step::Capabilities
            | Step::Descriptors => "this should not happen: `chela log tail` and the executor's log have more",
            Step::Payload => "the executor stopped while it handed the action over: try again",
        }
    }
}

/// A failed step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Which.
    pub step: Step,
    /// The error number, or 0.
    pub errno: i32,
}

impl Failure {
    /// `step` failed with `errno`.
    pub fn new(step: Step, errno: i32) -> Failure {
        Failure { step, errno }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "could not {}", self.step.what())?;
        if self.errno != 0 {
            write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))?;
        }
        write!(f, "; {}", self.step.way_out())
    }
}

/// Adds the step to a system call's error.
pub trait At<T> {
    /// The same result, its error saying at which step it came.
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> At<T> for nix::Result<T> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| Failure::new(step, errno as i32))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(step, error.raw_os_error().unwrap_or(0)))
    }
}
