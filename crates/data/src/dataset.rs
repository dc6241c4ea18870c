//! A split of a data set in memory, its subsets and its order in an epoch.

use std::sync::{Arc, OnceLock};

use kernels::Key;
use rand::RngExt;
use sha2::{Digest, Sha256};

use crate::{Error, Name};

/// Labelled 8-bit images in memory: one split, or a selection of one.
///
/// Cheap to clone and to take subsets of: pixels are shared. An example is named by its *position*
/// in this selection (`0..len`); [`Dataset::index`] gives its place in the original split.
#[derive(Debug, Clone)]
pub struct Dataset {
    split: Arc<Split>,
    members: Arc<[usize]>,
    /// Computed once: programs ask for it for each of many runs.
    sha256: Arc<OnceLock<String>>,
}

#[derive(Debug)]
struct Split {
    name: Name,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Dataset {
    /// A whole split: `pixels` is `N * C * H * W` bytes in (N, C, H, W) order with the shape of
    /// `name`, `labels` is N bytes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the lengths do not fit, a label is out of range, or N is 0.
    pub fn new(name: Name, pixels: Vec<u8>, labels: Vec<u8>) -> Result<Self, Error> {
        let mismatch = |what| Err(Error::Mismatch { name, what });
        let size: usize = name.shape().iter().product();
        if labels.is_empty() {
            return mismatch("no examples".to_owned());
        }
        if pixels.len() != labels.len() * size {
            return mismatch(format!("{} pixels do not make {} images of {size}", pixels.len(), labels.len()));
        }
        if let Some(i) = labels.iter().position(|&l| usize::from(l) >= name.classes()) {
            return mismatch(format!("label {} of example {i} is not below {}", labels[i], name.classes()));
        }
        let members = (0..labels.len()).collect();
        Ok(Self::of(Arc::new(Split { name, pixels, labels }), members))
    }

    fn of(split: Arc<Split>, members: Arc<[usize]>) -> Self {
        Self { split, members, sha256: Arc::default() }
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The shape of one image: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.split.name.shape()
    }

    /// How many classes there are; labels are `0..classes`.
    pub fn classes(&self) -> usize {
        self.split.name.classes()
    }

    /// Which data set this is part of.
    pub fn name(&self) -> Name {
        self.split.name
    }

    /// The image at position `i`: `C * H * W` bytes, channel by channel, row by row.
    ///
    /// # Panics
    /// If `i` is not below [`Dataset::len`].
    pub fn pixels(&self, i: usize) -> &[u8] {
        let size: usize = self.shape().iter().product();
        let start = self.members[i] * size;
        &self.split.pixels[start..start + size]
    }

    /// The label at position `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Dataset::len`].
    pub fn label(&self, i: usize) -> u32 {
        u32::from(self.split.labels[self.members[i]])
    }

    /// Every label, by position.
    pub fn labels(&self) -> Vec<u32> {
        (0..self.len()).map(|i| self.label(i)).collect()
    }

    /// How many examples each class has, in label order.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes()];
        (0..self.len()).for_each(|i| counts[self.label(i) as usize] += 1);
        counts
    }

    /// Where the example at position `i` stood in the original split: the `example` of its random
    /// [`Key`]s, the same in every subset.
    ///
    /// # Panics
    /// If `i` is not below [`Dataset::len`].
    pub fn index(&self, i: usize) -> u64 {
        self.members[i] as u64
    }

    /// The first `n` examples, in order; all of them if there are fewer.
    pub fn first(&self, n: usize) -> Self {
        Self::of(self.split.clone(), self.members[..n.min(self.len())].into())
    }

    /// The same images in another order: the first of each class, then the second of each, and so on. So the first
    /// images, however many, have all classes alike.
    pub fn dealt(&self) -> Self {
        let mut before = vec![0usize; self.classes()];
        let rank = |i: usize| {
            let before = &mut before[self.label(i) as usize];
            *before += 1;
            *before
        };
        let ranks: Vec<usize> = (0..self.len()).map(rank).collect();
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&i| (ranks[i], self.label(i)));
        self.select(&order)
    }

    /// The examples at `positions`, in that order.
    ///
    /// # Panics
    /// If a position is not below [`Dataset::len`].
    pub fn select(&self, positions: &[usize]) -> Self {
        Self::of(self.split.clone(), positions.iter().map(|&i| self.members[i]).collect())
    }

    /// Splits off `n` examples for validation: `(train, held_out)`, each in the original order.
    ///
    /// Which ones is decided by `seed` and by how many examples of each class there are: of the first 10,000 they are others than
    /// of all. The classes get equal shares, as far as `n` divides
    /// and each class has enough.
    ///
    /// # Errors
    /// [`Error::HoldOut`] if nothing would remain for training.
    pub fn hold_out(&self, n: usize, seed: u64) -> Result<(Self, Self), Error> {
        if n >= self.len() {
            return Err(Error::HoldOut { name: self.name(), asked: n, len: self.len() });
        }
        let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); self.classes()];
        for i in 0..self.len() {
            by_class[self.label(i) as usize].push(i);
        }
        for (class, positions) in (0u64..).zip(&mut by_class) {
            let key = Key { seed, epoch: 0, example: class, restart: 0 }.domain("hold-out");
            shuffle(positions, key);
        }
        let mut held = vec![false; self.len()];
        let mut left = n;
        while left > 0 {
            for i in by_class.iter_mut().filter_map(Vec::pop).take(left).collect::<Vec<_>>() {
                held[i] = true;
                left -= 1;
            }
        }
        let (held_out, train): (Vec<usize>, Vec<usize>) = (0..self.len()).partition(|&i| held[i]);
        Ok((self.select(&train), self.select(&held_out)))
    }

    /// One training epoch: every position once, in an order decided by `(seed, epoch)`, cut into
    /// batches of `size` (at least 1). The last batch may be short; it is left out when it would
    /// hold a single example, of which batch statistics cannot be taken.
    pub fn epoch(&self, seed: u64, epoch: u64, size: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order, Key { seed, epoch, example: 0, restart: 0 }.domain("shuffle"));
        let size = size.max(1);
        order.chunks(size).filter(|batch| batch.len() == size || batch.len() > 1).map(<[_]>::to_vec).collect()
    }

    /// SHA-256, in hexadecimal, of the examples in order as CIFAR-10 binary records: one label
    /// byte, then the pixels. Of the original CIFAR-10 this is the hash of its `.bin` files' content.
    pub fn sha256(&self) -> String {
        let digest = || {
            let mut hash = Sha256::new();
            for i in 0..self.len() {
                hash.update([self.split.labels[self.members[i]]]);
                hash.update(self.pixels(i));
            }
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        self.sha256.get_or_init(digest).clone()
    }

    /// # Errors
    /// [`Error::Position`] if one of `positions` is beyond the end.
    pub(crate) fn check(&self, positions: &[usize]) -> Result<(), Error> {
        match positions.iter().find(|&&i| i >= self.len()) {
            None => Ok(()),
            Some(&position) => Err(Error::Position { name: self.name(), position, len: self.len() }),
        }
    }
}

/// Fisher-Yates with draws of fixed width, so that the order is the same on every platform.
fn shuffle(positions: &mut [usize], key: Key) {
    let mut rng = key.rng();
    for i in (1..positions.len()).rev() {
        positions.swap(i, rng.random_range(0..=i as u64) as usize);
    }
}
