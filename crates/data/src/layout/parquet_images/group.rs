//! One row group of a Parquet file: undecoded images and labels, a few hundred rows at a time.

use std::fs::File;
use std::sync::Arc;

use indicatif::ProgressBar;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::{ByteArrayType, DataType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use rayon::prelude::*;

use super::cells::{Cells, Fault};
use super::shard::{Shard, guarded};
use crate::{Error, Name, encoded};

/// Rows read before they are decoded: enough to keep several threads busy, and little memory.
const ROWS: usize = 256;

/// A row group and where it begins.
pub(super) struct Group<'a> {
    shard: &'a Shard<'a>,
    metadata: &'a RowGroupMetaData,
    /// Its first row, counting from the file's first.
    first: usize,
}

impl<'a> Group<'a> {
    pub(super) fn new(shard: &'a Shard<'a>, metadata: &'a RowGroupMetaData, first: usize) -> Self {
        Self { shard, metadata, first }
    }

    /// How many rows it declares.
    pub(super) fn rows(&self) -> usize {
        usize::try_from(self.metadata.num_rows()).unwrap_or(0)
    }

    /// Decodes every row into `pixels` and `labels`, which are as long as the rows need.
    pub(super) fn read(
        &self,
        name: Name,
        pixels: &mut [u8],
        labels: &mut [u8],
        bar: &ProgressBar,
    ) -> Result<(), Error> {
        let path = self.shard.path;
        // Of its own: clones of an open file share one position.
        let file = Arc::new(File::open(path).map_err(|e| Error::io(path, e))?);
        let size: usize = name.shape().iter().product();
        let mut row = self.first;
        let (mut images, found) = guarded(path, || Ok((self.images(&file)?, self.labels(&file)?)))?;
        for (out, label) in labels.iter_mut().zip(found) {
            match u8::try_from(label) {
                Ok(label) if usize::from(label) < name.classes() => *out = label,
                _ => return Err(Error::row(path, row, format!("label {label} is not in 0..{}", name.classes()))),
            }
            row += 1;
        }
        row = self.first;
        for out in pixels.chunks_mut(ROWS * size) {
            let count = out.len() / size;
            let cells = guarded(path, || images.take(count).map_err(|fault| self.error(fault, "image")))?;
            let decoded = out.par_chunks_exact_mut(size).zip(&cells).enumerate();
            let failure = decoded.find_map_first(|(i, (out, image))| {
                let what = encoded::decode(image.data(), name.shape(), out).err()?;
                Some(Error::row(path, row + i, what))
            });
            if let Some(error) = failure {
                return Err(error);
            }
            row += count;
            bar.inc(count as u64);
        }
        Ok(())
    }

    fn images(&self, file: &Arc<File>) -> Result<Cells<ByteArrayType>, Error> {
        match self.reader(file, self.shard.image)? {
            ColumnReader::ByteArrayColumnReader(reader) => Ok(self.cells(reader, self.shard.image)),
            _ => Err(Error::damaged(self.shard.path, "the image column changes its type")),
        }
    }

    fn labels(&self, file: &Arc<File>) -> Result<Vec<i64>, Error> {
        let (column, name) = (self.shard.label, self.shard.label_name);
        match self.reader(file, column)? {
            ColumnReader::Int64ColumnReader(reader) => {
                self.cells(reader, column).take(self.rows()).map_err(|fault| self.error(fault, name))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let labels = self.cells(reader, column).take(self.rows());
                Ok(labels.map_err(|fault| self.error(fault, name))?.into_iter().map(i64::from).collect())
            }
            _ => Err(Error::damaged(self.shard.path, "the label column changes its type")),
        }
    }

    fn reader(&self, file: &Arc<File>, column: usize) -> Result<ColumnReader, Error> {
        let chunk = self.metadata.column(column);
        let pages = SerializedPageReader::new(file.clone(), chunk, self.rows(), None);
        let pages = pages.map_err(|e| self.error(Fault::Unreadable(self.first, e.to_string()), ""))?;
        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
    }

    fn cells<T: DataType>(&self, reader: parquet::column::reader::ColumnReaderImpl<T>, column: usize) -> Cells<T> {
        Cells::new(reader, self.metadata.column(column).column_descr().max_def_level(), self.first)
    }

    /// What became of the column called `what`.
    fn error(&self, fault: Fault, what: &str) -> Error {
        let path = self.shard.path;
        match fault {
            Fault::Missing(row) => Error::damaged(path, format!("truncated: row {row} is missing")),
            Fault::Null(row) => Error::row(path, row, format!("the {what} is null")),
            Fault::Unreadable(row, e) => Error::damaged(path, format!("damaged at or after row {row} ({e})")),
        }
    }
}
