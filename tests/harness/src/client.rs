//! A client of the local socket that speaks the schema itself, so that a test can also say what `chela` never would.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use schema::FINGERPRINT;
use schema::codec::{body_length, decode, frame};
use schema::edge::local::{FromClient, LocalWire, ToClient};
use schema::edge::{Frame, Wire};
use schema::limits::PREFIX_BYTES;

use crate::{Failure, Home};

/// One connection to the gate.
pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects and exchanges the hello.
    pub fn connect(home: &Home) -> Result<Client, Failure> {
        let mut client = Client::connect_raw(home)?;
        client.send_frame(&Frame::Hello { fingerprint: FINGERPRINT })?;
        match client.recv_frame()? {
            Frame::Hello { fingerprint } if fingerprint == FINGERPRINT => Ok(client),
            other => Err(format!("the gate answered the hello with {other:?}")),
        }
    }

    /// Connects and says nothing.
    pub fn connect_raw(home: &Home) -> Result<Client, Failure> {
        let path = home.root().join("run/chela.sock");
        let stream = UnixStream::connect(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Client { stream })
    }

    /// The socket itself.
    pub fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Sends one request.
    pub fn send(&mut self, message: FromClient) -> Result<(), Failure> {
        self.send_frame(&Frame::Body(message))
    }

    fn send_frame(&mut self, message: &Frame<FromClient>) -> Result<(), Failure> {
        let bytes = frame(message, LocalWire::LIMIT_BYTES).map_err(|e| e.to_string())?;
        self.stream.write_all(&bytes).map_err(|e| format!("local socket: {e}"))
    }

    fn recv_frame(&mut self) -> Result<Frame<ToClient>, Failure> {
        let mut prefix = [0; PREFIX_BYTES];
        self.stream.read_exact(&mut prefix).map_err(|e| format!("local socket: {e}"))?;
        let mut body = vec![0; body_length(prefix, LocalWire::LIMIT_BYTES).map_err(|e| e.to_string())?];
        self.stream.read_exact(&mut body).map_err(|e| format!("local socket: {e}"))?;
        decode(&body, LocalWire::LIMIT_BYTES).map_err(|e| e.to_string())
    }

    /// The next message.
    pub fn recv(&mut self) -> Result<ToClient, Failure> {
        match self.recv_frame()? {
            Frame::Body(message) => Ok(message),
            other => Err(format!("the gate sent {other:?} where a message was due")),
        }
    }

    /// Sends a request and returns the first message that `wanted` accepts, dropping those before it.
    pub fn request<T>(
        &mut self,
        message: FromClient,
        mut wanted: impl FnMut(ToClient) -> Option<T>,
    ) -> Result<T, Failure> {
        self.send(message)?;
        loop {
            let answer = self.recv()?;
            if let ToClient::Failed { reason, .. } = &answer {
                let reason = reason.clone();
                return wanted(answer).ok_or(reason);
            }
            if let Some(value) = wanted(answer) {
                return Ok(value);
            }
        }
    }
}
