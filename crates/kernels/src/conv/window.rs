//! A kernel sliding over a zero-padded image, as rows of a matrix product.
//!
//! In a channels-last image the taps of one kernel row are adjacent, so one position of the window
//! is `kh` runs of `kw * c` floats. To have that at the borders too, the rows a task needs are
//! copied, with their zeros, into scratch memory that stays in the cache. Values that are computed
//! while they are read ([`Source`]) are computed then.

use crate::isa::Isa;
use crate::rows::Source;

/// Positions `(gy, gx)` of a `kh x kw` window over images of (`h`, `w`, `c`). Position 0 looks at
/// row `-top` and column `-left` (both may be negative: the window then starts inside).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) c: usize,
    pub(super) kh: usize,
    pub(super) kw: usize,
    pub(super) stride: usize,
    pub(super) top: isize,
    pub(super) left: isize,
    pub(super) gh: usize,
    pub(super) gw: usize,
}

/// Where the windows of some rows are: of row `r` at `starts[r]`, the next position `step` floats
/// on, the next kernel row `tap_stride` floats on.
pub(super) struct Staged {
    pub(super) starts: Vec<*const f32>,
    pub(super) step: usize,
    pub(super) tap_stride: usize,
}

impl Window {
    /// Floats of one image.
    pub(super) fn image(&self) -> usize {
        self.h * self.w * self.c
    }
    /// Whether the windows never leave the image and find the values there: nothing need be copied.
    fn in_place(&self, x: &Source<'_>) -> bool {
        matches!(x, Source::Plain(_))
            && self.top <= 0
            && self.left <= 0
            && ((self.gh - 1) * self.stride + self.kh) as isize - self.top <= self.h as isize
            && ((self.gw - 1) * self.stride + self.kw) as isize - self.left <= self.w as isize
    }
    fn padded_width(&self) -> usize {
        (self.gw - 1) * self.stride + self.kw
    }
    /// Floats of scratch for any `rows` consecutive rows of windows.
    pub(super) fn scratch(&self, rows: usize, x: &Source<'_>) -> usize {
        if self.in_place(x) {
            return 0;
        }
        // At most one image more than the rows fill starts a new run of kh rows.
        let images = rows.div_ceil(self.gh) + 1;
        (rows * self.stride + images * self.kh) * self.padded_width() * self.c
    }
    /// Rows per task: enough positions to use the registers well, few enough for the scratch to
    /// stay in the second-level cache, and at least 16 tasks if there is that much work.
    pub(super) fn rows_per_task(&self, rows: usize, positions: usize, cache: usize) -> usize {
        let line = 4 * self.stride * self.padded_width() * self.c;
        let fit = (cache / line.max(1)).max(1);
        let least = positions.div_ceil(self.gw);
        fit.max(least).min(rows.div_ceil(16).max(least)).clamp(1, rows.max(1))
    }

    /// Makes rows `first..end` of windows (counted over all images) readable as runs.
    ///
    /// # Safety
    /// `x` has all images these rows belong to, `scratch` is writable for [`Self::scratch`] of
    /// `end - first` floats; both outlive the use of the result.
    pub(super) unsafe fn stage(&self, isa: Isa, x: &Source<'_>, first: usize, end: usize, scratch: *mut f32) -> Staged {
        let mut starts = Vec::with_capacity(end - first);
        let step = self.stride * self.c;
        if let (Source::Plain(x), true) = (x, self.in_place(x)) {
            for r in first..end {
                let y = (r % self.gh * self.stride) as isize - self.top;
                let offset = (r / self.gh * self.h + y as usize) * self.w * self.c;
                // SAFETY: `in_place`: the row and the columns lie in the image.
                starts.push(unsafe { x.as_ptr().add(offset + (-self.left) as usize * self.c) });
            }
            return Staged { starts, step, tap_stride: self.w * self.c };
        }
        let line = self.padded_width() * self.c;
        let mut place = scratch;
        let mut r = first;
        while r < end {
            let (image, y0) = (r / self.gh, r % self.gh);
            let rows = (self.gh - y0).min(end - r);
            for i in 0..rows {
                // SAFETY: inside the scratch by its definition.
                starts.push(unsafe { place.add(i * self.stride * line) });
            }
            let lines = (rows - 1) * self.stride + self.kh;
            for l in 0..lines {
                let y = (y0 * self.stride + l) as isize - self.top;
                // SAFETY: the line lies in the scratch; the source row, if it exists, in the image.
                unsafe {
                    if l % self.stride >= self.kh {
                        // Between the windows.
                    } else if y < 0 || y >= self.h as isize {
                        place.write_bytes(0, line);
                    } else {
                        self.copy_line(isa, x, (image * self.h + y as usize) * self.w, place);
                    }
                    place = place.add(line);
                }
            }
            r += rows;
        }
        Staged { starts, step, tap_stride: line }
    }

    /// # Safety
    /// The row of an image that starts with pixel `row` of `x` exists, `to` is writable for one padded
    /// row.
    unsafe fn copy_line(&self, isa: Isa, x: &Source<'_>, row: usize, to: *mut f32) {
        let width = self.padded_width() as isize;
        // Padded column j is column j - left of the image.
        let from = self.left.clamp(0, width);
        let until = (self.w as isize + self.left).clamp(from, width);
        let c = self.c;
        // SAFETY: 0 <= from <= until <= width, and columns from - left .. until - left exist.
        unsafe {
            to.write_bytes(0, from as usize * c);
            if until > from {
                let at = (row + (from - self.left) as usize) * c;
                x.fill(isa, c, at, (until - from) as usize * c, to.add(from as usize * c));
            }
            to.add(until as usize * c).write_bytes(0, (width - until) as usize * c);
        }
    }
}
