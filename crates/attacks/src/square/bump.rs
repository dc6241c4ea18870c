//! What an l2 move adds: two pyramids of opposite sign, one above the other.

/// The move of `side` x `side` pixels, row by row, of Euclidean norm 1: the upper half rises, the lower
/// half (the larger one, if the side is odd) falls. No pixels for side 0.
///
/// Each half is a sum of nested squares around its centre, cut off at its edges; the one that reaches
/// `k` pixels from the centre weighs `1 / (k + 1)^2` (equation 2 of the paper's section 3.4).
pub(super) fn bump(side: usize) -> Vec<f32> {
    let upper = side / 2;
    let halves = [(upper, 1.), (side - upper, -1.)];
    let halves = halves.map(|(rows, sign)| {
        let pyramid = pyramid(rows, side);
        // Both halves have the same norm. A side of 1 has no upper half.
        let norm = pyramid.iter().map(|v| v * v).sum::<f64>().sqrt() * if upper == 0 { 1. } else { 2f64.sqrt() };
        pyramid.into_iter().map(move |v| (sign * v / norm) as f32)
    });
    halves.into_iter().flatten().collect()
}

/// The sum of nested squares, on `rows` x `columns` pixels.
fn pyramid(rows: usize, columns: usize) -> Vec<f64> {
    let (row, column) = (rows / 2, columns / 2);
    let squares = row.max(column) + 1;
    // A pixel lies in every square that reaches at least as far as it is from the centre.
    let heights: Vec<f64> =
        (0..squares).map(|far| (far..squares).map(|k| 1. / ((k + 1) * (k + 1)) as f64).sum()).collect();
    let far = |r: usize, c: usize| r.abs_diff(row).max(c.abs_diff(column));
    (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| heights[far(r, c)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_norm_and_both_signs() {
        for side in 1..40 {
            let bump = bump(side);
            assert_eq!(bump.len(), side * side);
            let norm = bump.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            assert!((norm - 1.).abs() < 1e-6, "side {side}: {norm}");
            let (upper, lower) = bump.split_at(side / 2 * side);
            assert!(upper.iter().all(|v| *v > 0.) && lower.iter().all(|v| *v < 0.), "side {side}");
            let norm = upper.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            assert!(side == 1 || (norm - 0.5).abs() < 1e-6, "side {side}: {norm}");
        }
        assert!(bump(0).is_empty());
    }

    /// Sums of squares written out by hand.
    #[test]
    fn heights_of_a_small_one() {
        // The upper half has one row and squares that reach 0 and 1 far, the lower half two.
        let (low, high) = (0.25, 1.25);
        let upper = [low, high, low];
        let lower = [low, low, low, low, high, low];
        let unit = |half: &[f64]| {
            let norm = half.iter().map(|v| v * v).sum::<f64>().sqrt() * 2f64.sqrt();
            half.iter().map(|v| v / norm).collect::<Vec<_>>()
        };
        let by_hand = unit(&upper).into_iter().chain(unit(&lower).into_iter().map(|v| -v));
        for (ours, by_hand) in bump(3).into_iter().zip(by_hand) {
            assert!((f64::from(ours) - by_hand).abs() < 1e-7);
        }
    }
}
