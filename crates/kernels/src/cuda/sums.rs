//! Sums over rows of channels, in two stages and a fixed order.

use super::Launch;
use candle::{Result, Tensor};

/// How many rows a thread of the first stage adds up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) rows: usize,
    pub(super) c: usize,
    pub(super) per: usize,
    pub(super) count: usize,
}

impl Parts {
    /// Threads enough to fill a GPU, but at least 16 rows for each, so that the second stage has less to do.
    pub(super) fn of(rows: usize, c: usize) -> Self {
        const THREADS: usize = 1 << 16;
        let wanted = (THREADS / c).max(1);
        let per = rows.div_ceil(wanted).max(16);
        Self { rows, c, per, count: rows.div_ceil(per) }
    }

    /// The first stage of `function`, which makes `quantities` numbers per part and channel.
    pub(super) fn first(&self, function: &'static str, quantities: usize) -> Launch {
        let &Self { rows, c, per, count } = self;
        Launch::threads(function, (count, quantities, c), count * c).ints([c, rows, per])
    }

    /// The second stage.
    pub(super) fn fold(&self, parts: &Tensor, quantities: usize) -> Result<Tensor> {
        let columns = quantities * self.c;
        Launch::blocks("fold", (quantities, self.c), columns, FOLD_THREADS).ints([self.count, columns]).on(&[parts])
    }
}

/// As in `kernels/sums.cuh`.
pub(super) const FOLD_THREADS: usize = 128;

/// The sum of all rows of `c` numbers.
pub(crate) fn column_sums(x: &Tensor, c: usize) -> Result<Tensor> {
    let parts = Parts::of(x.elem_count() / c, c);
    parts.fold(&parts.first("column_parts", 1).on(&[x])?, 1)?.flatten_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_rows_and_none_is_empty() {
        for (rows, c) in [(1, 1), (16, 3), (17, 640), (131_072, 64), (1_000_003, 16), (5, 100_000)] {
            let Parts { per, count, .. } = Parts::of(rows, c);
            assert!(count * per >= rows && (count - 1) * per < rows, "{rows} rows, {c} channels");
        }
    }
}
