//! What a training is told, what it reports and what it leaves.

use crate::{Averaging, OptimizerConfig, Schedule};
use attacks::Probe;
use candle::Tensor;
use data::Augment;
use std::collections::BTreeMap;

/// How a network is trained.
#[derive(Clone)]
pub struct TrainingConfig {
    /// Passes over the training set.
    pub epochs: usize,
    /// Examples a step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// How weights follow their gradients.
    pub optimizer: OptimizerConfig,
    /// How the weights that are measured and kept are averaged; `None`: they are those of the latest step.
    pub averaging: Option<Averaging>,
    /// What is done to training images.
    pub augment: Augment,
    /// Seed of every random draw.
    pub seed: u64,
    /// The attack under which the held-out examples choose the best epoch; `None`: clean accuracy does.
    pub selection: Option<Probe>,
}

/// What a training step reports.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Steps done since training began.
    pub done: usize,
    /// Steps in the whole training.
    pub total: usize,
    /// Examples in this step.
    pub examples: usize,
    /// Its mean loss.
    pub loss: f64,
}

/// What an epoch reports; accuracies in percent of the held-out examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate of its last step.
    pub lr: f64,
    /// Mean of its steps' losses.
    pub loss: f64,
    /// Accuracy on clean held-out examples.
    pub clean_percent: f64,
    /// Accuracy under the attack that selects the best epoch; equal to clean when there is none.
    pub robust_percent: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

/// Where an interrupted training stands; with the network, everything [`Trainer::resume`](crate::Trainer::resume) needs.
#[derive(Clone)]
pub struct Resume {
    /// Epochs done.
    pub epochs: usize,
    /// Steps done of the epoch after them.
    pub step: usize,
    /// Sum of the losses of those steps.
    pub loss_sum: f64,
    /// Accuracy of the best epoch, percent of the held-out examples.
    pub best_percent: Option<f64>,
    /// Weights and buffers.
    pub net: BTreeMap<String, Tensor>,
    /// What the optimiser remembers.
    pub optimizer: BTreeMap<String, Tensor>,
    /// What the terms of the training objective have learnt.
    pub memory: BTreeMap<String, Tensor>,
    /// Averaged weights, if training averages any.
    pub average: BTreeMap<String, Tensor>,
}
