//! How an answer goes wrong on its way.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::Request;
use crate::answer::Answer;

/// A way to misbehave. Those that are about bytes wait for an answer that carries a file.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status instead of an answer, and how many seconds to wait before asking again.
    Status(u16, Option<u64>),
    /// A web page instead of an answer.
    Page,
    /// The answer says that it goes on at this address.
    Next(String),
    /// The connection closes after so many bytes of the file.
    Cut(usize),
    /// The same of the whole file, whatever range was asked for.
    CutWithoutRange(usize),
    /// Silence after so many bytes of the file, until the client hangs up.
    Stall(usize),
    /// The file in so many pieces, with a pause between them.
    Slow(usize, Duration),
    /// The file with its first byte changed.
    Wrong,
    /// The file with more bytes than announced in the listing.
    Longer,
    /// The whole file, whatever range was asked for.
    NoRange,
}

/// A fault for addresses with `part` in them.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) part: String,
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

impl Fault {
    /// Whether it is about a file's bytes.
    fn of_bytes(&self) -> bool {
        !matches!(self, Self::Status(..) | Self::Page | Self::Next(_))
    }
}

/// The first fault that is planned for `request`.
pub(crate) fn next(faults: &mut [Planned], request: &Request, carries_file: bool) -> Option<Fault> {
    let fits = |planned: &&mut Planned| {
        planned.times > 0
            && request.target.contains(&planned.part)
            && (!planned.fault.of_bytes() || (carries_file && request.method == "GET"))
    };
    let planned = faults.iter_mut().find(fits)?;
    planned.times -= 1;
    Some(planned.fault.clone())
}

/// Sends `answer` to `request`, or what `fault` makes of it.
pub(crate) fn send(mut to: TcpStream, request: &Request, mut answer: Answer, fault: Option<Fault>) -> io::Result<()> {
    match &fault {
        Some(Fault::Status(status, wait)) => {
            let headers = wait.iter().map(|seconds| ("Retry-After", seconds.to_string())).collect();
            answer = Answer { status: *status, headers, body: Vec::new(), file: false };
        }
        Some(Fault::Page) => {
            let headers = vec![("Content-Type", "text/html; charset=utf-8".to_owned())];
            let body = "<!DOCTYPE html><title>Log in</title>".into();
            answer = Answer { status: 200, headers, body, file: false };
        }
        Some(Fault::Next(address)) => {
            answer.headers.retain(|(name, _)| *name != "Link");
            answer.headers.push(("Link", format!("<{address}>; rel=\"next\"")));
        }
        Some(Fault::Wrong) => answer.body.iter_mut().take(1).for_each(|byte| *byte ^= 1),
        Some(Fault::Longer) => answer.body.extend([0; 100]),
        _ => {}
    }
    if let Some(from) =
        request.range.filter(|_| answer.file && !matches!(fault, Some(Fault::NoRange | Fault::CutWithoutRange(_))))
    {
        let total = answer.body.len();
        if from >= total {
            answer = Answer { status: 416, headers: Vec::new(), body: Vec::new(), file: false };
        } else {
            answer.status = 206;
            answer.headers.push(("Content-Range", format!("bytes {from}-{}/{total}", total - 1)));
            answer.body.drain(..from);
        }
    }
    let mut head = format!("HTTP/1.1 {} -\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", answer.body.len());
    to.write_all(head.as_bytes())?;
    if request.method == "HEAD" {
        return Ok(());
    }
    let body = &*answer.body;
    match fault {
        Some(Fault::Cut(after) | Fault::CutWithoutRange(after)) => to.write_all(&body[..after.min(body.len())]),
        Some(Fault::Stall(after)) => {
            to.write_all(&body[..after.min(body.len())])?;
            to.flush()?;
            to.read(&mut [0]).map(drop)
        }
        Some(Fault::Slow(pieces, pause)) => {
            body.chunks(body.len().div_ceil(pieces.max(1)).max(1)).try_for_each(|piece| {
                to.write_all(piece)?;
                to.flush()?;
                thread::sleep(pause);
                Ok(())
            })
        }
        _ => to.write_all(body),
    }
}
