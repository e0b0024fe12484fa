//! Files on their way in, for `put_file`: held in memory, in parts, until the call that names them writes them. Nothing of
//! them is in the workspace, and nothing else reads them.

use std::collections::VecDeque;
use std::rc::Rc;

use schema::limits::{UPLOAD_BYTES_MAX, UPLOAD_PART_BYTES};
use schema::tool::{Admitted, Ended, ToolOutcome};
use sha2::{Digest, Sha256};
use tokio::time::Duration;

use crate::area::staged;
use crate::ledger::failed;
use crate::limits::{UPLOAD_KEPT_MS, UPLOADS_MAX};
use crate::names;
use crate::serve::Desk;

/// All of them, the oldest first.
#[derive(Default)]
pub struct Uploads(VecDeque<Upload>);

struct Upload {
    number: u64,
    bytes: Vec<u8>,
    /// Parts that have come: it is forgotten when none has for a while.
    parts: u64,
}

impl Uploads {
    /// Takes a part in; how much is there then.
    ///
    /// # Errors
    /// In words, when it does not follow, or is too much.
    pub fn add(&mut self, number: u64, offset: u64, part: &[u8]) -> Result<u64, String> {
        if part.len() > UPLOAD_PART_BYTES {
            return Err(format!("a part may have {UPLOAD_PART_BYTES} bytes"));
        }
        if !self.0.iter().any(|one| one.number == number) {
            if self.0.len() >= UPLOADS_MAX {
                self.0.pop_front();
            }
            self.0.push_back(Upload { number, bytes: Vec::new(), parts: 0 });
        }
        let Some(upload) = self.0.iter_mut().find(|one| one.number == number) else { return Err(gone(number)) };
        let there = upload.bytes.len() as u64;
        // Said again, since its answer was lost.
        if !part.is_empty() && offset + part.len() as u64 == there && upload.bytes.ends_with(part) {
            return Ok(there);
        }
        if offset != there {
            return Err(format!("{there} bytes are there, and this part is of byte {offset} on: put the file again"));
        }
        if upload.bytes.len() + part.len() > UPLOAD_BYTES_MAX {
            return Err(format!("a file that is put may have {UPLOAD_BYTES_MAX} bytes"));
        }
        upload.bytes.extend_from_slice(part);
        upload.parts += 1;
        Ok(upload.bytes.len() as u64)
    }

    /// The whole of one.
    ///
    /// # Errors
    /// In words, when it is not what was said.
    fn whole(&self, number: u64, bytes: u64, digest: &[u8; 32]) -> Result<&[u8], String> {
        let upload = self.0.iter().find(|one| one.number == number).ok_or_else(|| gone(number))?;
        let there = &upload.bytes[..];
        if there.len() as u64 != bytes || Sha256::digest(there).as_slice() != digest {
            return Err("what was put is not what was said (length or digest): put the file again".to_owned());
        }
        Ok(there)
    }

    /// How many parts of it have come.
    fn parts(&self, number: u64) -> Option<u64> {
        self.0.iter().find(|one| one.number == number).map(|one| one.parts)
    }

    fn forget(&mut self, number: u64) {
        self.0.retain(|one| one.number != number);
    }
}

fn gone(number: u64) -> String {
    format!("the file of upload {number} is not here (any more): put it again")
}

/// Takes a part in. One to which nothing is added is forgotten after a while.
pub fn part(desk: &Rc<Desk>, number: u64, offset: u64, bytes: &[u8]) -> Result<u64, String> {
    let held = desk.uploads.borrow_mut().add(number, offset, bytes);
    if held.is_ok() {
        let parts = desk.uploads.borrow().parts(number);
        let desk = desk.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_millis(UPLOAD_KEPT_MS)).await;
            let mut uploads = desk.uploads.borrow_mut();
            if uploads.parts(number) == parts {
                uploads.forget(number);
            }
        });
    }
    held
}

/// Stages the file that a `put_file` names.
pub fn stage(desk: &Desk, action: u64, call: &Admitted) -> ToolOutcome {
    let Admitted::PutFile { path, upload, bytes, digest } = call else { return failed("this puts no file") };
    let mut area = desk.area.borrow_mut();
    area.begin_rehearsal(action);
    let uploads = desk.uploads.borrow();
    let changes = uploads.whole(*upload, *bytes, digest).and_then(|content| names::written(&area, path, content));
    let effects = changes.and_then(|changes| area.stage_changes(action, &changes).map_err(|error| error.to_string()));
    match effects.and_then(|effects| staged(&mut area, action, &effects)) {
        Ok((effects, standing)) => ToolOutcome { effects, standing, ..ToolOutcome::of(Ended::Exited { code: 0 }) },
        Err(why) => failed(&why),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    #[test]
    fn parts_follow_each_other_and_the_whole_is_what_was_said() {
        let mut uploads = Uploads::default();
        assert_eq!(uploads.add(7, 0, b"one "), Ok(4));
        assert_eq!(uploads.add(7, 0, b"one "), Ok(4), "said again");
        for (number, offset, part) in [(7, 0, b"two "), (7, 5, b"abcd"), (8, 1, b"abcd")] {
            uploads.add(number, offset, part).unwrap_err();
        }
        assert_eq!(uploads.add(7, 4, b"two"), Ok(7));
        assert_eq!(uploads.whole(7, 7, &digest(b"one two")).unwrap(), b"one two");
        assert!(uploads.whole(7, 6, &digest(b"one two")).is_err() && uploads.whole(7, 7, &digest(b"other")).is_err());
        assert!(uploads.whole(9, 0, &digest(b"")).is_err());
        uploads.forget(7);
        assert!(uploads.whole(7, 7, &digest(b"one two")).unwrap_err().contains("put it again"));
    }

    #[test]
    fn their_number_their_parts_and_their_bytes_are_bounded() {
        let mut uploads = Uploads::default();
        for number in 0..100 {
            uploads.add(number, 0, b"x").unwrap();
            assert!(uploads.0.len() <= UPLOADS_MAX);
        }
        let part = vec![0; UPLOAD_PART_BYTES];
        assert!(uploads.add(200, 0, &[&part[..], b"x"].concat()).is_err());
        let mut at = 0;
        while let Ok(there) = uploads.add(201, at, &part) {
            at = there;
        }
        assert_eq!(at as usize, UPLOAD_BYTES_MAX);
    }
}
