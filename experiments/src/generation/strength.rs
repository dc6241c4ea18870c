//! How much adversarial examples change, beside their clean images.

use crate::features::statistics::distance;

/// What one network says of some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The cross-entropy of each with its label, in nats.
    pub losses: Vec<f64>,
    /// Its most likely class.
    pub predicted: Vec<u32>,
    /// Its feature, prepared as I2FR prepares it.
    pub features: Vec<Vec<f32>>,
}

/// The strength of adversarial examples, in sums over examples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Strength {
    examples: usize,
    loss: f64,
    errors: f64,
    displacement: f64,
    transferred: usize,
}

impl Strength {
    /// Counts the examples `adv` of the images `clean`, whose classes are `labels`; another network calls the same
    /// examples `elsewhere`.
    pub fn count(&mut self, labels: &[u32], clean: &Seen, adv: &Seen, elsewhere: &[u32]) {
        let wrong = |class: u32, label: u32| f64::from(u8::from(class != label));
        for (i, &label) in labels.iter().enumerate() {
            self.examples += 1;
            self.loss += adv.losses[i] - clean.losses[i];
            self.errors += wrong(adv.predicted[i], label) - wrong(clean.predicted[i], label);
            self.displacement += distance(&adv.features[i], &clean.features[i]);
            self.transferred += usize::from(elsewhere[i] != label);
        }
    }

    /// The mean rise of the cross-entropy, in nats.
    pub fn loss_raised(&self) -> f64 {
        self.loss / self.examples as f64
    }

    /// The rise of the error, in percentage points.
    pub fn error_raised_percent(&self) -> f64 {
        100. * self.errors / self.examples as f64
    }

    /// The mean Euclidean distance between the features of an example and of its clean image.
    pub fn feature_displacement(&self) -> f64 {
        self.displacement / self.examples as f64
    }

    /// The error of the other network, in per cent.
    pub fn transfer_error_percent(&self) -> f64 {
        100. * self.transferred as f64 / self.examples as f64
    }
}
