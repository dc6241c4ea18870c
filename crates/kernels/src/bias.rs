//! One number added per channel.

use crate::cuda::{self, Launch};
use crate::host::{check, floats, produce, tensor, view};
use crate::memory::Out;
use crate::parallel::{ranges, tasks};
use crate::relu::{mask, rectify};
use candle::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `act(x + b)` for `x` (..., C) and `b` (C,), where act is the rectifier if `relu`, else nothing.
/// Differentiable in both.
///
/// # Errors
/// Not f32 on one device, or `b` not one number per channel.
pub fn bias(x: &Tensor, b: &Tensor, relu: bool) -> Result<Tensor> {
    check("bias", &[x, b])?;
    match (x.dims().last(), b.dims()) {
        (Some(c), [n]) if c == n && *c > 0 => x.contiguous()?.apply_op2(&b.contiguous()?, Bias { relu }),
        _ => bail!("bias: {:?} does not fit x {:?}", b.shape(), x.shape()),
    }
}

struct Bias {
    relu: bool,
}

impl CustomOp2 for Bias {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, b) = (floats("bias", x, lx)?, floats("bias", b, lb)?);
        let c = b.len();
        Ok(produce(lx.shape(), |y| {
            let out = Out::new(y);
            ranges(x.len() / c, (1 << 12) / c + 1, x.len() / 4, |first, end| {
                // SAFETY: y is as long as x; these rows are this task's alone.
                let y = unsafe { core::slice::from_raw_parts_mut(out.at(first * c), (end - first) * c) };
                for (y, x) in y.chunks_exact_mut(c).zip(x[first * c..end * c].chunks_exact(c)) {
                    for ((y, x), b) in y.iter_mut().zip(x).zip(b) {
                        *y = if self.relu { rectify(x + b) } else { x + b };
                    }
                }
            });
        }))
    }

    fn cuda_fwd(&self, x: &CudaStorage, lx: &Layout, b: &CudaStorage, lb: &Layout) -> Result<(CudaStorage, Shape)> {
        let c = lb.shape().elem_count();
        Launch::each("bias", lx.shape()).ints([c, self.relu.into()]).run(&[(x, lx), (b, lb)])
    }

    fn bwd(&self, x: &Tensor, b: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = if self.relu { mask(y, dy)? } else { dy.clone() };
        let db = if b.track_op() { Some(column_sums(&dx, b.elem_count())?) } else { None };
        Ok((x.track_op().then_some(dx), db))
    }
}

/// The sum of all rows of `c` numbers, in a fixed order.
fn column_sums(t: &Tensor, c: usize) -> Result<Tensor> {
    let t = t.contiguous()?;
    if t.device().is_cuda() {
        return cuda::column_sums(&t, c);
    }
    let x = view("bias", &t)?;
    let x: &[f32] = &x;
    let rows = x.len() / c;
    let parts = rows.div_ceil(256).clamp(1, 32);
    let mut sums = vec![0.0f64; parts * c];
    let per = rows.div_ceil(parts);
    {
        let slots: Vec<_> = sums.chunks_mut(c).map(std::sync::Mutex::new).collect();
        tasks(parts, x.len() / 4, |part| {
            let rows = &x[(part * per).min(rows) * c..((part + 1) * per).min(rows) * c];
            let mut total = slots[part].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for row in rows.chunks_exact(c) {
                for (t, &v) in total.iter_mut().zip(row) {
                    *t += f64::from(v);
                }
            }
        });
    }
    tensor(c, |out| {
        for (i, out) in out.iter_mut().enumerate() {
            *out = sums.iter().skip(i).step_by(c).sum::<f64>() as f32;
        }
    })
}
