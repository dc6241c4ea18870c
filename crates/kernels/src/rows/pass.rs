//! Passes over memory that nothing could be fused with.

use super::{Finish, Partial, Source, Sums};
use crate::isa::Isa;
use crate::memory::Out;
use crate::parallel::ranges;

/// Writes the values of `source` to `y` and finishes them.
pub(crate) fn fill(isa: Isa, source: &Source<'_>, c: usize, y: &mut [f32], finish: &Finish<'_>) {
    assert_eq!(source.len(), y.len());
    source.assert_channels(c);
    each(isa, Some(source), c, y, finish);
}

/// Finishes values where they are.
pub(crate) fn finish(isa: Isa, c: usize, y: &mut [f32], finish: &Finish<'_>) {
    each(isa, None, c, y, finish);
}

/// Mean and biased variance of each of `c` channels.
pub(crate) fn moments(isa: Isa, x: &[f32], c: usize) -> (Vec<f32>, Vec<f32>) {
    let sums = Sums::of_values();
    ranges(x.len() / c, 1 << 8, x.len() / 4, |first, end| {
        let mut partial = Partial::default();
        // SAFETY: these pixels exist.
        unsafe { sums.take(isa, x.as_ptr(), c, (first, end), &mut partial) };
        sums.gathered(partial);
    });
    sums.moments()
}

fn each(isa: Isa, source: Option<&Source<'_>>, c: usize, y: &mut [f32], finish: &Finish<'_>) {
    finish.assert_fits(y.len(), c);
    // Pieces that stay in the second-level cache between the two steps.
    let (pixels, piece) = (y.len() / c, (1usize << 14).div_ceil(c));
    let y = Out::new(y);
    ranges(pixels, piece, pixels * c / 4, |first, end| {
        let mut partial = Partial::default();
        for start in (first..end).step_by(piece) {
            let stop = (start + piece).min(end);
            // SAFETY: lengths and channels asserted; these pixels are this task's alone.
            unsafe {
                if let Some(source) = source {
                    source.fill(isa, c, start * c, (stop - start) * c, y.at(start * c));
                }
                finish.pixels(isa, y.at(0), c, (start, stop), &mut partial);
            }
        }
        finish.gathered(partial);
    });
}
