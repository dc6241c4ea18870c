//! The way back through the recorded steps.
//!
//! The gradient of an activation is complete when all its readers were seen. The last of them, if it
//! is a convolution, also does on its way out what the activation's maker would do first: it keeps
//! the gradient only where the rectifier let values through, and takes the sums batch norm needs.

use super::body::Recorded;
use super::node::{Data, Norm, Value};
use super::tape::Step;
use crate::conv::Convolution;
use crate::edge;
use crate::host::{tensor, view};
use crate::isa::Isa;
use crate::memory::{Buffer, Out};
use crate::parallel::ranges;
use crate::rows::{self, Finish, Source, Sums};
use candle::{Device, Result, Tensor};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The gradients of images and parameters for the gradient `dy` (N, C) of the features.
pub(super) fn run(recorded: &Recorded, images: &Tensor, dy: &[f32]) -> Result<(Option<Tensor>, Vec<Option<Tensor>>)> {
    let Recorded { isa, tape, input, last, nodes, .. } = recorded;
    let mut back = Backward {
        isa: *isa,
        grads: vec![None; *nodes],
        unseen: vec![0; *nodes],
        parameters: vec![None; tape.parameters.len()],
    };
    for step in &tape.steps {
        for x in step.reads().into_iter().flatten() {
            back.unseen[x.id] = x.readers.load(Ordering::Relaxed);
        }
    }
    back.unseen[last.id] += 1;
    back.add(last, |dx, finish| {
        spread(dy, recorded.pixels, last.channels(), dx);
        rows::finish(*isa, last.channels(), dx, finish);
    });
    for step in tape.steps.iter().rev() {
        back.step(step)?;
    }
    let images = match back.grads[input.id].take() {
        Some(gradient) if images.track_op() => {
            let g = back.plain(input, gradient);
            Some(tensor(images.shape(), |dx| edge::normalise_grad(&g, &input.shape, &recorded.std, dx))?)
        }
        _ => None,
    };
    Ok((images, back.parameters))
}

/// `dx` of an average over pixels.
fn spread(dy: &[f32], pixels: usize, c: usize, dx: &mut [f32]) {
    assert_eq!(dx.len(), dy.len() * pixels);
    let (out, len) = (Out::new(dx), dx.len());
    ranges(dy.len() / c, 1, len / 8, |first, end| {
        for n in first..end {
            // SAFETY: image n of dx is this task's alone.
            let image = unsafe { core::slice::from_raw_parts_mut(out.at(n * pixels * c), pixels * c) };
            for pixel in image.chunks_exact_mut(c) {
                for (d, dy) in pixel.iter_mut().zip(&dy[n * c..]) {
                    *d = dy / pixels as f32;
                }
            }
        }
    });
}

/// A gradient on its way.
#[derive(Clone)]
enum Grad {
    /// As the readers gave it.
    Plain(Arc<Buffer>),
    /// With what the activation's maker wants done: see [`Backward::wants`].
    Done(Arc<Buffer>, Arc<[Vec<f32>; 2]>),
    /// What this batch norm passes on of g, computed while it is read.
    Through { g: Arc<Buffer>, norm: Value, k: Arc<[Vec<f32>; 3]> },
}

impl Grad {
    fn source(&self) -> Source<'_> {
        match self {
            Self::Plain(g) | Self::Done(g, _) => Source::Plain(g),
            Self::Through { g, norm, k } => {
                let Norm { of, affine, .. } = norm.made_by_norm();
                affine.gradient(g, of.memory(), k)
            }
        }
    }
}

struct Backward {
    isa: Isa,
    /// By node: the sum of what the readers seen so far gave.
    grads: Vec<Option<Grad>>,
    /// By node: readers not seen yet.
    unseen: Vec<usize>,
    /// By slot.
    parameters: Vec<Option<Tensor>>,
}

impl Backward {
    fn step(&mut self, step: &Step) -> Result<()> {
        let Some(gradient) = self.grads[step.made().id].take() else {
            // Nothing reads what it made.
            step.reads().into_iter().flatten().for_each(|x| self.unseen[x.id] -= 1);
            return Ok(());
        };
        match step {
            Step::Conv { conv, weight, slot, x, add, out } => {
                let mut gradient = gradient;
                if let Some(add) = add {
                    let g = self.plain(out, gradient);
                    self.share(add, &g);
                    gradient = Grad::Plain(g);
                }
                self.conv(conv, weight, *slot, x, out, gradient)
            }
            Step::Norm { slots, out } => self.norm(*slots, out, gradient),
            Step::AddRelu { a, b, out } => {
                let (g, sums) = self.done(out, gradient);
                if a.sole_norm().is_some() && a.tracked {
                    self.unseen[a.id] -= 1;
                    self.grads[a.id] = Some(Grad::Done(g.clone(), sums));
                } else {
                    self.share(a, &g);
                }
                self.share(b, &g);
                Ok(())
            }
            Step::ShortcutA { shortcut, x, out } => {
                let g = self.plain(out, gradient);
                let (isa, c) = (self.isa, x.channels());
                self.add(x, |dx, finish| {
                    shortcut.input_grad(&g, dx);
                    rows::finish(isa, c, dx, finish);
                });
                Ok(())
            }
        }
    }

    fn conv(
        &mut self,
        conv: &Convolution,
        weight: &Tensor,
        slot: Option<usize>,
        x: &Value,
        out: &Value,
        mut gradient: Grad,
    ) -> Result<()> {
        if let Some(slot) = slot {
            let dy = self.plain(out, gradient);
            let dw = tensor(weight.shape(), |dw| match x.source() {
                Source::Plain(x) => conv.weight_grad(x, &dy, dw),
                source => {
                    let mut values = Buffer::new(x.len());
                    rows::fill(self.isa, &source, x.channels(), &mut values, &Finish::default());
                    conv.weight_grad(&values, &dy, dw);
                }
            })?;
            self.parameters[slot] = Some(dw);
            gradient = Grad::Plain(dy);
        }
        let weight = view("conv2d", weight)?;
        self.add(x, |dx, finish| conv.input_grad(&gradient.source(), &weight, dx, finish));
        Ok(())
    }

    fn norm(&mut self, [gamma, beta]: [Option<usize>; 2], out: &Value, gradient: Grad) -> Result<()> {
        let (g, sums) = self.done(out, gradient);
        let (Norm { of: x, affine, .. }, c) = (out.made_by_norm(), out.channels());
        if let Some(slot) = gamma {
            self.parameters[slot] = Some(Tensor::from_vec(affine.gamma_grad(&sums), c, &Device::Cpu)?);
        }
        if let Some(slot) = beta {
            self.parameters[slot] = Some(Tensor::from_slice(&sums[0], c, &Device::Cpu)?);
        }
        let through = if affine.is_shift() {
            Grad::Plain(g)
        } else {
            Grad::Through { g, norm: out.clone(), k: Arc::new(affine.factors(out.len() / c, &sums)) }
        };
        if self.grads[x.id].is_none() && matches!(x.data, Data::Memory(_)) {
            self.unseen[x.id] -= 1;
            self.grads[x.id] = x.tracked.then_some(through);
        } else {
            let isa = self.isa;
            self.add(x, |dx, finish| rows::fill(isa, &through.source(), c, dx, finish));
        }
        Ok(())
    }

    /// Adds what `write` writes to the gradient of `x`; `write` is told how to finish it.
    fn add(&mut self, x: &Value, write: impl FnOnce(&mut [f32], &Finish<'_>)) {
        self.unseen[x.id] -= 1;
        if !x.tracked {
            return;
        }
        let before = self.grads[x.id].take();
        let last = self.unseen[x.id] == 0;
        let mut finish = if last { wants(x) } else { Finish::default() };
        finish.add = before.as_ref().map(Grad::source);
        let mut dx = Buffer::new(x.len());
        write(&mut dx, &finish);
        let sums = finish.sums.map(Sums::products).unwrap_or_default();
        let g = Arc::new(dx);
        self.grads[x.id] = Some(if last { Grad::Done(g, Arc::new(sums)) } else { Grad::Plain(g) });
    }

    /// Adds a gradient that others have too.
    fn share(&mut self, x: &Value, g: &Arc<Buffer>) {
        if x.tracked && self.grads[x.id].is_none() {
            self.unseen[x.id] -= 1;
            self.grads[x.id] = Some(Grad::Plain(g.clone()));
        } else {
            let isa = self.isa;
            self.add(x, |dx, finish| rows::fill(isa, &Source::Plain(g), x.channels(), dx, finish));
        }
    }

    /// A complete gradient with what `x`'s maker wants, and its sums.
    fn done(&self, x: &Value, gradient: Grad) -> (Arc<Buffer>, Arc<[Vec<f32>; 2]>) {
        if let Grad::Done(g, sums) = gradient {
            return (g, sums);
        }
        let finish = wants(x);
        let mut g = Buffer::new(x.len());
        rows::fill(self.isa, &gradient.source(), x.channels(), &mut g, &finish);
        (Arc::new(g), Arc::new(finish.sums.map(Sums::products).unwrap_or_default()))
    }

    /// A complete gradient in memory.
    fn plain(&self, x: &Value, gradient: Grad) -> Arc<Buffer> {
        match gradient {
            Grad::Plain(g) | Grad::Done(g, _) => g,
            Grad::Through { .. } => {
                let mut g = Buffer::new(x.len());
                rows::fill(self.isa, &gradient.source(), x.channels(), &mut g, &Finish::default());
                Arc::new(g)
            }
        }
    }
}

/// What the maker of `x` wants done with the complete gradient of `x`.
fn wants(x: &Value) -> Finish<'_> {
    match &x.data {
        Data::Memory(_) => Finish::default(),
        Data::Normed(norm) => {
            let linear = norm.affine.of(norm.of.memory(), false);
            Finish { keep_where: norm.relu.then_some(linear), sums: sums_of(norm), ..Finish::default() }
        }
        Data::Rectified(values, a) => {
            let norm = a.as_ref().and_then(|a| a.sole_norm());
            let keep_where = Some(Source::Plain(values));
            Finish { keep_where, sums: norm.and_then(sums_of), ..Finish::default() }
        }
    }
}

/// The sums batch norm wants of its gradient.
fn sums_of(norm: &Norm) -> Option<Sums<'_>> {
    norm.summed.then(|| Sums::against(norm.of.memory(), &norm.affine.mean))
}
