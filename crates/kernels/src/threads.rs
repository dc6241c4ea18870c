//! Keeping candle's threads out of the way of rayon's.

/// Candle's setting, read when its pool starts.
const CANDLE_THREADS: &str = "CANDLE_NUM_THREADS";

/// Makes candle run its own element-wise operations on the calling thread.
///
/// Candle 0.11 has a second thread pool for them (the sums of gradients in `backward`, above all). Both
/// its workers and the thread that waits for them spin, and so take the cores from the kernels of this
/// crate; on a shared machine, where a worker may not be running at all, a training step of a small
/// network took up to three times as long. This sets candle's environment variable for it, unless the
/// user has; results are the same.
///
/// To be called first thing in `main`: the environment can be changed soundly only while the process
/// has one thread, so later, or where this cannot be told (not on Linux), nothing is done. Returns
/// whether the variable is set.
pub fn quiet_candle_threads() -> bool {
    if std::env::var_os(CANDLE_THREADS).is_some() {
        return true;
    }
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(CANDLE_THREADS, "1") };
    }
    alone
}
