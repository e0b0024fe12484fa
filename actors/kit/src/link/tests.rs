#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use schema::codec;

use super::*;
use crate::limits::{FRAME_DEADLINE_MS, SEND_DEADLINE_MS};

const LIMIT_BYTES: usize = 1 << 20;

type Text = Link<String, String>;

fn pair() -> (UnixStream, OwnedFd) {
    let (raw, ours) = UnixStream::pair().unwrap();
    (raw, ours.into())
}

fn frame(frame: &Frame<String>) -> Vec<u8> {
    codec::frame(frame, LIMIT_BYTES).unwrap()
}

fn hello() -> Vec<u8> {
    frame(&Frame::Hello { fingerprint: FINGERPRINT })
}

/// Runs `test` on a runtime like a role's; `paused` makes every deadline come at once when nothing else happens.
fn on_runtime<T>(paused: bool, test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(paused).build().unwrap().block_on(test)
}

/// What a link makes of a peer that sends exactly these bytes and then waits.
fn peer_sends(bytes: &[u8]) -> LinkError {
    on_runtime(true, async {
        let (mut raw, ours) = pair();
        raw.write_all(bytes).unwrap();
        let ended = match Text::open(ours, "test", LIMIT_BYTES).await {
            Ok(mut link) => link.recv().await.unwrap_err(),
            Err(error) => error,
        };
        // Whatever it was, the peer is ended: it reads our hello at most, then the end.
        let mut rest = Vec::new();
        raw.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        raw.read_to_end(&mut rest).expect("the peer is ended");
        ended
    })
}

async fn linked() -> (Text, Text) {
    let (a, b) = UnixStream::pair().unwrap();
    let (a, b) = tokio::join!(Text::open(a.into(), "test", LIMIT_BYTES), Text::open(b.into(), "test", LIMIT_BYTES));
    (a.unwrap(), b.unwrap())
}

#[test]
fn messages_of_every_size_pass_in_order() {
    on_runtime(false, async {
        let (a, mut b) = linked().await;
        let (_, mut out) = a.split();
        let sizes = [0, 1, 255, 4096, 70_000, 300_000, LIMIT_BYTES - 16, 3];
        let sending = async {
            for size in sizes {
                out.send(&"x".repeat(size)).await.unwrap();
            }
        };
        let receiving = async {
            for size in sizes {
                assert_eq!(b.recv().await.unwrap().len(), size);
            }
        };
        tokio::join!(sending, receiving);
        drop(out);
    });
}

#[test]
fn a_closed_peer_is_closed() {
    on_runtime(false, async {
        let (a, mut b) = linked().await;
        drop(a);
        assert!(matches!(b.recv().await, Err(LinkError::Closed)));
        assert!(matches!(b.send(&"x".into()).await, Err(LinkError::Closed)));
    });
}

#[test]
fn what_was_sent_before_the_end_still_arrives() {
    on_runtime(false, async {
        let (mut a, mut b) = linked().await;
        for word in ["one", "two", "three"] {
            a.send(&word.into()).await.unwrap();
        }
        drop(a);
        for word in ["one", "two", "three"] {
            assert_eq!(b.recv().await.unwrap(), word);
        }
        assert!(matches!(b.recv().await, Err(LinkError::Closed)));
    });
}

#[test]
fn receiving_and_sending_are_cancel_safe() {
    on_runtime(false, async {
        let (mut a, mut b) = linked().await;
        let big = "y".repeat(900_000);
        // Each try moves some bytes and is then cut off.
        let mut tries = 0;
        let got = loop {
            tries += 1;
            assert!(tries < 10_000);
            let _ = tokio::time::timeout(Duration::ZERO, async {
                if tries == 1 {
                    a.send(&big).await.unwrap();
                }
                a.writer.finish().await.unwrap();
            })
            .await;
            if let Ok(got) = tokio::time::timeout(Duration::ZERO, b.recv()).await {
                break got.unwrap();
            }
        };
        assert_eq!(got, big);
        assert!(tries > 2, "it took several tries");
    });
}

#[test]
fn garbage_ends_the_peer() {
    let error = peer_sends(b"GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(error, LinkError::Codec { .. }), "{error}");
    let mut body = hello();
    body.extend([4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let error = peer_sends(&body);
    assert!(matches!(error, LinkError::Codec { .. }), "{error}");
}

#[test]
fn bytes_behind_a_message_end_the_peer() {
    let mut bytes = hello();
    let mut body = codec::encode(&Frame::Body("hi".to_string()), LIMIT_BYTES).unwrap();
    body.push(0);
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    let error = peer_sends(&bytes);
    assert!(matches!(error, LinkError::Codec { .. }), "{error}");
}

#[test]
fn no_hello_ends_the_peer() {
    let start = Instant::now();
    let error = peer_sends(b"");
    assert!(matches!(error, LinkError::Hello { .. }), "{error}");
    let error = peer_sends(&frame(&Frame::Body("hi".into())));
    assert!(matches!(error, LinkError::Hello { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn another_schema_ends_the_peer() {
    let error = peer_sends(&frame(&Frame::Hello { fingerprint: FINGERPRINT ^ 1 }));
    assert!(matches!(error, LinkError::Hello { .. }), "{error}");
}

#[test]
fn frames_that_are_not_permitted_end_the_peer() {
    for wrong in [
        Frame::Hello { fingerprint: FINGERPRINT },
        Frame::Probe { nonce: 1 },
        Frame::Probed { nonce: 1, result: schema::edge::ProbeResult::Opened },
    ] {
        let mut bytes = hello();
        bytes.extend(frame(&wrong));
        let error = peer_sends(&bytes);
        assert!(matches!(error, LinkError::Unexpected { .. }), "{error}");
    }
}

#[test]
fn half_a_frame_is_not_waited_for_for_ever() {
    let mut bytes = hello();
    bytes.extend(&frame(&Frame::Body("hello".into()))[..6]);
    let error = peer_sends(&bytes);
    let LinkError::Io { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    const { assert!(FRAME_DEADLINE_MS > 0 && SEND_DEADLINE_MS > 0) };
}

#[test]
fn a_peer_that_leaves_in_the_middle_of_a_frame_is_not_merely_closed() {
    on_runtime(true, async {
        let (mut raw, ours) = pair();
        raw.write_all(&hello()).unwrap();
        raw.write_all(&frame(&Frame::Body("hello".into()))[..6]).unwrap();
        let mut link = Text::open(ours, "test", LIMIT_BYTES).await.unwrap();
        drop(raw);
        let error = link.recv().await.unwrap_err();
        assert!(matches!(error, LinkError::Io { .. }), "{error}");
    });
}

#[test]
fn a_length_beyond_the_limit_ends_the_peer_before_anything_is_allocated() {
    for announced in [0u32, LIMIT_BYTES as u32 + 1, u32::MAX] {
        let mut bytes = hello();
        bytes.extend(announced.to_le_bytes());
        bytes.extend([0; 64]);
        let error = peer_sends(&bytes);
        assert!(matches!(error, LinkError::Codec { .. }), "{error}");
    }
}

#[test]
fn an_announced_length_is_not_allocated() {
    on_runtime(true, async {
        let (mut raw, ours) = pair();
        raw.write_all(&hello()).unwrap();
        let mut link = Text::open(ours, "test", LIMIT_BYTES).await.unwrap();
        raw.write_all(&(LIMIT_BYTES as u32).to_le_bytes()).unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(50), link.recv()).await;
        assert!(link.reader.room_bytes() <= 32 << 10);
    });
}

#[test]
fn too_large_a_message_is_refused_and_the_link_lives_on() {
    on_runtime(false, async {
        let (mut a, mut b) = linked().await;
        let error = a.send(&"x".repeat(LIMIT_BYTES + 1)).await.unwrap_err();
        assert!(matches!(error, LinkError::Codec { .. }), "{error}");
        a.send(&"still here".into()).await.unwrap();
        assert_eq!(b.recv().await.unwrap(), "still here");
    });
}

#[test]
fn a_peer_that_reads_nothing_is_ended() {
    on_runtime(true, async {
        let (mut raw, ours) = pair();
        raw.write_all(&hello()).unwrap();
        let mut link = Text::open(ours, "test", LIMIT_BYTES).await.unwrap();
        let mut sent_bytes = 0;
        let error = loop {
            match link.send(&"x".repeat(60_000)).await {
                Ok(()) => sent_bytes += 60_000,
                Err(error) => break error,
            }
        };
        let LinkError::Io { error, .. } = error else { panic!("{error}") };
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(sent_bytes < 4 << 20, "no more than the socket holds");
        assert!(link.writer.waiting_bytes() == 0);
    });
}

#[test]
fn a_flood_is_held_back_by_the_socket() {
    on_runtime(false, async {
        let (mut raw, ours) = pair();
        raw.write_all(&hello()).unwrap();
        let mut link = Text::open(ours, "test", LIMIT_BYTES).await.unwrap();
        raw.set_nonblocking(true).unwrap();
        let one = frame(&Frame::Body("z".repeat(1000)));
        let flood = one.repeat(20_000);
        let mut sent = 0;
        let mut most_room = 0;
        let mut received = 0;
        while received < 20_000 {
            while sent < flood.len() {
                match raw.write(&flood[sent..]) {
                    Ok(n) => sent += n,
                    Err(_) => break,
                }
            }
            assert_eq!(link.recv().await.unwrap().len(), 1000);
            received += 1;
            most_room = most_room.max(link.reader.room_bytes());
        }
        assert!(most_room <= 64 << 10, "{most_room}");
    });
}
