//! The files of a commit, page by page.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::Repository;
use crate::patience::Failure;
use crate::record::Known;
use crate::remote::{Remote, text};

/// Pages of a listing that are read; the Hub puts a thousand entries on one.
const PAGES: usize = 200;

/// A line of a listing.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
}

/// Where a listing goes on, by the header `Link: <ADDRESS>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = text(headers, "link")?.split(',').map(str::trim);
    let next =
        links.filter(|link| link.contains("rel=\"next\"")).find_map(|link| link.strip_prefix('<')?.split_once('>'));
    next.map(|(address, _)| address.to_owned())
}

impl Remote {
    /// Every file of `commit`.
    pub(crate) fn list(
        &self,
        place: &str,
        repository: &Repository,
        commit: &str,
    ) -> Result<BTreeMap<String, Known>, Failure> {
        let Repository { kind, owner, name } = repository;
        let mut address = self.at(&["api", kind.plural(), owner, name, "tree", commit]);
        address.set_query(Some("recursive=true"));
        let mut files = BTreeMap::new();
        for _ in 0..PAGES {
            let answer = self.ask(place, Method::GET, address.clone(), None)?;
            let next = next_page(answer.headers());
            let page = answer.bytes().map_err(|e| self.transport(place, &e))?;
            let unread = |_| self.foreign(place, "its listing cannot be read");
            let entries: Vec<Entry> = serde_json::from_slice(&page).map_err(unread)?;
            let file = |entry: Entry| (entry.path, Known { size: entry.size, sha256: None });
            files.extend(entries.into_iter().filter(|entry| entry.kind == "file").map(file));
            let Some(next) = next else { return Ok(files) };
            // Another server is not this Hub, whatever it would say and to whomever the token belongs.
            let next = address.join(&next).ok().filter(|next| next.origin() == self.endpoint.origin());
            address = next.ok_or_else(|| self.foreign(place, "its listing goes on elsewhere"))?;
        }
        Err(self.foreign(place, "its listing has no end").into())
    }
}
