//! Images an attack has found, with the network's verdict on each, and the better of two.

use crate::Victim;
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

    /// Runs the network on `x` and back: also the gradient of the objective in every pixel.
    pub(crate) fn climbed(victim: Victim<'_>, clean: &Clean<'_>, x: &Tensor) -> Result<(Self, Tensor)> {
        let var = Var::from_tensor(x)?;
        let passes = clean.against(&var)?;
        let losses = victim.objective.losses(&passes)?;
        let grad = gradient(victim, &losses, &var)?;
        let here = Self { x: var.as_detached_tensor(), losses: losses.detach(), wrong: wrong(&passes)? };
        Ok((here, grad))
    }

    /// The better candidate of each example: a misclassified one beats a correct one, then the
    /// higher objective decides, then `self` stays.
    pub(crate) fn or(&self, other: &Self) -> Result<Self> {
        let tied = self.wrong.eq(&other.wrong)?;
        let better = (other.wrong.gt(&self.wrong)? + (tied * other.losses.gt(&self.losses)?)?)?;
        Ok(Self {
            x: pick(&better, &other.x, &self.x)?,
            losses: pick(&better, &other.losses, &self.losses)?,
            wrong: pick(&better, &other.wrong, &self.wrong)?,
        })
    }
}

/// The gradient of the summed `losses` with respect to the pixels of `var`.
pub(crate) fn gradient(victim: Victim<'_>, losses: &Tensor, var: &Var) -> Result<Tensor> {
    losses.sum_all()?.backward()?.remove(var).ok_or_else(|| {
        candle::Error::Msg(format!("the objective `{}` does not depend on adversarial images", victim.objective))
    })
}

/// Rows of `yes` where `mask` `(N,)` is not 0, else rows of `no`.
pub(crate) fn pick(mask: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; yes.rank()];
    shape[0] = mask.dim(0)?;
    mask.reshape(shape)?.broadcast_as(yes.shape())?.where_cond(yes, no)
}

fn wrong(passes: &Passes<'_>) -> Result<Tensor> {
    passes.adv()?.logits.argmax(D::Minus1)?.ne(&passes.labels().to_dtype(DType::U32)?)
}
