//! Keeping candle's threads out of the way of rayon's.

/// Candle's setting, read when its pool starts.
const SPIN_LIMIT: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

/// Makes candle's own threads go to sleep soon after their work instead of spinning for it.
///
/// Candle 0.11 runs its element-wise operations (the sums of gradients in `backward`, above all) on
/// a second thread pool, whose threads spin 25,000 times before they park and meanwhile take the
/// cores from the kernels of this crate: a tenth and more of a training step on two cores. This sets
/// candle's environment variable for it, unless the user has; results are the same.
///
/// To be called first thing in `main`: the environment can be changed soundly only while the process
/// has one thread, so later, or where this cannot be told (not on Linux), nothing is done. Returns
/// whether the variable is set.
pub fn quiet_candle_threads() -> bool {
    if std::env::var_os(SPIN_LIMIT).is_some() {
        return true;
    }
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(SPIN_LIMIT, "100") };
    }
    alone
}
