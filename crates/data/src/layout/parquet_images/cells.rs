//! The cells of one column in a row group, some at a time.

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::DataType;

/// Why cells could not be read.
pub(super) enum Fault {
    /// The column ends at a row before the last.
    Missing(usize),
    /// A row has none.
    Null(usize),
    /// From a row on, the parquet crate cannot make sense of it.
    Unreadable(usize, String),
}

/// What is left to read of a column without lists.
pub(super) struct Cells<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The definition level of a cell that is there.
    defined: i16,
    /// The next row, counting from the file's first.
    row: usize,
}

impl<T: DataType> Cells<T> {
    /// All of a row group that begins at `row` of the file.
    pub(super) fn new(reader: ColumnReaderImpl<T>, defined: i16, row: usize) -> Self {
        Self { reader, defined, row }
    }

    /// The next `count`.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<T::T>, Fault> {
        let (first, end) = (self.row, self.row + count);
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        while self.row < end {
            let levels = (self.defined > 0).then_some(&mut levels);
            let read = self.reader.read_records(end - self.row, levels, None, &mut values);
            let (records, ..) = read.map_err(|e| Fault::Unreadable(self.row, e.to_string()))?;
            if records == 0 {
                return Err(Fault::Missing(self.row));
            }
            self.row += records;
        }
        match levels.iter().position(|&level| level < self.defined) {
            Some(i) => Err(Fault::Null(first + i)),
            None => Ok(values),
        }
    }
}
