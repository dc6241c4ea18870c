//! The data sets this crate knows, by name.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::classes::{CIFAR10, CIFAR100, DIGITS, FASHION, TINY_IMAGENET};

/// A data set this crate can load. `Display` and `FromStr` use the command line's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// Ten drawn shapes and textures, embedded: no files, no network.
    Synthetic,
    /// CIFAR-10: 50,000 + 10,000 colour images of ten kinds of objects.
    Cifar10,
    /// CIFAR-100: 50,000 + 10,000 colour images of a hundred kinds of objects (fine labels).
    Cifar100,
    /// SVHN, cropped digits: 73,257 + 26,032 colour images.
    Svhn,
    /// MNIST: 60,000 + 10,000 grey handwritten digits.
    Mnist,
    /// Fashion-MNIST: 60,000 + 10,000 grey pieces of clothing.
    FashionMnist,
    /// Tiny-ImageNet-200: 100,000 + 10,000 colour images of two hundred kinds of things. The second split is its
    /// validation set: the labels of the test set are not public.
    TinyImagenet,
}

impl Name {
    /// Every data set, in the order the command line lists them.
    pub const ALL: [Self; 7] = [
        Self::Synthetic,
        Self::Cifar10,
        Self::Cifar100,
        Self::Svhn,
        Self::Mnist,
        Self::FashionMnist,
        Self::TinyImagenet,
    ];

    /// The command line's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Svhn => "svhn",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::TinyImagenet => "tiny-imagenet",
        }
    }

    /// How many classes there are; labels are `0..classes`.
    pub const fn classes(self) -> usize {
        self.class_names().len()
    }

    /// How many images the original training split has.
    pub const fn train_len(self) -> usize {
        match self {
            Self::Synthetic => crate::synthetic::TRAIN,
            Self::Cifar10 | Self::Cifar100 => 50_000,
            Self::Svhn => 73_257,
            Self::Mnist | Self::FashionMnist => 60_000,
            Self::TinyImagenet => 100_000,
        }
    }

    /// How many images the original test split has.
    pub const fn test_len(self) -> usize {
        match self {
            Self::Synthetic => crate::synthetic::TEST,
            Self::Svhn => 26_032,
            Self::Cifar10 | Self::Cifar100 | Self::Mnist | Self::FashionMnist | Self::TinyImagenet => 10_000,
        }
    }

    /// The shape of one image: `[channels, height, width]`.
    pub const fn shape(self) -> [usize; 3] {
        match self {
            Self::Synthetic | Self::Cifar10 | Self::Cifar100 | Self::Svhn => [3, 32, 32],
            Self::Mnist | Self::FashionMnist => [1, 28, 28],
            Self::TinyImagenet => [3, 64, 64],
        }
    }

    /// The classes' names, in label order; of Tiny-ImageNet their WordNet identifiers.
    pub const fn class_names(self) -> &'static [&'static str] {
        match self {
            Self::Synthetic => &crate::synthetic::CLASS_NAMES,
            Self::Cifar10 => &CIFAR10,
            Self::Cifar100 => &CIFAR100,
            Self::Svhn | Self::Mnist => &DIGITS,
            Self::FashionMnist => &FASHION,
            Self::TinyImagenet => &TINY_IMAGENET,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Name {
    type Err = Error;

    /// Case, hyphens and underscores do not matter: `CIFAR-10` is `cifar10`.
    fn from_str(given: &str) -> Result<Self, Error> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        Self::ALL
            .into_iter()
            .find(|name| plain(name.as_str()) == plain(given))
            .ok_or_else(|| Error::UnknownName { given: given.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for name in Name::ALL {
            assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
            let classes = match name {
                Name::Cifar100 => 100,
                Name::TinyImagenet => 200,
                _ => 10,
            };
            assert_eq!(name.classes(), classes, "{name}: add it to this test, unless its list of classes is wrong");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = "imagenet".parse::<Name>().unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown data set `imagenet`; known are: synthetic, cifar10, cifar100, svhn, mnist, fashion-mnist, \
             tiny-imagenet"
        );
    }
}
