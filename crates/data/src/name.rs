//! The data sets this crate knows, by name.

use std::fmt;
use std::str::FromStr;

use crate::Error;

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
}

impl Name {
    /// Every data set, in the order the command line lists them.
    pub const ALL: [Self; 6] =
        [Self::Synthetic, Self::Cifar10, Self::Cifar100, Self::Svhn, Self::Mnist, Self::FashionMnist];

    /// The command line's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Svhn => "svhn",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
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
        }
    }

    /// The shape of one image: `[channels, height, width]`.
    pub const fn shape(self) -> [usize; 3] {
        match self {
            Self::Synthetic | Self::Cifar10 | Self::Cifar100 | Self::Svhn => [3, 32, 32],
            Self::Mnist | Self::FashionMnist => [1, 28, 28],
        }
    }

    /// The classes' names, in label order.
    pub const fn class_names(self) -> &'static [&'static str] {
        match self {
            Self::Synthetic => &crate::synthetic::CLASS_NAMES,
            Self::Cifar10 => &CIFAR10,
            Self::Cifar100 => &CIFAR100,
            Self::Svhn | Self::Mnist => &DIGITS,
            Self::FashionMnist => &FASHION,
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

    fn from_str(given: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == given)
            .ok_or_else(|| Error::UnknownName { given: given.to_owned() })
    }
}

const CIFAR10: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

const FASHION: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

#[rustfmt::skip]
const CIFAR100: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
    "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for name in Name::ALL {
            assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
            assert_eq!(name.classes(), if name == Name::Cifar100 { 100 } else { 10 });
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = "imagenet".parse::<Name>().unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown data set `imagenet`; known are: synthetic, cifar10, cifar100, svhn, mnist, fashion-mnist"
        );
    }
}
