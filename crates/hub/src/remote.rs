//! What the Hub is asked, and what its answers mean.

use std::env;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::Duration;

use hf_hub::{HFClientBuilder, HFClientSync, HFError};
use reqwest::blocking::{Client, Response};
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, Url};

use crate::patience::Failure;
use crate::{Error, Kind, Patience, Repository};

/// Redirections in a row that are followed.
const HOPS: usize = 8;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Whether the environment says yes, in a word that Python's library takes for one.
pub(crate) fn is_set(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| is_yes(&value))
}

fn is_yes(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str())
}

/// One endpoint of the Hub.
pub(crate) struct Remote {
    hub: HFClientSync,
    http: Client,
    token: Option<String>,
    pub(crate) endpoint: Url,
    cache: PathBuf,
}

/// The token of the environment, or the one that logging in left; none where `HF_HUB_DISABLE_IMPLICIT_TOKEN` says so.
fn environment_token() -> Option<String> {
    if is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return None;
    }
    let from_file = || {
        let path = env::var_os("HF_TOKEN_PATH").map_or_else(|| hf_hub::hf_home().join("token"), PathBuf::from);
        std::fs::read_to_string(path).ok()
    };
    let token = env::var("HF_TOKEN").ok().filter(|token| !token.is_empty()).or_else(from_file)?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

impl Remote {
    /// What `builder` leaves open is the environment's.
    pub(crate) fn new(builder: HFClientBuilder, token: Option<String>, patience: &Patience) -> Result<Self, Error> {
        let failed = |e: &(dyn StdError + 'static)| Error::Client { reason: innermost(e).to_string() };
        let agent = concat!("i2fr/", env!("CARGO_PKG_VERSION"));
        let connect = CONNECT.min(patience.silence);
        let api = reqwest::Client::builder().user_agent(agent).connect_timeout(connect).read_timeout(patience.silence);
        // Blocking clients apply `timeout` to each read, not to the whole body.
        let http = Client::builder()
            .user_agent(agent)
            .connect_timeout(connect)
            .timeout(patience.silence)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| failed(&e))?;
        let token = token.or_else(environment_token);
        let builder = token.iter().fold(builder, |builder, token| builder.token(token));
        // Asking again is our own business, which knows `Retry-After` and when to stop.
        let builder = builder.client(api.build().map_err(|e| failed(&e))?).retry_max_attempts(0);
        let client = builder.build().map_err(|e| failed(&e))?;
        let endpoint = Url::parse(client.endpoint()).map_err(|e| failed(&e))?;
        if endpoint.cannot_be_a_base() {
            return Err(Error::Client { reason: format!("{endpoint} is no web address") });
        }
        let cache = client.cache_dir().to_owned();
        let hub = HFClientSync::from_inner(client).map_err(|e| failed(&e))?;
        Ok(Self { hub, http, token, endpoint, cache })
    }

    /// The commit that `revision` stands for now.
    pub(crate) fn commit(&self, place: &str, repository: &Repository, revision: &str) -> Result<String, Failure> {
        let Repository { kind, owner, name } = repository;
        let found = match kind {
            Kind::Dataset => self.hub.dataset(owner, name).info().revision(revision).send().map(|info| info.sha),
            Kind::Model => self.hub.model(owner, name).info().revision(revision).send().map(|info| info.sha),
        };
        let found = found.map_err(|e| self.failure(place, &e))?;
        found
            .filter(|commit| crate::cache::is_commit(commit))
            .ok_or_else(|| self.foreign(place, "it names no commit").into())
    }

    /// The name of a file's content: its checksum.
    pub(crate) fn etag(
        &self,
        place: &str,
        repository: &Repository,
        commit: &str,
        path: &str,
    ) -> Result<String, Failure> {
        let address = self.address(repository, commit, path);
        let answer = self.ask(place, Method::HEAD, address, None)?;
        // A large file's address redirects to where its bytes are, and `X-Linked-Etag` is about them.
        let etag = text(answer.headers(), "x-linked-etag").or_else(|| text(answer.headers(), "etag"));
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"')).unwrap_or_default();
        if !etag.is_empty() && etag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            Ok(etag.to_owned())
        } else {
            Err(self.foreign(place, "the file has no ETag").into())
        }
    }

    /// A file's bytes from position `from` on if the Hub is so kind; with the position they begin at.
    pub(crate) fn body(
        &self,
        place: &str,
        repository: &Repository,
        commit: &str,
        path: &str,
        from: u64,
    ) -> Result<(u64, Response), Failure> {
        let address = self.address(repository, commit, path);
        let answer = self.ask(place, Method::GET, address, (from > 0).then(|| format!("bytes={from}-")))?;
        let page = text(answer.headers(), "content-type").is_some_and(|kind| kind.starts_with("text/html"));
        if page && !path.ends_with(".html") {
            return Err(self.foreign(place, "a web page came instead of the file").into());
        }
        if answer.status() != reqwest::StatusCode::PARTIAL_CONTENT {
            return Ok((0, answer));
        }
        let range = text(answer.headers(), "content-range").and_then(|range| range.strip_prefix("bytes "));
        let begin = range.and_then(|range| range.split_once('-')?.0.parse().ok());
        match begin {
            Some(begin) => Ok((begin, answer)),
            None => Err(Failure::Passing("part of the file came, without saying which".into(), None)),
        }
    }

    /// Where a file of a commit is.
    fn address(&self, repository: &Repository, commit: &str, path: &str) -> Url {
        let Repository { kind, owner, name } = repository;
        let datasets = (*kind == Kind::Dataset).then(|| kind.plural());
        let parts = datasets.into_iter().chain([&**owner, name, "resolve", commit]).chain(path.split('/'));
        self.at(&parts.collect::<Vec<_>>())
    }

    /// An address below the endpoint.
    pub(crate) fn at(&self, parts: &[&str]) -> Url {
        let mut address = self.endpoint.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        address
    }

    /// Asks, following redirections; those of HEAD only until the content's name is told.
    pub(crate) fn ask(
        &self,
        place: &str,
        method: Method,
        mut address: Url,
        range: Option<String>,
    ) -> Result<Response, Failure> {
        for _ in 0..HOPS {
            let mut request = self.http.request(method.clone(), address.clone());
            // Sizes and ranges are those of the file itself.
            request = request.header(header::ACCEPT_ENCODING, "identity");
            if let Some(token) = self.token.as_ref().filter(|_| address.origin() == self.endpoint.origin()) {
                request = request.bearer_auth(token);
            }
            if let Some(range) = &range {
                request = request.header(header::RANGE, range);
            }
            let answer = request.send().map_err(|e| self.transport(place, &e))?;
            let status = answer.status();
            let told = method == Method::HEAD && answer.headers().contains_key("x-linked-etag");
            if status.is_success() || (status.is_redirection() && told) {
                return Ok(answer);
            }
            if !status.is_redirection() {
                return Err(self.status(place, status.as_u16(), retry_after(answer.headers())));
            }
            let next = text(answer.headers(), "location").and_then(|to| address.join(to).ok());
            let safe = |next: &Url| next.scheme() == "https" || next.scheme() == address.scheme();
            address = next.filter(safe).ok_or_else(|| self.foreign(place, "it redirects to nowhere"))?;
        }
        Err(self.foreign(place, "it redirects without end").into())
    }

    /// An answer that the Hub would not give.
    pub(crate) fn foreign(&self, place: &str, what: &str) -> Error {
        Error::NotTheHub { place: place.into(), endpoint: self.name(), what: what.into() }
    }

    /// A status that is no success.
    fn status(&self, place: &str, status: u16, asked: Option<Duration>) -> Failure {
        let (place, endpoint) = (place.to_owned(), self.name());
        match status {
            401 | 403 => Error::Denied { place, endpoint, status }.into(),
            404 => Error::NotFound { place, endpoint }.into(),
            408 | 416 | 429 | 500.. => Failure::Passing(format!("HTTP {status}"), asked),
            _ => self.foreign(&place, &format!("HTTP {status}")).into(),
        }
    }

    /// A request that got no answer, or half of one.
    pub(crate) fn transport(&self, place: &str, error: &reqwest::Error) -> Failure {
        let cause = innermost(error);
        if cause.is::<serde_json::Error>() {
            return self.foreign(place, "its listing cannot be read").into();
        }
        Failure::Passing(cause.to_string(), None)
    }

    /// What `hf-hub` reports.
    fn failure(&self, place: &str, error: &HFError) -> Failure {
        match error {
            HFError::Http { context } | HFError::AuthRequired { context } | HFError::Forbidden { context } => {
                self.status(place, context.status.as_u16(), None)
            }
            HFError::RateLimited { retry_after, .. } => self.status(place, 429, *retry_after),
            HFError::RepoNotFound { .. } | HFError::RevisionNotFound { .. } | HFError::EntryNotFound { .. } => {
                self.status(place, 404, None)
            }
            HFError::Request { source, .. } => self.transport(place, source),
            other => self.foreign(place, &innermost(other).to_string()).into(),
        }
    }

    /// That the Hub was asked in vain.
    pub(crate) fn unreachable(&self, place: &str) -> impl FnOnce(String) -> Error {
        let (place, endpoint, cache) = (place.to_owned(), self.name(), self.cache.clone());
        move |reason| Error::Unreachable { place, endpoint, cache, reason }
    }

    /// The endpoint as the user knows it, but for a name and a password in it.
    pub(crate) fn name(&self) -> String {
        let mut shown = self.endpoint.clone();
        // An address that cannot have them has none.
        let _ = shown.set_username("").and_then(|()| shown.set_password(None));
        shown.as_str().trim_end_matches('/').to_owned()
    }

    /// The folder of the cache.
    pub(crate) fn cache(&self) -> &std::path::Path {
        &self.cache
    }
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text(headers, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// The innermost cause: the outer ones only repeat the address.
pub(crate) fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn yes_has_four_spellings() {
        assert!(["1", "ON", "yes", "True"].into_iter().all(is_yes));
        assert!(!["", "0", "false", "off", "no"].into_iter().any(is_yes));
    }
}
