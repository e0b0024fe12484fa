//! A hostile command in a real sandbox: the same attempts, judged by the sandbox's own lists.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use harness::{Chelad, Home, procs, sockets};
use hostile::attempts;
use hostile::control::{self, Line};
use hostile::expect;
use hostile::orders::Order;
use roles::Role;

use crate::roles_of_the_table::given;
use crate::tally::Tally;

fn run(home: &Home, command: &str) -> String {
    let report = home.chela_json(&["tool", "run_command", &format!("command={command}")]).unwrap();
    assert_eq!(report["exit_code"], 0, "{command}: {report:#}");
    report["stdout"].as_str().unwrap().to_owned()
}

#[test]
fn a_command_in_a_sandbox_can_do_nothing_its_lists_omit() {
    let home = Home::new("sandbox").unwrap();
    home.script_model().unwrap();
    let chelad = Chelad::start(&home).unwrap();
    run(&home, "pwd");
    let workspace = home.root().join("var/principals/1/workspace");
    fs::copy(env!("CARGO_BIN_EXE_hostile-control"), workspace.join("hostile-command")).unwrap();

    let tcp = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let abstract_name = format!("chela-hostile-sandbox-{}", std::process::id());
    let _unix = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap();
    let order = Order {
        attempt: "-".to_owned(),
        victim: procs::find(chelad.pid(), Role::Gate, 0).unwrap().try_into().unwrap(),
        address: 4096,
        port: tcp.local_addr().unwrap().port(),
        abstract_name,
        root: home.root().to_string_lossy().into_owned(),
    };
    let printed = run(&home, &format!("./hostile-command sandbox '{}'", order.to_line()));
    let lines = control::read(&printed).unwrap();
    assert_eq!(lines.len(), attempts::all().count(), "{printed}");
    let mut tally = Tally::default();
    for Line { name, outcome, args } in lines {
        let attempt = attempts::find(&name).unwrap();
        tally.add(attempt, expect::in_sandbox(attempt, args, &given(&order, attempt)), outcome);
    }
    assert_eq!(sockets::listening(chelad.pid()), Vec::<String>::new());
    chelad.stop().unwrap();
    tally.judge("sandbox");
}
