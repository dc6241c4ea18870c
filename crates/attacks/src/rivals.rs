//! Which classes an example may become, and Auto-PGD towards one after another.

use crate::{Apgd, Keys, Victim, name::more, survivors::Survivors};
use candle::{DType, Result, Tensor};
use objectives::Objective;
use std::fmt;

/// For each example the classes other than its label, the most likely first: `(N, K - 1)`, `u32`.
pub(crate) fn rivals(victim: Victim<'_>, images: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let logits = victim.model.forward(&images.detach(), victim.mode)?.logits.detach();
    let (n, classes) = logits.dims2()?;
    let order = logits.contiguous()?.arg_sort_last_dim(false)?.to_vec2::<u32>()?;
    let labels = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let others = order.into_iter().zip(labels).flat_map(|(row, own)| row.into_iter().filter(move |k| *k != own));
    Tensor::from_iter(others, images.device())?.reshape((n, classes - 1))
}

impl Apgd {
    /// Ascends what `towards` makes of a class for each example, `(N,)`, for the most likely wrong class
    /// of the clean image first, then for the next likely, at most `targets` in all; each at the examples
    /// only that are not broken yet. The others come back as they were.
    pub(crate) fn towards_each(
        &self,
        targets: usize,
        towards: impl Fn(Tensor) -> Objective,
        victim: Victim<'_>,
        images: &Tensor,
        labels: &Tensor,
        keys: &Keys<'_>,
    ) -> Result<Tensor> {
        let images = &images.detach();
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        let rivals = rivals(victim, images, labels)?;
        for target in 0..targets.min(rivals.dim(1)?) {
            let objective = towards(rivals.narrow(1, target, 1)?.squeeze(1)?);
            survivors.try_each(|images, labels, keys, at| {
                let objective = &objective.rows(at)?;
                // Each target has its own random starts.
                let first = target as u64 * self.restarts as u64;
                self.search(Victim { objective, ..victim }, images, labels, keys, first)
            })?;
        }
        Ok(survivors.found())
    }

    /// What an attack called `name` that does so is, in words.
    pub(crate) fn write_targeted(&self, f: &mut fmt::Formatter<'_>, name: &str, targets: usize) -> fmt::Result {
        let Self { ball, steps, restarts, passes, .. } = self;
        write!(f, "{name}-{steps} ({ball}, {targets} targets")?;
        more(f, *restarts, "restarts")?;
        more(f, *passes, "passes")?;
        f.write_str(")")
    }
}
