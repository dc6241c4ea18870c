//! The Hugging Face Hub: its local cache first, then a download into that cache.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hf_hub::progress::{DownloadEvent, Progress, ProgressEvent, ProgressHandler};
use hf_hub::{HFClient, HFClientBuilder, HFClientSync, HFError};
use indicatif::ProgressBar;

use crate::layout::parquet_images;
use crate::load::from_folder;
use crate::{Error, Name, Splits, progress};

/// Setting this to anything but 0 forbids downloads, as in Hugging Face's own libraries.
const OFFLINE: &str = "HF_HUB_OFFLINE";

/// Owner and name of the repository.
fn repository(name: Name) -> Option<(&'static str, &'static str)> {
    match name {
        Name::Synthetic => None,
        Name::Cifar10 => Some(("uoft-cs", "cifar10")),
        Name::Cifar100 => Some(("uoft-cs", "cifar100")),
        Name::Svhn => Some(("ufldl-stanford", "svhn")),
        Name::Mnist => Some(("ylecun", "mnist")),
        Name::FashionMnist => Some(("zalando-datasets", "fashion_mnist")),
        Name::TinyImagenet => Some(("zh-plus", "tiny-imagenet")),
    }
}

/// The folder of the Hugging Face cache that holds `name`, if there is one.
pub fn cached(name: Name) -> Option<std::path::PathBuf> {
    let (owner, repo) = repository(name)?;
    let client = HFClientSync::from_inner(HFClientBuilder::new().build().ok()?).ok()?;
    let snapshot = client.dataset(owner, repo).snapshot_download().local_files_only(true).send().ok()?;
    crate::holds(name, &snapshot).then_some(snapshot)
}

/// The data set from the cache, or from the Hub.
pub(crate) fn load(name: Name) -> Result<Splits, Error> {
    let client = HFClientBuilder::new().retry_max_attempts(2).build();
    let client = client.map_err(|e| Error::HubClient { name, reason: reason(&e) })?;
    let offline = std::env::var_os(OFFLINE).is_some_and(|value| !value.is_empty() && value != "0");
    load_with(name, client, offline)
}

fn load_with(name: Name, client: HFClient, offline: bool) -> Result<Splits, Error> {
    let (Some((owner, repo)), Some(patterns)) = (repository(name), parquet_images::patterns(name)) else {
        return Err(Error::HubClient { name, reason: "this set is not on the Hub".into() });
    };
    let cache = client.cache_dir().to_owned();
    let client = HFClientSync::from_inner(client).map_err(|e| Error::HubClient { name, reason: reason(&e) })?;
    let dataset = client.dataset(owner, repo);
    let failed =
        |reason: String| Error::Hub { name, repository: format!("{owner}/{repo}"), cache: cache.clone(), reason };
    let cached = dataset.snapshot_download().local_files_only(true).send();
    if let Ok(snapshot) = cached {
        match from_folder(name, &snapshot) {
            Err(Error::Missing { .. }) => {} // an incomplete snapshot: fetch the rest
            result => return result,
        }
    }
    if offline {
        return Err(failed(format!("{OFFLINE} is set")));
    }
    let bar = Bar { message: format!("downloading {name}"), ..Bar::default() };
    let snapshot = dataset
        .snapshot_download()
        .allow_patterns(patterns.into())
        .progress(Progress::new(bar))
        .send()
        .map_err(|e| failed(reason(&e)))?;
    from_folder(name, &snapshot)
}

/// The innermost cause: the outer layers only repeat the address.
fn reason(error: &HFError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Shows the bytes of all files together.
#[derive(Default)]
struct Bar {
    message: String,
    state: Mutex<(Option<ProgressBar>, BTreeMap<String, u64>)>,
}

impl ProgressHandler for Bar {
    fn on_progress(&self, event: &ProgressEvent) {
        let ProgressEvent::Download(event) = event else {
            return;
        };
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        let (bar, files) = &mut *state;
        match event {
            DownloadEvent::Start { total_bytes, .. } => {
                *bar = Some(progress::bar(*total_bytes, self.message.clone(), true));
            }
            DownloadEvent::Progress { files: changed } => {
                files.extend(changed.iter().map(|file| (file.filename.clone(), file.bytes_completed)));
                bar.iter().for_each(|bar| bar.set_position(files.values().sum()));
            }
            DownloadEvent::AggregateProgress { bytes_completed, .. } => {
                bar.iter().for_each(|bar| bar.set_position(*bytes_completed));
            }
            DownloadEvent::Complete => bar.iter().for_each(ProgressBar::finish_and_clear),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client whose cache is `dir` and whose Hub refuses every connection.
    fn client(dir: &std::path::Path) -> HFClient {
        let builder = HFClientBuilder::new().cache_dir(dir).endpoint("http://127.0.0.1:9");
        builder.retry_max_attempts(0).build().unwrap()
    }

    #[test]
    fn without_cache_and_network_the_error_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let message = load_with(Name::Cifar10, client(dir.path()), false).unwrap_err().to_string();
        assert!(message.starts_with("cifar10: not in the Hugging Face cache"), "{message}");
        assert!(message.contains(&dir.path().display().to_string()), "{message}");
        assert!(message.contains("uoft-cs/cifar10"), "{message}");
        assert!(message.ends_with("pass --data-dir DIR with a local copy, or connect to the network"), "{message}");
        let message = load_with(Name::Cifar10, client(dir.path()), true).unwrap_err().to_string();
        assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
    }

    #[test]
    fn the_cache_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("datasets--ylecun--mnist");
        let commit = "77f3279092a1c1579b2250db8eafed0ad422088c";
        let snapshot = repo.join("snapshots").join(commit);
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(repo.join("refs")).unwrap();
        std::fs::write(repo.join("refs/main"), commit).unwrap();
        // The snapshot folder is read with the same detection as a local copy; idx files are shortest.
        for (part, label) in [("train", 3), ("t10k", 4)] {
            let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[7; 784]].concat();
            std::fs::write(snapshot.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
            let labels = [0, 0, 8, 1, 0, 0, 0, 1, label];
            std::fs::write(snapshot.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
        }
        let splits = load_with(Name::Mnist, client(dir.path()), true).unwrap();
        assert_eq!((splits.train.label(0), splits.test.label(0)), (3, 4));
    }
}
