//! Adversarial weight perturbation, Wu et al. 2020, with the conventions of the official code.
//!
//! Training descends the loss at the worst weights nearby: an ascent step gives each weight of two or
//! more dimensions a direction as long as the weight itself, of which a share gamma is added while
//! the loss is differentiated. It wraps any training loss.

use candle::{Result, Tensor, backprop::GradStore};
use models::{Net, Parameters};
use objectives::Stage;
use std::collections::BTreeMap;

/// Keeps a division by the length of a zero gradient finite, as in the official code.
const TINY: f64 = 1e-20;

/// How far weights are perturbed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Awp {
    /// Length of a perturbation as a share of its weight's length; the official code uses 0.01 for
    /// PGD-AT and 0.005 for TRADES.
    pub gamma: f64,
}

/// Directions by the names of the weights they belong to, not yet scaled by gamma.
pub type Directions = BTreeMap<String, Tensor>;

/// The direction in which `weight` is perturbed, given the `gradient` of the ascended loss:
/// `||w|| / (||g|| + tiny) g`, of any shape, norms over the whole tensor.
///
/// The official code steps a copy of the network by SGD and scales the difference; the step's length
/// cancels, so none is taken here, and none of the difference is lost to rounding.
///
/// # Errors
/// When the shapes differ.
pub fn weight_direction(weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let norm = |t: &Tensor| t.detach().sqr()?.sum_all()?.sqrt();
    gradient.detach().broadcast_mul(&(norm(weight)? / (norm(gradient)? + TINY)?)?)
}

impl Awp {
    /// The directions that ascend `loss`, a scalar, for every trainable weight of two or more
    /// dimensions that it depends on: no biases, no gains of batch normalisation.
    ///
    /// As with the official code's copy, running statistics are the same before and after, bit for bit,
    /// whatever mode `loss` runs the network in.
    ///
    /// # Errors
    /// When `loss` fails, or memory cannot be allocated.
    pub fn directions(net: &mut Net, loss: impl FnOnce(&Net) -> Result<Tensor>) -> Result<Directions> {
        let buffers = saved(net, |_, trainable| !trainable)?;
        let ascent = loss(net).and_then(|loss| loss.backward()).and_then(|grads| directions(net.parameters(), &grads));
        net.update(|parameters| restore(parameters, &buffers))?;
        ascent
    }

    /// What `run` returns with the weights perturbed along `directions`. Afterwards they have the same
    /// bits as before, whether or not `run` failed.
    ///
    /// Candle's graphs share the storage of the weights, so `run` must also differentiate what it
    /// computes: after it, the graph would see the restored weights.
    ///
    /// # Errors
    /// When `run` fails, or a direction does not fit its weight.
    pub fn perturbed<R>(
        self,
        net: &mut Net,
        directions: &Directions,
        run: impl FnOnce(&Net) -> Result<R>,
    ) -> Result<R> {
        let weights = saved(net, |name, _| directions.contains_key(name))?;
        if let Some(unknown) = directions.keys().find(|name| !weights.contains_key(*name)) {
            candle::bail!("the network has no weight {unknown} to perturb")
        }
        let moved = net.update(|parameters| -> Result<()> {
            for (name, var) in parameters.trainable() {
                if let Some(direction) = directions.get(name) {
                    var.set(&(var.as_detached_tensor() + (direction * self.gamma)?)?)?;
                }
            }
            Ok(())
        });
        let result = moved.and_then(|()| run(net));
        net.update(|parameters| restore(parameters, &weights))?;
        result
    }

    /// The loss at the perturbed weights, and its gradients, for an optimiser to step the restored
    /// weights with. `loss` runs twice: as [`Stage::Generation`] to find the worst weights, where nothing is
    /// remembered and running statistics are put back, and as [`Stage::Training`].
    ///
    /// The official code steps before it restores; the difference is that its weight decay acts on the
    /// perturbed weights.
    ///
    /// # Errors
    /// When `loss` fails, or memory cannot be allocated.
    pub fn gradients(self, net: &mut Net, loss: impl Fn(&Net, Stage) -> Result<Tensor>) -> Result<(Tensor, GradStore)> {
        let directions = Self::directions(net, |net| loss(net, Stage::Generation))?;
        self.perturbed(net, &directions, |net| {
            let loss = loss(net, Stage::Training)?;
            let grads = loss.backward()?;
            Ok((loss.detach(), grads))
        })
    }
}

fn directions(parameters: &Parameters, grads: &GradStore) -> Result<Directions> {
    let weights = parameters.trainable().filter(|(_, var)| var.rank() >= 2);
    weights
        .filter_map(|(name, var)| Some((name, var, grads.get(var)?)))
        .map(|(name, var, grad)| Ok((name.to_owned(), weight_direction(&var.as_detached_tensor(), grad)?)))
        .collect()
}

/// Copies of the parameters that `wanted` (of name, and whether it is trainable) picks.
fn saved(net: &Net, wanted: impl Fn(&str, bool) -> bool) -> Result<BTreeMap<String, Tensor>> {
    let picked = net.parameters().iter().filter(|(name, p)| wanted(name, p.trainable()));
    picked.map(|(name, p)| Ok((name.to_owned(), p.var().as_detached_tensor().copy()?))).collect()
}

fn restore(parameters: &Parameters, saved: &BTreeMap<String, Tensor>) -> Result<()> {
    for (name, parameter) in parameters.iter() {
        if let Some(values) = saved.get(name) {
            parameter.var().set(values)?;
        }
    }
    Ok(())
}
