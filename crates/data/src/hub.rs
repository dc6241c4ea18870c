//! Where each data set is on the Hugging Face Hub.

use hub::{Hub, Repository};

use crate::load::from_folder;
use crate::{Error, Name, Splits, parquet_images};

/// Owner, name and commit of the repository: what a name means must not change under a run.
fn place(name: Name) -> Option<(&'static str, &'static str, &'static str)> {
    match name {
        Name::Synthetic => None,
        Name::Cifar10 => Some(("uoft-cs", "cifar10", "0b2714987fa478483af9968de7c934580d0bb9a2")),
        Name::Cifar100 => Some(("uoft-cs", "cifar100", "aadb3af77e9048adbea6b47c21a81e47dd092ae5")),
        Name::Svhn => Some(("ufldl-stanford", "svhn", "f9e1717d73324ebbc1ece84267ccd80d0aca0690")),
        Name::Mnist => Some(("ylecun", "mnist", "77f3279092a1c1579b2250db8eafed0ad422088c")),
        Name::FashionMnist => Some(("zalando-datasets", "fashion_mnist", "531be5e2ccc9dba0c201ad3ae567a4f3d16ecdd2")),
    }
}

/// The splits that are read; SVHN has a third one, which is larger than both.
const SPLITS: [&str; 3] = ["train-", "test-", "valid-"];

/// The data set from the cache of `hub`, or from the Hub.
pub(crate) fn load(name: Name, hub: &Hub) -> Result<Splits, Error> {
    let (Some((owner, repository, commit)), Some(folder)) = (place(name), parquet_images::folder(name)) else {
        return Err(Error::NoHub { name });
    };
    let repository = Repository::dataset(owner, repository);
    let wanted = |path: &str| {
        let file = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
        file.is_some_and(|file| file.ends_with(".parquet") && SPLITS.iter().any(|split| file.starts_with(split)))
    };
    let failed = |cause| Error::hub(name, cause);
    if let Some(snapshot) = hub.cached(&repository, commit, wanted).map_err(failed)? {
        match from_folder(name, &snapshot) {
            // What another program left may lack a file.
            Err(Error::Missing { .. }) => {}
            result => return result,
        }
    }
    from_folder(name, &hub.snapshot(&repository, commit, wanted).map_err(failed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_with_a_layout_has_a_place_and_a_commit() {
        for name in Name::ALL {
            assert_eq!(place(name).is_some(), parquet_images::folder(name).is_some(), "{name}");
            assert!(place(name).is_none_or(|(_, _, commit)| commit.len() == 40), "{name}");
        }
    }
}
