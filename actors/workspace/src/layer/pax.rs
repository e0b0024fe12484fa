//! Records of an extended header: `length key=value\n`, the length counting itself. The values are bytes, a newline
//! among them.

use crate::node::Time;

/// Appends a record.
pub fn push(to: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    to.extend_from_slice(length.to_string().as_bytes());
    to.push(b' ');
    to.extend_from_slice(key);
    to.push(b'=');
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// The records of a header, in order; `None` when it is not a sequence of them.
pub fn records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
        if length <= space || length > bytes.len() {
            return None;
        }
        let record = bytes[space + 1..length].strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        found.push((&record[..equals], &record[equals + 1..]));
        bytes = &bytes[length..];
    }
    Some(found)
}

/// Digits, nothing else.
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().all(u8::is_ascii_digit).then_some(bytes)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A time as seconds with a fraction.
pub fn time(time: Time) -> String {
    if time.s < 0 && time.ns > 0 {
        return format!("-{}.{:09}", (time.s + 1).unsigned_abs(), 1_000_000_000 - time.ns);
    }
    if time.ns == 0 { time.s.to_string() } else { format!("{}.{:09}", time.s, time.ns) }
}

/// The time that [`time`] wrote; fewer digits of the fraction are fine.
pub fn parse_time(bytes: &[u8]) -> Option<Time> {
    let (negative, bytes) = bytes.strip_prefix(b"-").map_or((false, bytes), |rest| (true, rest));
    let (whole, fraction) = match bytes.iter().position(|byte| *byte == b'.') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &b""[..]),
    };
    if fraction.len() > 9 || whole.is_empty() {
        return None;
    }
    let s = i64::try_from(decimal(whole)?).ok()?;
    let scale = 10_u32.pow(9 - fraction.len() as u32);
    let ns = if fraction.is_empty() { 0 } else { u32::try_from(decimal(fraction)?).ok()?.checked_mul(scale)? };
    Some(match (negative, ns) {
        (false, ns) => Time { s, ns },
        (true, 0) => Time { s: -s, ns: 0 },
        (true, ns) => Time { s: -s - 1, ns: 1_000_000_000 - ns },
    })
}

/// An attribute's name as a key can hold it.
pub fn escape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'=' => out.extend_from_slice(b"%3D"),
            b'%' => out.extend_from_slice(b"%25"),
            other => out.push(*other),
        }
    }
    out
}

/// The name that [`escape`] wrote.
pub fn unescape(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len());
    let mut rest = key;
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(b"%3D") {
            (rest, _) = (behind, out.push(b'='));
        } else if let Some(behind) = rest.strip_prefix(b"%25") {
            (rest, _) = (behind, out.push(b'%'));
        } else {
            (rest, _) = (behind, out.push(*first));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn records_of_every_length_are_read_as_they_were_written() {
        for length in (0..120).chain([985, 990, 995, 9_990, 100_000]) {
            let value = vec![b'\n'; length];
            let mut bytes = Vec::new();
            push(&mut bytes, b"key", &value);
            push(&mut bytes, b"other", b"a=b");
            assert_eq!(records(&bytes), Some(vec![(&b"key"[..], &value[..]), (&b"other"[..], &b"a=b"[..])]));
        }
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        for bad in
            [&b"x"[..], b"5 a=b", b"6 a=b\n6", b"99 a=b\n", b"2 \n", b"0 a=b\n", b"-6 a=b\n", b"5 ab\n", b"6 a=bc"]
        {
            assert_eq!(records(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn times_and_names_survive() {
        for (s, ns) in [(0, 0), (1, 5), (-1, 0), (-2, 500_000_000), (-1, 999_999_999), (1_700_000_000, 123_456_789)] {
            let at = Time { s, ns };
            assert_eq!(parse_time(time(at).as_bytes()), Some(at));
        }
        assert_eq!(parse_time(b"1.5"), Some(Time { s: 1, ns: 500_000_000 }));
        for bad in [&b""[..], b".", b"1.0000000001", b"x", b"--1", b"1e9", b"99999999999999999999"] {
            assert_eq!(parse_time(bad), None);
        }
        assert_eq!(unescape(&escape(b"user.a=b%3D%")), b"user.a=b%3D%");
    }
}
