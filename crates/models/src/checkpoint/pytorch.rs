//! What `torch.save` writes: a pickle of the object, and the storages its tensors are views of.

use std::collections::BTreeMap;

use candle::{DType, Tensor};

use pickle::{Id, Pickle, Value};

use super::archive::Archive;
use super::state_dict::state_dict;
use super::{Fault, damaged, unsupported};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL: i128 = 1001;

pub(super) type Storages<'a> = BTreeMap<String, &'a [u8]>;

/// The zip form, PyTorch 1.6 and later: `<name>/data.pkl` and `<name>/data/<key>`.
pub(super) fn read_archive(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, Fault> {
    let archive = Archive::open(bytes)?;
    let root = archive
        .names()
        .find_map(|name| name.strip_suffix("data.pkl").filter(|r| r.is_empty() || r.ends_with('/')))
        .ok_or_else(|| unsupported("a zip file, but not one of torch.save: it has no data.pkl"))?;
    let order = format!("{root}byteorder");
    if archive.names().any(|name| name == order) && archive.get(&order)? != b"little" {
        return Err(big_endian());
    }
    let pickle = Pickle::read(archive.get(&format!("{root}data.pkl"))?, 0)?;
    let mut storages = Storages::new();
    for storage in all_storages(&pickle) {
        // Summing a record up once is enough, however often it is referred to.
        if storages.contains_key(storage.key) {
            continue;
        }
        let record = format!("{root}data/{}", storage.key);
        storages.insert(storage.key.to_owned(), archive.get(&record)?);
    }
    state_dict(&pickle, &storages, bytes.len())
}

/// The form before PyTorch 1.6: five pickles in a row, then the storages.
pub(super) fn read_legacy(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, Fault> {
    let magic = Pickle::read(bytes, 0)?;
    if !matches!(magic.value(magic.root()), Value::Int(MAGIC)) {
        return Err(Fault::Unrecognised("a Python pickle, but not one of torch.save".into()));
    }
    let protocol = Pickle::read(bytes, magic.end())?;
    if !matches!(protocol.value(protocol.root()), Value::Int(PROTOCOL)) {
        return Err(unsupported("an unknown version of torch.save; save it with PyTorch 1.0 or later"));
    }
    let system = Pickle::read(bytes, protocol.end())?;
    if let Some(id) = system.entry(system.root(), "little_endian")
        && matches!(system.value(id), Value::Bool(false))
    {
        return Err(big_endian());
    }
    let object = Pickle::read(bytes, system.end())?;
    let keys = Pickle::read(bytes, object.end())?;
    let known: BTreeMap<&str, Storage> = all_storages(&object).map(|s| (s.key, s)).collect();
    let mut at = keys.end();
    let mut storages = Storages::new();
    for &key in keys.items(keys.root()) {
        let key = keys.text(key).unwrap_or_default();
        let storage = known.get(key).ok_or_else(|| damaged(format!("storage `{key}` belongs to no tensor")))?;
        let (_, width) = element(storage.class)
            .ok_or_else(|| unsupported(format!("storage `{key}` is a {}; convert it to float32", storage.class)))?;
        let short = || damaged(format!("the file ends within storage `{key}`"));
        let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(short)?;
        let count = usize::try_from(i64::from_le_bytes(*count)).map_err(|_| short())?;
        if count != storage.length {
            return Err(damaged(format!(
                "storage `{key}` has {count} elements, its tensors expect {}",
                storage.length
            )));
        }
        let end = count.checked_mul(width).and_then(|size| size.checked_add(at + 8));
        let end = end.filter(|&end| end <= bytes.len()).ok_or_else(short)?;
        storages.insert(key.to_owned(), &bytes[at + 8..end]);
        at = end;
    }
    state_dict(&object, &storages, bytes.len())
}

fn big_endian() -> Fault {
    unsupported("written on a big-endian machine; load and save it on a little-endian one")
}

/// A persistent identifier: ("storage", class, key, location, elements, view).
pub(super) struct Storage<'a> {
    pub(super) class: &'a str,
    pub(super) key: &'a str,
    pub(super) length: usize,
    /// First element and length of a view, which the legacy form can have.
    pub(super) view: Option<(usize, usize)>,
}

fn all_storages<'a>(pickle: &Pickle<'a>) -> impl Iterator<Item = Storage<'a>> {
    pickle.values().iter().filter_map(|value| match value {
        &Value::Persistent(id) => storage_of(pickle, id),
        _ => None,
    })
}

/// Type and width of a storage's elements.
pub(super) fn element(class: &str) -> Option<(DType, usize)> {
    let dtype = match class {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "ByteStorage" | "BoolStorage" => DType::U8,
        _ => return None,
    };
    Some((dtype, dtype.size_in_bytes()))
}

/// The storage that `id` identifies.
pub(super) fn storage_of<'a>(pickle: &Pickle<'a>, id: Id) -> Option<Storage<'a>> {
    let &[kind, class, key, _location, length, ref view @ ..] = pickle.items(id) else {
        return None;
    };
    if pickle.bytes(kind) != Some(b"storage") {
        return None;
    }
    let (_, class) = pickle.global(class)?;
    let view = match view.first().map(|&view| pickle.items(view)) {
        Some(&[_key, first, length]) => Some((pickle.size(first)?, pickle.size(length)?)),
        _ => None,
    };
    Some(Storage { class, key: pickle.text(key)?, length: pickle.size(length)?, view })
}
