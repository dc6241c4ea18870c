//! Files that are numbered parts of one split: `train-00000-of-00003.parquet`.

use std::path::{Path, PathBuf};

use crate::Error;

/// The Parquet files of `split` in `dir`, in name order; none is not an error, some missing is, and so are those of two
/// copies, whose images would be there twice.
pub(super) fn of(dir: &Path, split: &str) -> Result<Vec<PathBuf>, Error> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| Error::io(dir, e))? {
        let entry = entry.map_err(|e| Error::io(dir, e))?;
        names.extend(entry.file_name().to_str().filter(|name| belongs(name, split)).map(str::to_owned));
    }
    names.sort_unstable();
    let missing = |what, looked_for| Err(Error::Missing { path: dir.into(), what, looked_for });
    if let Some((_, total)) = names.first().and_then(|name| numbers(name)) {
        if let Some(i) = (0..total).find(|&i| !names.iter().any(|n| numbers(n) == Some((i, total)))) {
            let what = format!("{} of {total} {split} files are here", names.len());
            return missing(what, format!("{split}-{i:05}-of-{total:05}.parquet"));
        }
        if names.len() > total as usize {
            let what = format!("{} {split} files are here, more than one copy has", names.len());
            return missing(what, format!("{total}, the last {split}-{:05}-of-{total:05}.parquet", total - 1));
        }
    }
    Ok(names.into_iter().map(|name| dir.join(name)).collect())
}

/// Whether the file `name` is a part of `split`.
pub(super) fn belongs(name: &str, split: &str) -> bool {
    let rest = name.strip_suffix(".parquet").and_then(|stem| stem.strip_prefix(split));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// `(i, total)` of a name that ends in `-i-of-total.parquet` or, as older ones do, `-i-of-total-HASH.parquet`.
fn numbers(name: &str) -> Option<(u32, u32)> {
    let (rest, total) = name.strip_suffix(".parquet")?.rsplit_once("-of-")?;
    let total = total.split_once('-').map_or(total, |(total, _hash)| total);
    let total = total.parse().ok().filter(|total| *total > 0)?;
    Some((rest.rsplit_once('-')?.1.parse().ok()?, total))
}
