//! Where each data set is on the Hugging Face Hub.

use std::path::PathBuf;

use hub::{Hub, Repository};

use crate::layout::parquet_images;
use crate::load::from_folder;
use crate::{Error, Name, Splits};

/// Owner, name and commit of the repository: what a name means must not change under a run. Where we know no commit, it
/// is the one that `main` stands for on first use.
fn place(name: Name) -> Option<(&'static str, &'static str, &'static str)> {
    match name {
        Name::Synthetic => None,
        Name::Cifar10 => Some(("uoft-cs", "cifar10", "0b2714987fa478483af9968de7c934580d0bb9a2")),
        Name::Cifar100 => Some(("uoft-cs", "cifar100", "aadb3af77e9048adbea6b47c21a81e47dd092ae5")),
        Name::Svhn => Some(("ufldl-stanford", "svhn", "f9e1717d73324ebbc1ece84267ccd80d0aca0690")),
        Name::Mnist => Some(("ylecun", "mnist", "77f3279092a1c1579b2250db8eafed0ad422088c")),
        Name::FashionMnist => Some(("zalando-datasets", "fashion_mnist", "531be5e2ccc9dba0c201ad3ae567a4f3d16ecdd2")),
        Name::TinyImagenet => Some(("zh-plus", "tiny-imagenet", "main")),
    }
}

/// The repository of a data set on the Hub, and the revision of it that is read.
pub fn repository(name: Name) -> Option<(Repository, &'static str)> {
    place(name).map(|(owner, repository, revision)| (Repository::dataset(owner, repository), revision))
}

/// The folder of the Hub's cache that holds `name`, if there is one.
///
/// # Errors
/// When a file of it cannot be read or is not what it was on first use.
pub fn cached(name: Name) -> Result<Option<PathBuf>, Error> {
    let Some((repository, revision)) = repository(name) else { return Ok(None) };
    let failed = |cause| Error::hub(name, cause);
    let hub = Hub::from_env(true).map_err(failed)?;
    let snapshot = hub.cached(&repository, revision, |path| parquet_images::belongs(name, path)).map_err(failed)?;
    Ok(snapshot.filter(|snapshot| crate::holds(name, snapshot)))
}

/// The data set from the cache of `hub`, or from the Hub.
pub(crate) fn load(name: Name, hub: &Hub) -> Result<Splits, Error> {
    let Some((repository, revision)) = repository(name) else { return Err(Error::NoHub { name }) };
    let wanted = |path: &str| parquet_images::belongs(name, path);
    let failed = |cause| Error::hub(name, cause);
    if let Some(snapshot) = hub.cached(&repository, revision, wanted).map_err(failed)? {
        match from_folder(name, &snapshot) {
            // What another program left may lack a file.
            Err(Error::Missing { .. }) => {}
            result => return result,
        }
    }
    from_folder(name, &hub.snapshot(&repository, revision, wanted).map_err(failed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_but_the_embedded_one_has_a_place_and_a_commit() {
        for name in Name::ALL {
            assert_eq!(place(name).is_none(), name == Name::Synthetic, "{name}");
            assert!(place(name).is_none_or(|(.., commit)| commit.len() == 40 || commit == "main"), "{name}");
        }
    }
}
