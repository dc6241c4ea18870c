//! Small networks, random images and the attacks under test.

use attacks::{Apgd, Attack, Ball, EarlyStopped, Keys, Pgd, Probe, Start, Victim};
use candle::{D, Device, Result, Tensor};
use kernels::Key;
use models::{Arch, Mode, Model, Net, Output};
use objectives::{Clean, Objective, Stage};
use std::sync::{Arc, Mutex};

/// Sides of the random images.
pub const SHAPE: [usize; 3] = [3, 12, 12];

pub fn net() -> Net {
    Net::new(Arch::Tiny, SHAPE, 10, 7, &Device::Cpu).expect("a net")
}

/// `n` random images, about a quarter of the pixels exactly 0 or 1.
pub fn images(n: usize) -> Tensor {
    let [c, h, w] = SHAPE;
    let mut values = vec![0.; n * c * h * w];
    kernels::fill_uniform(Key { seed: 3, epoch: 0, example: 0, restart: 0 }, -0.15, 1.15, &mut values);
    values.iter_mut().for_each(|v| *v = v.clamp(0., 1.));
    Tensor::from_vec(values, (n, c, h, w), &Device::Cpu).expect("images")
}

/// What the network says about `images`, so that attacks start from correct examples.
pub fn predictions(model: &dyn Model, images: &Tensor) -> Result<Tensor> {
    model.forward(images, Mode::Eval)?.logits.argmax(D::Minus1)
}

pub fn examples(n: usize) -> Vec<u64> {
    (0..n as u64).collect()
}

pub fn keys(examples: &[u64]) -> Keys<'_> {
    Keys { seed: 11, epoch: 0, examples }
}

/// What goes uphill in a fixed number of steps, few each.
pub fn attacks(ball: Ball) -> Vec<Arc<dyn Attack>> {
    let pgd = Pgd::new(ball, 4);
    vec![
        Arc::new(Pgd::fgsm(ball)),
        Arc::new(pgd),
        Arc::new(Pgd { restarts: 3, ..pgd }),
        Arc::new(Pgd { start: Start::Gaussian(0.1), step: ball.eps * 3., ..pgd }),
        Arc::new(Pgd::mim(ball, 4)),
        Arc::new(Apgd::new(ball, 9)),
        Arc::new(Apgd { restarts: 2, ..Apgd::new(ball, 5) }),
    ]
}

/// What stops or tries something else once an example is broken, short.
pub fn searches(ball: Ball) -> Vec<Arc<dyn Attack>> {
    let named = |name: &str| Probe::named(name, ball).expect("an attack").attack;
    let friendly = EarlyStopped { pgd: Pgd::new(ball, 4), patience: vec![(0, 1)], noise: 0.01 };
    let names = ["apgd-t-5", "fab-5", "fab-t-5x2", "square-9", "noise-4", "autoattack"];
    names.into_iter().map(named).chain([Arc::new(friendly) as Arc<dyn Attack>]).collect()
}

/// Whether each image gets another label, and what `objective` says of it.
pub fn judge(victim: Victim<'_>, x: &Tensor, labels: &Tensor) -> Result<(Vec<bool>, Vec<f32>)> {
    let clean = Clean::new(victim.model, victim.mode, x, labels, Stage::Generation);
    let passes = clean.against(x)?;
    let losses = victim.objective.losses(&passes)?.to_vec1()?;
    let said = passes.adv()?.logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    Ok((said.iter().zip(labels.to_vec1::<u32>()?).map(|(said, label)| *said != label).collect(), losses))
}

pub fn bits(x: &Tensor) -> Result<Vec<u32>> {
    Ok(x.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}

/// A network whose logits never change, though they depend on the pixels: every gradient is 0.
pub struct Flat;

impl Model for Flat {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let pixels = images.flatten_from(1)?.narrow(1, 0, 5)?;
        // A zero tensor: candle does not differentiate a product with the number 0.
        let features = (&pixels * pixels.zeros_like()?)?;
        let logits = features.broadcast_add(&Tensor::new(&[0f32, 1., 2., 3., 4.], images.device())?)?;
        Ok(Output { features, logits })
    }
}

pub fn eval<'a>(model: &'a dyn Model, objective: &'a Objective) -> Victim<'a> {
    Victim { model, mode: Mode::Eval, objective }
}

/// Counts the images of each pass.
pub struct Counting<'a>(&'a dyn Model, Mutex<Vec<usize>>);

impl<'a> Counting<'a> {
    pub fn new(model: &'a dyn Model) -> Self {
        Self(model, Mutex::default())
    }

    /// Images of each pass so far.
    pub fn counts(self) -> Vec<usize> {
        self.1.into_inner().expect("counts")
    }
}

impl Model for Counting<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Output> {
        self.1.lock().expect("counts").push(images.dim(0)?);
        self.0.forward(images, mode)
    }
}
