//! Convolution by cuDNN, in candle's graph.

use super::device;
use crate::conv::{NAME, Packing, Pass, Shape};
use candle::op::BackpropOp;
use candle::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Storage, Tensor, bail};

/// [`crate::conv2d`] of contiguous tensors on a GPU; shapes are checked.
pub(crate) fn conv2d(x: &Tensor, weight: &Tensor, shape: Shape, packing: &Packing) -> Result<Tensor> {
    x.apply_op2(weight, Convolution { shape, filter: packing.filter(weight)? })
}

struct Convolution {
    shape: Shape,
    /// The weight as cuDNN reads it, (O, K, K, I).
    filter: Tensor,
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, candle::Shape)> {
        bail!("{NAME}: made for a GPU, given tensors on the CPU")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, candle::Shape)> {
        let (filter, lf) = self.filter.storage_and_layout();
        let Storage::Cuda(filter) = &*filter else { bail!("{NAME}: a weight that is on no GPU") };
        let Shape { n, oh, ow, o, .. } = self.shape;
        Ok((device::convolve(Pass::Forward, &self.shape, (x, lx), (filter, lf))?, (n, oh, ow, o).into()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = &dy.contiguous()?;
        let dx = || self.pass(Pass::InputGrad, dy, &self.filter, x.shape());
        let dw = || self.pass(Pass::WeightGrad, x, dy, self.filter.shape())?.permute((0, 3, 1, 2))?.contiguous();
        Ok((x.track_op().then(dx).transpose()?, w.track_op().then(dw).transpose()?))
    }
}

impl Convolution {
    /// One of the passes back, outside of candle's graph.
    fn pass(&self, pass: Pass, a: &Tensor, b: &Tensor, shape: &candle::Shape) -> Result<Tensor> {
        let ((a, la), (b, lb)) = (a.storage_and_layout(), b.storage_and_layout());
        let (Storage::Cuda(a), Storage::Cuda(b)) = (&*a, &*b) else { bail!("{NAME}: a tensor that is on no GPU") };
        let storage = device::convolve(pass, &self.shape, (a, la), (b, lb))?;
        Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
    }
}
