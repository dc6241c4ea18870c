//! A run as a folder that could be published as it is: weights, configuration, model card, measurements.

mod card;
mod config;

use crate::{
    files::{self, cannot_write, temporary},
    findings::Findings,
    run::{Checkpoint, RECORD, Run},
};
use anyhow::{Context, Result, ensure};
use candle::Device;
use models::checkpoint;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
};

pub use config::{CONFIG, ModelConfig};

/// What the file of weights is called.
pub const WEIGHTS: &str = "model.safetensors";

/// What else is in the folder: what is written anew, and what is the run's own, where it has it.
const BESIDE: [&str; 9] = [
    CARD,
    CONFIG,
    RECORD,
    "epochs.csv",
    "evaluations.csv",
    "audit-best.md",
    "audit-best.csv",
    "audit-last.md",
    "audit-last.csv",
];
const CARD: &str = "README.md";

/// Writes the weights of `run` called `checkpoint`, and all that is known of them, into the folder `out`; it may hold
/// an earlier export. `license` is what the card says of the weights, by the Hub's short name.
///
/// # Errors
/// When the run is not trained, a file of it is broken, or `out` holds anything else; nothing is changed then.
pub fn export(run: &Run, checkpoint: Checkpoint, license: &str, out: &Path) -> Result<()> {
    // The folder is moved into its place whole, so `.` would not be this one any more.
    let here = std::env::current_dir().and_then(fs::canonicalize).ok();
    let inside = here.is_some_and(|here| fs::canonicalize(out).is_ok_and(|out| here.starts_with(out)));
    ensure!(!inside, "{} is or holds the folder that this runs in; export from outside of it", out.display());
    let found: Vec<_> = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    // Whatever else lies there, such as a clone's `.git`, would be lost.
    let ours = |name: &std::ffi::OsString| name.to_str().is_some_and(|name| name == WEIGHTS || BESIDE.contains(&name));
    let earlier = ModelConfig::read(&out.join(CONFIG))?.is_some() && found.iter().all(ours);
    let free = found.is_empty() && !out.is_file();
    ensure!(free || earlier, "{} holds something else than an export; choose another folder with --out", out.display());
    let contents = contents(run, checkpoint, license)?;
    let aside = temporary(out)?;
    let written = place(&contents, &aside, out, earlier);
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(&aside);
    }
    written.with_context(|| cannot_write(out))
}

/// The files of the folder by name.
fn contents(run: &Run, checkpoint: Checkpoint, license: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let config = run.config();
    let folder = run.folder();
    ensure!(run.finished(), "{}: its training is not done; the command that began it goes on", folder.display());
    let dataset: data::Name = config.dataset.parse()?;
    let path = run.weights(checkpoint);
    let broken = || format!("{}: not this run's weights; train the run again", path.display());
    let weights = checkpoint::read(&path).with_context(broken)?;
    run.check_weights(checkpoint).with_context(broken)?;
    let mut net = config.net(dataset.shape(), dataset.classes(), &Device::Cpu)?;
    net.load(&weights).with_context(broken)?;

    let about = ModelConfig::of(&net, config, dataset);
    let mut metadata = checkpoint::metadata(&path)?;
    metadata.extend(
        [
            ("dataset", &about.dataset),
            ("classes", &about.classes.join(",")),
            ("norm", &about.norm),
            ("epsilon", &about.epsilon),
            ("run", &config.id()),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone())),
    );
    let findings = Findings::of(run)?;
    let mut contents = BTreeMap::from([
        (WEIGHTS.to_owned(), checkpoint::serialize(&path, &weights, &metadata)?),
        (CONFIG.to_owned(), serde_json::to_vec_pretty(&about)?),
        (CARD.to_owned(), card::write(&findings, checkpoint, &about, license)?.into_bytes()),
    ]);
    for name in BESIDE.iter().filter(|name| **name != CARD && **name != CONFIG) {
        if let Some(bytes) = files::read_if_there(&folder.join(name))? {
            contents.insert((*name).to_owned(), bytes);
        }
    }
    Ok(contents)
}

/// Makes the folder at `aside` and moves it to `out`, where an `earlier` one may be.
fn place(contents: &BTreeMap<String, Vec<u8>>, aside: &Path, out: &Path, earlier: bool) -> Result<()> {
    fs::create_dir_all(aside)?;
    for (name, bytes) in contents {
        let mut file = File::create(aside.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    if !earlier {
        // An empty folder gives way.
        return Ok(fs::rename(aside, out)?);
    }
    let before = temporary(out)?;
    fs::rename(out, &before)?;
    if let Err(e) = fs::rename(aside, out) {
        fs::rename(&before, out)?;
        return Err(e.into());
    }
    Ok(fs::remove_dir_all(before)?)
}
