//! A small accurate classifier, what can be wrong with it, and the images it is accurate on.

use attacks::{Attack, Ball, Evaluation, Keys, Norm, Probe, Victim};
use candle::{Device, Result, Tensor};
use data::{Dataset, Name};
use experiments::audit::{Audit, Evidence, Subject};
use kernels::Key;
use models::{Mode, Model, Output};
use objectives::{Pass, ce};
use std::{
    fmt,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const SIZE: usize = 28 * 28;

/// The radius at which about half of the images stand.
pub const BALL: Ball = Ball { norm: Norm::Linf, eps: 0.1 };

fn key(example: u64) -> Key {
    Key { seed: 5, epoch: 0, example, restart: 0 }
}

/// A random sign for each pixel.
fn pattern(class: u64) -> Vec<f32> {
    let mut values = vec![0.; SIZE];
    kernels::fill_normal(key(class).domain("pattern"), 1., &mut values);
    values.into_iter().map(f32::signum).collect()
}

/// How clear the pattern of an image is, from 0 to 100.
pub fn clarity(image: u64) -> u64 {
    image * 37 % 101
}

/// `n` grey images, each with the pattern of its class, from nearly invisible to clear.
pub fn images(n: usize) -> Dataset {
    let labels: Vec<u8> = (0..10).cycle().take(n).collect();
    let mut pixels = Vec::with_capacity(n * SIZE);
    for (i, &label) in (0u64..).zip(&labels) {
        let contrast = 0.02 + 0.23 * clarity(i) as f32 / 100.;
        let mut noise = vec![0.; SIZE];
        kernels::fill_normal(key(i).domain("noise"), 0.02, &mut noise);
        let value = |(sign, noise): (f32, f32)| ((0.5 + contrast * sign + noise) * 255.).round().clamp(0., 255.) as u8;
        pixels.extend(pattern(label.into()).into_iter().zip(noise).map(value));
    }
    Dataset::new(Name::Mnist, pixels, labels).expect("grey images of ten classes")
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    Nothing,
    /// Logits are so many times as large, until every softmax is 0 or 1.
    Scaled(f64),
    /// Pixels become one of four levels, which has no derivative.
    Quantised,
    /// Pixels become a multiple of one part in so many, and the way back pretends that nothing happened.
    StraightThrough(f64),
    /// Pixels become one of four levels, and the way back is noise.
    MadeUp,
    /// Logits are noisy, differently in each pass.
    Random,
    /// The answers are probabilities.
    Softmax,
    /// The answers are their logarithms.
    LogSoftmax,
    /// Some answers are no numbers.
    NoNumber,
    /// It knows the first three classes only.
    ThreeClasses,
    /// It knows nothing of the classes.
    Chance,
}

/// Compares images with the patterns.
pub struct Matcher {
    patterns: Tensor,
    fault: Fault,
    passes: AtomicU64,
}

impl Matcher {
    pub fn with(fault: Fault) -> Self {
        let shift = if fault == Fault::Chance { 100 } else { 0 };
        let values = (0..10).flat_map(|class| pattern(class + shift)).collect::<Vec<f32>>();
        let patterns = Tensor::from_vec(values, (10, SIZE), &Device::Cpu).and_then(|p| p.t()).expect("patterns");
        Self { patterns, fault, passes: AtomicU64::new(0) }
    }

    fn see(&self, x: &Tensor) -> Result<Tensor> {
        let shift = |levels: f64| ((x * levels)?.round()? / levels)?.detach() - x.detach();
        match self.fault {
            Fault::Quantised => (x * 3.)?.round()? / 3.,
            Fault::StraightThrough(levels) => x + shift(levels)?,
            Fault::MadeUp => {
                let noise = noise(0, x)?;
                let nothing = ((x * &noise)? - (x.detach() * noise)?)?;
                x.detach() + (shift(3.)? + nothing)?
            }
            _ => Ok(x.clone()),
        }
    }
}

fn noise(example: u64, like: &Tensor) -> Result<Tensor> {
    let mut values = vec![0.; like.elem_count()];
    kernels::fill_normal(key(example), 1., &mut values);
    Tensor::from_vec(values, like.shape(), like.device())
}

impl Model for Matcher {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let features = (self.see(&images.flatten_from(1)?)? - 0.5)?;
        let logits = (features.matmul(&self.patterns)? * (40. / SIZE as f64))?;
        let pass = self.passes.fetch_add(1, Ordering::Relaxed);
        let logits = match self.fault {
            Fault::Scaled(by) => (logits * by)?,
            Fault::ThreeClasses => logits.narrow(1, 0, 3)?,
            Fault::Random => (&logits + (noise(pass, &logits)? * 0.01)?)?,
            Fault::Softmax => objectives::log_softmax(&logits)?.exp()?,
            Fault::LogSoftmax => objectives::log_softmax(&logits)?,
            Fault::NoNumber => (&logits + (&logits * f64::INFINITY)?)?,
            _ => logits,
        };
        Ok(Output { features, logits })
    }
}

/// What is audited by default.
pub fn subject<'a>(model: &'a dyn Model, data: &'a Dataset) -> Subject<'a> {
    let control = Some(("a standard network", 0.4));
    Subject { name: "a matcher", about: "seed 5", model, data, ball: BALL, device: &Device::Cpu, control }
}

/// Measures with few steps and queries what `attacks` knows, and nothing else.
pub fn measured<'a>(subject: Subject<'a>) -> impl Evidence + 'a {
    let Subject { model, data, device, .. } = subject;
    move |attack: &str, ball: Ball| {
        let evaluation = Evaluation { model, data, batch: 100, device };
        let on = &mut |_| ControlFlow::Continue(());
        let clean = evaluation.clean(on)?;
        let known = match attack {
            "clean" => return Ok(clean),
            "too far" => Ok(too_far(ball)),
            "apgd-ce" => Probe::named("apgd-ce-20", ball),
            "apgd-t" => Probe::named("apgd-t-20", ball),
            "square" => Probe::named("square-200", ball),
            // The steps of these cannot be chosen, and all that is planted is found without them.
            "autoattack" | "fab-t" => return Ok(None),
            _ => Probe::named(attack, ball),
        };
        let Ok(probe) = known else { return Ok(None) };
        Ok(evaluation.robust(&probe, &clean.unwrap_or_default(), 1, on)?)
    }
}

/// Audits a matcher with that fault on 60 images.
pub fn audit(fault: Fault) -> Audit {
    let (model, data) = (Matcher::with(fault), images(60));
    let subject = subject(&model, &data);
    Audit::of(&subject, &mut measured(subject)).expect("an audit")
}

/// An attack that moves twice as far as it may.
fn too_far(ball: Ball) -> Probe {
    Probe { name: "too far".into(), attack: Arc::new(TooFar(ball)), objective: ce(Pass::Adv), ball }
}

struct TooFar(Ball);

impl Attack for TooFar {
    fn perturb(&self, _: Victim<'_>, images: &Tensor, _: &Tensor, _: &Keys<'_>) -> Result<Tensor> {
        (images + 2. * self.0.eps)?.clamp(0f32, 1f32)
    }
}

impl fmt::Display for TooFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too far")
    }
}
