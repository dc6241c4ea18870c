//! What a well-behaved Hub answers.

use serde_json::json;

use crate::repositories::{Files, LARGE, git, sha256};
use crate::{Request, Shared, State};

/// How many files a page of a listing has: few, so that tests see more than one page.
const PAGE: usize = 2;

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body is a file's, of which a range can be had.
    pub(crate) file: bool,
}

impl Answer {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body, file: false }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn error(status: u16, code: &'static str) -> Self {
        Self::new(status, json!({"error": code}).to_string().into()).with("X-Error-Code", code)
    }

    fn json(value: &serde_json::Value) -> Self {
        Self::new(200, value.to_string().into()).with("Content-Type", "application/json")
    }

    fn file(bytes: &[u8]) -> Self {
        Self { file: true, ..Self::new(200, bytes.into()) }.with("Content-Type", "application/octet-stream")
    }
}

/// The answer to `request` of the server at `own`; the store, which has none, gives contents only.
pub(crate) fn to(request: &Request, own: &str, shared: &Shared, state: &State) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let parts: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if own.is_empty() {
        return match state.repositories.content(parts.get(1).unwrap_or(&"")) {
            // What a content's own server calls it is nothing that anybody knows it by.
            Some(bytes) => Answer::file(bytes).with("ETag", "\"of-the-store\""),
            None => Answer::error(404, "EntryNotFound"),
        };
    }
    if state.token.is_some() && state.token != request.token {
        return Answer::error(401, "GatedRepo");
    }
    let find = |kind: &str, owner: &str, name: &str, revision: &str| {
        state
            .repositories
            .find(&format!("{kind}/{owner}/{name}"), revision)
            .ok_or_else(|| Answer::error(404, "RevisionNotFound"))
    };
    let answer = match parts[..] {
        ["api", kind, owner, name, "revision", revision] => find(kind, owner, name, revision).map(|(commit, _)| {
            Answer::json(&json!({"id": format!("{owner}/{name}"), "sha": commit, "private": false}))
        }),
        ["api", kind, owner, name, "tree", revision] => {
            find(kind, owner, name, revision).map(|(_, files)| page(files, own, path, query))
        }
        ["datasets", owner, name, "resolve", revision, ..] => {
            find("datasets", owner, name, revision).map(|found| resolve(found, &parts[5..], shared))
        }
        [owner, name, "resolve", revision, ..] => {
            find("models", owner, name, revision).map(|found| resolve(found, &parts[4..], shared))
        }
        _ => Err(Answer::error(404, "RepoNotFound")),
    };
    answer.unwrap_or_else(|missing| missing)
}

/// One page of a listing, with the address of the next.
fn page(files: &Files, own: &str, path: &str, query: &str) -> Answer {
    let cursor = query.split('&').find_map(|part| part.strip_prefix("cursor="));
    let begin: usize = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let entries = files.iter().skip(begin).take(PAGE).map(|(path, bytes)| {
        let mut entry = json!({"type": "file", "oid": git(bytes), "size": bytes.len(), "path": path});
        if bytes.len() >= LARGE {
            entry["lfs"] = json!({"oid": sha256(bytes), "size": bytes.len(), "pointerSize": 130});
            entry["xetHash"] = json!(sha256(path.as_bytes()));
        }
        entry
    });
    let answer = Answer::json(&entries.collect());
    let next = begin + PAGE;
    if next < files.len() {
        answer.with("Link", format!("<{own}{path}?recursive=true&cursor={next}>; rel=\"next\""))
    } else {
        answer
    }
}

/// A file's address: a small content at once, a large one from the store.
fn resolve((commit, files): (&str, &Files), path: &[&str], shared: &Shared) -> Answer {
    let path = path.join("/");
    let Some(bytes) = files.get(&path) else { return Answer::error(404, "EntryNotFound") };
    let answer = if bytes.len() >= LARGE {
        let sum = sha256(bytes);
        Answer::new(302, Vec::new())
            .with("Location", format!("{}/store/{sum}/{path}", shared.store))
            .with("X-Linked-Etag", format!("\"{sum}\""))
            .with("X-Linked-Size", bytes.len().to_string())
            .with("X-Xet-Hash", sha256(path.as_bytes()))
    } else {
        Answer::file(bytes).with("ETag", format!("\"{}\"", git(bytes)))
    };
    answer.with("X-Repo-Commit", commit)
}

/// `%2F` and the like undone.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = &tail[if code.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
