//! Where weights are: a file on this machine, or one of the Hub.

use crate::{
    export::{CONFIG, WEIGHTS},
    interrupt::{self, Interrupted},
    run::RECORD,
};
use anyhow::Result;
use hub::{Hub, Repository};
use std::{fmt, path::PathBuf, str::FromStr};

const SCHEME: &str = "hf://";

/// What the weights of a run and of an export are called; `--checkpoint` may be either's folder.
const OURS: [&str; 2] = ["best.safetensors", WEIGHTS];

/// A file of weights as the command line names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// On this machine: a file, or the folder of a run or an export.
    Local(PathBuf),
    /// In a model repository of the Hub: `hf://OWNER/REPO/FILE@REVISION`; without a revision, `main`.
    Hub {
        /// The repository.
        repository: Repository,
        /// The file's path in it.
        path: String,
        /// Branch, tag or commit.
        revision: String,
    },
}

impl Weights {
    /// What reports call it: a file's name, or the whole address on the Hub.
    pub fn name(&self) -> String {
        match self {
            Self::Local(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Hub { .. } => self.to_string(),
        }
    }

    /// Where the file is on this machine, once it is there. The `config.json` beside it in a repository comes too;
    /// `offline` leaves both to the Hub's cache.
    ///
    /// # Errors
    /// When the Hub does not give it, or the user interrupts.
    pub fn fetch(&self, offline: bool) -> Result<PathBuf> {
        match self {
            Self::Local(path) => {
                let within = OURS.iter().map(|name| path.join(name)).find(|file| file.is_file());
                let none = match path.join(RECORD).is_file() {
                    true => {
                        "the folder of a run whose weights are not there: its training is not done, or they were removed or \
                         never in git; `train` with its options, or its table, makes them"
                    }
                    false => {
                        "a folder without weights; give a file, or the folder of a run (OUT/runs/ID) or of an export"
                    }
                };
                anyhow::ensure!(within.is_some() || !path.is_dir(), "{}: {none}", path.display());
                Ok(within.unwrap_or_else(|| path.clone()))
            }
            Self::Hub { repository, path, revision } => {
                let folder = path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
                let beside = format!("{folder}{}", CONFIG);
                let wanted = |other: &str| other == path || other == beside;
                let hub = Hub::from_env(offline)?.until(interrupt::check);
                let snapshot = match hub.snapshot(repository, revision, wanted) {
                    Err(hub::Error::Interrupted) => return Err(Interrupted.into()),
                    other => other?,
                };
                let file = snapshot.join(path);
                let none = || match offline {
                    true => format!("is not in the Hub's cache, {}; leave --offline out", hub.cache().display()),
                    false => format!("{repository} has no such file at {revision}"),
                };
                anyhow::ensure!(file.is_file(), "{self}: {}", none());
                Ok(file)
            }
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Hub { repository, path, revision } => write!(f, "{SCHEME}{repository}/{path}@{revision}"),
        }
    }
}

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(address) = text.strip_prefix(SCHEME) else { return Ok(Self::Local(text.into())) };
        let (file, revision) = address.split_once('@').unwrap_or((address, "main"));
        let mut parts = file.splitn(3, '/');
        let (owner, name, path) = (parts.next(), parts.next(), parts.next());
        let sound = |part: &str| !matches!(part, "" | "." | "..");
        match (owner, name, path) {
            (Some(owner), Some(name), Some(path))
                if file.split('/').all(sound)
                    && revision.split('/').all(sound)
                    && !text.contains(char::is_whitespace) =>
            {
                let repository = Repository::model(owner, name);
                Ok(Self::Hub { repository, path: path.into(), revision: revision.into() })
            }
            _ => Err(format!(
                "`{text}` is no file of the Hub; write hf://OWNER/REPO/FILE or hf://OWNER/REPO/FILE@REVISION"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_hub_is_owner_repository_path_and_revision() {
        let hub = |path: &str, revision: &str| Weights::Hub {
            repository: Repository::model("owner", "repo"),
            path: path.into(),
            revision: revision.into(),
        };
        for (text, weights) in [
            ("hf://owner/repo/model.safetensors", hub("model.safetensors", "main")),
            ("hf://owner/repo/a/b/last.pt@v1.0", hub("a/b/last.pt", "v1.0")),
            ("hf://owner/repo/last.pt@refs/pr/1", hub("last.pt", "refs/pr/1")),
            ("hf:/owner/repo/last.pt", Weights::Local("hf:/owner/repo/last.pt".into())),
            ("a folder/last@2.pt", Weights::Local("a folder/last@2.pt".into())),
        ] {
            assert_eq!(text.parse(), Ok(weights.clone()), "{text}");
            assert_eq!(weights.to_string().parse(), Ok(weights), "{text}");
        }
    }

    #[test]
    fn what_is_no_file_of_the_hub_is_told_the_form() {
        for text in [
            "hf://",
            "hf://owner",
            "hf://owner/repo",
            "hf://owner/repo/",
            "hf://owner//file",
            "hf://owner/repo/../file",
            "hf://owner/repo/file@",
            "hf://owner/repo/@main",
            "hf://owner/repo/a file",
        ] {
            let error = text.parse::<Weights>().unwrap_err();
            assert!(error.contains(text) && error.contains("hf://OWNER/REPO/FILE@REVISION"), "{error}");
        }
    }
}
