//! The updates of optimisers, in place.

mod adam;
mod sgd;

pub use adam::{AdamStep, adam_step};
pub use sgd::{SgdStep, sgd_step};

use crate::cuda::Launch;
use crate::host::floats;
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, InplaceOp3, Layout, Result, bail};

/// `a = rule(a, b, c)` element by element.
struct Update<F> {
    /// Of the operator.
    name: &'static str,
    /// On the CPU.
    rule: F,
    /// The same on a GPU.
    kernel: Launch,
}

impl<F: Fn(f32, f32, f32) -> f32 + Sync + Send> InplaceOp3 for Update<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        a: &mut CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        c: &CpuStorage,
        lc: &Layout,
    ) -> Result<()> {
        let Self { name, rule, .. } = self;
        let (b, c) = (floats(name, b, lb)?, floats(name, c, lc)?);
        let (CpuStorage::F32(a), Some((start, end))) = (a, la.contiguous_offsets()) else {
            bail!("{name}: expected contiguous f32, got {la:?}")
        };
        let a = Out::new(&mut a[start..end]);
        ranges(b.len(), 1 << 12, b.len() / 4, |first, end| {
            // SAFETY: all are equally long; first..end is this task's alone.
            let a = unsafe { core::slice::from_raw_parts_mut(a.at(first), end - first) };
            for ((a, &b), &c) in a.iter_mut().zip(&b[first..end]).zip(&c[first..end]) {
                *a = rule(*a, b, c);
            }
        });
        Ok(())
    }

    fn cuda_fwd(
        &self,
        a: &mut CudaStorage,
        la: &Layout,
        b: &CudaStorage,
        lb: &Layout,
        c: &CudaStorage,
        lc: &Layout,
    ) -> Result<()> {
        self.kernel.update((a, la), &[(b, lb), (c, lc)])
    }
}
