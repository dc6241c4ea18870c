//! An evaluation as the evidence of an audit.

use crate::{audit::Evidence, evaluation::Examination, verdicts::Place};
use anyhow::Result;
use attacks::Ball;

/// Answers an audit's questions about the first `examples` test images.
pub struct Examined<'a, 'b> {
    /// Where the answers are.
    pub examination: &'a mut Examination<'b>,
    /// How many images.
    pub examples: usize,
    /// Whether to run attacks whose answers are not known yet.
    pub measure: bool,
}

impl Evidence for Examined<'_, '_> {
    fn stands(&mut self, attack: &str, ball: Ball) -> Result<Option<Vec<bool>>> {
        let Self { examination, examples, measure } = self;
        // Without a surrogate there is no transfer.
        if examination.arsenal.stages(attack).is_err() {
            return Ok(None);
        }
        let mut place = examination.place.clone();
        if place.ball()? != ball {
            place = Place { norm: ball.norm.to_string(), epsilon: ball.eps.to_string(), ..place };
        }
        let outcome = match measure {
            true => Some(examination.outcome_within(place, attack, *examples)?),
            false => examination.known(&place, attack, *examples)?,
        };
        Ok(outcome.map(|outcome| outcome.correct))
    }
}
