//! Finding the state dict in what was saved, and its tensors in the storages.

use std::collections::BTreeMap;

use candle::Tensor;

use pickle::{Id, Pickle, Value};

use super::pytorch::{Storages, element, storage_of};
use super::{Fault, damaged, tensors, unsupported};

/// Keys under which training scripts keep the state dict, the most explicit first. Where there is a `last` and a
/// `best`, as in the weights of Andriushchenko and Flammarion (2020), RobustBench takes the `last`.
const WRAPPERS: [&str; 5] = ["state_dict", "model_state_dict", "net", "model", "last"];

/// The tensors of the state dict in an object of at most `file_size` bytes.
pub(super) fn state_dict(
    pickle: &Pickle,
    storages: &Storages,
    file_size: usize,
) -> Result<Vec<(String, Tensor)>, Fault> {
    let dict = inner_dict(pickle, pickle.root(), 3).unwrap_or(pickle.root());
    let named: BTreeMap<&str, Id> =
        pickle.entries(dict).filter_map(|(key, value)| Some((pickle.text(key)?, value))).collect();
    // Views may overlap, but not so often that a small file fills the memory.
    let mut budget = file_size.saturating_mul(4);
    let mut tensors = Vec::new();
    for (&name, &value) in &named {
        if let Some(args) = tensor_args(pickle, value) {
            tensors.push((name.to_owned(), rebuild(pickle, storages, name, args, &mut budget)?));
        } else if let &Value::Call { function, .. } = pickle.value(value)
            && let Some((module, class)) = pickle.global(function)
            && class.starts_with("_rebuild_")
        {
            return Err(unsupported(format!(
                "`{name}` is made by {module}.{class}; only dense, unquantised tensors are read"
            )));
        }
    }
    if tensors.is_empty() {
        return Err(unsupported(format!(
            "no tensors found in {}; save `model.state_dict()`, alone or under `state_dict`",
            describe(pickle, &named)
        )));
    }
    Ok(tensors)
}

fn describe(pickle: &Pickle, named: &BTreeMap<&str, Id>) -> String {
    if pickle.is_dict(pickle.root()) {
        let keys: Vec<&str> = named.keys().take(8).copied().collect();
        return match keys[..] {
            [] => "an empty dictionary".to_owned(),
            _ => format!("a dictionary with {}", keys.join(", ")),
        };
    }
    match pickle.value(pickle.root()) {
        Value::Call { function, .. } => match pickle.global(*function) {
            Some((module, name)) => format!("a pickled {module}.{name}"),
            None => "a pickled object".to_owned(),
        },
        _ => "an object that is no dictionary".to_owned(),
    }
}

fn rebuild(pickle: &Pickle, storages: &Storages, name: &str, args: &[Id], budget: &mut usize) -> Result<Tensor, Fault> {
    let view = || {
        let &[storage, offset, shape, strides, ..] = args else {
            return None;
        };
        let &Value::Persistent(id) = pickle.value(storage) else {
            return None;
        };
        let storage = storage_of(pickle, id)?;
        Some((storage, pickle.size(offset)?, pickle.sizes(shape)?, pickle.sizes(strides)?))
    };
    let (storage, mut offset, shape, strides) =
        view().ok_or_else(|| damaged(format!("`{name}` is not described as a tensor")))?;
    let (dtype, width) = element(storage.class)
        .ok_or_else(|| unsupported(format!("`{name}` lies in a {}; convert it to float32", storage.class)))?;
    let mut bytes = *storages
        .get(storage.key)
        .ok_or_else(|| damaged(format!("storage `{}` of `{name}` is missing", storage.key)))?;
    let outside = || damaged(format!("`{name}` reaches outside of its storage"));
    if let Some((first, length)) = storage.view {
        let end = first.checked_add(length).and_then(|end| end.checked_mul(width));
        bytes = end.and_then(|end| bytes.get(first * width..end)).ok_or_else(outside)?;
    }
    let count = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size)).ok_or_else(outside)?;
    let size = count.checked_mul(width).ok_or_else(outside)?;
    *budget = budget
        .checked_sub(size)
        .ok_or_else(|| damaged(format!("the tensors up to `{name}` are many times larger than the file")))?;
    if strides.len() != shape.len() {
        return Err(damaged(format!("`{name}` has {} strides for shape {shape:?}", strides.len())));
    }
    let mut gathered = Vec::with_capacity(size);
    let mut index = vec![0; shape.len()];
    let last = shape
        .iter()
        .zip(&strides)
        .try_fold(offset, |last, (&size, &stride)| last.checked_add(size.saturating_sub(1).checked_mul(stride)?));
    let end = last.and_then(|last| last.checked_add(1)?.checked_mul(width)).ok_or_else(outside)?;
    if count > 0 && end > bytes.len() {
        return Err(outside());
    }
    for _ in 0..count {
        gathered.extend_from_slice(&bytes[offset * width..][..width]);
        // To the next element, the last dimension running fastest.
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            // A dimension of size one may have any stride, so the way there may overflow, and back.
            offset = offset.wrapping_add(strides[d]);
            if index[d] < shape[d] {
                break;
            }
            offset = offset.wrapping_sub(strides[d].wrapping_mul(shape[d]));
            index[d] = 0;
        }
    }
    tensors::tensor(name, &gathered, dtype, &shape)
}

/// The arguments of the call that rebuilds a tensor, inside of a parameter or a subclass if so.
fn tensor_args<'a>(pickle: &'a Pickle, mut id: Id) -> Option<&'a [Id]> {
    // Each turn goes one level deeper; a file can make a cycle, PyTorch nests twice at most.
    for _ in 0..4 {
        let &Value::Call { mut function, mut arguments, .. } = pickle.value(id) else {
            return None;
        };
        let mut class = pickle.global(function)?;
        if class == ("torch._tensor", "_rebuild_from_type_v2") {
            let &[inner, _class, inner_arguments, ..] = pickle.items(arguments) else {
                return None;
            };
            (function, arguments) = (inner, inner_arguments);
            class = pickle.global(function)?;
        }
        match class {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                return Some(pickle.items(arguments));
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                id = *pickle.items(arguments).first()?;
            }
            _ => return None,
        }
    }
    None
}

/// The state dict in `dict`: itself, or what a wrapper's key leads to.
fn inner_dict(pickle: &Pickle, dict: Id, depth: usize) -> Option<Id> {
    let inner = WRAPPERS.iter().filter_map(|key| pickle.entry(dict, key));
    let wrapped = inner.filter(|_| depth > 0).find_map(|id| inner_dict(pickle, id, depth - 1));
    let has_tensors = || pickle.entries(dict).any(|(_, value)| tensor_args(pickle, value).is_some());
    wrapped.or_else(|| has_tensors().then_some(dict))
}
