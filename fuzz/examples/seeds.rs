//! Writes the seeds: tiny sound files, made by the writers of the crates' own tests.
//!
//! ```sh
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds
//! ```

#[path = "../../crates/data/tests/it/files.rs"]
#[allow(dead_code)]
mod files;
#[path = "../../crates/models/tests/it/checkpoint/torch.rs"]
#[allow(dead_code)]
mod torch;

use candle::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

type Any<T> = Result<T, Box<dyn std::error::Error>>;

/// Where the seed called `name` of `target` belongs.
fn seed(target: &str, name: &str) -> Any<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}

fn main() -> Any<()> {
    images()?;
    checkpoints()?;
    records()
}

fn images() -> Any<()> {
    let schema = "message schema { optional group image { optional binary bytes; optional binary path; } \
                  optional int64 label; }";
    let row = |value: u8| (Some(files::png(28, 28, &[value])), i64::from(value % 10));
    files::parquet(&seed("parquet", "plain")?, schema, &[row(9)], 1);
    files::parquet(&seed("parquet", "groups")?, schema, &[row(1), row(2), row(3)], 2);
    files::parquet(&seed("parquet", "null")?, schema, &[row(1), (None, 2)], 2);
    // A list of 2^31 - 1 booleans in the header of the first page, behind the magic bytes.
    let mut claim = fs::read(seed("parquet", "plain")?)?;
    claim[4..13].copy_from_slice(b"\x09\xc8\x01\xf1\xff\xff\xff\xff\x07");
    fs::write(seed("parquet", "page-claim")?, claim)?;
    let flat = "message schema { required binary image; required int64 label; }";
    files::parquet(&seed("parquet", "flat")?, flat, &[row(4)], 1);

    // The target's first byte: 1 for labels, 2 for compressed ones.
    let image = [7; 784];
    for (choice, kind, dimensions, bytes) in [(0, 3, &[1, 28, 28][..], &image[..]), (1, 1, &[1], &[3])] {
        for (compressed, name) in [(0, "file"), (2, "file.gz")] {
            let folder = std::env::temp_dir().join(format!("i2fr-seeds-{}", std::process::id()));
            fs::create_dir_all(&folder)?;
            files::idx(&folder.join(name), [0, 0, 8, kind], dimensions, bytes);
            let file = fs::read(folder.join(name))?;
            fs::remove_dir_all(&folder)?;
            fs::write(seed("idx", &format!("{kind}-{name}"))?, [&[choice | compressed][..], &file].concat())?;
        }
    }
    // The data crate's own fixtures, which other libraries wrote.
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/data/tests/fixtures");
    for version in ["python2", "2", "4", "5"] {
        let file = fixtures.join(format!("pickle-{version}/cifar-10-batches-py/test_batch"));
        fs::copy(file, seed("cifar_pickle", version)?)?;
    }
    for split in ["train", "test"] {
        fs::copy(fixtures.join(format!("svhn/{split}_32x32.mat")), seed("svhn_mat", split)?)?;
    }
    for (class, file) in [("n01443537", "n01443537_0"), ("n12267677", "n12267677_2")] {
        let file = fixtures.join(format!("jpeg/tiny-imagenet-200/train/{class}/images/{file}.JPEG"));
        fs::copy(file, seed("jpeg", class)?)?;
    }
    fs::write(seed("cifar", "10")?, [&[0][..], &files::record(3, 5)].concat())?;
    fs::write(seed("cifar", "100")?, [&[1, 0][..], &files::record(99, 5)].concat())?;
    Ok(())
}

fn checkpoints() -> Any<()> {
    let tensors = BTreeMap::from([
        ("fc.weight".to_owned(), Tensor::arange(0f32, 6., &Device::Cpu)?.reshape((2, 3))?),
        ("half".to_owned(), Tensor::zeros(2, DType::F16, &Device::Cpu)?),
        ("long".to_owned(), Tensor::new(&[1i64, -1], &Device::Cpu)?),
        ("none".to_owned(), Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?),
    ]);
    let metadata = [("epoch", "3"), ("note", "a \"quoted\"\nline")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    models::checkpoint::write(&seed("safetensors", "bare")?, &tensors, &BTreeMap::new())?;
    models::checkpoint::write(&seed("safetensors", "metadata")?, &tensors, &metadata.into())?;

    let floats: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let long = 5i64.to_le_bytes().to_vec();
    let weight = torch::tensor(("FloatStorage", "0", 6), 0, &[2, 3], &[3, 1]);
    let hooks = [torch::class("collections", "OrderedDict"), b")R".to_vec()].concat();
    let args = torch::tuple(&[weight.clone(), vec![0x88], hooks]);
    let parameter = [torch::class("torch._utils", "_rebuild_parameter"), args, b"R".to_vec()].concat();
    let objects = [
        ("flat", torch::dict(&[("w", weight.clone())])),
        (
            "wrapped",
            torch::dict(&[
                ("epoch", torch::int(3)),
                ("state_dict", torch::dict(&[("module.w", parameter), ("n", torch::tensor(("LongStorage", "1", 1), 0, &[], &[]))])),
            ]),
        ),
        // Frames, short text, memo, stack classes, long integers: the later protocols.
        ("protocol-4", b"\x95\0\0\0\0\0\0\0\0\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93)R\x94(\x8c\x01a\x8a\x01\x05\x8c\x01bh\x00N\x88u".to_vec()),
        ("protocol-0", b"(lp0\nI1\naL2L\naF1.5\na(dp1\ns".to_vec()),
    ];
    for (name, object) in &objects {
        fs::write(seed("pickle", name)?, torch::pickle(object))?;
        let storages = [("0", floats.clone()), ("1", long.clone())];
        fs::write(seed("pytorch", &format!("{name}-zip"))?, torch::archive(object, &storages))?;
    }
    fs::write(seed("pytorch", "flat-legacy")?, torch::legacy(&objects[0].1, &[("0", 6, floats.clone())]))?;
    let both = [("0", 6, floats), ("1", 1, long)];
    fs::write(seed("pytorch", "wrapped-legacy")?, torch::legacy(&objects[1].1, &both))?;
    Ok(())
}

fn records() -> Any<()> {
    // Of the embedded images, so nothing of it is anybody's.
    let run = serde_json::json!({
        "id": "pgd-at-i2fr-synthetic-tiny-s0-0000000000",
        "config": {
            "format": 1, "dataset": "synthetic", "arch": "tiny", "framework": "pgd-at",
            "regularizer": {
                "place": "both", "intra_clean": 1.0, "intra_class": 0.5, "inter": 1.0, "margin": 1.0,
                "normalize": true, "reference": "running-means 0.9", "clean_gradient": true,
            },
            "norm": "linf", "epsilon": "8/255", "attack_steps": 10, "epochs": 2, "train_examples": 600,
            "held_out": 400, "batch": 128, "lr": 0.1, "schedule": "piecewise", "momentum": 0.9,
            "weight_decay": 0.0005, "crop_padding": 2, "flip": true, "seed": 0, "device": "cpu", "precision": "f32",
        },
        "game": "PGD-AT",
        "provenance": {
            "commit": "", "dirty": false, "cargo_lock_sha256": "", "train_sha256": "", "test_sha256": "",
            "isa": "Portable", "threads": 1, "train_seconds": 1.5, "images_per_second": 100.0, "peak_rss_bytes": 0,
        },
        "finished": true,
    });
    fs::write(seed("run_json", "i2fr")?, serde_json::to_vec(&run)?)?;
    let head = "checkpoint,attack,norm,epsilon,examples,seconds,correct\n";
    let lines =
        "best,clean,linf,8/255,5,0.5,11011\nbest,pgd-20,linf,8/255,5,1.5,1.0..\nlast,square,linf,8/255,2,1,01\n";
    fs::write(seed("evaluations", "three")?, [head, lines].concat())?;
    let head = "table,framework,regularizer,dataset,arch,norm,epsilon,attack,checkpoint,split,seed,examples,value_percent,run,\
                profile,seconds\n";
    let cell = |regularizer: &str, attack: &str, seed: usize, value: f64| {
        format!("table1,pgd-at,{regularizer},synthetic,tiny,linf,8/255,{attack},best,test,{seed},40,{value},0a,quick,1.5\n")
    };
    let cells = [("none", 40.0), ("i2fr", 42.5)].map(|(regularizer, value)| {
        [0, 1]
            .map(|seed| {
                cell(regularizer, "pgd-20", seed, value + seed as f64) + &cell(regularizer, "clean", seed, 60.0)
            })
            .concat()
    });
    fs::write(seed("cells", "pairs")?, [head, &cells.concat()].concat())?;
    Ok(())
}
