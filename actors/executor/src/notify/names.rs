//! The sandbox's own resolver. It knows no address; it gives each name one that leads nowhere, so that a later connection
//! says for whom it was. Answers go over the sandbox's loopback only, and every question is a stranger's.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::limits::{HOST_BYTES, NAMES, QUESTION_BYTES, QUESTIONS_AT_ONCE};

/// Reserved for tests between networks (RFC 2544): nobody has these.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 1]);

/// What the command has asked for.
#[derive(Default)]
pub struct Names(Vec<String>);

/// What came of a question.
#[derive(PartialEq, Eq, Debug)]
pub struct Answer {
    /// To be sent back.
    pub bytes: Vec<u8>,
    /// The name that was looked up, if it is one.
    pub name: Option<String>,
}

impl Names {
    /// The name that has this address.
    pub fn of(&self, address: IpAddr) -> Option<&str> {
        let IpAddr::V4(address) = address else { return None };
        let at = u32::from(address).checked_sub(FIRST)?;
        self.0.get(usize::try_from(at).ok()?).map(String::as_str)
    }

    fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        let at = match self.0.iter().position(|known| known == name) {
            Some(at) => at,
            None if self.0.len() < NAMES => {
                self.0.push(name.to_owned());
                self.0.len() - 1
            }
            None => return None,
        };
        Some(Ipv4Addr::from(FIRST + at as u32))
    }

    /// Answers a question. What is none, is not answered.
    pub fn answer(&mut self, question: &[u8]) -> Option<Answer> {
        let asked = Packet::parse(question).ok()?;
        let [question] = asked.questions.as_slice() else { return None };
        if asked.has_flags(PacketFlag::RESPONSE) {
            return None;
        }
        let name = name(&question.qname.to_string());
        let mut reply = Packet::new_reply(asked.id());
        reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        reply.questions.push(question.clone());
        match (&name, question.qtype) {
            // Names of addresses, and what is no name.
            (None, _) | (_, QTYPE::TYPE(TYPE::PTR)) => *reply.rcode_mut() = RCODE::NameError,
            (Some(name), QTYPE::TYPE(TYPE::A)) => match self.address(name) {
                Some(address) => {
                    let data = RData::A(A { address: u32::from(address) });
                    reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 0, data));
                }
                None => *reply.rcode_mut() = RCODE::ServerFailure,
            },
            // There is such a name, and nothing of that kind.
            (Some(_), _) => {}
        }
        let name = name.filter(|_| question.qtype != QTYPE::TYPE(TYPE::PTR));
        Some(Answer { bytes: reply.build_bytes_vec().ok()?, name })
    }

    /// Answers what has come; the names go to `tell`.
    pub fn serve(&mut self, socket: &UdpSocket, mut tell: impl FnMut(String)) {
        for _ in 0..QUESTIONS_AT_ONCE {
            let mut question = [0; QUESTION_BYTES];
            let Ok((length, from)) = socket.recv_from(&mut question) else { return };
            if let Some(answer) = self.answer(&question[..length]) {
                answer.name.into_iter().for_each(&mut tell);
                // Who does not take it asks again.
                let _ = socket.send_to(&answer.bytes, from);
            }
        }
    }
}

/// A host's name as it is shown: small letters, digits, hyphens, underscores and dots.
fn name(text: &str) -> Option<String> {
    let text = text.trim_end_matches('.').to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (!text.is_empty() && text.len() <= HOST_BYTES - ":65535/tcp".len() && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use simple_dns::{Name, QCLASS, Question};

    use super::*;

    fn ask(name: &str, kind: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        let question = Question::new(Name::new(name).unwrap(), kind.into(), QCLASS::CLASS(CLASS::IN), false);
        packet.questions.push(question);
        packet.build_bytes_vec().unwrap()
    }

    fn address(answer: &Answer) -> Option<IpAddr> {
        let packet = Packet::parse(&answer.bytes).unwrap();
        packet.answers.first().map(|record| match &record.rdata {
            RData::A(A { address }) => IpAddr::V4(Ipv4Addr::from(*address)),
            other => unreachable!("{other:?}"),
        })
    }

    #[test]
    fn a_name_has_one_address_and_the_address_its_name() {
        let mut names = Names::default();
        let first = names.answer(&ask("Example.COM", TYPE::A)).unwrap();
        assert_eq!(first.name.as_deref(), Some("example.com"));
        let at = address(&first).unwrap();
        assert_eq!(names.of(at), Some("example.com"));
        assert_eq!(address(&names.answer(&ask("example.com", TYPE::A)).unwrap()), Some(at));
        let other = address(&names.answer(&ask("other.example", TYPE::A)).unwrap()).unwrap();
        assert_eq!(names.of(other), Some("other.example"));
        assert_eq!(names.of("198.18.0.3".parse().unwrap()), None);
        assert_eq!(names.of("192.0.2.1".parse().unwrap()), None);
        let six = names.answer(&ask("example.com", TYPE::AAAA)).unwrap();
        assert_eq!((address(&six), six.name.as_deref()), (None, Some("example.com")));
        let reverse = names.answer(&ask("1.0.18.198.in-addr.arpa", TYPE::PTR)).unwrap();
        assert_eq!((address(&reverse), reverse.name), (None, None));
    }

    #[test]
    fn names_are_bounded() {
        let mut names = Names::default();
        for number in 0..NAMES {
            assert!(address(&names.answer(&ask(&format!("h{number}.example"), TYPE::A)).unwrap()).is_some());
        }
        assert_eq!(address(&names.answer(&ask("one.more", TYPE::A)).unwrap()), None);
        assert!(address(&names.answer(&ask("h0.example", TYPE::A)).unwrap()).is_some());
    }

    #[test]
    fn what_is_no_question_gets_no_answer_and_ends_nothing() {
        let mut names = Names::default();
        let good = ask("example.com", TYPE::A);
        for cut in 0..good.len() {
            assert_eq!(names.answer(&good[..cut]), None, "{cut}");
        }
        let mut state = 1_u64;
        for _ in 0..200_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + state % 6 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 20) as u8;
            }
            if let Some(Answer { name: Some(name), .. }) = names.answer(&bytes) {
                assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{name:?}");
            }
        }
    }
}
