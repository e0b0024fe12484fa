//! Every edge's limit, at both ends: exactly at it passes, one byte more does not, and nothing is allocated for it.
#![allow(clippy::unwrap_used, clippy::panic)]

use schema::codec::{CodecError, body_length, decode, encode, frame};
use schema::edge::brain::{BrainWire, FromBrain, ToBrain};
use schema::edge::connector::ConnectorWire;
use schema::edge::control::{ControlWire, Place, ToRole};
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::edge::local::{FromClient, LocalWire, ToClient};
use schema::edge::memory::{Answer, Ask, FromMemory, MemoryWire, ToMemory};
use schema::edge::model::{FromModel, ModelWire, ToModel};
use schema::edge::{Frame, Wire};
use schema::limits::{FRAME_BYTES_MAX, PREFIX_BYTES};
use schema::talk::CallMode;
use schema::tool::Admitted;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes a message whose body has exactly `size` bytes out of one with a payload of any length.
fn exactly<T: Serialize>(size: usize, make: &impl Fn(usize) -> T) -> T {
    let close = size - 128;
    let have = encode(&make(close), FRAME_BYTES_MAX).unwrap().len();
    make(close + size - have)
}

fn at_both_ends<W: Wire, T>(make: impl Fn(usize) -> T)
where
    T: Serialize + DeserializeOwned + PartialEq,
{
    let limit = W::LIMIT_BYTES;
    let fits = exactly(limit, &make);
    let bytes = frame(&fits, limit).unwrap();
    let (prefix, body) = bytes.split_first_chunk::<PREFIX_BYTES>().unwrap();
    assert_eq!(body.len(), limit, "{}", W::NAME);
    assert_eq!(body_length(*prefix, limit).unwrap(), limit);
    assert!(decode::<T>(body, limit).unwrap() == fits, "{}: at the limit it is received", W::NAME);

    let more = exactly(limit - 1, &make);
    let mut body = encode(&more, limit).unwrap();
    body.extend([0; 2]);
    assert!(matches!(decode::<T>(&body, limit), Err(CodecError::TooLarge { .. })), "{}", W::NAME);
    let more = exactly(limit + 1, &make);
    assert!(matches!(frame(&more, limit), Err(CodecError::TooLarge { .. })), "{}: one more is not sent", W::NAME);
    assert!(matches!(encode(&more, limit), Err(CodecError::TooLarge { .. })));
    let announced = u32::try_from(limit + 1).unwrap().to_le_bytes();
    assert!(matches!(body_length(announced, limit), Err(CodecError::BadLength { .. })), "{}", W::NAME);
}

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[test]
fn brain() {
    at_both_ends::<BrainWire, _>(|n| Frame::Body(ToBrain::CompletionFailed { request: 1, reason: text(n) }));
    at_both_ends::<BrainWire, _>(|n| Frame::Body(FromBrain::Reply { text: text(n) }));
}

#[test]
fn model() {
    let ask = |n| ToModel::Complete {
        request: 1,
        messages: vec![schema::talk::Message {
            speaker: schema::talk::Speaker::User,
            text: text(n),
            label: schema::label::Label::NOTHING,
        }],
        tools: Vec::new(),
        call: CallMode::Never,
        tokens_max: 1,
    };
    at_both_ends::<ModelWire, _>(|n| Frame::Body(ask(n)));
    at_both_ends::<ModelWire, _>(|n| Frame::Body(FromModel::Token { request: 1, text: text(n) }));
}

#[test]
fn executor() {
    let write = |n| Admitted::WriteFile { path: "a".into(), content: vec![7; n] };
    at_both_ends::<ExecutorWire, _>(|n| {
        Frame::Body(ToExecutor::Run { action: 1, call: write(n), label: schema::label::Label::OWN })
    });
    let output = |n| FromExecutor::Output { action: 1, from_stderr: false, bytes: vec![7; n] };
    at_both_ends::<ExecutorWire, _>(|n| Frame::Body(output(n)));
}

#[test]
fn memory() {
    let put = |n| Ask::Put { table: "t".into(), key: "k".into(), value: vec![7; n] };
    at_both_ends::<MemoryWire, _>(|n| Frame::Body(ToMemory { request: 1, ask: put(n) }));
    at_both_ends::<MemoryWire, _>(|n| Frame::Body(FromMemory { request: 1, answer: Answer::Value(Some(vec![7; n])) }));
}

#[test]
fn local() {
    let ask = |n| FromClient::Ask { message_id: "m".into(), principal: None, text: text(n) };
    at_both_ends::<LocalWire, _>(|n| Frame::Body(ask(n)));
    at_both_ends::<LocalWire, _>(|n| Frame::Body(ToClient::Text(text(n))));
}

#[test]
fn control() {
    let place = Place { role: 1, slot: 0 };
    at_both_ends::<ControlWire, _>(|n| ToRole::Unavailable { place, reason: text(n) });
}

#[test]
fn connector() {
    // Its messages have no payload yet: the limit is the frame's alone.
    let limit = ConnectorWire::LIMIT_BYTES;
    assert!(body_length(u32::try_from(limit).unwrap().to_le_bytes(), limit).is_ok());
    assert!(body_length(u32::try_from(limit + 1).unwrap().to_le_bytes(), limit).is_err());
}

#[test]
fn nothing_announces_nothing_and_no_length_inside_a_message_is_believed() {
    assert!(matches!(body_length([0; PREFIX_BYTES], 10), Err(CodecError::BadLength { .. })));
    // `Text` of 2^62 bytes: refused for what it says, before anything is allocated for it.
    let mut body = encode(&ToClient::Text(String::new()), 10).unwrap();
    body.pop();
    body.push(253);
    body.extend((1u64 << 62).to_le_bytes());
    assert!(matches!(decode::<ToClient>(&body, FRAME_BYTES_MAX), Err(CodecError::Malformed(_))));
}

#[test]
fn bytes_behind_a_message_are_an_error() {
    let mut body = encode(&ToClient::Text("hi".into()), 100).unwrap();
    assert!(decode::<ToClient>(&body, 100).is_ok());
    body.push(0);
    assert!(matches!(decode::<ToClient>(&body, 100), Err(CodecError::Trailing(1))));
}
