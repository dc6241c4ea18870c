//! What tells the synthetic classes apart: their figures and their grain.

use std::f32::consts::{FRAC_1_SQRT_2, TAU};

use rand::{Rng, RngExt};

/// A figure of a class at a place.
pub(super) struct Placed {
    pub(super) class: usize,
    /// x and y of the centre, in pixels.
    pub(super) centre: [f32; 2],
    /// In pixels.
    pub(super) radius: f32,
    /// In radians.
    pub(super) angle: f32,
}

impl Placed {
    /// How much of the pixel at (x, y) the figure covers, from 0 to 1, by four samples.
    pub(super) fn cover(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        if dx.abs().max(dy.abs()) > 1.5 * self.radius + 1.0 {
            return 0.0;
        }
        let (sin, cos) = self.angle.sin_cos();
        let samples = [(-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)];
        let inside = samples.iter().filter(|(sx, sy)| {
            let (dx, dy) = ((dx + sx) / self.radius, (dy + sy) / self.radius);
            covers(self.class, dx * cos + dy * sin, dy * cos - dx * sin)
        });
        inside.count() as f32 / 4.0
    }
}

/// Whether the figure of `class`, of radius 1 around the origin, covers (u, v).
fn covers(class: usize, u: f32, v: f32) -> bool {
    let distance = u.hypot(v);
    let square = u.abs().max(v.abs());
    let band = |t: f32| (t * 1.5).rem_euclid(1.0) < 0.5;
    match class {
        0 => distance < 0.95,
        1 => (0.55..1.0).contains(&distance),
        2 => square < 0.85,
        3 => v < 0.7 && v > 1.9 * u.abs() - 1.0,
        4 => square < 1.0 && u.abs().min(v.abs()) < 0.3,
        5 => distance < 1.1 && band(v + 1.0 / 6.0),
        6 => distance < 1.1 && band(u + 1.0 / 6.0),
        7 => square < 1.0 && band(u) != band(v),
        8 => {
            square < 1.0 && {
                let cell = |t: f32| (t * 1.5 + 0.5).rem_euclid(1.0) - 0.5;
                cell(u).hypot(cell(v)) < 0.32
            }
        }
        _ => distance < 1.1 && band((u + v) * FRAC_1_SQRT_2 + 1.0 / 6.0),
    }
}

/// Cycles a pixel across and down, by class; mirroring an image does not change its class.
const FREQUENCIES: [[f32; 2]; 10] = [
    [0.0, 0.2],
    [0.2, 0.0],
    [0.0, 0.4],
    [0.4, 0.0],
    [0.2, 0.2],
    [0.2, 0.4],
    [0.4, 0.2],
    [0.4, 0.4],
    [0.0, 0.3],
    [0.3, 0.0],
];

/// The faint texture of a class, at a random place and strength.
pub(super) struct Grain {
    frequency: [f32; 2],
    phase: [f32; 2],
    amplitude: f32,
}

impl Grain {
    /// The grain of `class`, at most `largest` strong.
    pub(super) fn draw(rng: &mut impl Rng, class: usize, largest: f32) -> Self {
        let phase = [0; 2].map(|_| rng.random::<f32>() * TAU);
        Self { frequency: FREQUENCIES[class], phase, amplitude: largest * (0.5 + 0.5 * rng.random::<f32>()) }
    }

    /// Its value at pixel (x, y).
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let wave = |frequency: f32, t: f32, phase: f32| {
            if frequency == 0.0 { 1.0 } else { (TAU * frequency * t + phase).sin() }
        };
        let [fx, fy] = self.frequency;
        self.amplitude * wave(fx, x, self.phase[0]) * wave(fy, y, self.phase[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covered share of the square from -1.2 to 1.2.
    fn area(class: usize) -> f32 {
        let steps = 120;
        let at = |i: usize| (i as f32 + 0.5) / steps as f32 * 2.4 - 1.2;
        let inside = (0..steps * steps).filter(|i| covers(class, at(i % steps), at(i / steps)));
        inside.count() as f32 / (steps * steps) as f32
    }

    #[test]
    fn every_figure_covers_a_fair_part_of_its_square() {
        for class in 0..10 {
            assert!((0.15..0.6).contains(&area(class)), "class {class}: {}", area(class));
        }
    }

    #[test]
    fn cover_is_full_inside_and_nothing_far_away() {
        let disc = Placed { class: 0, centre: [16.0, 16.0], radius: 8.0, angle: 0.1 };
        assert_eq!(disc.cover(16.0, 16.0), 1.0);
        assert_eq!(disc.cover(0.0, 0.0), 0.0);
        assert_eq!(disc.cover(16.0, 25.0), 0.0);
    }
}
