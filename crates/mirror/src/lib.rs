//! A Hub on loopback for tests: it serves what it is given, by the Hub's protocol, and misbehaves when told to.
//!
//! Files of [`LARGE`] bytes and more lie, as on the Hub, at another address (another port here, and `/store/`), to
//! which their own address redirects; smaller ones are served at once.

mod answer;
mod fault;
mod repositories;

use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use fault::Fault;
pub use repositories::LARGE;
use repositories::Repositories;

/// A running server. Its threads end with the test's process.
#[derive(Debug)]
pub struct Mirror {
    endpoint: String,
    shared: Arc<Shared>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    /// Where large contents are: `http://127.0.0.1:PORT`.
    store: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    repositories: Repositories,
    faults: Vec<fault::Planned>,
    token: Option<String>,
    requests: Vec<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request: its first line, and the headers that matter here.
struct Request {
    method: String,
    target: String,
    range: Option<usize>,
    token: Option<String>,
}

impl Mirror {
    /// Starts a server without repositories.
    ///
    /// # Panics
    /// When loopback has no free port.
    #[must_use]
    pub fn start() -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("it is bound"));
        let (front, store) = (listen(), listen());
        let endpoint = address(&front);
        let shared = Arc::new(Shared { store: address(&store), state: Mutex::default() });
        // The store lists nothing, so it needs no address of its own.
        for (listener, own) in [(front, endpoint.clone()), (store, String::new())] {
            let shared = Arc::clone(&shared);
            thread::spawn(move || serve(&listener, &own, &shared));
        }
        Self { endpoint, shared }
    }

    /// What to set `HF_ENDPOINT` to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Commits `bytes` as `path` to a repository, such as `"datasets"`, `"owner/name"`, `"main"`, and gives the
    /// commit. A revision of 40 hexadecimal digits is the commit itself.
    pub fn put(&self, kind: &str, repository: &str, revision: &str, path: &str, bytes: &[u8]) -> String {
        self.shared.state().repositories.put(kind, repository, revision, path, bytes)
    }

    /// Misbehaves `times` times where the address that is asked for has `part` in it.
    pub fn fault(&self, part: &str, times: usize, fault: Fault) {
        self.shared.state().faults.push(fault::Planned { part: part.into(), times, fault });
    }

    /// Asks for this token from now on.
    pub fn require_token(&self, token: &str) {
        self.shared.state().token = Some(token.into());
    }

    /// What was asked so far: `GET /address`, with ` from N` where a range and ` with token` where one was sent.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }
}

fn serve(listener: &TcpListener, own: &str, shared: &Arc<Shared>) {
    for connection in listener.incoming().flatten() {
        let (own, shared) = (own.to_owned(), Arc::clone(shared));
        // A client that hangs up is no failure of the server's.
        thread::spawn(move || drop(converse(connection, &own, &shared)));
    }
}

/// Answers one request; connections are not used again.
fn converse(connection: TcpStream, own: &str, shared: &Shared) -> io::Result<()> {
    let request = read(&connection)?;
    let (answer, fault) = {
        let mut state = shared.state();
        let mut line = format!("{} {}", request.method, request.target);
        line += &request.range.map(|from| format!(" from {from}")).unwrap_or_default();
        line += if request.token.is_some() { " with token" } else { "" };
        state.requests.push(line);
        let answer = answer::to(&request, own, shared, &state);
        let fault = fault::next(&mut state.faults, &request, answer.file);
        (answer, fault)
    };
    fault::send(connection, &request, answer, fault)
}

fn read(connection: &TcpStream) -> io::Result<Request> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut parts = first.split(' ').map(str::to_owned);
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut request = Request { method, target, range: None, token: None };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        match &*name.to_ascii_lowercase() {
            "range" => {
                request.range = value.trim().strip_prefix("bytes=").and_then(|r| r.split('-').next()?.parse().ok())
            }
            "authorization" => request.token = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    Ok(request)
}
