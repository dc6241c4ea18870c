//! The parameter-free shortcut of CIFAR ResNets ("option A").

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Every `stride`-th row and column of `x` (N, H, W, C), with `(channels - C) / 2` channels of zeros
/// on both sides: (N, ceil(H / stride), ceil(W / stride), channels). Differentiable.
///
/// # Errors
/// Not f32 on one device, not four dimensions, stride 0, fewer `channels` than `x` has, or an odd
/// number more.
pub fn shortcut_a(x: &Tensor, stride: usize, channels: usize) -> Result<Tensor> {
    check("shortcut_a", &[x])?;
    x.contiguous()?.apply_op1(Shortcut::new(x.dims(), stride, channels)?)
}

/// All sizes of one shortcut, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shortcut {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    oh: usize,
    ow: usize,
    channels: usize,
    stride: usize,
}

impl Shortcut {
    pub(crate) fn new(x: &[usize], stride: usize, channels: usize) -> Result<Self> {
        let &[n, h, w, c] = x else { bail!("shortcut_a: expected (N, H, W, C), got {x:?}") };
        if stride == 0 || c == 0 || channels < c || !(channels - c).is_multiple_of(2) {
            bail!("shortcut_a: stride {stride} and {channels} channels do not fit {x:?}")
        }
        Ok(Self { n, h, w, c, oh: h.div_ceil(stride), ow: w.div_ceil(stride), channels, stride })
    }

    /// (N, H, W, C)
    fn input(&self) -> [usize; 4] {
        [self.n, self.h, self.w, self.c]
    }

    fn launch(&self, kernel: &'static str, result: &[usize]) -> Launch {
        let &Self { h, w, c, oh, ow, channels, stride, .. } = self;
        Launch::each(kernel, result).ints([h, w, c, oh, ow, channels, stride])
    }

    /// (N, H', W', channels)
    pub(crate) fn output(&self) -> [usize; 4] {
        [self.n, self.oh, self.ow, self.channels]
    }

    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (c, channels) = (self.c, self.channels);
        let (image, line) = (self.h * self.w * c, self.ow * channels);
        let before = (channels - c) / 2;
        assert!(x.len() == self.n * image && y.len() == self.n * self.oh * line);
        let (out, len) = (Out::new(y), y.len());
        ranges(self.n * self.oh, 8, len / 4, |first, end| {
            for r in first..end {
                let row = &x[r / self.oh * image + r % self.oh * self.stride * self.w * c..];
                // SAFETY: row r of y is this task's alone.
                let y = unsafe { core::slice::from_raw_parts_mut(out.at(r * line), line) };
                for (y, x) in y.chunks_exact_mut(channels).zip(row.chunks(c * self.stride)) {
                    y[..before].fill(0.0);
                    y[before..before + c].copy_from_slice(&x[..c]);
                    y[before + c..].fill(0.0);
                }
            }
        });
    }

    pub(crate) fn input_grad(&self, dy: &[f32], dx: &mut [f32]) {
        let (c, channels, s) = (self.c, self.channels, self.stride);
        let before = (channels - c) / 2;
        let line = self.w * c;
        assert!(dx.len() == self.n * self.h * line && dy.len() == self.n * self.oh * self.ow * channels);
        let (out, len) = (Out::new(dx), dx.len());
        ranges(self.n * self.h, 8, len / 4, |first, end| {
            for r in first..end {
                // SAFETY: row r of dx is this task's alone.
                let dx = unsafe { core::slice::from_raw_parts_mut(out.at(r * line), line) };
                dx.fill(0.0);
                let (n, y) = (r / self.h, r % self.h);
                if y.is_multiple_of(s) {
                    let dy = &dy[(n * self.oh + y / s) * self.ow * channels..];
                    for (dx, dy) in dx.chunks_mut(c * s).zip(dy.chunks_exact(channels)) {
                        dx[..c].copy_from_slice(&dy[before..before + c]);
                    }
                }
            }
        });
    }
}

impl CustomOp1 for Shortcut {
    fn name(&self) -> &'static str {
        "shortcut_a"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("shortcut_a", x, l)?;
        Ok(produce(&self.output()[..], |y| self.forward(x, y)))
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        self.launch("shortcut_a", &self.output()).run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let grad = || dy.contiguous()?.apply_op1_no_bwd(&ShortcutGrad(*self));
        x.track_op().then(grad).transpose()
    }
}

struct ShortcutGrad(Shortcut);

impl CustomOp1 for ShortcutGrad {
    fn name(&self) -> &'static str {
        "shortcut_a's gradient"
    }

    fn cpu_fwd(&self, dy: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let dy = floats("shortcut_a", dy, l)?;
        Ok(produce(&self.0.input()[..], |dx| self.0.input_grad(dy, dx)))
    }

    fn cuda_fwd(&self, dy: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        self.0.launch("shortcut_a_grad", &self.0.input()).run(&[(dy, l)])
    }
}
