//! Learning rates over training.

use std::{f64::consts::PI, fmt, str::FromStr};

/// The learning rate as a multiple of its peak, over the progress of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// `piecewise`: 1, then 0.1 from half of training on, then 0.01 from three quarters on
    /// (Rice et al. 2020: epochs 100 and 150 of 200).
    Piecewise,
    /// `cosine`: half a cosine from 1 to 0.
    Cosine,
    /// `one-cycle`: linear from 0 to 1 over the first 40 % of steps and back to 0, as in Fast-AT's code for
    /// MNIST (its code for CIFAR-10 peaks at half).
    OneCycle,
    /// `constant`.
    Constant,
}

impl Schedule {
    /// The factor at `step` of `steps`.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        let done = step as f64 / steps.max(1) as f64;
        match self {
            Self::Piecewise if done < 0.5 => 1.,
            Self::Piecewise if done < 0.75 => 0.1,
            Self::Piecewise => 0.01,
            Self::Cosine => 0.5 * (1. + (PI * done).cos()),
            Self::OneCycle => {
                // The middle of the step, so that neither the first nor the last one is wasted at zero.
                let done = (step as f64 + 0.5) / steps.max(1) as f64;
                if done < 0.4 { done / 0.4 } else { (1. - done) / 0.6 }
            }
            Self::Constant => 1.,
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Piecewise => "piecewise",
            Self::Cosine => "cosine",
            Self::OneCycle => "one-cycle",
            Self::Constant => "constant",
        })
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "piecewise" => Ok(Self::Piecewise),
            "cosine" => Ok(Self::Cosine),
            "one-cycle" => Ok(Self::OneCycle),
            "constant" => Ok(Self::Constant),
            _ => Err(format!("unknown schedule `{s}`; known: piecewise, cosine, one-cycle, constant")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piecewise_drops_at_half_and_three_quarters() {
        let factors: Vec<f64> = [0, 99, 100, 149, 150, 199].map(|s| Schedule::Piecewise.factor(s, 200)).to_vec();
        assert_eq!(factors, [1., 1., 0.1, 0.1, 0.01, 0.01]);
    }

    #[test]
    fn cosine_falls_from_one_to_zero() {
        let at = |step| Schedule::Cosine.factor(step, 10);
        assert!((at(0) - 1.).abs() < 1e-12 && (at(5) - 0.5).abs() < 1e-12 && at(9) > 0. && at(9) < 0.03);
    }

    #[test]
    fn one_cycle_peaks_at_forty_percent_and_never_stalls() {
        let factors: Vec<f64> = (0..100).map(|s| Schedule::OneCycle.factor(s, 100)).collect();
        assert!(factors.iter().all(|f| *f > 0. && *f <= 1.));
        let peak = (0..100).max_by(|a, b| factors[*a].total_cmp(&factors[*b])).unwrap();
        assert!(peak == 39 || peak == 40, "{peak}");
    }
}
