//! Principal components.

use super::eigen::eigen;

/// Points in the directions along which they vary most.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// The coordinates of each point.
    pub places: Vec<Vec<f64>>,
    /// The share of the points' variance that each direction has.
    pub shares: Vec<f64>,
}

/// The first `components` principal components of `points`, one row a point.
///
/// The directions are eigenvectors of the points' scatter matrix, each with its entry of largest size positive; of
/// directions that vary equally, any may be taken. The same points give the same bits.
pub fn pca(points: &[Vec<f32>], components: usize) -> Projection {
    let centered = centered(points);
    let width = centered.first().map_or(0, Vec::len);
    let mut scatter = vec![vec![0.; width]; width];
    for point in &centered {
        for (row, x) in scatter.iter_mut().zip(point) {
            row.iter_mut().zip(point).for_each(|(sum, y)| *sum += x * y);
        }
    }
    let total: f64 = (0..width).map(|i| scatter[i][i]).sum();
    let found = eigen(&scatter);
    let share = |value: f64| if total > 0. { value.max(0.) / total } else { 0. };
    let along = |point: &Vec<f64>, axis: &Vec<f64>| -> f64 { point.iter().zip(axis).map(|(x, a)| x * a).sum() };
    let axes = &found.vectors[..components.min(width)];
    Projection {
        places: centered.iter().map(|point| axes.iter().map(|axis| along(point, axis)).collect()).collect(),
        shares: found.values.iter().take(components).map(|value| share(*value)).collect(),
    }
}

fn centered(points: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let mut mean = vec![0.; points.first().map_or(0, Vec::len)];
    for point in points {
        mean.iter_mut().zip(point).for_each(|(sum, x)| *sum += f64::from(*x) / points.len() as f64);
    }
    points.iter().map(|point| point.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean).collect()).collect()
}
