//! Buffers without a needless zero fill, and pointers that tasks may share.

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::take;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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
    spoil(&mut v);
    v
}

/// Where debug assertions are on, a value that a kernel forgets to write is no number.
fn spoil(v: &mut [f32]) {
    if cfg!(debug_assertions) {
        v.fill(f32::NAN);
    }
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

/// The value in `cell`, made by `make` if there is none. Not `get_or_init`: `make` uses rayon, whose
/// thread could take up a task that waits for the same cell, for ever. Two threads may do the work
/// twice instead.
pub(crate) fn made_once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if cell.get().is_none() {
        let _ = cell.set(make());
    }
    cell.get().unwrap_or_else(|| unreachable!("just set"))
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
    /// Floats at rest, in use, and the most that ever were in use.
    at_rest: usize,
    in_use: usize,
    most_in_use: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    const fn new() -> Self {
        Self { resting: VecDeque::new(), requests: 0, at_rest: 0, in_use: 0, most_in_use: 0 }
    }

    /// The smallest buffer that holds `len` floats and is not much too large.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        self.requests += 1;
        let fits = |v: &Vec<f32>| (len..=len + len / 4).contains(&v.capacity());
        let places = self.resting.iter().enumerate().filter(|(_, (_, v))| fits(v));
        let best = places.min_by_key(|(i, (_, v))| (v.capacity(), std::cmp::Reverse(*i))).map(|(i, _)| i);
        let found = best.and_then(|i| self.resting.remove(i)).map(|(_, v)| v);
        self.at_rest -= found.as_ref().map_or(0, Vec::capacity);
        self.in_use += found.as_ref().map_or(len, Vec::capacity);
        self.most_in_use = self.most_in_use.max(self.in_use);
        let oldest = self.requests.saturating_sub(PATIENCE);
        while self.drop_oldest_if(|_, last| last < oldest) {}
        found
    }

    /// Takes a buffer back. Of sizes that come and go, no more is kept than a pass with twice the need
    /// of any so far would use: less, and buffers of one pass would push out those of the next.
    fn give(&mut self, v: Vec<f32>) {
        self.in_use = self.in_use.saturating_sub(v.capacity());
        self.at_rest += v.capacity();
        self.resting.push_back((self.requests, v));
        while self.drop_oldest_if(|pool, _| pool.at_rest > 2 * pool.most_in_use) {}
    }

    fn drop_oldest_if(&mut self, condition: impl Fn(&Self, u64) -> bool) -> bool {
        let Some(last) = self.resting.front().map(|(last, _)| *last) else { return false };
        if !condition(self, last) {
            return false;
        }
        self.at_rest -= self.resting.pop_front().map_or(0, |(_, v)| v.capacity());
        true
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
        spoil(&mut v);
        Self(v)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let v = take(&mut self.0);
        if v.capacity() >= POOLED {
            pool().give(v);
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
        let resting = sizes.iter().map(|&n| (0, Vec::with_capacity(n))).collect();
        Pool { resting, at_rest: sizes.iter().sum(), ..Pool::new() }
    }

    fn capacities(pool: &Pool) -> Vec<usize> {
        pool.resting.iter().map(|(_, v)| v.capacity()).collect()
    }

    #[test]
    fn the_smallest_that_fits_is_used_again() {
        let mut pool = pool_of(&[5000, 1200, 1000, 900]);
        assert_eq!(pool.take(1000).map(|v| v.capacity()), Some(1000));
        assert_eq!(pool.take(1000).map(|v| v.capacity()), Some(1200));
        assert!(pool.take(1000).is_none(), "much too large ones are for others");
        assert_eq!(capacities(&pool), [5000, 900]);
    }

    #[test]
    fn what_nobody_asks_for_leaves() {
        let mut pool = pool_of(&[5000, 4000, 1000]);
        pool.most_in_use = 100_000;
        for _ in 0..=PATIENCE + 1 {
            let v = pool.take(1000).expect("always there");
            pool.give(v);
        }
        assert_eq!(capacities(&pool), [1000]);
    }

    #[test]
    fn sizes_that_drift_do_not_pile_up() {
        let mut pool = Pool::new();
        for len in (1000..200_000).step_by(400) {
            let v = pool.take(len).unwrap_or_else(|| Vec::with_capacity(len));
            pool.give(v);
            assert!(pool.at_rest <= 2 * pool.most_in_use && pool.in_use == 0, "{len}: {}", pool.at_rest);
            assert_eq!(pool.at_rest, capacities(&pool).iter().sum::<usize>());
        }
    }
}
