//! Parts of a file on their way to the executor that a `put_file` will write. They are no action: nothing of them is real, or
//! ever read, but by that call, which names how long the file is and its digest.

use schema::edge::executor::ToExecutor;
use schema::edge::local::ToClient;
use schema::limits::UPLOAD_PART_BYTES;

use crate::client::Client;
use crate::hub::Gate;
use crate::principals::Principal;

/// Passes one part on, and says how much is there.
pub async fn part(gate: &Gate, client: &Client, principal: &Principal, upload: u64, (offset, bytes): (u64, Vec<u8>)) {
    match passed_on(gate, principal, upload, offset, bytes).await {
        Ok(bytes) => client.answer(ToClient::Uploaded { bytes }),
        Err(reason) => client.fail(reason, false),
    }
}

async fn passed_on(
    gate: &Gate,
    principal: &Principal,
    upload: u64,
    offset: u64,
    bytes: Vec<u8>,
) -> Result<u64, String> {
    if bytes.len() > UPLOAD_PART_BYTES {
        return Err(format!("a part has {} bytes, the limit is {UPLOAD_PART_BYTES}", bytes.len()));
    }
    let peer = gate.executors.places.peer(principal.number).await?;
    let (request, told) = gate.uploads.start(principal.number)?;
    // One that takes nothing is ended, and its end is told.
    let _ = peer.outbox.push(ToExecutor::Upload { request, upload, offset, bytes });
    told.await.map_err(|_| "the executor ended; nothing was changed: put the file again".to_owned())?
}
