//! A network's body as one operation.

mod backward;
mod body;
mod node;
mod tape;

pub use node::Value;

use super::Flow;
use crate::conv::Convolution;
use crate::edge;
use crate::host::{check, view};
use crate::isa::{Isa, isa};
use crate::memory::{Buffer, made_once};
use crate::norm::Affine;
use crate::rows::{self, Finish, Source, Sums};
use crate::shortcut::Shortcut;
use crate::{Conv2d, Moments, Packing, Statistics};
use candle::{Result, Tensor, bail};
use node::{Data, Node, Norm};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use tape::{Step, Tape};

/// Runs a network as one operation with its own derivative; see [`Flow`].
///
/// Activations that no gradient needs are given back as soon as their last [`Value`] is dropped.
#[derive(Debug)]
pub struct Fused {
    /// No other flow has this number.
    id: u64,
    isa: Isa,
    images: Tensor,
    std: Vec<f32>,
    input: Value,
    /// Whether convolutions take mean and variance of what they write.
    batch_statistics: bool,
    next: Cell<usize>,
    tape: RefCell<Tape>,
}

impl Fused {
    /// Begins with images (N, C, H, W), normalised as by [`enter`](crate::enter).
    /// `batch_statistics`: whether [`Statistics::Batch`] will be asked for.
    ///
    /// # Errors
    /// As [`enter`](crate::enter).
    pub fn enter(images: &Tensor, mean: &[f32], std: &[f32], batch_statistics: bool) -> Result<(Self, Value)> {
        let shape = edge::entered(images, mean, std)?;
        let mut values = Buffer::new(shape.iter().product());
        let tracked = images.track_op();
        let images = images.contiguous()?;
        edge::normalise(&view("enter", &images)?, &shape, mean, std, &mut values);
        static FLOWS: AtomicU64 = AtomicU64::new(0);
        let flow = FLOWS.fetch_add(1, Relaxed);
        let input = Value(Arc::new(Node {
            flow,
            id: 0,
            shape,
            tracked,
            readers: AtomicUsize::new(0),
            data: Data::Memory(values),
            moments: OnceLock::new(),
        }));
        let flow = Self {
            id: flow,
            isa: isa(),
            images,
            std: std.to_vec(),
            input: input.clone(),
            batch_statistics,
            next: Cell::new(1),
            tape: RefCell::default(),
        };
        Ok((flow, input))
    }

    /// For tests that name the instruction set.
    #[doc(hidden)]
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    fn node(&self, shape: [usize; 4], tracked: bool, data: Data) -> Value {
        let id = self.next.replace(self.next.get() + 1);
        let (readers, moments) = (AtomicUsize::new(0), OnceLock::new());
        Value(Arc::new(Node { flow: self.id, id, shape, tracked, readers, data, moments }))
    }

    /// An error unless all were made by this flow: the way back knows its own nodes only.
    fn own(&self, name: &str, values: &[&Value]) -> Result<()> {
        if values.iter().any(|v| v.flow != self.id) {
            bail!("{name}: an activation of another network's flow")
        }
        Ok(())
    }

    /// `affine` of `x`, done while it is read; `parameters` are gamma and beta.
    fn affine(&self, x: &Value, affine: Affine, parameters: [Option<&Tensor>; 2], relu: bool) -> Value {
        let weighed = parameters.iter().flatten().any(|p| p.track_op());
        let (summed, tracked) = (weighed || affine.batch, weighed || x.tracked);
        let norm = Norm { of: x.clone(), affine, relu, summed };
        let out = self.node(x.shape, tracked, Data::Normed(norm));
        if tracked {
            let mut tape = self.tape.borrow_mut();
            let slots = parameters.map(|p| p.and_then(|p| tape.parameter(p)));
            x.read_by_one_more();
            tape.steps.push(Step::Norm { slots, out: out.clone() });
        }
        out
    }

    /// Mean and variance of each channel: those taken when the values were written, or taken now.
    fn moments(&self, x: &Value) -> (Vec<f32>, Vec<f32>) {
        made_once(&x.moments, || rows::moments(self.isa, x.memory(), x.channels())).clone()
    }
}

impl Flow for Fused {
    type Value = Value;

    fn conv(
        &self,
        x: &Value,
        weight: &Tensor,
        geometry: Conv2d,
        packing: &Packing,
        add: Option<&Value>,
    ) -> Result<Value> {
        check("conv2d", &[weight])?;
        self.own("conv2d", &[x, add.unwrap_or(x)])?;
        let weight = weight.contiguous()?;
        let conv = Convolution::new(self.isa, &x.shape, weight.dims(), geometry, packing)?;
        let shape = conv.output();
        if let Some(add) = add.filter(|add| add.shape != shape) {
            bail!("conv2d: {:?} cannot be added to the result {shape:?}", add.shape)
        }
        let mut y = Buffer::new(shape.iter().product());
        let add_source = add.map(|a| a.source());
        let sums = self.batch_statistics.then(Sums::of_values);
        let finish = Finish { add: add_source, sums, ..Finish::default() };
        conv.forward(&x.source(), &view("conv2d", &weight)?, &mut y, &finish);
        let moments = finish.sums.map(Sums::moments);
        let tracked = x.tracked || add.is_some_and(|a| a.tracked) || weight.track_op();
        let out = self.node(shape, tracked, Data::Memory(y));
        if let Some(moments) = moments {
            let _ = out.moments.set(moments);
        }
        if tracked {
            let mut tape = self.tape.borrow_mut();
            let slot = tape.parameter(&weight);
            x.read_by_one_more();
            add.inspect(|a| a.read_by_one_more());
            let step = Step::Conv { conv, weight, slot, x: x.clone(), add: add.cloned(), out: out.clone() };
            tape.steps.push(step);
        }
        Ok(out)
    }

    fn batch_norm(
        &self,
        x: &Value,
        gamma: &Tensor,
        beta: &Tensor,
        eps: f32,
        statistics: Statistics<'_>,
        relu: bool,
    ) -> Result<(Value, Option<Moments>)> {
        self.own("batch_norm", &[x])?;
        if x.norm().is_some() {
            bail!("batch_norm: a fused network cannot normalise what batch norm gave, {:?}", x.shape)
        }
        let (affine, moments) = Affine::new(&x.shape, gamma, beta, eps, statistics, || Ok(self.moments(x)))?;
        Ok((self.affine(x, affine, [Some(gamma), Some(beta)], relu), moments))
    }

    fn bias(&self, x: &Value, b: &Tensor, relu: bool) -> Result<Value> {
        self.own("bias", &[x])?;
        check("bias", &[b])?;
        if x.norm().is_some() || b.dims() != [x.channels()] {
            bail!("bias: {:?} does not fit {:?}, or that has batch norm or a bias already", b.shape(), x.shape)
        }
        Ok(self.affine(x, Affine::shift(b.to_vec1()?), [None, Some(b)], relu))
    }

    fn add_relu(&self, a: &Value, b: &Value) -> Result<Value> {
        self.own("add_relu", &[a, b])?;
        if a.shape != b.shape {
            bail!("add_relu: {:?} and {:?} differ", a.shape, b.shape)
        }
        let mut y = Buffer::new(a.len());
        let finish = Finish { add: Some(b.source()), relu: true, ..Finish::default() };
        rows::fill(self.isa, &a.source(), a.channels(), &mut y, &finish);
        let tracked = a.tracked || b.tracked;
        let out = self.node(a.shape, tracked, Data::Rectified(y, tracked.then(|| a.clone())));
        if tracked {
            a.read_by_one_more();
            b.read_by_one_more();
            let step = Step::AddRelu { a: a.clone(), b: b.clone(), out: out.clone() };
            self.tape.borrow_mut().steps.push(step);
        }
        Ok(out)
    }

    fn shortcut_a(&self, x: &Value, stride: usize, channels: usize) -> Result<Value> {
        self.own("shortcut_a", &[x])?;
        let shortcut = Shortcut::new(&x.shape, stride, channels)?;
        let mut y = Buffer::new(shortcut.output().iter().product());
        match x.source() {
            Source::Plain(x) => shortcut.forward(x, &mut y),
            source => {
                let mut values = Buffer::new(x.len());
                rows::fill(self.isa, &source, x.channels(), &mut values, &Finish::default());
                shortcut.forward(&values, &mut y);
            }
        }
        let out = self.node(shortcut.output(), x.tracked, Data::Memory(y));
        if x.tracked {
            x.read_by_one_more();
            let step = Step::ShortcutA { shortcut, x: x.clone(), out: out.clone() };
            self.tape.borrow_mut().steps.push(step);
        }
        Ok(out)
    }

    fn features(self, x: &Value) -> Result<Tensor> {
        self.own("features", &[x])?;
        body::features(self, x)
    }
}
