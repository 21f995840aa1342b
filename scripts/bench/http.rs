//! HTTP/1.1 by hand over a socket: on a machine that serves and asks at the same time, whatever the asking costs is
//! missing in the serving.

use crate::{Flags, Outcome, summary};
use std::{
    io::{self, BufRead, ErrorKind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept between requests.
pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer has been read by us.
    read: usize,
    /// Whether the body comes in chunks, and what is left of it otherwise.
    body: Body,
}

enum Body {
    Length(usize),
    Chunked,
    ToTheEnd,
    Over,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> Outcome<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16 << 10), read: 0, body: Body::Over })
    }

    /// Sends a request and reads the head of its answer; the status.
    pub async fn ask(&mut self, request: &[u8]) -> Outcome<u16> {
        self.socket.write_all(request).await?;
        self.buffer.drain(..self.read);
        self.read = 0;
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()).to_lowercase();
        self.read = end + 4;
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no status")?;
        let field = |name: &str| head.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
        self.body = match field("content-length:") {
            Some(length) => Body::Length(length.parse()?),
            None if field("transfer-encoding:") == Some("chunked") => Body::Chunked,
            None if matches!(status, 204 | 304) => Body::Length(0),
            None => Body::ToTheEnd,
        };
        Ok(status)
    }

    async fn fill(&mut self) -> Outcome {
        if self.socket.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.read..).unwrap_or_default()
    }

    /// The next piece of the body; `None` at its end.
    pub async fn piece(&mut self) -> Outcome<Option<Vec<u8>>> {
        loop {
            match self.body {
                Body::Over | Body::Length(0) => return Ok(None),
                Body::Length(left) if !self.rest().is_empty() => {
                    let taken = left.min(self.rest().len());
                    let piece = self.rest().get(..taken).unwrap_or_default().to_vec();
                    self.read += taken;
                    self.body = Body::Length(left - taken);
                    return Ok(Some(piece));
                }
                Body::Chunked => {
                    if let Some(line) = self.rest().windows(2).position(|w| w == b"\r\n") {
                        let size = std::str::from_utf8(self.rest().get(..line).unwrap_or_default())?;
                        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
                        if self.rest().len() >= line + 2 + size + 2 {
                            let piece = self.rest().get(line + 2..line + 2 + size).unwrap_or_default().to_vec();
                            self.read += line + 2 + size + 2;
                            if size == 0 {
                                self.body = Body::Over;
                                return Ok(None);
                            }
                            return Ok(Some(piece));
                        }
                    }
                }
                Body::ToTheEnd if !self.rest().is_empty() => {
                    let piece = self.rest().to_vec();
                    self.read = self.buffer.len();
                    return Ok(Some(piece));
                }
                Body::Length(_) | Body::ToTheEnd => {}
            }
            if self.read > 64 << 10 {
                self.buffer.drain(..self.read);
                self.read = 0;
            }
            if let Err(error) = self.fill().await {
                return if matches!(self.body, Body::ToTheEnd) { Ok(None) } else { Err(error) };
            }
        }
    }

    /// Reads the body to its end; its length.
    pub async fn drain(&mut self) -> Outcome<usize> {
        let mut length = 0;
        while let Some(piece) = self.piece().await? {
            length += piece.len();
        }
        Ok(length)
    }
}

/// A request as bytes. `headers` are whole lines, each ended by `\r\n`.
pub fn request(method: &str, address: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = if method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}{length}\r\n{body}").into_bytes()
}

/// Header lines from `name: value` pairs separated by `|`.
pub fn lines(flags: &Flags) -> String {
    flags.text("headers").split('|').filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect()
}

/// `load --address A --path P --connections N --seconds S [--pause ms] [--headers ..]`: asks for one page again and again.
pub async fn load(flags: &Flags) -> Outcome {
    let request = request("GET", flags.text("address"), flags.text("path"), &lines(flags), "");
    let (connections, seconds) = (flags.number("connections", 16)?, flags.number("seconds", 5)?);
    let pause = Duration::from_millis(flags.number("pause", 0)?);
    let until = Instant::now() + Duration::from_secs(seconds);
    let bytes = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (address, request, bytes) = (flags.text("address").to_owned(), request.clone(), Arc::clone(&bytes));
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut times = Vec::new();
            while Instant::now() < until {
                let start = Instant::now();
                let status = connection.ask(&request).await?;
                let length = connection.drain().await?;
                if status != 200 {
                    return Err(format!("status {status}").into());
                }
                times.push(start.elapsed().as_secs_f64() * 1000.0);
                bytes.store(length as u64, Ordering::Relaxed);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            Outcome::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "rate": rate, "bytes": bytes.load(Ordering::Relaxed), "ms": summary(times) }));
    Ok(())
}

/// `park --address A --requests FILE`: FILE has one stream a line, `path|headers separated by tabs`. For each number on standard
/// input, opens streams, one line after the other and then from the first again, until there are so many, waits for the
/// first event of each, and says so. Closes them at the end of the input.
pub async fn park(flags: &Flags) -> Outcome {
    let address = flags.text("address");
    let text = std::fs::read_to_string(flags.text("requests"))?;
    let requests = text.lines().map(|line| {
        let (path, headers) = line.split_once('|').unwrap_or((line, ""));
        let headers: String = headers.split('\t').filter(|h| !h.is_empty()).map(|h| format!("{h}\r\n")).collect();
        request("GET", address, path, &headers, "")
    });
    let requests: Vec<Vec<u8>> = requests.collect();
    let mut next = requests.iter().cycle();
    let mut parked = Vec::new();
    for line in io::stdin().lock().lines() {
        let wanted: usize = line?.trim().parse()?;
        while parked.len() < wanted {
            let mut connection = Connection::open(address).await?;
            let status = connection.ask(next.next().ok_or("no stream to open")?).await?;
            if status != 200 {
                return Err(format!("status {status}").into());
            }
            connection.piece().await?;
            // What comes later is read, as a browser does.
            parked.push(tokio::spawn(async move { while let Ok(Some(_)) = connection.piece().await {} }));
        }
        println!("{}", serde_json::json!({ "parked": parked.iter().filter(|p| !p.is_finished()).count() }));
    }
    parked.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}
