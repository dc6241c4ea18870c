//! Random numbers that are a function of what they are for.
//!
//! Nothing is shared and nothing is advanced: the numbers of an example depend on its key only, not
//! on the batch it came in, the threads, or what was drawn before. So a run can be interrupted and
//! resumed, and an example be looked at alone.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// What a stream of random numbers is for. Different keys have unrelated streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, or 0.
    pub epoch: u64,
    /// The index of the example in its dataset, or 0.
    pub example: u64,
    /// The restart of the attack, or 0.
    pub restart: u64,
}

impl Key {
    /// The stream: ChaCha with 8 rounds, its 256-bit key these four numbers in little-endian order.
    pub fn rng(self) -> ChaCha8Rng {
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip([self.seed, self.epoch, self.example, self.restart]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(seed)
    }

    /// The key of the same example for another purpose: the seed is combined (exclusive or) with
    /// the 64-bit FNV-1a hash of the purpose's name.
    #[must_use]
    pub fn domain(self, name: &str) -> Self {
        let hash =
            name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self { seed: self.seed ^ hash, ..self }
    }
}

/// Fills `out` with numbers uniform from `lo` to `hi`: one 32-bit word of the stream each, of which
/// the upper 24 bits `u` give `lo + (hi - lo) * u / 2^24` (rounded, so `hi` itself may occur if it is not near 0).
pub fn fill_uniform(key: Key, lo: f32, hi: f32, out: &mut [f32]) {
    let mut rng = key.rng();
    for x in out {
        let unit = (rng.random::<u32>() >> 8) as f32 / (1u32 << 24) as f32;
        *x = lo + (hi - lo) * unit;
    }
}

/// Fills `out` with normal numbers of mean 0 and deviation `std`: `rand_distr`'s ziggurat over the
/// stream, each drawn in 64 bits, rounded to 32, then multiplied.
pub fn fill_normal(key: Key, std: f32, out: &mut [f32]) {
    let mut rng = key.rng();
    for x in out {
        *x = std * rng.sample::<f64, _>(StandardNormal) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key { seed: 1, epoch: 2, example: 3, restart: 4 };

    #[test]
    fn the_sequence_is_fixed() {
        let mut u = [0.0; 4];
        fill_uniform(KEY, -1.0, 1.0, &mut u);
        assert_eq!(u, [0.3604797, -0.86731064, 0.31632113, -0.3094864]);
        let mut n = [0.0; 4];
        fill_normal(KEY, 1.0, &mut n);
        assert_eq!(n, [-0.32534668, -0.44603178, -0.95169085, -0.55725735]);
    }

    #[test]
    fn every_part_of_the_key_matters() {
        let keys = [
            KEY,
            Key { seed: 2, ..KEY },
            Key { epoch: 3, ..KEY },
            Key { example: 4, ..KEY },
            Key { restart: 5, ..KEY },
            KEY.domain("start"),
            KEY.domain("augment"),
        ];
        let first: std::collections::HashSet<u64> = keys.iter().map(|k| k.rng().random()).collect();
        assert_eq!(first.len(), keys.len());
    }

    #[test]
    fn moments_are_right() {
        let mut x = vec![0.0; 100_000];
        fill_uniform(KEY, -2.0, 4.0, &mut x);
        assert!(x.iter().all(|x| (-2.0..4.0).contains(x)));
        let mean = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
        assert!((mean(&x) - 1.0).abs() < 0.03);
        fill_normal(KEY, 0.5, &mut x);
        assert!(mean(&x).abs() < 0.01);
        let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
        assert!((mean(&squares) - 0.25).abs() < 0.01);
    }
}
