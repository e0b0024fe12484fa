//! Unit tests of `src/line.rs`.
#![allow(clippy::expect_used)]

use super::*;
use nix::unistd::{pipe, write};

fn lines() -> (Line, Line) {
    let (a, b) = pair(SockType::SeqPacket).expect("socketpair");
    (Line::new(a), Line::new(b))
}

#[test]
fn packets_keep_their_bounds_and_the_end_is_seen() {
    let (mut ours, theirs) = lines();
    let mut buffer = [0; PACKET_BYTES];
    assert_eq!(theirs.receive(&mut buffer), Received::Nothing);
    ours.send(b"S", None).expect("room");
    ours.send(&[7; PACKET_BYTES + 3], None).expect("room");
    assert_eq!(theirs.receive(&mut buffer), Received::Packet(1));
    assert_eq!(theirs.receive(&mut buffer), Received::Packet(PACKET_BYTES + 3));
    drop(ours);
    assert_eq!(theirs.receive(&mut buffer), Received::Closed);
}

#[test]
fn a_reader_that_reads_nothing_is_noticed_and_memory_stays_bounded() {
    let (mut ours, _theirs) = lines();
    let refused = (0..100_000).find_map(|_| ours.send(&[0; 40], None).err());
    assert_eq!(refused, Some(Errno::ENOBUFS));
    assert_eq!(ours.outbox.len(), OUTBOX_PACKETS_MAX);
}

#[test]
fn what_was_kept_arrives_in_order_once_there_is_room() {
    let (mut ours, theirs) = lines();
    let mut sent = 0u32;
    while !ours.waits_for_room() {
        ours.send(&sent.to_le_bytes(), None).expect("room or kept");
        sent += 1;
    }
    let mut buffer = [0; PACKET_BYTES];
    for expected in 0..sent {
        if theirs.receive(&mut buffer) == Received::Nothing {
            ours.flush().expect("room again");
            assert_eq!(theirs.receive(&mut buffer), Received::Packet(4));
        }
        assert_eq!(buffer[..4], expected.to_le_bytes());
    }
}

#[test]
fn a_descriptor_sent_to_the_launcher_is_dropped() {
    let (mut role, launcher) = lines();
    let (reader, writer) = pipe().expect("pipe");
    role.send(b"S", Some(reader)).expect("room");
    let mut buffer = [0; PACKET_BYTES];
    assert_eq!(launcher.receive(&mut buffer), Received::Packet(1));
    assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE), "no reader is left");
}
