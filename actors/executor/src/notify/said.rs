//! What a sandbox says ahead of its layer, a line each: a host as soon as it was tried, so that one that is killed has said
//! whom it wanted to reach; and at last how many more there were, and a limit that it ended at. Then comes the layer.

use std::io::{self, Read, Write};

use schema::effects::Hosts;
use schema::tool::Limit;

use super::reach::Reached;
use crate::limits::HOSTS_BYTES;

/// What the last line begins with, which no host does.
const LAST: u8 = b'=';
/// There are more hosts than are listed.
const MORE: &[u8] = b"+";
/// The last line, and that one.
const REST_BYTES: usize = 64;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 4096;

/// Limits by the letters that stand for them here.
const LETTERS: [(u8, Limit); 7] = [
    (b't', Limit::WallTime),
    (b'c', Limit::Cpu),
    (b'm', Limit::Memory),
    (b'p', Limit::Processes),
    (b'n', Limit::Files),
    (b's', Limit::FileSize),
    (b'd', Limit::Disk),
];

/// Says a host; the first that is too much is said to be one more. Who does not listen will not hear of the end either.
pub fn host(to: &mut impl Write, host: Option<&str>) {
    let line = match host {
        Some(host) => format!("{host}\n").into_bytes(),
        None => [MORE, b"\n"].concat(),
    };
    let _ = to.write_all(&line);
}

/// Says the last line.
///
/// # Errors
/// From writing.
pub fn last(to: &mut impl Write, more: u64, limit: Option<Limit>) -> io::Result<()> {
    let letter = limit.and_then(|limit| LETTERS.iter().find(|(_, one)| *one == limit)).map_or('-', |(l, _)| *l as char);
    to.write_all(format!("{}{letter}{more}\n", LAST as char).as_bytes())
}

/// What was heard of it. A sandbox is not believed: hosts are what hosts can be, and no more than there may be.
#[derive(Default)]
pub struct Heard {
    reached: Reached,
    limit: Option<Limit>,
    line: Vec<u8>,
    bytes: usize,
    is_over: bool,
    /// What came behind the last line already.
    rest: Vec<u8>,
}

impl Heard {
    /// Takes what was read.
    ///
    /// # Errors
    /// When it can't be what a sandbox says.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        for (at, byte) in bytes.iter().enumerate() {
            self.bytes += 1;
            if self.bytes > HOSTS_BYTES + REST_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            self.take_line()?;
            if self.is_over {
                self.rest = bytes[at + 1..].to_vec();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads up to the last line.
    ///
    /// # Errors
    /// From reading, and when it is none.
    pub fn read(&mut self, from: &mut impl Read) -> io::Result<()> {
        let mut buffer = [0; BUFFER_BYTES];
        while !self.is_over {
            match from.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.push(&buffer[..length])?,
            }
        }
        Ok(())
    }

    /// Whether the last line was heard.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What came behind it.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    /// A limit that it ended at.
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// Whom it tried to reach.
    pub fn hosts(&self) -> Box<Hosts> {
        let reached = self.reached.clone().finish();
        Box::new(Hosts { list: reached.hosts, more: reached.more })
    }

    fn take_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        let text = std::str::from_utf8(&line).map_err(|_| malformed())?;
        match line.split_first() {
            Some((&LAST, [letter, _, ..])) => {
                let more: u64 = text.get(2..).and_then(|more| more.parse().ok()).ok_or_else(malformed)?;
                self.limit = LETTERS.iter().find(|(one, _)| one == letter).map(|(_, limit)| *limit);
                self.reached.more = more;
                self.is_over = true;
            }
            Some(_) if line == MORE => self.reached.more = self.reached.more.max(1),
            Some(_) if line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/[]".contains(byte)) => {
                self.reached.add(text.to_owned());
            }
            Some(_) | None => return Err(malformed()),
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(hosts: &[&str], more: u64, limit: Option<Limit>) -> Vec<u8> {
        let mut bytes = Vec::new();
        hosts.iter().for_each(|one| host(&mut bytes, Some(one)));
        last(&mut bytes, more, limit).unwrap();
        bytes
    }

    #[test]
    fn what_is_said_is_heard_in_whatever_pieces() {
        let hosts = ["example.com", "example.com:443/tcp", "[2001:db8::1]:53/udp"];
        for (_, limit) in LETTERS {
            let bytes = [&said(&hosts, 7, Some(limit))[..], b"the layer\n=x"].concat();
            for piece in [1, 2, 3, 7, 100] {
                let mut heard = Heard::default();
                let mut from = bytes.chunks(piece);
                while !heard.is_over() {
                    heard.push(from.next().unwrap()).unwrap();
                }
                let layer = [heard.rest(), from.flatten().copied().collect()].concat();
                assert_eq!(layer, b"the layer\n=x", "pieces of {piece}");
                assert_eq!(heard.limit(), Some(limit));
                assert_eq!(heard.hosts().list, ["example.com:443/tcp", "[2001:db8::1]:53/udp"]);
                assert_eq!(heard.hosts().more, 7);
            }
        }
    }

    #[test]
    fn one_that_is_cut_short_has_said_what_it_said() {
        let mut bytes = said(&["a.example", "b.example"], 0, None);
        bytes.truncate(bytes.len() - 1);
        let mut heard = Heard::default();
        assert!(heard.read(&mut &bytes[..]).is_err());
        assert_eq!((heard.hosts().list.len(), heard.is_over()), (2, false));
        let mut heard = Heard::default();
        let mut bytes = Vec::new();
        host(&mut bytes, None);
        heard.push(&bytes).unwrap();
        assert_eq!(heard.hosts().more, 1);
    }

    #[test]
    fn what_is_no_host_is_refused_and_nothing_is_unbounded() {
        for text in ["a b\n", "\u{1b}[31m\n", "é\n", "\n", "=\n", "=-\n", "=-x\n", "=c-1\n", "=c99999999999999999999\n"]
        {
            assert!(Heard::default().push(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Heard::default().push(&vec![b'a'; HOSTS_BYTES + REST_BYTES + 1]).is_err());
        assert!(Heard::default().push("a\n".repeat(HOSTS_BYTES).as_bytes()).is_err());
    }
}
