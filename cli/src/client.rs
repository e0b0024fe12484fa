//! One connection to the gate, and a request that outlives it: made again with the same id, it is done once.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericFilePath, Stream};
use schema::FINGERPRINT;
use schema::codec::{self, body_length};
use schema::edge::local::{FromClient, LocalWire, ToClient};
use schema::edge::{Frame, Wire};
use schema::limits::PREFIX_BYTES;

use crate::error::CliError;
use crate::interrupt::{Came, Interrupts, wait};
use crate::limits::{HELLO_DEADLINE_MS, READ_BYTES, RECONNECT_DEADLINE_MS, RECONNECT_PAUSE_MS, SEND_DEADLINE_MS};
use crate::paths;

/// A connection on which both ends have said hello.
struct Connection {
    stream: Stream,
    received: Vec<u8>,
}

/// Why a connection is of no use any more.
enum Broken {
    /// It is gone; another may work.
    Gone(String),
    /// The other end is not ours.
    Stranger(String),
}

impl Broken {
    fn gone(error: &std::io::Error) -> Broken {
        Broken::Gone(error.to_string())
    }
}

/// What came over a connection, or from the keyboard.
enum Event {
    Message(Box<ToClient>),
    Interrupt,
}

impl Connection {
    fn open(socket: &Path, interrupts: &Interrupts) -> Result<Connection, Broken> {
        let name = socket.to_fs_name::<GenericFilePath>().map_err(|e| Broken::gone(&e))?;
        let stream = Stream::connect(name).map_err(|e| Broken::gone(&e))?;
        stream.set_send_timeout(Some(Duration::from_millis(SEND_DEADLINE_MS))).map_err(|e| Broken::gone(&e))?;
        let mut connection = Connection { stream, received: Vec::new() };
        connection.send_frame(&Frame::Hello { fingerprint: FINGERPRINT })?;
        let until = Instant::now() + Duration::from_millis(HELLO_DEADLINE_MS);
        match connection.next_frame(interrupts, Some(until))? {
            Some(Frame::Hello { fingerprint }) if fingerprint == FINGERPRINT => Ok(connection),
            Some(Frame::Hello { .. }) => Err(Broken::Stranger("it has another schema".to_owned())),
            Some(Frame::Probe { .. } | Frame::Probed { .. } | Frame::Body(_)) => {
                Err(Broken::Stranger("it does not say hello".to_owned()))
            }
            None => Err(Broken::Gone("stopped before it answered".to_owned())),
        }
    }

    fn send(&mut self, request: &FromClient) -> Result<(), Broken> {
        self.send_frame(&Frame::Body(request.clone()))
    }

    fn send_frame(&mut self, frame: &Frame<FromClient>) -> Result<(), Broken> {
        let bytes =
            codec::frame(frame, LocalWire::LIMIT_BYTES).map_err(|e| Broken::Stranger(format!("the request: {e}")))?;
        (&self.stream).write_all(&bytes).map_err(|e| Broken::gone(&e))
    }

    fn next(&mut self, interrupts: &Interrupts) -> Result<Event, Broken> {
        match self.next_frame(interrupts, None)? {
            Some(Frame::Body(message)) => Ok(Event::Message(Box::new(message))),
            Some(Frame::Hello { .. } | Frame::Probe { .. } | Frame::Probed { .. }) => {
                Err(Broken::Stranger("it sent what is not permitted here".to_owned()))
            }
            None => Ok(Event::Interrupt),
        }
    }

    /// The next frame; `None` for Ctrl-C.
    fn next_frame(
        &mut self,
        interrupts: &Interrupts,
        until: Option<Instant>,
    ) -> Result<Option<Frame<ToClient>>, Broken> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(Some(frame));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left_ms = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            match wait(self.descriptor(), interrupts, left_ms).map_err(|e| Broken::gone(&e))? {
                Came::Interrupt => return Ok(None),
                Came::Nothing => {
                    return Err(Broken::Gone(format!("it accepts but does not answer within {HELLO_DEADLINE_MS} ms")));
                }
                Came::Input => self.receive()?,
            }
        }
    }

    fn receive(&mut self) -> Result<(), Broken> {
        let mut bytes = [0; READ_BYTES];
        match (&self.stream).read(&mut bytes) {
            Ok(0) => Err(Broken::Gone(CLOSED.to_owned())),
            Ok(got) => {
                self.received.extend_from_slice(&bytes[..got]);
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(Broken::gone(&e)),
        }
    }

    fn whole_frame(&mut self) -> Result<Option<Frame<ToClient>>, Broken> {
        let stranger = |e: codec::CodecError| Broken::Stranger(e.to_string());
        let Some(prefix) = self.received.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let end = PREFIX_BYTES + body_length(*prefix, LocalWire::LIMIT_BYTES).map_err(stranger)?;
        let Some(body) = self.received.get(PREFIX_BYTES..end) else {
            return Ok(None);
        };
        let frame = codec::decode(body, LocalWire::LIMIT_BYTES).map_err(stranger)?;
        self.received.drain(..end);
        Ok(Some(frame))
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        let Stream::UdSocket(socket) = &self.stream;
        socket.as_fd()
    }
}

/// Why a connection is gone whose other end was closed.
const CLOSED: &str = "closed by the service";

/// The service of one root directory.
pub struct Service {
    root: PathBuf,
    socket: PathBuf,
    interrupts: Interrupts,
}

impl Service {
    /// The service of `root`; connects with the first request. Takes Ctrl-C over.
    pub fn of(root: &Path) -> Result<Service, CliError> {
        Ok(Service { root: root.to_path_buf(), socket: paths::socket(root), interrupts: Interrupts::take()? })
    }

    /// Ctrl-C, for who waits for something else meanwhile.
    pub fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    /// Connects once, to say early if nobody is there.
    pub fn greet(&self) -> Result<(), CliError> {
        self.first().map(drop)
    }

    /// Makes a request and shows `see` all that comes back, until it has its answer. A connection that breaks is made
    /// again and the request repeated: only for requests that are done once however often they are made. Ctrl-C asks
    /// the gate to stop it, a second one stops waiting.
    pub fn request<T>(&self, request: &FromClient, mut see: impl FnMut(ToClient) -> Option<T>) -> Result<T, CliError> {
        let mut connection = self.first()?;
        let mut cancelled = false;
        loop {
            match self.attempt(&mut connection, request, &mut cancelled, &mut see) {
                Ok(answer) => return answer,
                Err(Broken::Stranger(why)) => return Err(self.stranger(why)),
                Err(Broken::Gone(why)) => connection = self.again(why)?,
            }
        }
    }

    fn attempt<T>(
        &self,
        connection: &mut Connection,
        request: &FromClient,
        cancelled: &mut bool,
        see: &mut impl FnMut(ToClient) -> Option<T>,
    ) -> Result<Result<T, CliError>, Broken> {
        connection.send(request)?;
        if *cancelled {
            connection.send(&FromClient::Cancel)?;
        }
        loop {
            match connection.next(&self.interrupts)? {
                Event::Message(message) => match *message {
                    ToClient::Failed { reason, refused } => return Ok(Err(CliError::Gate { reason, refused })),
                    message => {
                        if let Some(answer) = see(message) {
                            return Ok(Ok(answer));
                        }
                    }
                },
                Event::Interrupt if *cancelled => return Ok(Err(CliError::Stopped)),
                Event::Interrupt => {
                    *cancelled = true;
                    connection.send(&FromClient::Cancel)?;
                }
            }
        }
    }

    fn first(&self) -> Result<Connection, CliError> {
        match Connection::open(&self.socket, &self.interrupts) {
            Ok(connection) => Ok(connection),
            Err(Broken::Stranger(why)) => Err(self.stranger(why)),
            // Somebody is there, and was about to end.
            Err(Broken::Gone(why)) if why == CLOSED => self.again(why),
            Err(Broken::Gone(why)) => {
                Err(CliError::Unreachable { socket: self.socket.clone(), root: self.root.clone(), why })
            }
        }
    }

    /// A new connection in place of one that broke, within the deadline.
    fn again(&self, why: String) -> Result<Connection, CliError> {
        let until = Instant::now() + Duration::from_millis(RECONNECT_DEADLINE_MS);
        loop {
            match Connection::open(&self.socket, &self.interrupts) {
                Ok(connection) => return Ok(connection),
                Err(Broken::Stranger(why)) => return Err(self.stranger(why)),
                Err(Broken::Gone(_)) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(RECONNECT_PAUSE_MS));
                }
                Err(Broken::Gone(now)) => {
                    let why = format!("{why}; and then, until {} s later: {now}", RECONNECT_DEADLINE_MS / 1000);
                    return Err(CliError::Lost { socket: self.socket.clone(), why });
                }
            }
        }
    }

    fn stranger(&self, why: String) -> CliError {
        CliError::Stranger { socket: self.socket.clone(), why }
    }
}

/// An id that nobody has used: 128 random bits.
pub fn unique_id() -> Result<String, CliError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| CliError::io("make an id", "random source", std::io::Error::other(e)))?;
    Ok(bytes.iter().fold(String::with_capacity(32), |id, byte| id + &format!("{byte:02x}")))
}
