//! What an attack may do, as it is written on a command line.

use crate::Usage;
use attacks::{Ball, Norm};
use std::{fmt, str::FromStr};

/// A number in pixel units, as it was written and what it is. It is part of a run's identity, so that a decimal number, and
/// a fraction of given parts, has one spelling.
#[derive(Clone, Debug, PartialEq)]
struct Pixels {
    text: String,
    value: f64,
}

impl Pixels {
    fn parse(text: &str) -> Option<Self> {
        let number = |s: &str| s.trim().parse::<f64>().ok();
        let (text, value) = match text.split_once('/') {
            Some((above, below)) => {
                let (above, below) = (number(above)?, number(below)?);
                (format!("{above}/{below}"), above / below)
            }
            None => number(text).map(|value| (value.to_string(), value))?,
        };
        Some(Self { text, value })
    }
}

/// A radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Epsilon(Pixels);

impl Epsilon {
    /// In pixel units.
    pub fn value(&self) -> f64 {
        self.0.value
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl FromStr for Epsilon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a radius; write a fraction such as 8/255 or a number such as 0.5");
        let pixels = Pixels::parse(text).ok_or_else(wrong)?;
        Ball::new(Norm::Linf, pixels.value).map_err(|e| e.to_string())?;
        Ok(Self(pixels))
    }
}

/// How far a step of an attack goes.
#[derive(Clone, Debug, PartialEq)]
pub struct StepLength(Pixels);

impl StepLength {
    /// In pixel units.
    pub fn value(&self) -> f64 {
        self.0.value
    }
}

impl fmt::Display for StepLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl FromStr for StepLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not the length of a step: a fraction or a number above 0, such as 2/255");
        let pixels = Pixels::parse(text).filter(|pixels| pixels.value.is_finite() && pixels.value > 0.);
        pixels.map(Self).ok_or_else(wrong)
    }
}

/// A norm and a radius as they were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Threat {
    /// The norm.
    pub norm: Norm,
    /// The radius.
    pub epsilon: Epsilon,
}

impl Threat {
    /// That of `norm` and `epsilon`.
    ///
    /// # Errors
    /// When either is none.
    pub fn parse(norm: &str, epsilon: &str) -> anyhow::Result<Self> {
        let norm: Norm = norm.parse().map_err(anyhow::Error::msg)?;
        Ok(Self { norm, epsilon: epsilon.parse().map_err(anyhow::Error::msg)? })
    }

    /// All images within it.
    pub fn ball(&self) -> Ball {
        Ball { norm: self.norm, eps: self.epsilon.value() }
    }

    /// That of the field for images of so many channels, in `norm`.
    pub fn usual(norm: Norm, channels: usize) -> Self {
        let text = match (norm, channels) {
            (Norm::Linf, 1) => "0.3",
            (Norm::Linf, _) => "8/255",
            (Norm::L2, 1) => "2",
            (Norm::L2, _) => "0.5",
        };
        Self { norm, epsilon: text.parse().expect("a radius in the source is a radius") }
    }

    /// An error if no image of `shape`, `[C, H, W]`, is outside of it: a radius in grey levels, most likely.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check(&self, shape: [usize; 3]) -> Result<(), Usage> {
        let Self { norm, epsilon } = self;
        let (farthest, hint) = match norm {
            Norm::Linf => (1., "eight grey levels are 8/255".to_owned()),
            Norm::L2 => {
                let usual = Self::usual(*norm, shape[0]).epsilon;
                ((shape.iter().product::<usize>() as f64).sqrt(), format!("usual in l2 is {usual}"))
            }
        };
        if epsilon.value() < farthest {
            return Ok(());
        }
        Err(Usage(format!("--eps {epsilon} holds every image, as pixels are in [0, 1]; {hint}")))
    }
}

impl fmt::Display for Threat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.norm, self.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::{Epsilon, StepLength, Threat};

    #[test]
    fn some_image_must_be_outside() {
        let holds = |norm, eps, shape| Threat::parse(norm, eps).unwrap().check(shape).is_err();
        assert!(holds("linf", "1", [1, 28, 28]) && !holds("linf", "0.999", [1, 28, 28]));
        assert!(holds("l2", "28", [1, 28, 28]) && !holds("l2", "28", [3, 32, 32]));
    }

    /// A radius is part of a run's identity: written differently it must not be another run.
    #[test]
    fn a_radius_has_one_spelling() {
        for (written, kept) in [("8/255", "8/255"), (" 08 / 255.0", "8/255"), ("0.30", "0.3"), ("3e-1", "0.3")] {
            assert_eq!(written.parse::<Epsilon>().unwrap().to_string(), kept);
        }
    }

    #[test]
    fn a_step_goes_somewhere() {
        for wrong in ["0", "-0.01", "1/0", "0/255", "nan", "inf", "two", ""] {
            assert!(wrong.parse::<StepLength>().unwrap_err().contains("is not the length of a step"), "{wrong}");
        }
        assert_eq!("2/255".parse::<StepLength>().unwrap().value(), 2. / 255.);
    }
}
