//! The nearest point of a hyperplane inside the pixel box, and the lengths of moves.

use crate::Norm;

/// A gap of which only this share is open is closed: sums of thousands of terms are no better.
const ROUNDING: f64 = 1e-12;

/// The shortest move from `x` `(D,)` in `[0, 1]` that changes `w . x` by `gap` and stays in `[0, 1]`.
///
/// Each pixel can only help in one direction, and only by its room `r` up to the bound there. The
/// shortest move of a helpful pixel follows from the Lagrangian of its norm with one multiplier
/// `t` for all: `min(t, r)` for l-infinity and `min(t |w|, r)` for l2. Either way it closes
/// `slope * min(t, limit)` of the gap, with (slope, limit) = `(|w|, r)` or `(w^2, r / |w|)`, so the
/// whole is piecewise linear, rising and concave in `t`: Newton's method from 0 never steps beyond
/// the `t` that closes it, and is there as soon as it is on the right piece.
///
/// Where no move closes the gap, every pixel moves as far as it helps. There is no move where `w` is
/// zero, or `w` or `gap` is not finite.
pub(super) fn shortest_move(norm: Norm, x: &[f32], w: &[f32], gap: f64) -> Vec<f32> {
    let ramps: Vec<(f64, f64)> = x.iter().zip(w).map(|(&x, &w)| ramp(norm, x, w, gap)).collect();
    if !gap.is_finite() || !ramps.iter().map(|(slope, _)| slope).sum::<f64>().is_finite() {
        return vec![0.; x.len()];
    }
    let mut t = 0.;
    loop {
        // What is closed at `t`, and the slope of the pixels that are not at their bounds yet.
        let (closed, open) = ramps.iter().fold((0., 0.), |(closed, open), &(slope, limit)| {
            (closed + slope * limit.min(t), if limit > t { open + slope } else { open })
        });
        let left = gap.abs() - closed;
        if left <= ROUNDING * gap.abs() {
            break;
        }
        // With nothing left to move it is infinite.
        t += left / open;
        if t.is_infinite() {
            break;
        }
    }
    let moves = w.iter().zip(ramps).map(|(&w, (slope, limit))| {
        let w = f64::from(w);
        let size = match norm {
            _ if slope == 0. => 0.,
            Norm::Linf => t.min(limit),
            Norm::L2 => t.min(limit) * w.abs(),
        };
        (size * (w * gap).signum()) as f32
    });
    moves.collect()
}

/// How fast a pixel `x` closes the gap as the multiplier rises, and where it meets its bound.
fn ramp(norm: Norm, x: f32, w: f32, gap: f64) -> (f64, f64) {
    let (x, w) = (f64::from(x), f64::from(w));
    let room = if w * gap > 0. { 1. - x } else { x }.max(0.);
    match norm {
        Norm::Linf => (w.abs(), room),
        // Both are unused where `w` is 0.
        Norm::L2 => (w * w, if w == 0. { 0. } else { room / w.abs() }),
    }
}

/// How fast the steepest move of length 1 changes a function with gradient `grad`.
pub(super) fn dual_length(norm: Norm, grad: &[f32]) -> f64 {
    match norm {
        Norm::Linf => grad.iter().map(|w| f64::from(w.abs())).sum(),
        Norm::L2 => length(norm, grad.iter().copied()),
    }
}

/// The length of a move.
pub(super) fn length(norm: Norm, moved: impl Iterator<Item = f32>) -> f64 {
    let moved = moved.map(f64::from);
    match norm {
        Norm::Linf => moved.fold(0., |max, v| max.max(v.abs())),
        Norm::L2 => moved.map(|v| v * v).sum::<f64>().sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::{Key, fill_normal, fill_uniform};

    const NORMS: [Norm; 2] = [Norm::Linf, Norm::L2];

    fn key(example: u64, purpose: &str) -> Key {
        Key { seed: 5, epoch: 0, example, restart: 0 }.domain(purpose)
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    fn size(norm: Norm, d: &[f32]) -> f64 {
        length(norm, d.iter().copied())
    }

    /// `x` with a third of the pixels on a bound, `w` with a few zeros, and the most that `w . x` can change
    /// downwards and upwards.
    fn case(example: u64, dims: usize) -> (Vec<f32>, Vec<f32>, f64, f64) {
        let (mut x, mut w) = (vec![0.; dims], vec![0.; dims]);
        fill_uniform(key(example, "x"), -0.25, 1.25, &mut x);
        x.iter_mut().for_each(|v| *v = v.clamp(0., 1.));
        fill_normal(key(example, "w"), 1., &mut w);
        w.iter_mut().filter(|v| v.abs() < 0.1).for_each(|v| *v = 0.);
        let end = |up: bool| -> Vec<f32> {
            x.iter().zip(&w).map(|(x, w)| if (*w > 0.) == up { 1. - x } else { -x }).collect()
        };
        let (low, high) = (dot(&end(false), &w), dot(&end(true), &w));
        (x, w, low, high)
    }

    fn assert_inside(x: &[f32], d: &[f32]) {
        assert!(x.iter().zip(d).all(|(x, d)| (-1e-6..=1. + 1e-6).contains(&(x + d))));
    }

    #[test]
    fn no_random_point_of_the_plane_is_nearer() {
        let mut compared = 0;
        for example in 0..60 {
            let dims = 1 + (example as usize % 12);
            let (x, w, low, high) = case(example, dims);
            for (norm, share) in NORMS.into_iter().flat_map(|norm| [0.05, 0.3, 0.7, 0.99].map(|s| (norm, s))) {
                for gap in [low * share, high * share] {
                    let d = shortest_move(norm, &x, &w, gap);
                    assert_inside(&x, &d);
                    assert!((dot(&d, &w) - gap).abs() <= 1e-4 * gap.abs(), "{norm} {gap}: {}", dot(&d, &w));
                    for round in 0..200 {
                        // Near the move or anywhere in the box; then shrunk to the plane, if beyond it.
                        let mut other = vec![0.; dims];
                        fill_uniform(key(round, "other"), -1., 1., &mut other);
                        let scale = [1., 0.1, 0.01][round as usize % 3];
                        for ((o, d), x) in other.iter_mut().zip(&d).zip(&x) {
                            *o = (d * (1. - scale * scale) + *o * scale).clamp(-x, 1. - x);
                        }
                        let reach = dot(&other, &w) / gap;
                        if reach >= 1. {
                            let far = size(norm, &other) / reach;
                            assert!(size(norm, &d) <= far * (1. + 1e-5), "{norm} {gap}: {far} is nearer");
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert!(compared > 10_000, "{compared}");
    }

    #[test]
    fn without_bounds_it_is_the_textbook_move() {
        let (x, w, gap) = ([0.5; 4], [1f32, -2., 0., 4.], 0.7);
        assert!((size(Norm::Linf, &shortest_move(Norm::Linf, &x, &w, gap)) - 0.1).abs() < 1e-7);
        assert!((size(Norm::L2, &shortest_move(Norm::L2, &x, &w, -gap)) - 0.7 / 21f64.sqrt()).abs() < 1e-7);
    }

    #[test]
    fn an_unreachable_plane_is_approached() {
        for norm in NORMS {
            for example in 0..20 {
                let (x, w, low, high) = case(example, 9);
                for (gap, most) in [(2. * low - 1., low), (2. * high + 1., high)] {
                    let d = shortest_move(norm, &x, &w, gap);
                    assert_inside(&x, &d);
                    assert!((dot(&d, &w) - most).abs() <= 1e-5 * (1. + most.abs()), "{norm}");
                }
            }
        }
    }

    #[test]
    fn no_move_without_a_direction() {
        let x = [0., 0.4, 1.];
        for norm in NORMS {
            for (w, gap) in [
                ([0.; 3], 1.),
                ([1., f32::NAN, 1.], 1.),
                ([f32::NAN, 1., 1.], -1.),
                ([1., 1., f32::NAN], 1.),
                ([1., f32::INFINITY, 0.], -1.),
                ([1., 2., 3.], f64::NAN),
                ([1., 2., 3.], f64::INFINITY),
                ([1., 2., 3.], 0.),
            ] {
                assert_eq!(shortest_move(norm, &x, &w, gap), [0.; 3], "{norm} {w:?} {gap}");
            }
            assert!(shortest_move(norm, &[], &[], 1.).is_empty());
            // Denormal and huge slopes.
            let d = shortest_move(norm, &x, &[1e-45, 1e38, -1e-30], 1e37);
            assert_inside(&x, &d);
            assert!((d[1] - 0.1).abs() < 1e-6, "{norm} {d:?}");
        }
    }
}
