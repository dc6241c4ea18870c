//! One run of one kernel.

use super::device;
use candle::op::BackpropOp;
use candle::{CudaStorage, Layout, Result, Shape, Storage, Tensor, bail};

const BLOCK: usize = 256;
/// A kernel counts its threads, those beyond the last value included, in 31 bits.
const LARGEST: usize = i32::MAX as usize - BLOCK;

/// A kernel, what it makes, and the numbers it takes after its inputs and its output.
#[derive(Debug)]
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only shown in errors"))]
pub(crate) struct Launch {
    pub(super) function: &'static str,
    pub(super) shape: Shape,
    pub(super) blocks: usize,
    pub(super) threads: usize,
    /// Uploaded and given after the inputs, if there are any.
    pub(super) table: Vec<f32>,
    pub(super) numbers: Vec<Number>,
}

#[derive(Debug)]
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only shown in errors"))]
pub(super) enum Number {
    Int(i32),
    Float(f32),
}

/// Floats on a GPU and which of them count, as candle gives them to an operation.
pub(crate) type Input<'a> = (&'a CudaStorage, &'a Layout);

impl Launch {
    /// With one thread for each value of the result.
    pub(crate) fn each(function: &'static str, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let values = shape.elem_count();
        Self::threads(function, shape, values)
    }

    /// With so many threads; their number is the first of the numbers.
    pub(crate) fn threads(function: &'static str, shape: impl Into<Shape>, threads: usize) -> Self {
        Self::blocks(function, shape, threads.div_ceil(BLOCK), BLOCK).int(threads)
    }

    /// With so many blocks of so many threads.
    pub(crate) fn blocks(function: &'static str, shape: impl Into<Shape>, blocks: usize, threads: usize) -> Self {
        Self { function, shape: shape.into(), blocks, threads, table: Vec::new(), numbers: Vec::new() }
    }

    /// One more number. One that is too large for the kernels becomes -1, which [`Self::check`] refuses.
    pub(crate) fn int(mut self, number: usize) -> Self {
        self.numbers.push(Number::Int(if number <= LARGEST { number as i32 } else { -1 }));
        self
    }

    /// Several more numbers.
    pub(crate) fn ints<const N: usize>(self, numbers: [usize; N]) -> Self {
        numbers.into_iter().fold(self, Self::int)
    }

    /// One more number.
    pub(crate) fn float(mut self, number: f32) -> Self {
        self.numbers.push(Number::Float(number));
        self
    }

    /// Numbers per channel.
    pub(crate) fn table(self, table: &[f32]) -> Self {
        Self { table: table.to_vec(), ..self }
    }

    /// Runs the kernel: what a forward pass returns.
    ///
    /// # Errors
    /// An input that is not contiguous, or whatever the GPU says.
    pub(crate) fn run(self, inputs: &[Input<'_>]) -> Result<(CudaStorage, Shape)> {
        self.check(inputs)?;
        Ok((device::run(&self, inputs)?, self.shape))
    }

    /// As [`Self::run`], on tensors and outside of candle's graph.
    ///
    /// # Errors
    /// As it, or a tensor that is on no GPU.
    pub(crate) fn on(self, inputs: &[&Tensor]) -> Result<Tensor> {
        let held: Vec<_> = inputs.iter().map(|t| t.storage_and_layout()).collect();
        let inputs = held
            .iter()
            .map(|(storage, layout)| match &**storage {
                Storage::Cuda(storage) => Ok((storage, *layout)),
                _ => bail!("{}: expected tensors on the GPU", self.function),
            })
            .collect::<Result<Vec<_>>>()?;
        let (storage, shape) = self.run(&inputs)?;
        Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
    }

    /// Runs a kernel that changes `target`, which takes the place of the output.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn update(&self, target: (&mut CudaStorage, &Layout), inputs: &[Input<'_>]) -> Result<()> {
        self.check(inputs)?;
        device::update(self, target, inputs)
    }

    fn check(&self, inputs: &[Input<'_>]) -> Result<()> {
        // Kernels count values in `int`, those of an input too where no number says how many there are.
        let large = inputs.iter().any(|(_, layout)| layout.shape().elem_count() > LARGEST);
        if large || self.numbers.iter().any(|n| matches!(n, Number::Int(n) if *n < 0)) {
            bail!(
                "{}: {:?} has more values than the kernels count ({LARGEST}); take a smaller batch",
                self.function,
                self.shape
            )
        }
        Ok(())
    }
}
