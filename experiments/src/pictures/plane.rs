//! The plane in which points differ most.

/// Passes of the power method for each direction: far more than a picture can show.
const PASSES: usize = 200;

/// `points` in the plane of their first two principal components, and the share of their variance that it
/// keeps. The same points give the same bits: sums run in order, and signs are fixed.
pub(super) fn principal(points: &[Vec<f32>]) -> (Vec<(f64, f64)>, f64) {
    let centered = centered(points);
    let (first, a) = direction(&centered, None);
    let (second, b) = direction(&centered, Some(&first));
    let total: f64 = centered.iter().map(|point| dot(point, point)).sum();
    let place = |point: &Vec<f64>| (dot(point, &first), dot(point, &second));
    (centered.iter().map(place).collect(), if total > 0. { (a + b) / total } else { 0. })
}

fn centered(points: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let mut mean = vec![0.; points.first().map_or(0, Vec::len)];
    for point in points {
        mean.iter_mut().zip(point).for_each(|(sum, x)| *sum += f64::from(*x) / points.len() as f64);
    }
    points.iter().map(|point| point.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean).collect()).collect()
}

/// The unit vector along which `points` vary most, orthogonal to `other`, and how much they do.
fn direction(points: &[Vec<f64>], other: Option<&[f64]>) -> (Vec<f64>, f64) {
    let width = points.first().map_or(0, Vec::len);
    let unit = |mut vector: Vec<f64>| {
        if let Some(other) = other {
            let along = dot(&vector, other);
            vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
        }
        let length = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= length.max(f64::MIN_POSITIVE));
        vector
    };
    // A start without symmetry, which no data are orthogonal to by accident.
    let mut vector = unit((0..width).map(|i| (1. + i as f64).sin()).collect());
    for _ in 0..PASSES {
        let mut next = vec![0.; width];
        for point in points {
            let along = dot(point, &vector);
            next.iter_mut().zip(point).for_each(|(sum, x)| *sum += along * x);
        }
        vector = unit(next);
    }
    let largest = vector.iter().copied().fold(0., |most: f64, x| if x.abs() > most.abs() { x } else { most });
    if largest < 0. {
        vector.iter_mut().for_each(|x| *x = -*x);
    }
    let spread = points.iter().map(|point| dot(point, &vector).powi(2)).sum();
    (vector, spread)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::principal;

    /// Squared deviations 2 * 9 along (3, 4) / 5 and 2 * 1 along the axis orthogonal to it.
    #[test]
    fn the_plane_of_four_points_by_hand() {
        let points = [[3., 0.6, 0.8], [3., -0.6, -0.8], [3., 2.4, -1.8], [3., -2.4, 1.8]].map(Vec::from);
        let (places, share) = principal(&points);
        let expected = [(0., 1.), (0., -1.), (3., 0.), (-3., 0.)];
        for ((x, y), (u, v)) in places.iter().zip(expected) {
            assert!((x - u).abs() < 1e-6 && (y - v).abs() < 1e-6, "{places:?}");
        }
        assert!((share - 1.).abs() < 1e-9, "{share}");
    }

    #[test]
    fn what_the_plane_leaves_out_is_not_counted() {
        let along =
            |axis: usize, length: f32| -> Vec<f32> { (0..3).map(|i| if i == axis { length } else { 0. }).collect() };
        let points: Vec<Vec<f32>> =
            [(0, 3.), (1, 2.), (2, 1.)].iter().flat_map(|&(axis, l)| [along(axis, l), along(axis, -l)]).collect();
        let (_, share) = principal(&points);
        assert!((share - 13. / 14.).abs() < 1e-9, "{share}");
    }

    #[test]
    fn equal_points_are_one_place() {
        let (places, share) = principal(&vec![vec![1.5; 4]; 3]);
        assert_eq!((places, share), (vec![(0., 0.); 3], 0.));
    }
}
