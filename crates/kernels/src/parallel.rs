//! Splitting work over threads, only where it pays.

use rayon::prelude::*;

/// Below this many elementary operations (an element moved, a multiplication of registers) the
/// calling thread is done before another one has woken up.
const WORTH_IT: usize = 1 << 15;

/// Runs `body(0..count)`; on rayon's threads if the whole is at least [`WORTH_IT`].
/// The results may not depend on which thread runs which task.
pub(crate) fn tasks(count: usize, work: usize, body: impl Fn(usize) + Sync + Send) {
    if count < 2 || work < WORTH_IT {
        (0..count).for_each(body);
    } else {
        (0..count).into_par_iter().for_each(body);
    }
}

/// Runs `body(start, end)` over `0..len` cut into pieces of at least `grain` and at most 64 pieces.
pub(crate) fn ranges(len: usize, grain: usize, work: usize, body: impl Fn(usize, usize) + Sync + Send) {
    let piece = grain.max(len.div_ceil(64)).max(1);
    tasks(len.div_ceil(piece), work, |i| body(i * piece, ((i + 1) * piece).min(len)));
}
