//! Checkpoints: every accepted form, and that nothing a file holds makes the reader panic.

mod hostile;
mod torch;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle::{DType, Device, Tensor};
use models::checkpoint::{self, Error};

/// A path in a fresh folder; cargo's own scratch space, so nothing is left elsewhere.
fn scratch(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("checkpoint-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("scratch folder");
    folder.join("file")
}

fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Error> {
    fs::write(path, bytes).expect("scratch file");
    checkpoint::read(path)
}

fn message(path: &Path, bytes: &[u8]) -> String {
    let text = read(path, bytes).expect_err("must not be accepted").to_string();
    assert!(text.starts_with(&path.display().to_string()) && !text.contains('\n'), "{text}");
    text
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("f32 values")
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn six() -> (&'static str, Vec<u8>) {
    ("0", floats(&[0., 1., 2., 3., 4., 5.]))
}

const SIX: (&str, &str, i32) = ("FloatStorage", "0", 6);

#[test]
fn zip_with_shared_storage_offsets_and_strides() {
    let path = scratch("zip");
    let object = torch::dict(&[
        ("whole", torch::tensor(SIX, 0, &[2, 3], &[3, 1])),
        ("transposed", torch::tensor(SIX, 0, &[3, 2], &[1, 3])),
        ("offset", torch::tensor(SIX, 4, &[2], &[1])),
        ("scalar", torch::tensor(SIX, 5, &[], &[])),
        ("repeated", torch::tensor(SIX, 1, &[3], &[0])),
        ("empty", torch::tensor(SIX, 0, &[0, 3], &[3, 1])),
        ("one", torch::tensor(SIX, 2, &[1, 2], &[i32::MAX, 1])),
    ]);
    let tensors = read(&path, &torch::archive(&object, &[six()])).unwrap();
    assert_eq!(tensors["whole"].dims(), [2, 3]);
    assert_eq!(values(&tensors["transposed"]), [0., 3., 1., 4., 2., 5.]);
    assert_eq!(values(&tensors["offset"]), [4., 5.]);
    assert_eq!(values(&tensors["scalar"]), [5.]);
    assert_eq!(values(&tensors["repeated"]), [1., 1., 1.]);
    assert_eq!(tensors["empty"].dims(), [0, 3]);
    assert_eq!(values(&tensors["one"]), [2., 3.]);
}

#[test]
fn element_types() {
    let path = scratch("types");
    let double: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let long: Vec<u8> = [7i64, -1].iter().flat_map(|v| v.to_le_bytes()).collect();
    let object = torch::dict(&[
        ("double", torch::tensor(("DoubleStorage", "a", 2), 0, &[2], &[1])),
        ("half", torch::tensor(("HalfStorage", "b", 2), 0, &[2], &[1])),
        ("brain", torch::tensor(("BFloat16Storage", "c", 2), 0, &[2], &[1])),
        ("long", torch::tensor(("LongStorage", "d", 2), 0, &[2], &[1])),
        ("bn.num_batches_tracked", torch::tensor(("LongStorage", "d", 2), 0, &[], &[])),
    ]);
    let storages =
        [("a", double), ("b", vec![0x00, 0x3e, 0x00, 0xc0]), ("c", vec![0xc0, 0x3f, 0x00, 0xc0]), ("d", long)];
    let tensors = read(&path, &torch::archive(&object, &storages)).unwrap();
    for name in ["double", "half", "brain"] {
        assert_eq!(values(&tensors[name]), [1.5, -2.0], "{name}");
    }
    assert_eq!(tensors["long"].to_vec1::<i64>().unwrap(), [7, -1]);
    assert_eq!(tensors.len(), 4, "counters are left out");
}

#[test]
fn wrappers_prefixes_and_parameters() {
    let path = scratch("wrappers");
    let weight = torch::tensor(SIX, 0, &[6], &[1]);
    let hooks = [torch::class("collections", "OrderedDict"), b")R".to_vec()].concat();
    let args = torch::tuple(&[weight.clone(), vec![0x88], hooks]);
    let parameter = [torch::class("torch._utils", "_rebuild_parameter"), args, b"R".to_vec()].concat();
    let inner = torch::dict(&[("module.conv1.weight", parameter), ("fc.bias", weight.clone())]);
    for key in ["state_dict", "net", "model", "model_state_dict"] {
        let object = torch::dict(&[
            ("epoch", torch::int(3)),
            ("best", weight.clone()),
            ("optimizer", torch::dict(&[("momentum", weight.clone())])),
            (key, inner.clone()),
        ]);
        let tensors = read(&path, &torch::archive(&object, &[six()])).unwrap();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["conv1.weight", "fc.bias"], "{key}");
    }
    let nested = torch::dict(&[("net", torch::dict(&[("state_dict", inner)]))]);
    assert_eq!(read(&path, &torch::archive(&nested, &[six()])).unwrap().len(), 2);
    let own = torch::dict(&[("model", torch::dict(&[("depth", torch::int(8))])), ("w", weight.clone())]);
    assert_eq!(read(&path, &torch::archive(&own, &[six()])).unwrap().len(), 1);
    let twice = torch::dict(&[("w", weight.clone()), ("module.w", weight)]);
    assert!(message(&path, &torch::archive(&twice, &[six()])).contains("both `w` and `module.w`"));
}

#[test]
fn legacy_form() {
    let path = scratch("legacy");
    let object = torch::dict(&[("net", torch::dict(&[("w", torch::tensor(SIX, 2, &[2], &[3]))]))]);
    let file = |count| torch::legacy(&object, &[("0", count, six().1)]);
    assert_eq!(values(&read(&path, &file(6)).unwrap()["w"]), [2., 5.]);
    for count in [5, 7, -1, i64::MAX, i64::MIN] {
        assert!(message(&path, &file(count)).contains("storage `0`"));
    }
}

#[test]
fn what_is_no_state_dict_is_named() {
    let path = scratch("unsupported");
    let module = [torch::class("__main__", "Net"), b")R".to_vec()].concat();
    assert!(message(&path, &torch::archive(&module, &[])).contains("a pickled __main__.Net"));
    let scalars = torch::dict(&[("epoch", torch::int(1)), ("acc", torch::int(2))]);
    assert!(message(&path, &torch::archive(&scalars, &[])).contains("a dictionary with acc, epoch"));
    let quantised = [torch::class("torch._utils", "_rebuild_qtensor"), b")R".to_vec()].concat();
    let mixed = torch::dict(&[("a", torch::tensor(SIX, 0, &[1], &[1])), ("q", quantised)]);
    assert!(message(&path, &torch::archive(&mixed, &[six()])).contains("`q` is made by"));
    let complex = torch::dict(&[("z", torch::tensor(("ComplexFloatStorage", "0", 1), 0, &[1], &[1]))]);
    assert!(message(&path, &torch::archive(&complex, &[six()])).contains("ComplexFloatStorage"));
    assert!(message(&path, &torch::zip(&[("readme", b"hello")])).contains("no data.pkl"));
    assert!(message(&path, &torch::pickle(&torch::int(1))).contains("not one of torch.save"));
}

#[test]
fn claims_beyond_the_file_are_refused() {
    let path = scratch("claims");
    let tensor = |offset, shape: &[i32], strides: &[i32]| {
        let object = torch::dict(&[("w", torch::tensor(SIX, offset, shape, strides))]);
        torch::archive(&object, &[six()])
    };
    for file in [
        tensor(0, &[7], &[1]),
        tensor(1, &[2, 3], &[3, 1]),
        tensor(-1, &[2], &[1]),
        tensor(0, &[2], &[-1]),
        tensor(i32::MAX, &[1], &[1]),
        tensor(0, &[i32::MAX, i32::MAX, i32::MAX, i32::MAX], &[0, 0, 0, 0]),
        tensor(0, &[i32::MAX], &[0]),
        tensor(0, &[2, 2], &[1]),
    ] {
        assert!(message(&path, &file).contains("`w`"));
    }
    // Four gigabytes of text, and nesting deeper than any stack.
    assert!(message(&path, &torch::archive(b"X\xff\xff\xff\xff", &[])).contains("the end of the data"));
    let deep = [&b")"[..], &[0x85; 1_000_000]].concat();
    assert!(message(&path, &torch::archive(&deep, &[])).contains("no dictionary"));
    let cycle = b"}q\x00X\x05\x00\x00\x00modelh\x00s";
    assert!(message(&path, &torch::archive(cycle, &[])).contains("no tensors found"));
}

#[test]
fn other_content_and_other_things_than_files() {
    let path = scratch("others");
    for (bytes, expected) in [
        (&b""[..], "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x01\x02\x03 random", "no known format"),
        (b"PK", "zip directory"),
        (b"\xff\xff\xff\xff\xff\0\0\0{}", "damaged or cut short"),
        (b"\x02\0\0\0\0\0\0\0{", "damaged or cut short"),
    ] {
        assert!(message(&path, bytes).contains(expected), "{expected}");
    }
    let folder = path.parent().unwrap();
    assert!(matches!(checkpoint::read(folder), Err(Error::NotAFile { .. })));
    assert!(matches!(checkpoint::read(&folder.join("absent")), Err(Error::Read { .. })));
    let nowhere = folder.join("no/such/folder.safetensors");
    let written = checkpoint::write(&nowhere, &BTreeMap::new(), &BTreeMap::new());
    assert!(written.unwrap_err().to_string().contains("no/such/folder"));
}

#[test]
fn damage_never_panics() {
    let path = scratch("damage");
    let object = torch::dict(&[(
        "state_dict",
        torch::dict(&[
            ("a", torch::tensor(SIX, 0, &[2, 3], &[3, 1])),
            ("b", torch::tensor(("LongStorage", "1", 1), 0, &[1], &[1])),
        ]),
    )]);
    let long = 5i64.to_le_bytes().to_vec();
    checkpoint::write(&path, &some_tensors(), &some_metadata()).unwrap();
    let files = [
        fs::read(&path).unwrap(),
        torch::archive(&object, &[six(), ("1", long.clone())]),
        torch::legacy(&object, &[("0", 6, six().1), ("1", 1, long)]),
    ];
    for whole in files {
        assert!(read(&path, &whole).is_ok());
        for length in 0..whole.len() {
            read(&path, &whole[..length]).expect_err("a cut file");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= [0x01, 0x80, 0xff][at % 3];
            let _ = read(&path, &damaged);
            let _ = checkpoint::metadata(&path);
        }
    }
}

#[test]
fn a_flipped_weight_is_found_in_an_archive() {
    let path = scratch("checksum");
    let object = torch::dict(&[("w", torch::tensor(SIX, 0, &[6], &[1]))]);
    let mut file = torch::archive(&object, &[six()]);
    let needle = floats(&[3., 4., 5.]);
    let at = file.windows(needle.len()).position(|w| w == needle).unwrap();
    file[at] ^= 1;
    assert!(message(&path, &file).contains("`net/data/0` does not match its checksum"));
}

fn some_tensors() -> BTreeMap<String, Tensor> {
    let ramp = Tensor::arange(0f32, 12., &Device::Cpu).unwrap().reshape((3, 4)).unwrap();
    BTreeMap::from([
        ("conv.weight".to_owned(), ramp.t().unwrap()),
        ("fc.bias".to_owned(), Tensor::new(&[1f32, f32::NAN, -0.0], &Device::Cpu).unwrap()),
        ("labels".to_owned(), Tensor::new(&[1i64, i64::MIN], &Device::Cpu).unwrap()),
        ("nothing".to_owned(), Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap()),
    ])
}

fn some_metadata() -> BTreeMap<String, String> {
    let entries = [("epoch", "3"), ("note", "a \"quoted\" line\nand ε"), ("arch", "resnet18"), ("z", "")];
    entries.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

#[test]
fn round_trip_with_equal_bytes() {
    let path = scratch("round-trip");
    for metadata in [some_metadata(), BTreeMap::new()] {
        checkpoint::write(&path, &some_tensors(), &metadata).unwrap();
        let first = fs::read(&path).unwrap();
        checkpoint::write(&path, &some_tensors(), &metadata).unwrap();
        assert_eq!(first, fs::read(&path).unwrap(), "deterministic");
        assert_eq!(checkpoint::metadata(&path).unwrap(), metadata);
        let back = checkpoint::read(&path).unwrap();
        assert_eq!(back.keys().collect::<Vec<_>>(), some_tensors().keys().collect::<Vec<_>>());
        for (name, tensor) in some_tensors() {
            assert_eq!(back[&name].dims(), tensor.dims());
            assert_eq!(back[&name].dtype(), tensor.dtype());
        }
        let bits = |t: &Tensor| values(t).iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back["conv.weight"]), bits(&some_tensors()["conv.weight"]));
        assert_eq!(bits(&back["fc.bias"]), bits(&some_tensors()["fc.bias"]));
        assert_eq!(back["labels"].to_vec1::<i64>().unwrap(), [1, i64::MIN]);
    }
    checkpoint::write(&path, &BTreeMap::new(), &some_metadata()).unwrap();
    assert_eq!(checkpoint::metadata(&path).unwrap(), some_metadata());
    assert!(checkpoint::read(&path).unwrap().is_empty());
    let leftovers = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(leftovers, 1, "no temporary file stays behind");
}

/// The published ResNet-20: legacy form, a `state_dict` wrapper, `module.` prefixes.
#[test]
fn parity_published_resnet20() {
    let Some(folder) = std::env::var_os("I2FR_FIXTURES") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "I2FR_FIXTURES must be set in CI");
        return;
    };
    let path = Path::new(&folder).join("checkpoints/resnet20-12fca82f.th");
    let tensors = checkpoint::read(&path).unwrap();
    let parameters = tensors.iter().filter(|(name, _)| !name.contains("running_"));
    assert_eq!(parameters.map(|(_, t)| t.elem_count()).sum::<usize>(), 269_722);
    assert_eq!(tensors["conv1.weight"].dims(), [16, 3, 3, 3]);
    assert_eq!(tensors["linear.weight"].dims(), [10, 64]);
    assert!(tensors.values().all(|t| t.dtype() == DType::F32));
    assert!(checkpoint::metadata(&path).unwrap().is_empty());
    let whole = fs::read(&path).unwrap();
    let copy = scratch("parity");
    for length in (0..whole.len()).step_by(whole.len() / 50) {
        message(&copy, &whole[..length]);
    }
}
