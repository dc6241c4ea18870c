//! Arrays of numbers in MATLAB's files of version 5 to 7, read from front to back.
//!
//! A file is a header and a sequence of elements, each a kind, a size and that many bytes; an array is an
//! element, compressed or not, that holds elements: its class, shape, name and numbers. Source: MathWorks,
//! "MAT-File Format".

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::ZlibDecoder;

/// Kinds of elements.
const BYTES: u32 = 2;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Shapes and names are shorter than this many bytes.
const MOST: usize = 256;

/// A file that is being read.
pub(super) struct File {
    file: BufReader<std::fs::File>,
    /// Where the next element begins, and where the file ends.
    next: u64,
    end: u64,
}

/// An array: what it is called, and its numbers one after the other, the first index fastest.
pub(super) struct Array<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// How the numbers are stored, once that was read.
    kind: Option<u32>,
    source: Box<dyn Read + 'a>,
}

impl File {
    /// Reads the header.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let mut file = std::fs::File::open(path).map_err(truncated)?;
        let end = file.metadata().map_err(truncated)?.len();
        let mut header = [0; 128];
        file.read_exact(&mut header).map_err(truncated)?;
        if header.starts_with(b"MATLAB 7.3") {
            return Err("a MATLAB file of version 7.3, but the original is of version 5".into());
        }
        if !header.starts_with(b"MATLAB 5.0") || header[124..] != [0, 1, b'I', b'M'] {
            return Err("not a MATLAB file of version 5".into());
        }
        Ok(Self { file: BufReader::new(file), next: header.len() as u64, end })
    }

    /// The next array, or nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Array<'_>>, String> {
        while self.next < self.end {
            self.file.seek(SeekFrom::Start(self.next)).map_err(truncated)?;
            let (kind, size) = (word(&mut self.file)?, u64::from(word(&mut self.file)?));
            self.next = self.next.saturating_add(8 + size);
            match kind {
                MATRIX => return Array::read(Box::new((&mut self.file).take(size))).map(Some),
                COMPRESSED => {
                    let mut source = ZlibDecoder::new((&mut self.file).take(size));
                    return match (word(&mut source)?, u64::from(word(&mut source)?)) {
                        (MATRIX, size) => Array::read(Box::new(source.take(size))).map(Some),
                        (kind, _) => Err(format!("damaged: a compressed element of kind {kind}, which is no array")),
                    };
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

impl<'a> Array<'a> {
    fn read(mut source: Box<dyn Read + 'a>) -> Result<Self, String> {
        let _class = short(&mut source)?;
        let lengths = short(&mut source)?;
        let name = short(&mut source)?;
        let length = |bytes: &[u8; 4]| usize::try_from(i32::from_le_bytes(*bytes)).ok();
        let shape = lengths.as_chunks().0.iter().map(length).collect::<Option<_>>();
        let shape = shape.ok_or("damaged: an array with a negative length")?;
        Ok(Self { name: String::from_utf8_lossy(&name).into_owned(), shape, kind: None, source })
    }

    /// Fills `out` with the next numbers of an array of bytes.
    pub(super) fn bytes(&mut self, out: &mut [u8]) -> Result<(), String> {
        match self.kind()? {
            BYTES => self.source.read_exact(out).map_err(truncated),
            kind => Err(format!("{} is stored as kind {kind} of numbers, expected bytes ({BYTES})", self.name)),
        }
    }

    /// The next number. MATLAB stores whole ones in as few bytes as they need, whatever the array's class.
    pub(super) fn number(&mut self) -> Result<f64, String> {
        Ok(match self.kind()? {
            1 => i8::from_le_bytes(self.take()?).into(),
            BYTES => u8::from_le_bytes(self.take()?).into(),
            3 => i16::from_le_bytes(self.take()?).into(),
            4 => u16::from_le_bytes(self.take()?).into(),
            5 => i32::from_le_bytes(self.take()?).into(),
            6 => u32::from_le_bytes(self.take()?).into(),
            7 => f32::from_le_bytes(self.take()?).into(),
            9 => f64::from_le_bytes(self.take()?),
            12 => i64::from_le_bytes(self.take()?) as f64,
            13 => u64::from_le_bytes(self.take()?) as f64,
            kind => return Err(format!("{} is stored as kind {kind}, which is no number", self.name)),
        })
    }

    fn kind(&mut self) -> Result<u32, String> {
        if self.kind.is_none() {
            self.kind = Some(tag(&mut self.source)?.0);
        }
        Ok(self.kind.unwrap_or_default())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(truncated)?;
        Ok(bytes)
    }
}

/// The kind of an element, its size, and its size with what fills it up: an element of up to four bytes shares
/// eight with its tag, others end at a multiple of eight.
fn tag(source: &mut impl Read) -> Result<(u32, usize, usize), String> {
    let kind = word(source)?;
    if kind >> 16 != 0 {
        return Ok((kind & 0xffff, (kind >> 16) as usize, 4));
    }
    let size = word(source)? as usize;
    Ok((kind, size, size.next_multiple_of(8)))
}

/// A whole short element.
fn short(source: &mut impl Read) -> Result<Vec<u8>, String> {
    let (_, size, filled) = tag(source)?;
    if size > filled || filled > MOST {
        return Err("damaged: an array's description is too long".into());
    }
    let mut bytes = vec![0; filled];
    source.read_exact(&mut bytes).map_err(truncated)?;
    bytes.truncate(size);
    Ok(bytes)
}

fn word(source: &mut impl Read) -> Result<u32, String> {
    let mut bytes = [0; 4];
    source.read_exact(&mut bytes).map_err(truncated)?;
    Ok(u32::from_le_bytes(bytes))
}

fn truncated(e: std::io::Error) -> String {
    format!("truncated or damaged ({e})")
}
