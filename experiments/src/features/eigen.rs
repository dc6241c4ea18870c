//! Eigenvalues of symmetric matrices.

/// Far more than are ever needed: the error falls quadratically once it is small.
const SWEEPS: usize = 60;

/// The eigenvalues of a symmetric matrix, largest first, and its eigenvectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen {
    /// Largest first.
    pub values: Vec<f64>,
    /// A unit vector for each value; its entry of largest size is positive, so that the same matrix always gives
    /// the same vectors.
    pub vectors: Vec<Vec<f64>>,
}

/// The spectrum of the symmetric `matrix`, by cyclic Jacobi rotations (Jacobi 1846; Golub and Van Loan, *Matrix
/// Computations*, 8.5): slow beyond a thousand rows, exact to the last bits below, and no dependency.
///
/// # Panics
/// If the matrix is not square.
pub fn eigen(matrix: &[Vec<f64>]) -> Eigen {
    let n = matrix.len();
    assert!(matrix.iter().all(|row| row.len() == n), "a symmetric matrix is square");
    let mut a = matrix.to_vec();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let size = a.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    for _ in 0..SWEEPS {
        let beside: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum();
        if beside.sqrt() <= f64::EPSILON * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] != 0. {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> = vectors.into_iter().enumerate().map(|(i, v)| (a[i][i], upright(v))).collect();
    pairs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (values, vectors) = pairs.into_iter().unzip();
    Eigen { values, vectors }
}

/// Makes `a[p][q]` zero by turning the plane of axes `p < q`; `vectors` has the turned axes in its rows.
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2. * a[p][q]);
    // The smaller of the two angles.
    let tan = theta.signum() / (theta.abs() + theta.hypot(1.));
    let cos = 1. / tan.hypot(1.);
    let sin = tan * cos;
    let (diagonal_p, diagonal_q) = (a[p][p] - tan * a[p][q], a[q][q] + tan * a[p][q]);
    turn(a, p, q, sin, cos);
    turn(vectors, p, q, sin, cos);
    (a[p][p], a[q][q], a[p][q], a[q][p]) = (diagonal_p, diagonal_q, 0., 0.);
    for k in (0..a.len()).filter(|&k| k != p && k != q) {
        (a[k][p], a[k][q]) = (a[p][k], a[q][k]);
    }
}

fn turn(rows: &mut [Vec<f64>], p: usize, q: usize, sin: f64, cos: f64) {
    let (before, after) = rows.split_at_mut(q);
    for (x, y) in before[p].iter_mut().zip(&mut after[0]) {
        (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
    }
}

/// `vector` or its opposite: the one whose entry of largest size is positive.
pub(super) fn upright(vector: Vec<f64>) -> Vec<f64> {
    let largest = vector.iter().copied().fold(0., |most: f64, x| if x.abs() > most.abs() { x } else { most });
    if largest < 0. { vector.into_iter().map(|x| -x).collect() } else { vector }
}
