//! Reading one Parquet file of images.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use rayon::prelude::*;

use super::{footer, pages};
use crate::{Error, Name, png_image};

/// An open file of a split.
pub(super) struct Shard<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    image: usize,
    label: usize,
    label_name: &'static str,
}

impl<'a> Shard<'a> {
    /// Opens a file and finds its columns; the label's is `label_name`.
    pub(super) fn open(path: &'a Path, label_name: &'static str) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        if footer::overclaims(&file).map_err(|e| Error::io(path, e))? {
            return Err(Error::damaged(path, "damaged: its footer claims more than it can hold"));
        }
        let reader = guarded(path, || {
            SerializedFileReader::new(file)
                .map_err(|e| Error::damaged(path, format!("truncated or not a parquet file ({e})")))
        })?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let image = column(path, schema, &["img.bytes", "image.bytes", "img", "image"], &[Type::BYTE_ARRAY])?;
        let label = column(path, schema, &[label_name], &[Type::INT64, Type::INT32])?;
        let shard = Self { path, reader, image, label, label_name };
        shard.check_chunks()?;
        Ok(shard)
    }

    /// Refuses column chunks that claim to lie outside the file, at which the parquet crate panics, and those
    /// with pages that would keep it busy for ever.
    fn check_chunks(&self) -> Result<(), Error> {
        let file = File::open(self.path).map_err(|e| Error::io(self.path, e))?;
        let bytes = file.metadata().map_err(|e| Error::io(self.path, e))?.len();
        for (i, group) in self.reader.metadata().row_groups().iter().enumerate() {
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
                if pages::overclaim(&file, chunk).map_err(|e| Error::io(self.path, e))? {
                    let what = format!("damaged: a page of row group {i} claims more than it can hold");
                    return Err(Error::damaged(self.path, what));
                }
            }
        }
        Ok(())
    }

    /// How many rows the file declares.
    pub(super) fn rows(&self) -> u64 {
        let groups = self.reader.metadata().row_groups().iter();
        groups.map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// Decodes every row onto the end of `pixels` and `labels`.
    pub(super) fn append(
        &self,
        name: Name,
        pixels: &mut Vec<u8>,
        labels: &mut Vec<u8>,
        bar: &indicatif::ProgressBar,
    ) -> Result<(), Error> {
        let size: usize = name.shape().iter().product();
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let (images, group_labels) = guarded(self.path, || self.group(group, row))?;
            for (i, &label) in group_labels.iter().enumerate() {
                match u8::try_from(label) {
                    Ok(label) if usize::from(label) < name.classes() => labels.push(label),
                    _ => {
                        let what = format!("label {label} is not in 0..{}", name.classes());
                        return Err(Error::row(self.path, row + i, what));
                    }
                }
            }
            let start = pixels.len();
            pixels.resize(start + images.len() * size, 0);
            let failure = pixels[start..].par_chunks_exact_mut(size).zip(&images).enumerate().find_map_first(
                |(i, (out, png))| {
                    bar.inc(1);
                    let what = png_image::decode(png.data(), name.shape(), out).err()?;
                    Some(Error::row(self.path, row + i, what))
                },
            );
            if let Some(error) = failure {
                return Err(error);
            }
            row += images.len();
        }
        Ok(())
    }

    /// The undecoded images and the labels of a row group that begins at `row`.
    fn group(&self, group: usize, row: usize) -> Result<(Vec<ByteArray>, Vec<i64>), Error> {
        let group = self.reader.get_row_group(group).map_err(|e| self.unreadable(row, &e))?;
        let (images, labels) = (self.images(&*group, row)?, self.labels(&*group, row)?);
        if images.len() != labels.len() {
            let what = format!("{} images but {} labels", images.len(), labels.len());
            return Err(Error::damaged(self.path, what));
        }
        Ok((images, labels))
    }

    fn images(&self, group: &dyn RowGroupReader, row: usize) -> Result<Vec<ByteArray>, Error> {
        match self.column_of(group, self.image, row)? {
            ColumnReader::ByteArrayColumnReader(reader) => self.values(reader, group, self.image, "image", row),
            _ => Err(Error::damaged(self.path, "the image column changes its type")),
        }
    }

    fn labels(&self, group: &dyn RowGroupReader, row: usize) -> Result<Vec<i64>, Error> {
        match self.column_of(group, self.label, row)? {
            ColumnReader::Int64ColumnReader(reader) => self.values(reader, group, self.label, self.label_name, row),
            ColumnReader::Int32ColumnReader(reader) => {
                let values = self.values(reader, group, self.label, self.label_name, row)?;
                Ok(values.into_iter().map(i64::from).collect())
            }
            _ => Err(Error::damaged(self.path, "the label column changes its type")),
        }
    }

    fn column_of(&self, group: &dyn RowGroupReader, i: usize, row: usize) -> Result<ColumnReader, Error> {
        group.get_column_reader(i).map_err(|e| self.unreadable(row, &e))
    }

    /// Every value of one column of a row group that begins at `row`; an absent one is an error.
    fn values<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        group: &dyn RowGroupReader,
        column: usize,
        what: &str,
        row: usize,
    ) -> Result<Vec<T::T>, Error> {
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let defined = group.metadata().column(column).column_descr().max_def_level();
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let mut read = 0;
        while read < rows {
            let levels = (defined > 0).then_some(&mut levels);
            let (records, _, _) = reader
                .read_records(rows - read, levels, None, &mut values)
                .map_err(|e| self.unreadable(row + read, &e))?;
            if records == 0 {
                let what = format!("truncated: row {} is missing", row + read);
                return Err(Error::damaged(self.path, what));
            }
            read += records;
        }
        if let Some(i) = levels.iter().position(|&level| level < defined) {
            return Err(Error::row(self.path, row + i, format!("the {what} is null")));
        }
        Ok(values)
    }

    fn unreadable(&self, row: usize, e: &parquet::errors::ParquetError) -> Error {
        Error::damaged(self.path, format!("damaged at or after row {row} ({e})"))
    }
}

/// Turns a panic of the parquet crate, which some damaged pages cause, into an error.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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
