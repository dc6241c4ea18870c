//! The random numbers of one example in one run.

use kernels::Key;

/// Numbers drawn at a time: a key's stream costs its set-up once for all of them.
const BLOCK: usize = 512;

/// Numbers uniform in [0, 1), block by block, each block from a key of its own.
pub(super) struct Stream {
    key: Key,
    blocks: u64,
    values: [f32; BLOCK],
    used: usize,
}

impl Stream {
    /// The numbers of `key`'s example and restart.
    pub(super) fn new(key: Key) -> Self {
        Self { key, blocks: 0, values: [0.; BLOCK], used: BLOCK }
    }

    fn next(&mut self) -> f32 {
        if self.used == BLOCK {
            let key = self.key.domain(&format!("square search, block {}", self.blocks));
            kernels::fill_uniform(key, 0., 1., &mut self.values);
            (self.blocks, self.used) = (self.blocks + 1, 0);
        }
        self.used += 1;
        self.values[self.used - 1]
    }

    /// Heads or tails.
    pub(super) fn coin(&mut self) -> bool {
        self.next() < 0.5
    }

    /// -1 or 1.
    pub(super) fn sign(&mut self) -> f32 {
        if self.coin() { -1. } else { 1. }
    }

    /// One of `0..=last`.
    pub(super) fn upto(&mut self, last: usize) -> usize {
        ((self.next() * (last + 1) as f32) as usize).min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key { seed: 1, epoch: 0, example: 2, restart: 0 };

    #[test]
    fn numbers_repeat_for_the_same_key_only() {
        let draw = |key| {
            let mut stream = Stream::new(key);
            (0..2 * BLOCK + 3).map(|_| stream.next()).collect::<Vec<_>>()
        };
        let numbers = draw(KEY);
        assert_eq!(numbers, draw(KEY));
        for other in [Key { seed: 2, ..KEY }, Key { epoch: 1, ..KEY }, Key { example: 3, ..KEY }] {
            assert_ne!(numbers, draw(other));
        }
        assert_ne!(numbers, draw(Key { restart: 1, ..KEY }));
        assert_ne!(numbers[..BLOCK], numbers[BLOCK..2 * BLOCK]);
    }

    #[test]
    fn every_position_and_sign_is_as_likely() {
        let mut stream = Stream::new(KEY);
        let mut counts = [0; 4];
        (0..8000).for_each(|_| counts[stream.upto(3)] += 1);
        assert!(counts.iter().all(|count| (1850..2150).contains(count)), "{counts:?}");
        let ups = (0..8000).filter(|_| stream.sign() > 0.).count();
        assert!((3800..4200).contains(&ups), "{ups}");
        assert!((0..100).all(|_| stream.upto(0) == 0));
    }
}
