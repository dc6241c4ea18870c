//! The mean over all pixels.

use crate::host::{check, floats, produce, tensor, view};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// The mean over rows and columns: (N, H, W, C) to (N, C). Differentiable.
///
/// # Errors
/// Not f32 on the CPU, not four dimensions, or no pixels.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    check("global_avg_pool", &[x])?;
    match *x.dims() {
        [n, h, w, c] if h * w * c > 0 => x.contiguous()?.apply_op1(Average { n, pixels: h * w, c }),
        _ => bail!("global_avg_pool: expected (N, H, W, C), got {:?}", x.shape()),
    }
}

struct Average {
    n: usize,
    pixels: usize,
    c: usize,
}

impl CustomOp1 for Average {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("global_avg_pool", x, l)?;
        let (c, size) = (self.c, self.pixels * self.c);
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
                        *y /= self.pixels as f32;
                    }
                }
            });
        }))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let (c, size) = (self.c, self.pixels * self.c);
        let dy = dy.contiguous()?;
        let dy = view("global_avg_pool", &dy)?;
        let dy: &[f32] = &dy;
        let dx = tensor(x.shape(), |dx| {
            let (out, len) = (Out::new(dx), dx.len());
            ranges(self.n, 1, len / 8, |first, end| {
                for n in first..end {
                    // SAFETY: image n of dx is this task's alone.
                    let dx = unsafe { core::slice::from_raw_parts_mut(out.at(n * size), size) };
                    let (first, rest) = dx.split_at_mut(c);
                    for (dx, dy) in first.iter_mut().zip(&dy[n * c..]) {
                        *dx = dy / self.pixels as f32;
                    }
                    for pixel in rest.chunks_exact_mut(c) {
                        pixel.copy_from_slice(first);
                    }
                }
            });
        })?;
        Ok(Some(dx))
    }
}
