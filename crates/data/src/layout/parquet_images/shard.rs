//! One Parquet file of images.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::Type;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescriptor;

use super::group::Group;
use super::{footer, pages};
use crate::Error;

/// What a file of a split says about itself.
pub(super) struct Shard<'a> {
    pub(super) path: &'a Path,
    pub(super) metadata: ParquetMetaData,
    /// The places of its columns.
    pub(super) image: usize,
    pub(super) label: usize,
    pub(super) label_name: &'static str,
}

impl<'a> Shard<'a> {
    /// Finds the columns of a file; the label's is `label_name`.
    pub(super) fn open(path: &'a Path, label_name: &'static str) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        if footer::overclaims(&file).map_err(|e| Error::io(path, e))? {
            return Err(Error::damaged(path, "damaged: its footer claims more than it can hold"));
        }
        let metadata = guarded(path, || {
            ParquetMetaDataReader::new()
                .parse_and_finish(&file)
                .map_err(|e| Error::damaged(path, format!("truncated or not a parquet file ({e})")))
        })?;
        let schema = metadata.file_metadata().schema_descr();
        let image = column(path, schema, &["img.bytes", "image.bytes", "img", "image"], &[Type::BYTE_ARRAY])?;
        let label = column(path, schema, &[label_name], &[Type::INT64, Type::INT32])?;
        let shard = Self { path, metadata, image, label, label_name };
        shard.check_chunks(&file)?;
        Ok(shard)
    }

    /// Refuses column chunks that claim to lie outside the file, at which the parquet crate panics, and those
    /// with pages that would keep it busy for ever.
    fn check_chunks(&self, file: &File) -> Result<(), Error> {
        let bytes = file.metadata().map_err(|e| Error::io(self.path, e))?.len();
        for (i, group) in self.metadata.row_groups().iter().enumerate() {
            let inside = |column: usize| {
                let chunk = group.columns().get(column)?;
                let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
                let end = u64::try_from(start).ok()?.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
                (end <= bytes).then_some(u64::try_from(start).ok()?..end)
            };
            let (Some(images), Some(labels), 0..) = (inside(self.image), inside(self.label), group.num_rows()) else {
                let what = format!("truncated or damaged: row group {i} lies outside the file");
                return Err(Error::damaged(self.path, what));
            };
            for chunk in [images, labels] {
                if pages::overclaim(file, chunk).map_err(|e| Error::io(self.path, e))? {
                    let what = format!("damaged: a page of row group {i} claims more than it can hold");
                    return Err(Error::damaged(self.path, what));
                }
            }
        }
        Ok(())
    }

    /// How many rows the file declares.
    pub(super) fn rows(&self) -> u64 {
        let groups = self.metadata.row_groups().iter();
        groups.map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// Its row groups in order.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.metadata.row_groups().iter().scan(0, |next, rows| {
            let group = Group::new(self, rows, *next);
            *next += group.rows();
            Some(group)
        })
    }
}

/// Turns a panic of the parquet crate, which some damaged pages cause, into an error.
pub(super) fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::damaged(path, "damaged: the parquet reader cannot make sense of it")))
}

/// The leaf column with one of `names`, none of them inside a list.
fn column(path: &Path, schema: &SchemaDescriptor, names: &[&str], types: &[Type]) -> Result<usize, Error> {
    let wrong = |what| Err(Error::Schema { path: path.into(), what });
    let found = names.iter().find_map(|name| schema.columns().iter().position(|c| c.path().string() == *name));
    let Some(i) = found else {
        let has: Vec<_> = schema.columns().iter().map(|c| c.path().string()).collect();
        return wrong(format!("no column {}; the file has {}", names.join(" or "), has.join(", ")));
    };
    let column = schema.column(i);
    if !types.contains(&column.physical_type()) || column.max_rep_level() > 0 {
        return wrong(format!(
            "column {} is {}{}, expected {types:?}",
            column.path().string(),
            if column.max_rep_level() > 0 { "a list of " } else { "" },
            column.physical_type()
        ));
    }
    Ok(i)
}
