//! The updates of optimisers, in place.

mod adam;
mod sgd;

pub use adam::{AdamStep, adam_step};
pub use sgd::{SgdStep, sgd_step};

use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, Layout, Result, bail};

/// `a = f(a, b, c)` element by element.
fn update(
    of: &str,
    (a, la): (&mut CpuStorage, &Layout),
    (b, lb): (&CpuStorage, &Layout),
    (c, lc): (&CpuStorage, &Layout),
    f: impl Fn(f32, f32, f32) -> f32 + Sync + Send,
) -> Result<()> {
    let (b, c) = (crate::host::floats(of, b, lb)?, crate::host::floats(of, c, lc)?);
    let (CpuStorage::F32(a), Some((start, end))) = (a, la.contiguous_offsets()) else {
        bail!("{of}: expected contiguous f32, got {la:?}")
    };
    let a = Out::new(&mut a[start..end]);
    ranges(b.len(), 1 << 12, b.len() / 4, |first, end| {
        // SAFETY: all are equally long; first..end is this task's alone.
        let a = unsafe { core::slice::from_raw_parts_mut(a.at(first), end - first) };
        for ((a, &b), &c) in a.iter_mut().zip(&b[first..end]).zip(&c[first..end]) {
            *a = f(*a, b, c);
        }
    });
    Ok(())
}
