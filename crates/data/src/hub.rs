//! Where each data set is on the Hugging Face Hub.

use std::path::PathBuf;

use hub::{Hub, Repository};

use crate::layout::parquet_images::wanted;
use crate::load::holds;
use crate::{Error, Name};

/// The repository of a data set on the Hub, and the commit that is read: what a name means must not change under a run.
pub fn repository(name: Name) -> Option<(Repository, &'static str)> {
    let (owner, repository, commit) = match name {
        Name::Synthetic => return None,
        Name::Cifar10 => ("uoft-cs", "cifar10", "0b2714987fa478483af9968de7c934580d0bb9a2"),
        Name::Cifar100 => ("uoft-cs", "cifar100", "aadb3af77e9048adbea6b47c21a81e47dd092ae5"),
        Name::Svhn => ("ufldl-stanford", "svhn", "f9e1717d73324ebbc1ece84267ccd80d0aca0690"),
        Name::Mnist => ("ylecun", "mnist", "77f3279092a1c1579b2250db8eafed0ad422088c"),
        Name::FashionMnist => ("zalando-datasets", "fashion_mnist", "531be5e2ccc9dba0c201ad3ae567a4f3d16ecdd2"),
        Name::TinyImagenet => ("zh-plus", "tiny-imagenet", "5a77092c28e51558c5586e9c5eb71a7e17a5e43f"),
    };
    Some((Repository::dataset(owner, repository), commit))
}

/// The folder in the cache of `hub` that holds the whole data set, or nothing.
pub(crate) fn cached(name: Name, hub: &Hub) -> Result<Option<PathBuf>, Error> {
    let Some((repository, commit)) = repository(name) else {
        return Ok(None);
    };
    let snapshot = hub.cached(&repository, commit, |path| wanted(name, path));
    // What another program left may lack a file.
    Ok(snapshot.map_err(|cause| Error::hub(name, cause))?.filter(|snapshot| holds(name, snapshot)))
}

/// That folder, after a download if the data set is not there.
pub(crate) fn fetch(name: Name, hub: &Hub) -> Result<PathBuf, Error> {
    if let Some(snapshot) = cached(name, hub)? {
        return Ok(snapshot);
    }
    let (repository, commit) = repository(name).ok_or(Error::NotOnHub { name })?;
    hub.snapshot(&repository, commit, |path| wanted(name, path)).map_err(|cause| Error::hub(name, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_but_the_embedded_one_has_a_place_and_a_commit() {
        for name in Name::ALL {
            let known = repository(name);
            let missing = "repository() has none: users must give its files (then except it here)";
            assert_eq!(known.is_some(), name != Name::Synthetic, "{name}: {missing}");
            assert!(
                known.is_none_or(|(_, commit)| commit.len() == 40),
                "{name}: a branch may move: give a whole commit"
            );
        }
    }

    #[test]
    fn a_set_that_is_not_on_the_hub_is_to_be_given() {
        let cache = tempfile::tempdir().unwrap();
        let hub = Hub::at("http://127.0.0.1:9", cache.path(), None, hub::Patience::default()).unwrap();
        let told = fetch(Name::Synthetic, &hub).unwrap_err().to_string();
        assert_eq!(told, "synthetic is not on the Hub; pass --data-dir DIR with its files");
    }

    #[test]
    fn only_the_splits_that_are_read_are_wanted() {
        assert!(wanted(Name::Svhn, "cropped_digits/train-00000-of-00001.parquet"));
        assert!(wanted(Name::TinyImagenet, "data/valid-00000-of-00001-70d52db3c749a935.parquet"));
        for path in
            ["cropped_digits/extra-00000-of-00002.parquet", "full_numbers/train-00000-of-00006.parquet", "README.md"]
        {
            assert!(!wanted(Name::Svhn, path), "{path}");
        }
    }
}
