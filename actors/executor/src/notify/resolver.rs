//! Where a sandbox's resolver is asked: over UDP, and over TCP for who prefers that or has a long question. On the sandbox's
//! own loopback only, bounded, and nobody who asks is waited for.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use super::names::Names;
use crate::limits::{ASKERS, QUESTION_BYTES, QUESTIONS_AT_ONCE};
use crate::step::{At, Failure, Step};

const PORT: u16 = 53;
/// Bytes of a question's length, over TCP.
const PREFIX_BYTES: usize = 2;

/// The sockets.
pub struct Resolver {
    udp: UdpSocket,
    tcp: TcpListener,
    /// Who is connected, the longest first.
    askers: Vec<Asker>,
}

struct Asker {
    stream: TcpStream,
    asked: Vec<u8>,
}

impl Resolver {
    /// The sandbox's resolver. It takes a low port, so before the capabilities go.
    ///
    /// # Errors
    /// The failed step.
    pub fn bind() -> Result<Resolver, Failure> {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, PORT)).at(Step::Resolver)?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).at(Step::Resolver)?;
        udp.set_nonblocking(true).at(Step::Resolver)?;
        tcp.set_nonblocking(true).at(Step::Resolver)?;
        Ok(Resolver { udp, tcp, askers: Vec::new() })
    }

    /// What to watch for something to read.
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.udp.as_fd(), self.tcp.as_fd()].into_iter().chain(self.askers.iter().map(|one| one.stream.as_fd()))
    }

    /// Answers what has come; the names go to `tell`.
    pub fn serve(&mut self, names: &mut Names, mut tell: impl FnMut(String)) {
        names.serve(&self.udp, &mut tell);
        for _ in 0..ASKERS {
            let Ok((stream, _)) = self.tcp.accept() else { break };
            if stream.set_nonblocking(true).is_ok() {
                // Who has been there longest may have forgotten about it.
                while self.askers.len() >= ASKERS {
                    self.askers.remove(0);
                }
                self.askers.push(Asker { stream, asked: Vec::new() });
            }
        }
        self.askers.retain_mut(|one| one.serve(names, &mut tell).is_some());
    }
}

impl Asker {
    /// `None`: it is over with this one.
    fn serve(&mut self, names: &mut Names, tell: &mut impl FnMut(String)) -> Option<()> {
        let mut buffer = [0; PREFIX_BYTES + QUESTION_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => self.asked.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        for _ in 0..QUESTIONS_AT_ONCE {
            let Some(question) = question(&mut self.asked)? else { return Some(()) };
            let answer = names.answer(&question)?;
            answer.name.into_iter().for_each(&mut *tell);
            let length = u16::try_from(answer.bytes.len()).ok()?;
            let bytes = [&length.to_be_bytes()[..], &answer.bytes].concat();
            // Who does not read what it asked for asks again.
            self.stream.write_all(&bytes).ok()?;
        }
        // It asks faster than it may.
        None
    }
}

/// The next whole question of what was asked. `Some(None)`: it is not all there; `None`: it can't be one.
fn question(asked: &mut Vec<u8>) -> Option<Option<Vec<u8>>> {
    let Some((prefix, rest)) = asked.split_first_chunk::<PREFIX_BYTES>() else { return Some(None) };
    let length = usize::from(u16::from_be_bytes(*prefix));
    if length > QUESTION_BYTES {
        return None;
    }
    let Some(question) = rest.get(..length).map(<[u8]>::to_vec) else { return Some(None) };
    asked.drain(..PREFIX_BYTES + length);
    Some(Some(question))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_whole_or_wait_and_none_is_too_long() {
        let mut asked = vec![0, 3, b'a', b'b', b'c', 0, 0, 0, 2, b'd'];
        assert_eq!(question(&mut asked), Some(Some(b"abc".to_vec())));
        assert_eq!(question(&mut asked), Some(Some(Vec::new())));
        assert_eq!(question(&mut asked), Some(None));
        asked.push(b'e');
        assert_eq!(question(&mut asked), Some(Some(b"de".to_vec())));
        assert_eq!(question(&mut asked), Some(None));
        assert_eq!(question(&mut vec![0]), Some(None));
        assert_eq!(question(&mut vec![0xff, 0xff, 0]), None);
    }
}
