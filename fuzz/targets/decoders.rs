//! Every decoder that reads what another process wrote, and the judgement of command lines. The first byte chooses which.
//!
//! What must hold for any bytes: no panic, no allocation beyond the limit; what decodes is encoded again within the limit and
//! decodes to the same; a length prefix beyond the limit is an error.
#![no_main]

use std::fmt::Debug;

use commands::limits::STEPS_MAX;
use commands::{Kind, judged};
use libfuzzer_sys::fuzz_target;
use roles::launch::{EdgeGiven, Report, Request};
use schema::codec::{body_length, decode, frame};
use schema::edge::brain::BrainWire;
use schema::edge::connector::ConnectorWire;
use schema::edge::control::ControlWire;
use schema::edge::executor::ExecutorWire;
use schema::edge::local::LocalWire;
use schema::edge::memory::MemoryWire;
use schema::edge::model::ModelWire;
use schema::edge::{Frame, Wire};
use schema::limits::PREFIX_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn check<M: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8], limit_bytes: usize) {
    let Ok(message) = decode::<M>(bytes, limit_bytes) else { return };
    let again = frame(&message, limit_bytes).expect("what came within the limit goes within the limit");
    let prefix = again.first_chunk::<PREFIX_BYTES>().expect("a frame has a prefix");
    let length = body_length(*prefix, limit_bytes).expect("its length is within the limit");
    assert_eq!(length, again.len() - PREFIX_BYTES);
    let same = decode::<M>(&again[PREFIX_BYTES..], limit_bytes).expect("what was encoded decodes");
    assert_eq!(message, same);
}

fn both<W: Wire>(bytes: &[u8])
where
    W::Down: PartialEq + Debug,
    W::Up: PartialEq + Debug,
{
    check::<Frame<W::Down>>(bytes, W::LIMIT_BYTES);
    check::<Frame<W::Up>>(bytes, W::LIMIT_BYTES);
}

fn records(bytes: &[u8]) {
    if let Some(request) = Request::from_bytes(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
    if let Some(report) = Report::from_bytes(bytes) {
        assert_eq!(report.to_bytes(), bytes);
    }
    if let Some(given) = EdgeGiven::from_bytes(bytes) {
        assert_eq!(given.to_bytes(), bytes);
    }
}

fn prefix(bytes: &[u8]) {
    if let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() {
        let limit = LocalWire::LIMIT_BYTES;
        assert!(body_length(*prefix, limit).map_or(true, |length| length <= limit));
    }
}

/// A command line of any text is judged within the work there is, and what is destructive stays so with something before it.
fn commands(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (verdict, steps) = judged(&text);
    assert!(steps <= STEPS_MAX);
    if verdict.kind() == Kind::Destructive && text.len() < 4096 && !text.contains('\n') {
        assert_ne!(judged(&format!("true\n{text}")).0.kind(), Kind::Ordinary, "{text:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    match choice % 10 {
        0 => both::<BrainWire>(bytes),
        1 => both::<ConnectorWire>(bytes),
        2 => both::<ExecutorWire>(bytes),
        3 => both::<LocalWire>(bytes),
        4 => both::<MemoryWire>(bytes),
        5 => both::<ModelWire>(bytes),
        6 => {
            check::<<ControlWire as Wire>::Down>(bytes, ControlWire::LIMIT_BYTES);
            check::<<ControlWire as Wire>::Up>(bytes, ControlWire::LIMIT_BYTES);
        }
        7 => records(bytes),
        8 => prefix(bytes),
        _ => commands(bytes),
    }
});
