//! What the network itself shows: whether attacks can work on it at all.

use super::{
    Judged, Rule, Stop, Subject,
    Verdict::{self, Fail, Pass, Warn},
};
use anyhow::Result;
use attacks::{Ball, Keys};
use candle::{D, DType, Tensor, Var};
use data::Batch;
use kernels::Precision;
use models::{Mode, Model};
use objectives::{Clean, Objective, Pass::Adv, Stage, ce, margin};

/// The first so many images are tried.
const IMAGES: usize = 200;
/// Passes over the same images.
const PASSES: usize = 5;
/// How far normalised logits of two passes may be apart.
const NOISE: f32 = 1e-4;
/// How close to probabilities outputs may come.
const ROUNDING: f32 = 1e-5;
/// A step of the finite differences, in radii.
const STEP: f64 = 1. / 64.;

/// Checks of the network.
pub(super) const RULES: [Rule<Anatomy>; 5] = [
    Rule {
        name: "deterministic",
        judge: Anatomy::deterministic,
        advice: "attack the expectation over the randomness, as autoattack-rand does",
    },
    Rule {
        name: "logits",
        judge: Anatomy::logits,
        advice: "attacks need finite scores of at least 4 classes, before any softmax",
    },
    Rule {
        name: "gradient",
        judge: Anatomy::gradient,
        advice: "replace what is not differentiable by a differentiable stand-in on the way back",
    },
    Rule {
        name: "saturation",
        judge: Anatomy::saturation,
        advice: "scale the logits down, or attack the margin or the difference-of-logits ratio",
    },
    Rule {
        name: "finite differences",
        judge: Anatomy::differences,
        advice: "gradients do not describe this network, so trust only attacks without them",
    },
];

/// What a few passes forth and back reveal.
pub(super) struct Anatomy {
    /// Whether every logit is a number.
    finite: bool,
    labels: Tensor,
    /// Logits of the images, pass by pass.
    answers: Vec<Tensor>,
    /// Logits at a random point of each ball.
    elsewhere: Tensor,
    /// The margin around the images and around the random points; else why there is no way back.
    slopes: Ascents<[Slope; 2]>,
    /// The absolute gradients of each image's cross-entropy, summed.
    pull: Ascents<Vec<f32>>,
}

/// Something that needs gradients, or why there are none.
type Ascents<T> = std::result::Result<T, String>;

/// The margin around one point for each image.
struct Slope {
    /// The absolute gradients, summed: zero only if all are, no number if one is none.
    size: Vec<f32>,
    /// What a small step changed, divided by what the gradient said of it.
    kept: Vec<f32>,
}

impl Anatomy {
    pub(super) fn of(subject: &Subject<'_>) -> Result<Self> {
        let Subject { model, data, ball, device, .. } = *subject;
        let positions: Vec<usize> = (0..data.len().min(IMAGES)).collect();
        let Batch { images, labels, examples } = data.batch(&positions, device)?;
        let keys = Keys { seed: 0, epoch: 0, examples: &examples };
        let eps = ball.eps as f32;
        let fill = |key, out: &mut [f32]| kernels::fill_uniform(key, -eps, eps, out);
        let noise = keys.draw("audit", 0, images.shape(), device, fill)?;
        let random = ball.project(&(&images + noise)?, &images)?;

        let logits = |x: &Tensor| candle::Result::Ok(model.forward(x, Mode::Eval)?.logits.detach());
        let answers = (0..PASSES).map(|_| logits(&images)).collect::<candle::Result<Vec<_>>>()?;
        let elsewhere = logits(&random)?;
        let mut finite = true;
        for logits in answers.iter().chain([&elsewhere]) {
            // A sum turns any value that is not finite into a sum that is not.
            finite &= logits.abs()?.sum_all()?.to_scalar::<f32>()?.is_finite();
        }
        let around = |point| Slope::around(model, &images, &labels, point, ball);
        let slopes = match (around(&images)?, around(&random)?) {
            (Ok(clean), Ok(random)) => Ok([clean, random]),
            (Err(none), _) | (_, Err(none)) => Err(none),
        };
        let pull = match climb(model, &images, &labels, &images, &ce(Adv))? {
            Ok((_, grad)) => Ok(per_image(&grad.abs()?)?),
            Err(none) => Err(none),
        };
        Ok(Self { finite, labels, answers, elsewhere, slopes, pull })
    }

    /// Why there is nothing to attack; a `blind` attack needs no gradient.
    pub(super) fn obstacle(&self, blind: bool) -> Option<String> {
        match &self.slopes {
            _ if !self.finite => Some("the network answers with values that are no numbers".into()),
            Err(none) if !blind => Some(none.clone()),
            _ => None,
        }
    }

    /// The first pass over the images, if it gave numbers.
    fn numbers(&self) -> std::result::Result<&Tensor, Stop> {
        if self.finite { Ok(&self.answers[0]) } else { Err(Stop::Skip("some logits are no numbers".into())) }
    }

    fn deterministic(&self) -> Judged {
        let first = self.numbers()?;
        let unit = |x: &Tensor| x.broadcast_div(&(x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()? + 1e-10)?);
        let (mut flips, mut far) = (0, 0f32);
        for (i, a) in self.answers.iter().enumerate() {
            flips += count(&a.argmax(D::Minus1)?.ne(&first.argmax(D::Minus1)?)?)?;
            for b in &self.answers[..i] {
                let apart = (unit(a)? - unit(b)?)?.sqr()?.sum(D::Minus1)?.sqrt()?;
                far = far.max(apart.max_all()?.to_scalar()?);
            }
        }
        let found = format!(
            "{PASSES} passes over {} images change {flips} classes and normalised logits by up to {far:.1e}",
            first.dim(0)?
        );
        Ok((Verdict::of(flips > 0 || far > NOISE, false), found))
    }

    fn logits(&self) -> Judged {
        if !self.finite {
            return Ok((Fail, "some logits are no numbers".into()));
        }
        let logits = Tensor::cat(&[&self.answers[0], &self.elsewhere], 0)?;
        let (low, high) = (logits.min_all()?.to_scalar::<f32>()?, logits.max_all()?.to_scalar::<f32>()?);
        let off = |sums: Tensor, from: f64| (sums - from)?.abs()?.max_all()?.to_scalar::<f32>();
        let classes = logits.dim(D::Minus1)?;
        let range = format!("{classes} scores from {low:.3} to {high:.3}");
        Ok(if low >= -ROUNDING && high <= 1. + ROUNDING && off(logits.sum(D::Minus1)?, 1.)? <= ROUNDING {
            (Fail, format!("{range} that sum to 1 look like probabilities"))
        } else if high <= 0. && off(logits.log_sum_exp(D::Minus1)?, 0.)? <= 10. * ROUNDING {
            (Warn, format!("{range} look like logarithms of probabilities"))
        } else if classes < 4 {
            (Warn, format!("{range} are too few for the targeted difference-of-logits ratio"))
        } else {
            (Pass, range)
        })
    }

    fn gradient(&self) -> Judged {
        self.numbers()?;
        let [clean, random] = match &self.slopes {
            Ok(slopes) => slopes,
            Err(none) => return Ok((Fail, none.clone())),
        };
        let sizes = || clean.size.iter().chain(&random.size);
        let (zero, wild) = (sizes().filter(|s| **s == 0.).count(), sizes().filter(|s| !s.is_finite()).count());
        let found = format!("of {} margins {zero} have no gradient and {wild} one that is not finite", sizes().count());
        Ok((Verdict::of(zero + wild > 0, false), found))
    }

    fn saturation(&self) -> Judged {
        let said = self.numbers()?.argmax(D::Minus1)?;
        let right = said.eq(&self.labels.to_dtype(DType::U32)?)?.to_vec1::<u8>()?;
        let pull = self.pull.as_ref().map_err(|none| Stop::Skip(none.clone()))?;
        let pulls: Vec<f32> = pull.iter().zip(right).filter(|(_, right)| *right != 0).map(|(pull, _)| *pull).collect();
        if pulls.is_empty() {
            return Err(Stop::Skip("no image is classified correctly".into()));
        }
        let (flat, all) = (pulls.iter().filter(|pull| **pull == 0.).count(), pulls.len());
        let found = format!("the cross-entropy of {flat} of {all} correct images has a gradient of exactly zero");
        Ok((Verdict::of(20 * flat > all, flat > 0), found))
    }

    fn differences(&self) -> Judged {
        self.numbers()?;
        if kernels::precision() == Precision::Bf16 {
            return Err(Stop::Skip("a step of the differences is less than bfloat16 rounds off".into()));
        }
        let slopes = self.slopes.as_ref().map_err(|none| Stop::Skip(none.clone()))?;
        let share = |slope: &Slope, holds: fn(f32) -> bool| {
            100. * slope.kept.iter().filter(|kept| holds(**kept)).count() as f64 / slope.kept.len() as f64
        };
        let [clean, random] = slopes.each_ref().map(|slope| share(slope, |kept| (0.5..=2.).contains(&kept)));
        let [up, up_random] = slopes.each_ref().map(|slope| share(slope, |kept| kept > 0.));
        let found = format!(
            "the margin follows its gradient in {clean:.1} % of images ({random:.1} % at random points) and rises at \
             all in {up:.1} % ({up_random:.1} %)"
        );
        let worst = clean.min(random);
        Ok((Verdict::of(worst < 60., worst < 90.), found))
    }
}

impl Slope {
    fn around(
        model: &dyn Model,
        images: &Tensor,
        labels: &Tensor,
        point: &Tensor,
        ball: Ball,
    ) -> candle::Result<Ascents<Self>> {
        let (here, grad) = match climb(model, images, labels, point, &margin())? {
            Ok(climbed) => climbed,
            Err(none) => return Ok(Err(none)),
        };
        // Where the ball or the range of pixels cuts the step short, what is left of it counts.
        let next = ball.ascend(point, &grad, images, STEP * ball.eps)?;
        let clean = Clean::new(model, Mode::Eval, images, labels, Stage::Generation);
        let there = margin().losses(&clean.against(&next)?)?.detach();
        let changed = (there - here)?.to_vec1::<f32>()?;
        let said = per_image(&(&grad * (next - point)?)?)?;
        let kept = changed.iter().zip(said).map(|(changed, said)| changed / said).collect();
        Ok(Ok(Self { size: per_image(&grad.abs()?)?, kept }))
    }
}

/// The objective of each image at `point` and its gradient there, or why it has none. That a pass
/// forth worked and the pass back did not is a fact about the network.
fn climb(
    model: &dyn Model,
    images: &Tensor,
    labels: &Tensor,
    point: &Tensor,
    objective: &Objective,
) -> candle::Result<Ascents<(Tensor, Tensor)>> {
    let var = Var::from_tensor(point)?;
    let clean = Clean::new(model, Mode::Eval, images, labels, Stage::Generation);
    let losses = objective.losses(&clean.against(&var)?)?;
    let grad = losses.sum_all()?.backward().ok().and_then(|mut gradients| gradients.remove(&var));
    Ok(grad.map(|grad| (losses.detach(), grad)).ok_or_else(|| "the network has no gradient in its pixels".into()))
}

fn per_image(x: &Tensor) -> candle::Result<Vec<f32>> {
    x.flatten_from(1)?.sum(D::Minus1)?.to_vec1()
}

fn count(mask: &Tensor) -> candle::Result<u32> {
    mask.to_dtype(DType::U32)?.sum_all()?.to_scalar()
}
