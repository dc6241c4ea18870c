//! Into the channels-last world and out of it.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// Images (N, C, H, W) to activations (N, H, W, C), each channel as `(x - mean[c]) / std[c]`.
/// Differentiable.
///
/// # Errors
/// Not f32 on one device, not four dimensions, or `mean` and `std` without one number per channel.
pub fn enter(images: &Tensor, mean: &[f32], std: &[f32]) -> Result<Tensor> {
    let shape = entered(images, mean, std)?;
    images.contiguous()?.apply_op1(Enter { shape, mean: mean.to_vec(), std: std.to_vec() })
}

/// The shape (N, H, W, C) of what [`enter`] makes.
pub(crate) fn entered(images: &Tensor, mean: &[f32], std: &[f32]) -> Result<[usize; 4]> {
    check("enter", &[images])?;
    let &[n, c, h, w] = images.dims() else { bail!("enter: expected images (N, C, H, W), got {:?}", images.shape()) };
    if c == 0 || mean.len() != c || std.len() != c {
        bail!("enter: images {:?} with {} means and {} deviations", images.shape(), mean.len(), std.len())
    }
    Ok([n, h, w, c])
}

/// [`enter`] on slices; `shape` is that of `y`.
pub(crate) fn normalise(x: &[f32], &[_, h, w, c]: &[usize; 4], mean: &[f32], std: &[f32], y: &mut [f32]) {
    transpose_each(x, y, c, h * w, |v, channel, _| (v - mean[channel]) / std[channel]);
}

/// The gradient of [`normalise`].
pub(crate) fn normalise_grad(dy: &[f32], &[_, h, w, c]: &[usize; 4], std: &[f32], dx: &mut [f32]) {
    transpose_each(dy, dx, h * w, c, |v, _, channel| v / std[channel]);
}

struct Enter {
    /// Channels last.
    shape: [usize; 4],
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl CustomOp1 for Enter {
    fn name(&self) -> &'static str {
        "enter"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("enter", x, l)?;
        let [n, h, w, c] = self.shape;
        Ok(produce((n, h, w, c), |y| normalise(x, &self.shape, &self.mean, &self.std, y)))
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        self.launch("enter", &self.shape).run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let grad = || dy.contiguous()?.apply_op1_no_bwd(&EnterGrad(self));
        x.track_op().then(grad).transpose()
    }
}

impl Enter {
    fn launch(&self, kernel: &'static str, result: &[usize]) -> Launch {
        let [_, h, w, c] = self.shape;
        Launch::each(kernel, result).table(&[&*self.mean, &self.std].concat()).ints([c, h * w])
    }
}

struct EnterGrad<'a>(&'a Enter);

impl CustomOp1 for EnterGrad<'_> {
    fn name(&self) -> &'static str {
        "enter's gradient"
    }

    fn cpu_fwd(&self, dy: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let dy = floats("enter", dy, l)?;
        let Enter { shape, std, .. } = self.0;
        let [n, h, w, c] = *shape;
        Ok(produce((n, c, h, w), |dx| normalise_grad(dy, shape, std, dx)))
    }

    fn cuda_fwd(&self, dy: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        let [n, h, w, c] = self.0.shape;
        self.0.launch("enter_grad", &[n, c, h, w]).run(&[(dy, l)])
    }
}

/// Activations (N, H, W, C) to vectors (N, C * H * W) in the order PyTorch's `flatten` gives images
/// (N, C, H, W), so that weights of a following linear layer mean the same. Differentiable.
///
/// # Errors
/// Not f32 on one device, or not four dimensions.
pub fn flatten(x: &Tensor) -> Result<Tensor> {
    check("flatten", &[x])?;
    let &[n, h, w, c] = x.dims() else { bail!("flatten: expected (N, H, W, C), got {:?}", x.shape()) };
    x.contiguous()?.apply_op1(Transpose { rows: h * w, columns: c, shape: (n, h * w * c).into() })
}

/// Each example, a (rows, columns) matrix, to (columns, rows), seen as `shape`.
struct Transpose {
    rows: usize,
    columns: usize,
    shape: Shape,
}

impl CustomOp1 for Transpose {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("flatten", x, l)?;
        Ok(produce(&self.shape, |y| transpose_each(x, y, self.rows, self.columns, |v, _, _| v)))
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        Launch::each("transpose_each", &self.shape).ints([self.rows, self.columns]).run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let back = Self { rows: self.columns, columns: self.rows, shape: x.shape().clone() };
        let grad = || dy.contiguous()?.apply_op1_no_bwd(&back);
        x.track_op().then(grad).transpose()
    }
}

/// Each example of `from`, a (rows, columns) matrix, to a (columns, rows) matrix of
/// `f(value, row, column)`.
fn transpose_each(
    from: &[f32],
    to: &mut [f32],
    rows: usize,
    columns: usize,
    f: impl Fn(f32, usize, usize) -> f32 + Sync,
) {
    let size = rows * columns;
    assert_eq!(from.len(), to.len());
    if size == 0 {
        return;
    }
    let out = Out::new(to);
    ranges(from.len() / size, 1, from.len(), |first, end| {
        for n in first..end {
            let from = &from[n * size..][..size];
            // SAFETY: both sides have as many examples; example n is this task's alone.
            let to = unsafe { core::slice::from_raw_parts_mut(out.at(n * size), size) };
            // The longer side innermost in memory order of the output, in cache-sized strips.
            for start in (0..columns).step_by(64) {
                for (column, to) in (start..columns.min(start + 64)).zip(to[start * rows..].chunks_exact_mut(rows)) {
                    for (row, to) in to.iter_mut().enumerate() {
                        *to = f(from[row * columns + column], row, column);
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle::{Device, Var};

    #[test]
    fn flatten_undoes_enter() -> Result<()> {
        let x = Tensor::rand(0f32, 1f32, (3, 2, 5, 4), &Device::Cpu)?;
        let y = enter(&x, &[0.0, 0.0], &[1.0, 1.0])?;
        assert_eq!(y.dims(), [3, 5, 4, 2]);
        let back = flatten(&y)?.to_vec2::<f32>()?;
        assert_eq!(back, x.reshape((3, 40))?.to_vec2::<f32>()?);
        Ok(())
    }

    #[test]
    fn gradient_of_enter_is_divided_by_the_deviation() -> Result<()> {
        let x = Var::rand(0f32, 1f32, (1, 2, 2, 2), &Device::Cpu)?;
        let grads = enter(&x, &[0.5, 0.5], &[0.5, 0.25])?.sum_all()?.backward()?;
        let g = grads.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(g, [2.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0]);
        Ok(())
    }

    #[test]
    fn wrong_shapes_are_named() {
        let x = Tensor::zeros((1, 3, 2, 2), candle::DType::F32, &Device::Cpu).unwrap();
        assert!(enter(&x, &[0.0], &[1.0]).unwrap_err().to_string().contains("enter"));
        assert!(flatten(&x.flatten_all().unwrap()).unwrap_err().to_string().contains("flatten"));
    }
}
