//! How long to wait for a Hub that fails, and how often to ask again.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// When to ask again, and when to give up.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Failures in a row, without a new byte between them, after which to give up.
    pub attempts: u32,
    /// The pause after the first failure; each further one doubles it.
    pub pause: Duration,
    /// The longest pause. A Hub that asks for a longer one (`Retry-After`) is given up at once.
    pub longest: Duration,
    /// How long a connection may be silent. A slow body has no limit as long as bytes arrive.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { attempts: 5, pause: Duration::from_millis(500), longest: seconds(60), silence: seconds(30) }
    }
}

/// One failure of many.
pub(crate) enum Failure {
    /// It may pass, perhaps after the time the Hub asked for.
    Passing(String, Option<Duration>),
    /// Asking again would not help.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// The failures of one undertaking.
pub(crate) struct Failures<'a> {
    patience: &'a Patience,
    stop: fn() -> ControlFlow<()>,
    count: u32,
}

impl<'a> Failures<'a> {
    pub(crate) fn new(patience: &'a Patience, stop: fn() -> ControlFlow<()>) -> Self {
        Self { patience, stop, count: 0 }
    }

    /// Something was achieved since the last failure.
    pub(crate) fn forget(&mut self) {
        self.count = 0;
    }

    /// Waits after `failure`; an error, which `give_up` makes of the reason, when that is of no use.
    pub(crate) fn wait(&mut self, failure: Failure, give_up: impl FnOnce(String) -> Error) -> Result<(), Error> {
        let (reason, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing(reason, asked) => (reason, asked),
        };
        let Patience { attempts, pause, longest, .. } = *self.patience;
        self.count += 1;
        if self.count >= attempts {
            return Err(give_up(format!("{reason}, {attempts} times in a row")));
        }
        if let Some(asked) = asked.filter(|asked| *asked > longest) {
            return Err(give_up(format!("{reason}; it asks to wait {} s", asked.as_secs())));
        }
        let pause = pause.saturating_mul(1 << (self.count - 1).min(16)).min(longest);
        let pause = asked.map_or(pause, |asked| asked.max(pause));
        tracing::info!("{reason}; asking again in {:.1} s", pause.as_secs_f64());
        sleep(pause, self.stop)
    }
}

/// Sleeps unless the caller wants to stop.
pub(crate) fn sleep(time: Duration, stop: fn() -> ControlFlow<()>) -> Result<(), Error> {
    const SLICE: Duration = Duration::from_millis(50);
    let end = Instant::now() + time;
    loop {
        if stop().is_break() {
            return Err(Error::Interrupted);
        }
        match end.checked_duration_since(Instant::now()) {
            Some(rest) if !rest.is_zero() => thread::sleep(rest.min(SLICE)),
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: fn() -> ControlFlow<()> = || ControlFlow::Break(());
    const GO_ON: fn() -> ControlFlow<()> = || ControlFlow::Continue(());

    fn passing(asked: Option<Duration>) -> Failure {
        Failure::Passing("HTTP 503".into(), asked)
    }

    fn give_up(reason: String) -> Error {
        Error::Client { reason }
    }

    #[test]
    fn it_gives_up_after_so_many_failures_in_a_row() {
        let patience = Patience { attempts: 3, pause: Duration::ZERO, ..Patience::default() };
        let mut failures = Failures::new(&patience, GO_ON);
        for _ in 0..5 {
            failures.wait(passing(None), give_up).unwrap();
            failures.forget();
        }
        failures.wait(passing(None), give_up).unwrap();
        failures.wait(passing(None), give_up).unwrap();
        let error = failures.wait(passing(None), give_up).unwrap_err().to_string();
        assert!(error.contains("HTTP 503, 3 times in a row"), "{error}");
    }

    #[test]
    fn a_hub_that_asks_for_hours_is_not_waited_for() {
        let patience = Patience::default();
        let hours = Some(Duration::from_secs(7200));
        let error = Failures::new(&patience, GO_ON).wait(passing(hours), give_up).unwrap_err().to_string();
        assert!(error.contains("it asks to wait 7200 s"), "{error}");
    }

    #[test]
    fn a_pause_ends_when_the_caller_wants_to_stop() {
        let patience = Patience { pause: Duration::from_secs(60), ..Patience::default() };
        let error = Failures::new(&patience, STOP).wait(passing(None), give_up).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
    }
}
