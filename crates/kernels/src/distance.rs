//! Squared distances between the rows of two matrices.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::tasks;
use candle::{CpuStorage, CudaStorage, CustomOp2, D, Layout, Result, Shape, Tensor, bail};

/// `||a_i - b_j||^2` of all rows of `a` (N, D) and `b` (M, D), as (N, M); gradients to both.
///
/// Differences are summed directly: expanding the square would cancel to noise for near rows, and
/// broadcasting would need N M D floats.
///
/// # Errors
/// Not f32 on one device, not matrices, or rows of different lengths.
pub fn squared_distances(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check("squared_distances", &[a, b])?;
    let ((_, d), (_, e)) = (a.dims2()?, b.dims2()?);
    if d != e {
        bail!("squared_distances: rows of {d} and of {e} numbers, shapes {:?} and {:?}", a.shape(), b.shape())
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, SquaredDistances)
}

struct SquaredDistances;

/// Sixteen partial sums, which the compiler keeps in vector registers.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += (a - b) * (a - b);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

impl CustomOp2 for SquaredDistances {
    fn name(&self) -> &'static str {
        "squared_distances"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((n, d), (m, _)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let (a, b) = (floats(self.name(), a, la)?, floats(self.name(), b, lb)?);
        Ok(produce((n, m), |out| {
            let out = Out::new(out);
            tasks(n, n * m * d / 8, |i| {
                // SAFETY: row i of the (n, m) output is this task's alone.
                let row = unsafe { core::slice::from_raw_parts_mut(out.at(i * m), m) };
                for (j, distance) in row.iter_mut().enumerate() {
                    *distance = squared_distance(&a[i * d..(i + 1) * d], &b[j * d..(j + 1) * d]);
                }
            });
        }))
    }

    fn cuda_fwd(&self, a: &CudaStorage, la: &Layout, b: &CudaStorage, lb: &Layout) -> Result<(CudaStorage, Shape)> {
        let ((n, d), (m, _)) = (la.shape().dims2()?, lb.shape().dims2()?);
        // 32 threads for each distance.
        Launch::threads(self.name(), (n, m), 32 * n * m).ints([m, d]).run(&[(a, la), (b, lb)])
    }

    /// `da_i = 2 sum_j g_ij (a_i - b_j)`, and the mirror image for b.
    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let pull = |g: &Tensor, from: &Tensor, to: &Tensor| -> Result<Tensor> {
            let own = from.broadcast_mul(&g.sum_keepdim(D::Minus1)?)?;
            (own - g.contiguous()?.matmul(to)?)? * 2.
        };
        let da = if a.track_op() { Some(pull(g, &a.detach(), &b.detach())?) } else { None };
        let db = if b.track_op() { Some(pull(&g.t()?, &b.detach(), &a.detach())?) } else { None };
        Ok((da, db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle::{Device, Var};

    #[test]
    fn values_and_gradients_are_those_of_the_broadcast_formula() -> Result<()> {
        let rows = |n: usize, d: usize, s: f32| {
            Var::from_vec((0..n * d).map(|i| (i as f32 * s).sin()).collect::<Vec<_>>(), (n, d), &Device::Cpu)
        };
        let (a, b) = (rows(5, 19, 0.7)?, rows(3, 19, 1.3)?);
        let g = rows(5, 3, 2.1)?.as_detached_tensor();
        let ours = squared_distances(&a, &b)?;
        let theirs = a.unsqueeze(1)?.broadcast_sub(&b.unsqueeze(0)?)?.sqr()?.sum(2)?;
        let near =
            |x: &Tensor, y: &Tensor| -> Result<bool> { Ok((x - y)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-4) };
        assert!(near(&ours, &theirs)?);
        let (ours, theirs) = ((ours * &g)?.sum_all()?.backward()?, (theirs * &g)?.sum_all()?.backward()?);
        for v in [&a, &b] {
            assert!(near(ours.get(v).unwrap(), theirs.get(v).unwrap())?);
        }
        Ok(())
    }

    #[test]
    fn a_row_is_at_distance_zero_from_itself() -> Result<()> {
        let a = Tensor::new(&[[1000.1f32, -7.3, 0.25]], &Device::Cpu)?;
        assert_eq!(squared_distances(&a, &a)?.to_vec2::<f32>()?, [[0.]]);
        Ok(())
    }
}
