//! The local socket: real connections to a real listener, as a person's program and as one that means harm.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fakes;

use std::future::Future;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use chela_gate::local::{self, Door};
use fakes::{World, message, replied};
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::traits::tokio::Listener as _;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UdsListener;
use schema::FINGERPRINT;
use schema::codec;
use schema::edge::local::{FromClient, LocalWire, ToClient};
use schema::edge::{Frame, Wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::LocalSet;
use tokio::time::{Duration, timeout};

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// A gate whose owner is `uid`, behind a door.
struct House {
    world: World,
    dir: tempfile::TempDir,
}

impl House {
    fn of(uid: u32) -> House {
        let world = World::whole();
        world.gate.config.borrow_mut().owner.uid = uid;
        let dir = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(dir.path().join("sock")).unwrap();
        let listener: Listener = UdsListener::try_from(OwnedFd::from(listener)).unwrap().into();
        let gate = world.gate.clone();
        tokio::task::spawn_local(async move {
            let door = Rc::new(Door::default());
            while let Ok(stream) = listener.accept().await {
                tokio::task::spawn_local(local::attend(gate.clone(), door.clone(), stream));
            }
        });
        House { world, dir }
    }

    fn mine() -> House {
        House::of(nix_uid())
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.dir.path().join("sock")).await.unwrap()
    }

    async fn greet(&self) -> UnixStream {
        let mut stream = self.connect().await;
        send(&mut stream, &Frame::Hello { fingerprint: FINGERPRINT }).await;
        assert!(matches!(recv(&mut stream).await, Some(Frame::Hello { fingerprint: FINGERPRINT })));
        stream
    }
}

fn nix_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}

async fn send(stream: &mut UnixStream, frame: &Frame<FromClient>) {
    let bytes = codec::frame(frame, LocalWire::LIMIT_BYTES).unwrap();
    stream.write_all(&bytes).await.unwrap();
}

/// The next frame, or `None` at the end.
async fn recv(stream: &mut UnixStream) -> Option<Frame<ToClient>> {
    let read = async {
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).await.ok()?;
        let mut body = vec![0; u32::from_le_bytes(prefix) as usize];
        stream.read_exact(&mut body).await.ok()?;
        Some(codec::decode(&body, LocalWire::LIMIT_BYTES).unwrap())
    };
    timeout(Duration::from_secs(8), read).await.unwrap()
}

async fn is_closed(stream: &mut UnixStream) -> bool {
    let mut byte = [0; 1];
    matches!(timeout(Duration::from_secs(8), stream.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
}

#[test]
fn the_owner_is_answered() {
    run(async {
        let house = House::mine();
        house.world.brain();
        let mut stream = house.greet().await;
        for id in ["a", "b"] {
            send(&mut stream, &Frame::Body(message(id, "hi"))).await;
            let Some(Frame::Body(told)) = recv(&mut stream).await else { panic!("closed") };
            assert_eq!(replied(told).1, "hello");
        }
    });
}

#[test]
fn a_stranger_is_told_who_could_change_that_and_is_written_down() {
    run(async {
        let house = House::of(nix_uid() + 1);
        house.world.gate.config.borrow_mut().owner.uid = 4_000_000;
        let mut stream = house.greet().await;
        if nix_uid() == 0 {
            // Root who is not the owner looks, and acts for nobody.
            send(&mut stream, &Frame::Body(message("a", "hi"))).await;
        }
        let Some(Frame::Body(ToClient::Failed { reason, refused: true })) = recv(&mut stream).await else {
            panic!("not refused");
        };
        assert!(reason.contains("etc/gate/gate.toml"), "{reason}");
        if nix_uid() != 0 {
            assert!(is_closed(&mut stream).await);
        }
    });
}

#[test]
fn whoever_breaks_the_rules_is_shown_out_and_the_rest_goes_on() {
    run(async {
        let house = House::mine();
        let garbage: [&[u8]; 5] =
            [&[0xff; 64], &[0, 0, 0, 0], &[2, 0, 0, 0, 1, 1], &[17, 0, 0, 0, 0, 0], b"GET / HTTP/1.1\r\n\r\n"];
        for bytes in garbage {
            let mut stream = house.connect().await;
            stream.write_all(bytes).await.unwrap();
            assert!(is_closed(&mut stream).await, "{bytes:?} before the hello");
            let mut stream = house.greet().await;
            stream.write_all(&[0xff; 64]).await.unwrap();
            assert!(is_closed(&mut stream).await, "garbage behind the hello");
        }
        let mut wrong = house.connect().await;
        send(&mut wrong, &Frame::Hello { fingerprint: FINGERPRINT ^ 1 }).await;
        assert!(matches!(recv(&mut wrong).await, Some(Frame::Hello { .. })));
        assert!(is_closed(&mut wrong).await);
        for frame in [
            Frame::Hello { fingerprint: FINGERPRINT },
            Frame::Probe { nonce: 1 },
            Frame::Probed { nonce: 1, result: schema::edge::ProbeResult::Opened },
        ] {
            let mut stream = house.greet().await;
            send(&mut stream, &frame).await;
            assert!(is_closed(&mut stream).await, "{frame:?}");
        }
        let mut stream = house.greet().await;
        send(&mut stream, &Frame::Body(message("after", "hi"))).await;
        assert!(matches!(recv(&mut stream).await, Some(Frame::Body(ToClient::Replied(_)))));
    });
}

#[test]
fn a_message_beyond_the_limit_is_refused_and_the_connection_goes_on() {
    run(async {
        let house = House::mine();
        let mut stream = house.greet().await;
        let long = "x".repeat(schema::limits::MESSAGE_BYTES + 1);
        for text in [long.as_str(), "", "  "] {
            send(&mut stream, &Frame::Body(message("a", text))).await;
            let told = recv(&mut stream).await;
            assert!(matches!(told, Some(Frame::Body(ToClient::Failed { refused: true, .. }))));
        }
        let exact = "x".repeat(schema::limits::MESSAGE_BYTES);
        send(&mut stream, &Frame::Body(message("b", &exact))).await;
        assert!(matches!(recv(&mut stream).await, Some(Frame::Body(ToClient::Replied(_)))));
    });
}

#[test]
fn one_who_keeps_connecting_is_bounded() {
    run(async {
        let house = House::mine();
        let mut inside = Vec::new();
        for _ in 0..chela_gate::limits::CLIENTS_PER_UID_MAX {
            inside.push(house.greet().await);
        }
        let mut one_more = house.connect().await;
        assert!(is_closed(&mut one_more).await);
        inside.pop();
        let entered = async {
            loop {
                let mut stream = house.connect().await;
                send(&mut stream, &Frame::Hello { fingerprint: FINGERPRINT }).await;
                if recv(&mut stream).await.is_some() {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(5), entered).await.unwrap();
    });
}
