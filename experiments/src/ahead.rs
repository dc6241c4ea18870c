//! How long the rest of a grid will take, by what was done of it so far.

use indicatif::HumanDuration;
use std::time::{Duration, Instant};

/// What is left, for people, when `done` of it took `took`.
pub(crate) fn left(took: Duration, done: f64, rest: f64) -> String {
    let seconds = took.as_secs_f64() * rest / done;
    match Duration::try_from_secs_f64(seconds) {
        Ok(left) if done > 0. => HumanDuration(left).to_string(),
        // Until something is done nothing is known of the rest.
        _ => "unknown".to_owned(),
    }
}

/// Pieces of work of different sizes. Only their proportions matter.
pub(crate) struct Ahead {
    sizes: Vec<f64>,
    /// How many were begun.
    begun: usize,
    /// How much of the last one is done, and of that, how much was done before.
    fraction: f64,
    before: Option<f64>,
    /// What the ones before it came to, and the time it took.
    done: f64,
    took: Duration,
    since: Instant,
}

impl Ahead {
    /// Pieces of `sizes`; 0 for one that is done already.
    pub(crate) fn new(sizes: Vec<f64>) -> Self {
        let (took, since) = (Duration::ZERO, Instant::now());
        Self { sizes, begun: 0, fraction: 0., before: None, done: 0., took, since }
    }

    /// How many there are.
    pub(crate) fn pieces(&self) -> usize {
        self.sizes.len()
    }

    /// The next piece begins.
    pub(crate) fn begin(&mut self) {
        self.begun += 1;
        (self.fraction, self.before, self.since) = (0., None, Instant::now());
    }

    /// The piece under way is done by so much; the first time that was done before.
    pub(crate) fn at(&mut self, fraction: f64) {
        self.before.get_or_insert(fraction);
        self.fraction = fraction;
    }

    /// The piece under way is done. Time in which there was nothing of it to do tells nothing.
    pub(crate) fn end(&mut self, worked: bool) {
        self.fraction = 1.;
        if worked && self.size() > 0. {
            self.done += self.fresh();
            self.took += self.since.elapsed();
        }
        // It is no longer the last one.
        self.before = Some(1.);
        self.since = Instant::now();
    }

    fn size(&self) -> f64 {
        self.begun.checked_sub(1).and_then(|last| self.sizes.get(last)).copied().unwrap_or(0.)
    }

    /// How much of the piece under way was done by this process.
    fn fresh(&self) -> f64 {
        self.size() * (self.fraction - self.before.unwrap_or(0.))
    }

    /// What is left of all, for people.
    pub(crate) fn eta(&self) -> String {
        self.eta_at(Instant::now())
    }

    fn eta_at(&self, now: Instant) -> String {
        let rest = self.sizes.iter().skip(self.begun).sum::<f64>() + self.size() * (1. - self.fraction);
        let fresh = self.fresh();
        let running = if fresh > 0. { now - self.since } else { Duration::ZERO };
        left(self.took + running, self.done + fresh, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_by_what_is_done() {
        let minute = Duration::from_secs(60);
        assert_eq!(left(minute, 1., 2.), "2 minutes");
        assert_eq!(left(minute, 2., 0.), "0 seconds");
        for (done, rest) in [(0., 1.), (0., 0.), (1e-300, 1e300)] {
            assert_eq!(left(minute, done, rest), "unknown");
        }
    }

    /// A grid at some point, of which what is done took a minute.
    fn after_a_minute(sizes: &[f64], work: impl FnOnce(&mut Ahead)) -> String {
        let mut ahead = Ahead::new(sizes.to_vec());
        work(&mut ahead);
        ahead.took = Duration::from_secs(60);
        ahead.eta()
    }

    #[test]
    fn only_what_this_process_did_counts() {
        let first = |worked: bool| {
            move |ahead: &mut Ahead| {
                ahead.begin();
                ahead.end(worked);
            }
        };
        assert_eq!(after_a_minute(&[1., 2., 3.], first(true)), "5 minutes");
        assert_eq!(after_a_minute(&[1., 2., 3.], first(false)), "unknown", "nothing was done");
        assert_eq!(after_a_minute(&[0., 2., 3.], first(true)), "unknown", "it was trained already");
        let resumed = |ahead: &mut Ahead| {
            ahead.begin();
            ahead.at(0.75);
            ahead.end(true);
        };
        assert_eq!(after_a_minute(&[4., 3.], resumed), "3 minutes", "a quarter of four took a minute");
        assert_eq!(after_a_minute(&[4.], resumed), "0 seconds");
    }

    #[test]
    fn a_piece_under_way_counts_by_its_part() {
        let mut ahead = Ahead::new(vec![8., 8.]);
        assert_eq!(ahead.eta(), "unknown");
        ahead.begin();
        assert_eq!(ahead.eta(), "unknown");
        ahead.at(0.5);
        assert_eq!(ahead.eta(), "unknown", "that may have been done before");
        ahead.at(0.75);
        // A quarter took ten minutes; a quarter and another whole are left.
        assert_eq!(ahead.eta_at(ahead.since + Duration::from_secs(600)), "50 minutes");
    }
}
