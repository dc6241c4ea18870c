//! Golden values: where they are, how they are grouped and how near is near enough.
//!
//! The parity tests of `objectives` and `i2fr` include this file too.

use candle::{DType, Device, Result, Tensor};
use std::{collections::BTreeMap, path::PathBuf};

/// The tensors of one file, or of one case of it, by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// `name` in the folder `I2FR_FIXTURES` names. A machine without golden values skips the comparison;
/// continuous integration must not.
pub fn path(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("I2FR_FIXTURES") else {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "I2FR_FIXTURES is unset, so there is nothing to compare with");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

/// All tensors of a safetensors file.
pub fn tensors(name: &str) -> Option<Tensors> {
    let path = path(name)?;
    let read = candle::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(read.into_iter().collect())
}

/// The cases `CASE.TENSOR` of a file, each with its tensors.
pub fn cases(name: &str) -> Option<BTreeMap<String, Tensors>> {
    let mut cases = BTreeMap::<_, Tensors>::new();
    for (name, tensor) in tensors(name)? {
        let (case, rest) = name.split_once('.').unwrap_or_else(|| panic!("{name} names no case"));
        cases.entry(case.to_owned()).or_default().insert(rest.to_owned(), tensor);
    }
    Some(cases)
}

/// Numbers of a tensor in row-major order.
pub fn numbers(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("numbers")
}

/// Class indices as the objectives take them.
pub fn labels(t: &Tensor) -> Result<Tensor> {
    t.to_dtype(DType::U32)
}

/// Raw pixels as images in `[0, 1]`.
pub fn pixels(t: &Tensor) -> Result<Tensor> {
    t.to_dtype(DType::F32)? / 255.
}

/// Panics unless every entry of `a` is that of `b` within `relative` of itself plus `absolute`.
#[track_caller]
pub fn assert_values(what: &str, a: &Tensor, b: &Tensor, relative: f64, absolute: f64) {
    assert_eq!(a.elem_count(), b.elem_count(), "{what}: {:?} against {:?}", a.dims(), b.dims());
    for (i, (a, b)) in numbers(a).into_iter().zip(numbers(b)).enumerate() {
        assert!((a - b).abs() <= relative * b.abs() + absolute, "{what}: entry {i} is {a}, not {b}");
    }
}

/// Panics unless every entry of `a` is that of `b` within `tolerance` of the largest entry of `b`.
#[track_caller]
pub fn assert_gradient(what: &str, a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let largest = numbers(b).into_iter().fold(0f64, |m, v| m.max(v.abs()));
    assert_values(what, a, b, 0., tolerance * largest + 1e-8);
}

/// Panics unless the gradient of each image is `b` within 1e-3 in relative L2 norm. Rounding switches a
/// rectifier now and then (with fast convolutions; with `I2FR_CONV=direct` hardly ever), so one image
/// in four may be up to 1e-2 off. Where a loss saturates its gradient is rounding: `noise` times the
/// largest norm of all images is forgiven.
#[track_caller]
pub fn assert_pixel_gradients(what: &str, a: &Tensor, b: &Tensor, noise: f64) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let images = b.dims()[0];
    let (a, b) = (numbers(a), numbers(b));
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let size = b.len() / images;
    let largest = b.chunks(size).map(norm).fold(0., f64::max);
    let mut switched = 0;
    for (i, (a, b)) in a.chunks(size).zip(b.chunks(size)).enumerate() {
        let off: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let (off, norm) = (norm(&off) - noise * largest, norm(b));
        assert!(off <= 1e-2 * norm, "{what}: image {i} is {off:e} off, its norm is {norm:e}");
        switched += usize::from(off > 1e-3 * norm);
    }
    assert!(switched * 4 <= images, "{what}: {switched} of {images} images are more than 1e-3 off");
}
