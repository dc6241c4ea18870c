//! Images an attack has found, with the network's verdict on each, and the better of two.

use crate::{Norm, Victim};
use candle::{D, DType, Result, Tensor, Var};
use objectives::{Clean, Passes};

/// One image an example.
#[derive(Clone)]
pub(crate) struct Candidate {
    /// The images, `(N, C, H, W)`.
    pub x: Tensor,
    /// The objective of each, `(N,)`.
    pub losses: Tensor,
    /// 1 where the network does not say what the label says, `(N,)`, `u8`.
    pub wrong: Tensor,
}

impl Candidate {
    /// Runs the network on `x`.
    pub(crate) fn at(victim: Victim<'_>, clean: &Clean<'_>, x: Tensor) -> Result<Self> {
        let (losses, wrong) = {
            let passes = clean.against(&x)?;
            (victim.objective.losses(&passes)?, wrong(&passes)?)
        };
        Ok(Self { x, losses, wrong })
    }

    /// Runs the network on `x` and back, as [`ascent`] does: also the gradient in every pixel, for steps in `norm`.
    pub(crate) fn climbed(
        victim: Victim<'_>,
        clean: &Clean<'_>,
        x: &Tensor,
        passes: usize,
        norm: Norm,
    ) -> Result<(Self, Tensor)> {
        let var = Var::from_tensor(x)?;
        let Ascent { grad, losses, wrong } = ascent(victim, clean, &var, passes)?;
        check_gradient(&grad, norm == Norm::Linf)?;
        Ok((Self { x: var.as_detached_tensor(), losses, wrong }, grad))
    }

    /// The better candidate of each example: a misclassified one beats a correct one, then the
    /// higher objective decides, then `self` stays.
    pub(crate) fn or(&self, other: &Self) -> Result<Self> {
        let tied = self.wrong.eq(&other.wrong)?;
        self.or_where(&(other.wrong.gt(&self.wrong)? + (tied * other.losses.gt(&self.losses)?)?)?, other)
    }

    /// As [`Candidate::or`], but a misclassified `self` stays whatever the objective.
    pub(crate) fn or_while_right(&self, other: &Self) -> Result<Self> {
        let higher = other.wrong.maximum(&other.losses.gt(&self.losses)?)?;
        self.or_where(&(self.wrong.eq(0u8)? * higher)?, other)
    }

    fn or_where(&self, better: &Tensor, other: &Self) -> Result<Self> {
        Ok(Self {
            x: pick(better, &other.x, &self.x)?,
            losses: pick(better, &other.losses, &self.losses)?,
            wrong: pick(better, &other.wrong, &self.wrong)?,
        })
    }

    pub(crate) fn len(&self) -> Result<usize> {
        self.wrong.dim(0)
    }

    /// Positions of the examples that are not misclassified, ascending.
    pub(crate) fn standing(&self) -> Result<Vec<u32>> {
        let wrong = self.wrong.to_vec1::<u8>()?;
        Ok((0..).zip(wrong).filter(|(_, wrong)| *wrong == 0).map(|(i, _)| i).collect())
    }

    /// The examples at positions `at`.
    pub(crate) fn rows(&self, at: &Tensor) -> Result<Self> {
        Ok(Self { x: rows(&self.x, at)?, losses: rows(&self.losses, at)?, wrong: rows(&self.wrong, at)? })
    }

    /// All examples, those at positions `at` changed.
    pub(crate) fn with(&self, at: &[u32], change: impl FnOnce(Self) -> Result<Self>) -> Result<Self> {
        let part = change(self.rows(&Tensor::new(at, self.x.device())?)?)?;
        Ok(Self {
            x: replace(&self.x, at, &part.x)?,
            losses: replace(&self.losses, at, &part.losses)?,
            wrong: replace(&self.wrong, at, &part.wrong)?,
        })
    }
}

/// The rows of `all` at positions `at`.
pub(crate) fn rows(all: &Tensor, at: &Tensor) -> Result<Tensor> {
    all.contiguous()?.index_select(at, 0)
}

/// `all`, with the rows of `part` at positions `at`.
pub(crate) fn replace(all: &Tensor, at: &[u32], part: &Tensor) -> Result<Tensor> {
    let count = all.dim(0)? as u32;
    let mut from: Vec<u32> = (0..count).collect();
    for (new, &i) in (count..).zip(at) {
        from[i as usize] = new;
    }
    rows(&Tensor::cat(&[all, part], 0)?, &Tensor::new(from, all.device())?)
}

/// What passes over one point tell.
pub(crate) struct Ascent {
    /// The gradient of the objective in every pixel, the mean over all passes.
    pub grad: Tensor,
    /// The objective of each image in the last pass, `(N,)`.
    pub losses: Tensor,
    /// 1 where the last pass does not say what the label says, `(N,)`, `u8`.
    pub wrong: Tensor,
}

/// An error where `grad` holds what no step can follow, so that the network would look robust: what is no number and,
/// unless steps are made of `signs` alone, what is infinite. On a GPU this waits for what is under way.
pub(crate) fn check_gradient(grad: &Tensor, signs: bool) -> Result<()> {
    if grad.sum_all()?.to_scalar::<f32>()?.is_finite() {
        return Ok(());
    }
    let is = if grad.ne(grad)?.max_all()?.to_scalar::<u8>()? != 0 {
        "no number"
    // The sum of large entries may be infinite though none of them is.
    } else if !signs && grad.abs()?.max_all()?.to_scalar::<f32>()?.is_infinite() {
        "infinite"
    } else {
        return Ok(());
    };
    candle::bail!(
        "the network's gradient in its pixels is {is}, and attacks that follow it would stand still; if this is training, \
         it diverged: lower its learning rate"
    )
}

/// What is said of a network whose logits are no numbers: the largest of them would be some class, and now and then the
/// right one.
pub(crate) const NO_NUMBERS: &str =
    "the network answers with values that are no numbers: its weights are damaged, or its training diverged";

/// An error where `logits` hold what is no number, or infinite.
pub(crate) fn check_logits(logits: &Tensor) -> Result<()> {
    if logits.sum_all()?.to_scalar::<f32>()?.is_finite() { Ok(()) } else { candle::bail!("{NO_NUMBERS}") }
}

/// How far rounding may take a pixel out of `[0, 1]`: what was normalised and brought back still is one.
const ROUNDING: f32 = 1e-5;

/// An error where `images` are not in `[0, 1]`: a ball around such an image is another, and the network's answer to it
/// means nothing. On a GPU this waits for what is under way, so attacks that train, too, ask in an evaluation only.
pub(crate) fn check_images(images: &Tensor) -> Result<()> {
    if images.elem_count() == 0 {
        return Ok(());
    }
    let images = images.to_dtype(DType::F32)?;
    let (low, high) = (images.min_all()?.to_scalar::<f32>()?, images.max_all()?.to_scalar::<f32>()?);
    if low >= -ROUNDING && high <= 1. + ROUNDING {
        return Ok(());
    }
    let instead = match (low < -ROUNDING, high) {
        (true, _) => "; leave normalisation to the network",
        (false, 2.0..) => "; divide by 255",
        (false, _) => "",
    };
    candle::bail!("images have values from {low} to {high}, not in [0, 1]{instead}")
}

/// An error where one of `labels` `(N,)` is not among the classes of `logits` `(N, K)`: its example would count as broken
/// whatever the network says.
pub(crate) fn check_labels(labels: &Tensor, logits: &Tensor) -> Result<()> {
    let classes = logits.dim(D::Minus1)?;
    match labels.to_dtype(DType::U32)?.to_vec1::<u32>()?.into_iter().find(|label| *label as usize >= classes) {
        None => Ok(()),
        Some(label) => candle::bail!("label {label}, but the network has {classes} classes, counted from 0"),
    }
}

/// Runs the network on `var` and back, at least once and `passes` times. Whoever steps along the gradient sees to it
/// that it holds numbers ([`check_gradient`]).
pub(crate) fn ascent(victim: Victim<'_>, clean: &Clean<'_>, var: &Var, passes: usize) -> Result<Ascent> {
    let once = || {
        let passes = clean.against(var)?;
        let losses = victim.objective.losses(&passes)?;
        let Some(grad) = losses.sum_all()?.backward()?.remove(var) else {
            candle::bail!("the objective `{}` does not depend on adversarial images", victim.objective)
        };
        Ok(Ascent { grad, losses: losses.detach(), wrong: wrong(&passes)? })
    };
    let mut last = once()?;
    for _ in 1..passes {
        let next = once()?;
        last = Ascent { grad: (last.grad + next.grad)?, ..next };
    }
    if passes > 1 {
        last.grad = (last.grad / passes as f64)?;
    }
    Ok(last)
}

/// Rows of `yes` where `mask` `(N,)` is not 0, else rows of `no`.
pub(crate) fn pick(mask: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; yes.rank()];
    shape[0] = mask.dim(0)?;
    mask.reshape(shape)?.broadcast_as(yes.shape())?.where_cond(yes, no)
}

fn wrong(passes: &Passes<'_>) -> Result<Tensor> {
    misclassified(&passes.adv()?.logits, passes.labels())
}

/// 1 where the largest of an example's logits `(N, K)` is not its label's, `(N,)`, `u8`.
pub(crate) fn misclassified(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    logits.argmax(D::Minus1)?.ne(&labels.to_dtype(DType::U32)?)
}
