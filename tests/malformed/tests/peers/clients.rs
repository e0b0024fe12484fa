//! Local people whose programs are malformed: only they suffer.

use std::io::{Read, Write};
use std::time::Duration;

use harness::{Client, wait_for};
use malformed::Conduct;
use roles::Role;
use schema::FINGERPRINT;
use schema::codec::frame;
use schema::edge::Frame;
use schema::edge::local::FromClient;
use schema::limits::LOCAL_FRAME_BYTES;
use schema::tool::ToolCall;

use crate::scene::{PATIENCE, Scene};

/// A system in which everybody behaves: the twin keeps to the rules and has nothing to do.
fn scene() -> Scene {
    Scene::start(Role::Connector, Conduct::WellBehaved)
}

fn hello() -> Vec<u8> {
    frame(&Frame::<()>::Hello { fingerprint: FINGERPRINT }, 64).unwrap()
}

fn status() -> Vec<u8> {
    frame(&Frame::Body(FromClient::Status), LOCAL_FRAME_BYTES).unwrap()
}

/// A right prefix, and what is no message.
fn garbage() -> Vec<u8> {
    let mut bytes = 64u32.to_le_bytes().to_vec();
    bytes.resize(68, 0xff);
    bytes
}

/// Whether the gate closes the connection, whatever it says before.
#[track_caller]
fn is_closed(client: &mut Client, what: &str) {
    let mut buffer = [0; 4096];
    loop {
        match client.stream().read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
            Err(error) => panic!("{what}: not closed: {error}"),
        }
    }
}

#[test]
fn a_malformed_client_is_closed() {
    let scene = scene();
    wait_for("the gate", PATIENCE, || Client::connect(&scene.home).ok()).unwrap();
    let half_hello = hello()[..3].to_vec();
    let other_schema = frame(&Frame::<()>::Hello { fingerprint: !FINGERPRINT }, 64).unwrap();
    let cases: [(&str, Vec<u8>); 8] = [
        ("garbage for a hello", garbage()),
        ("half a hello", half_hello),
        ("another schema", other_schema),
        ("no hello, but a request", status()),
        ("garbage after the hello", [hello(), garbage()].concat()),
        ("a frame beyond the limit", [hello(), u32::MAX.to_le_bytes().to_vec()].concat()),
        ("an empty frame", [hello(), vec![0; 4]].concat()),
        ("hello twice", [hello(), hello()].concat()),
    ];
    for (what, bytes) in cases {
        let mut client = Client::connect_raw(&scene.home).unwrap();
        client.stream().write_all(&bytes).unwrap();
        is_closed(&mut client, what);
    }
    let mut half = Client::connect(&scene.home).unwrap();
    half.stream().write_all(&status()[..3]).unwrap();
    is_closed(&mut half, "half a request");
    scene.the_rest_goes_on();
    scene.stop();
}

#[test]
fn a_client_that_asks_without_reading_is_closed_and_nobody_waits_for_it() {
    let scene = scene();
    let mut deaf = wait_for("the gate", PATIENCE, || Client::connect(&scene.home).ok()).unwrap();
    deaf.stream().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let request = status();
    let mut written = 0usize;
    // Until its own buffer and the gate's queue are full: the gate reads on only when it could answer.
    while written < 64 << 20 && deaf.stream().write_all(&request).is_ok() {
        written += request.len();
    }
    assert!(written < 64 << 20, "the gate took {written} bytes of requests from one that reads no answer");
    scene.the_rest_goes_on();
    scene.stop();
}

#[test]
fn a_client_that_does_not_read_a_commands_output_holds_up_nobody() {
    let scene = scene();
    let mut deaf = wait_for("the gate", PATIENCE, || Client::connect(&scene.home).ok()).unwrap();
    let arguments = r#"{"command":"head -c 30000000 /dev/zero | tr '\\0' x"}"#.to_owned();
    let call = ToolCall { name: "run_command".to_owned(), arguments };
    deaf.send(FromClient::Tool { principal: None, call, key: None, untrusted: false }).unwrap();
    wait_for("the command to end", PATIENCE, || (!scene.audited(chela_tool_ended()).is_empty()).then_some(())).unwrap();
    scene.the_rest_goes_on();
    scene.stop();
}

fn chela_tool_ended() -> &'static str {
    "tool.ended"
}

#[test]
fn a_crowd_of_clients_is_bounded() {
    let scene = scene();
    wait_for("the gate", PATIENCE, || Client::connect(&scene.home).ok()).unwrap();
    let mut crowd: Vec<Client> = (0..100).map(|_| Client::connect_raw(&scene.home).unwrap()).collect();
    for client in &mut crowd {
        // Beyond the number of connections of one person the gate closes at once; the others may say hello.
        drop(client.stream().write_all(&hello()));
    }
    let closed = crowd
        .iter_mut()
        .filter_map(|client| {
            let mut theirs = [0; 16];
            client.stream().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            matches!(client.stream().read(&mut theirs), Ok(0) | Err(_)).then_some(())
        })
        .count();
    assert!((36..100).contains(&closed), "{closed} of 100 connections were refused");
    drop(crowd);
    wait_for("room again", PATIENCE, || Client::connect(&scene.home).ok()).unwrap();
    scene.the_rest_goes_on();
    scene.stop();
}
