//! What is left of a batch while one search after another breaks its examples.

use crate::{
    Keys, Victim,
    candidate::{check_images, check_labels, check_logits, misclassified, replace, rows},
};
use candle::{Result, Tensor};

/// The images of a batch, each replaced once it is broken, and who is left.
///
/// An image is judged among those left. On a GPU the last bits of a network's answer may depend on how many these
/// are, so one that lies almost on the boundary can be given up here and still be classified correctly when the whole
/// batch is judged; the official code judges twice in the same way.
pub(crate) struct Survivors<'a> {
    victim: Victim<'a>,
    images: &'a Tensor,
    labels: &'a Tensor,
    keys: Keys<'a>,
    /// What is known of each image: itself, or a misclassified image in its place.
    found: Tensor,
    /// Positions of those not broken, ascending.
    standing: Vec<u32>,
}

impl<'a> Survivors<'a> {
    /// All that `victim` classifies correctly.
    pub(crate) fn new(victim: Victim<'a>, images: &'a Tensor, labels: &'a Tensor, keys: &Keys<'a>) -> Result<Self> {
        let (n, k) = (images.dim(0)?, keys.examples.len());
        if n != k || n != labels.dim(0)? {
            candle::bail!("{n} images, but {} labels and random keys for {k}", labels.dim(0)?)
        }
        check_images(images)?;
        let logits = victim.model.forward(&images.detach(), victim.mode)?.logits;
        check_labels(labels, &logits)?;
        let standing = (0u32..).zip(wrong(&logits, labels)?).filter(|(_, wrong)| !wrong).map(|(i, _)| i).collect();
        Ok(Self { victim, images, labels, keys: *keys, found: images.clone(), standing })
    }

    /// Lets `search` look for misclassified images of those left: it gets their images, labels, keys
    /// and positions in the batch, and gives one image for each. Does nothing when none is left.
    pub(crate) fn try_each(
        &mut self,
        search: impl FnOnce(&Tensor, &Tensor, &Keys<'_>, &Tensor) -> Result<Tensor>,
    ) -> Result<()> {
        if self.standing.is_empty() {
            return Ok(());
        }
        let at = Tensor::new(self.standing.as_slice(), self.images.device())?;
        let (images, labels) = (rows(self.images, &at)?, rows(self.labels, &at)?);
        let examples: Vec<u64> = self.standing.iter().map(|&i| self.keys.examples[i as usize]).collect();
        let found = search(&images, &labels, &Keys { examples: &examples, ..self.keys }, &at)?;
        let wrong = wrong(&self.victim.model.forward(&found.detach(), self.victim.mode)?.logits, &labels)?;
        let (mut broken, mut new, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for ((row, &i), wrong) in (0u32..).zip(&self.standing).zip(wrong) {
            if wrong {
                broken.push(i);
                new.push(row);
            } else {
                left.push(i);
            }
        }
        // Nothing to replace; and a GPU refuses to pick no rows at all.
        if broken.is_empty() {
            return Ok(());
        }
        let new = rows(&found, &Tensor::new(new, self.images.device())?)?;
        self.found = replace(&self.found, &broken, &new)?;
        self.standing = left;
        Ok(())
    }

    /// One image for each of the batch.
    pub(crate) fn found(self) -> Tensor {
        self.found
    }
}

/// Whether the largest of an example's logits is not its label's.
fn wrong(logits: &Tensor, labels: &Tensor) -> Result<Vec<bool>> {
    check_logits(logits)?;
    let wrong = misclassified(logits, labels)?.to_vec1::<u8>()?;
    Ok(wrong.into_iter().map(|w| w != 0).collect())
}
