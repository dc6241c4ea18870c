//! Buffers without a needless zero fill, and pointers that tasks may share.

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::take;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Floats of unspecified value whose memory is used again once this is dropped.
///
/// A pass over a network asks for the same large buffers as the pass before. Fresh memory of this
/// size comes from the system page by page, each cleared first: that took as long as batch norm.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<f32>);

/// Smaller ones are the allocator's business.
const POOLED: usize = 1 << 14;

/// A buffer at rest is given back to the system after this many requests that did not need it: more
/// than a pass over a deep network makes.
const PATIENCE: u64 = 2000;

/// Buffers at rest.
struct Pool {
    /// With the number of the request they were last used for, the longest unused first.
    resting: VecDeque<(u64, Vec<f32>)>,
    requests: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { resting: VecDeque::new(), requests: 0 });

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// The smallest buffer that holds `len` floats and is not much too large.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        self.requests += 1;
        let fits = |v: &Vec<f32>| (len..=len + len / 4).contains(&v.capacity());
        let places = self.resting.iter().enumerate().filter(|(_, (_, v))| fits(v));
        let best = places.min_by_key(|(i, (_, v))| (v.capacity(), std::cmp::Reverse(*i))).map(|(i, _)| i);
        let found = best.and_then(|i| self.resting.remove(i));
        self.resting.pop_front_if(|(last, _)| *last + PATIENCE < self.requests);
        found.map(|(_, v)| v)
    }
}

impl Buffer {
    /// `len` floats, which the caller writes before it reads them.
    pub(crate) fn new(len: usize) -> Self {
        if len < POOLED {
            return Self(unfilled(len));
        }
        let found = pool().take(len);
        let Some(mut v) = found else { return Self(unfilled(len)) };
        // SAFETY: the capacity is there; see `unfilled` for the values.
        unsafe { v.set_len(len) };
        Self(v)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let v = take(&mut self.0);
        if v.capacity() >= POOLED {
            let mut pool = pool();
            let now = pool.requests;
            pool.resting.push_back((now, v));
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(sizes: &[usize]) -> Pool {
        Pool { resting: sizes.iter().map(|&n| (0, Vec::with_capacity(n))).collect(), requests: 0 }
    }

    #[test]
    fn the_smallest_that_fits_is_used_again() {
        let mut pool = pool_of(&[5000, 1200, 1000, 900]);
        assert_eq!(pool.take(1000).map(|v| v.capacity()), Some(1000));
        assert_eq!(pool.take(1000).map(|v| v.capacity()), Some(1200));
        assert!(pool.take(1000).is_none(), "much too large ones are for others");
        assert_eq!(pool.resting.len(), 2);
    }

    #[test]
    fn what_nobody_asks_for_leaves() {
        let mut pool = pool_of(&[5000, 1000]);
        for _ in 0..=PATIENCE + 1 {
            let v = pool.take(1000).expect("always there");
            pool.resting.push_back((pool.requests, v));
        }
        assert_eq!(pool.resting.iter().map(|(_, v)| v.capacity()).collect::<Vec<_>>(), [1000]);
    }
}
