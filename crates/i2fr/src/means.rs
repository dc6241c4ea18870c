//! Running class means.

use crate::reference::{Distances, class_means};
use candle::{Result, Tensor};
use objectives::Stage;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The mean feature of each class over training: `(K, D)`, and which classes were seen, `(K,)`.
#[derive(Default)]
pub(crate) struct Means(Mutex<Option<(Tensor, Tensor)>>);

const MEANS: &str = "i2fr.means";
const SEEN: &str = "i2fr.seen";

impl Means {
    /// Distances to the running means; until there are any, to those of the batch. A training pass
    /// then moves them by the batch's clean features.
    pub(crate) fn distances(
        &self,
        adv: &Tensor,
        clean: &Tensor,
        labels: &Tensor,
        classes: usize,
        decay: f64,
        stage: Stage,
    ) -> Result<Distances> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_batch = || class_means(&clean.detach(), labels, classes);
        let distances = match &*held {
            Some((means, seen)) => Distances::to_means(adv, means, seen, labels)?,
            None => {
                let (batch, present) = of_batch()?;
                Distances::to_means(adv, &batch, &present, labels)?
            }
        };
        if stage == Stage::Training {
            let (batch, present) = of_batch()?;
            *held = Some(match held.take() {
                None => (batch, present),
                Some((means, seen)) => {
                    // A class seen before moves part of the way; a new one starts at its batch mean;
                    // an absent one stays.
                    let pull = (&present * seen.affine(-decay, 1.)?)?.unsqueeze(1)?;
                    let moved = (&means + (batch - &means)?.broadcast_mul(&pull)?)?;
                    (moved, seen.maximum(&present)?)
                }
            });
        }
        Ok(distances)
    }

    pub(crate) fn memory(&self) -> BTreeMap<String, Tensor> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((means, seen)) => BTreeMap::from([(MEANS.into(), means.clone()), (SEEN.into(), seen.clone())]),
            None => BTreeMap::new(),
        }
    }

    pub(crate) fn restore(&self, memory: &BTreeMap<String, Tensor>) -> Result<()> {
        let held = match (memory.get(MEANS), memory.get(SEEN)) {
            (Some(means), Some(seen)) if means.rank() == 2 && seen.dims() == &means.dims()[..1] => {
                Some((means.clone(), seen.clone()))
            }
            (None, None) => None,
            _ => candle::bail!("the saved class means of I2FR are incomplete"),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }
}
