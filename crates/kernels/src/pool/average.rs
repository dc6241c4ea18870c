//! The mean over all pixels.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// The mean over rows and columns: (N, H, W, C) to (N, C). Differentiable.
///
/// # Errors
/// Not f32 on one device, not four dimensions, or no pixels.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    check("global_avg_pool", &[x])?;
    match *x.dims() {
        [n, h, w, c] if h * w * c > 0 => x.contiguous()?.apply_op1(Average { n, h, w, c }),
        _ => bail!("global_avg_pool: expected (N, H, W, C), got {:?}", x.shape()),
    }
}

struct Average {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
}

impl CustomOp1 for Average {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("global_avg_pool", x, l)?;
        let (c, pixels) = (self.c, self.h * self.w);
        let size = pixels * c;
        Ok(produce((self.n, c), |y| {
            let out = Out::new(y);
            ranges(self.n, 1, x.len() / 4, |first, end| {
                for n in first..end {
                    // SAFETY: row n of y is this task's alone.
                    let y = unsafe { core::slice::from_raw_parts_mut(out.at(n * c), c) };
                    y.fill(0.0);
                    for pixel in x[n * size..(n + 1) * size].chunks_exact(c) {
                        for (y, x) in y.iter_mut().zip(pixel) {
                            *y += x;
                        }
                    }
                    for y in y {
                        *y /= pixels as f32;
                    }
                }
            });
        }))
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        Launch::each("average", (self.n, self.c)).ints([self.h * self.w, self.c]).run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let grad = || dy.contiguous()?.apply_op1_no_bwd(&AverageGrad(self));
        x.track_op().then(grad).transpose()
    }
}

struct AverageGrad<'a>(&'a Average);

impl CustomOp1 for AverageGrad<'_> {
    fn name(&self) -> &'static str {
        "global_avg_pool's gradient"
    }

    fn cpu_fwd(&self, dy: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let dy = floats("global_avg_pool", dy, l)?;
        let &Average { n, h, w, c } = self.0;
        let (pixels, size) = (h * w, h * w * c);
        Ok(produce((n, h, w, c), |dx| {
            let (out, len) = (Out::new(dx), dx.len());
            ranges(n, 1, len / 8, |first, end| {
                for n in first..end {
                    // SAFETY: image n of dx is this task's alone.
                    let dx = unsafe { core::slice::from_raw_parts_mut(out.at(n * size), size) };
                    let (first, rest) = dx.split_at_mut(c);
                    for (dx, dy) in first.iter_mut().zip(&dy[n * c..]) {
                        *dx = dy / pixels as f32;
                    }
                    for pixel in rest.chunks_exact_mut(c) {
                        pixel.copy_from_slice(first);
                    }
                }
            });
        }))
    }

    fn cuda_fwd(&self, dy: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let &Average { n, h, w, c } = self.0;
        Launch::each("average_grad", (n, h, w, c)).ints([h * w, c]).run(&[(dy, l)])
    }
}
