//! Buffers without a needless zero fill, and pointers that tasks may share.

use std::cell::Cell;

/// A vector of `len` floats of unspecified value, for a kernel that writes every one of them.
/// Zeroing would be a second pass over memory that costs as much as many of the kernels.
pub(crate) fn unfilled(len: usize) -> Vec<f32> {
    let mut v = Vec::with_capacity(len);
    // SAFETY: the capacity is there; every caller writes all elements before anything reads them,
    // and any bit pattern is an f32.
    #[allow(clippy::uninit_vec)]
    unsafe {
        v.set_len(len)
    };
    v
}

/// A place that several tasks write, each its own part.
#[derive(Clone, Copy)]
pub(crate) struct Out(*mut f32);

// SAFETY: only a pointer; whoever dereferences it answers for tasks writing disjoint parts.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

impl Out {
    pub(crate) fn new(v: &mut [f32]) -> Self {
        Self(v.as_mut_ptr())
    }
    /// The pointer to element `i`.
    ///
    /// # Safety
    /// `i` is at most the length of the slice.
    #[inline(always)]
    pub(crate) unsafe fn at(self, i: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }
}

// From a pointer into memory the caller owns.
impl From<*mut f32> for Out {
    fn from(p: *mut f32) -> Self {
        Self(p)
    }
}

/// Lends `f` this thread's scratch memory: `len` floats of unspecified value, 64-byte aligned.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(*mut f32) -> R) -> R {
    thread_local! { static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) }; }
    // Taken, not borrowed: a nested call (a task stolen while this one waits) finds an empty vector
    // and makes its own.
    let mut v = SCRATCH.take();
    if v.len() < len + 16 {
        v = unfilled(len + 16);
    }
    let skip = v.as_ptr().align_offset(64);
    let r = f(v[skip..].as_mut_ptr());
    SCRATCH.set(v);
    r
}
