//! The largest of each 2x2 square.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// The maximum of each 2x2 square: (N, H, W, C) to (N, H / 2, W / 2, C); an odd last row or column
/// is dropped. Differentiable; of equal maxima the first in row-major order gets the gradient, as in
/// PyTorch. (Flat backgrounds make ties frequent, and candle's own derivative is wrong.)
///
/// # Errors
/// Not f32 on one device, not four dimensions, or fewer than two rows or columns.
pub fn max_pool2(x: &Tensor) -> Result<Tensor> {
    check("max_pool2", &[x])?;
    match *x.dims() {
        [n, h, w, c] if h > 1 && w > 1 && c > 0 => x.contiguous()?.apply_op1(Max { n, h, w, c }),
        _ => bail!("max_pool2: expected (N, H, W, C) of at least 2x2, got {:?}", x.shape()),
    }
}

struct Max {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
}

impl Max {
    /// The two input rows of output row `r`, counted over all images.
    fn rows<'a>(&self, x: &'a [f32], r: usize) -> (&'a [f32], &'a [f32]) {
        let (oh, line) = (self.h / 2, self.w * self.c);
        let start = (r / oh * self.h + r % oh * 2) * line;
        x[start..start + 2 * line].split_at(line)
    }
}

/// Whether `b`, later in order, replaces `a`. A NaN does, and stays.
#[inline(always)]
fn beats(b: f32, a: f32) -> bool {
    b > a || (b.is_nan() && !a.is_nan())
}

impl CustomOp1 for Max {
    fn name(&self) -> &'static str {
        "max_pool2"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("max_pool2", x, l)?;
        let (oh, ow, c) = (self.h / 2, self.w / 2, self.c);
        Ok(produce((self.n, oh, ow, c), |y| {
            let out = Out::new(y);
            ranges(self.n * oh, 4, x.len() / 4, |first, end| {
                for r in first..end {
                    let (top, bottom) = self.rows(x, r);
                    // SAFETY: row r of y is this task's alone.
                    let y = unsafe { core::slice::from_raw_parts_mut(out.at(r * ow * c), ow * c) };
                    for (ox, y) in y.chunks_exact_mut(c).enumerate() {
                        let (top, bottom) = (&top[2 * ox * c..][..2 * c], &bottom[2 * ox * c..][..2 * c]);
                        for i in 0..c {
                            let mut best = top[i];
                            for v in [top[c + i], bottom[i], bottom[c + i]] {
                                best = if beats(v, best) { v } else { best };
                            }
                            y[i] = best;
                        }
                    }
                }
            });
        }))
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let &Self { n, h, w, c } = self;
        Launch::each("max_pool2", (n, h / 2, w / 2, c)).ints([h, w, c]).run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let grad = || x.apply_op2_no_bwd(&dy.contiguous()?, &MaxGrad(self));
        x.track_op().then(grad).transpose()
    }
}

struct MaxGrad<'a>(&'a Max);

impl CustomOp2 for MaxGrad<'_> {
    fn name(&self) -> &'static str {
        "max_pool2's gradient"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, dy: &CpuStorage, ld: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, dy) = (floats("max_pool2", x, lx)?, floats("max_pool2", dy, ld)?);
        let max = self.0;
        Ok(produce(lx.shape(), |dx| {
            let (oh, ow, c, line) = (max.h / 2, max.w / 2, max.c, max.w * max.c);
            let out = Out::new(dx);
            ranges(max.n * max.h, 8, x.len() / 4, |first, end| {
                for r in first..end {
                    // SAFETY: row r of dx is this task's alone.
                    let dx = unsafe { core::slice::from_raw_parts_mut(out.at(r * line), line) };
                    dx.fill(0.0);
                    let (n, y) = (r / max.h, r % max.h);
                    if y / 2 == oh {
                        continue;
                    }
                    let (top, bottom) = max.rows(x, n * oh + y / 2);
                    let dy = &dy[(n * oh + y / 2) * ow * c..][..ow * c];
                    for ox in 0..ow {
                        for i in 0..c {
                            let at = 2 * ox * c + i;
                            let values = [top[at], top[at + c], bottom[at], bottom[at + c]];
                            let mut best = 0;
                            for v in 1..4 {
                                best = if beats(values[v], values[best]) { v } else { best };
                            }
                            if best / 2 == y % 2 {
                                dx[at + best % 2 * c] = dy[ox * c + i];
                            }
                        }
                    }
                }
            });
        }))
    }

    fn cuda_fwd(&self, x: &CudaStorage, lx: &Layout, dy: &CudaStorage, ld: &Layout) -> Result<(CudaStorage, Shape)> {
        let &Max { h, w, c, .. } = self.0;
        Launch::each("max_pool2_grad", lx.shape()).ints([h, w, c]).run(&[(x, lx), (dy, ld)])
    }
}
