//! The zip container of `torch.save`: a directory of stored (never compressed) records.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::{Fault, damaged, unsupported};

/// The records of an archive, as slices of the file.
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    records: BTreeMap<String, Record>,
    /// Bytes of the records asked for so far: those that do not overlap are no more than the file has.
    summed: Cell<usize>,
}

struct Record {
    method: u16,
    crc: u32,
    size: u64,
    header: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let end = end_record(bytes).ok_or_else(|| damaged("the zip directory at the end of the file is missing"))?;
        let mut at = directory(bytes, end)?;
        let mut records = BTreeMap::new();
        while bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
            let lengths = [28, 30, 32].map(|field| number(bytes, at + field, 2));
            let [name, extra, comment] = lengths;
            let (name, extra, comment) = (name? as usize, extra? as usize, comment? as usize);
            let text = slice(bytes, at + 46, name)?;
            let extra_at = at + 46 + name;
            let record = record(bytes, at, slice(bytes, extra_at, extra)?)?;
            records.insert(String::from_utf8_lossy(text).into_owned(), record);
            at = extra_at + extra + comment;
        }
        Ok(Self { bytes, records, summed: Cell::new(0) })
    }

    /// The names of all records, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// One record's content, checked against its checksum; to be asked for once.
    pub(super) fn get(&self, name: &str) -> Result<&'a [u8], Fault> {
        let record =
            self.records.get(name).ok_or_else(|| damaged(format!("record `{name}` is missing from the archive")))?;
        if record.method != 0 {
            return Err(unsupported(format!(
                "record `{name}` is compressed, which torch.save never does; save it with torch.save"
            )));
        }
        let short = || damaged(format!("record `{name}` reaches beyond the end of the file"));
        let at = usize::try_from(record.header).map_err(|_| short())?;
        if !self.bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x03\x04")) {
            return Err(damaged(format!("record `{name}` has no header where one should be")));
        }
        // The directory's extra field may differ in length from the one in front of the data.
        let skip = number(self.bytes, at + 26, 2)? + number(self.bytes, at + 28, 2)?;
        let size = usize::try_from(record.size).map_err(|_| short())?;
        let content = slice(self.bytes, at + 30 + skip as usize, size).map_err(|_| short())?;
        self.summed.set(self.summed.get().saturating_add(size));
        if self.summed.get() > self.bytes.len() {
            return Err(damaged("its records overlap"));
        }
        if crc32(content) != record.crc {
            return Err(damaged(format!("record `{name}` does not match its checksum")));
        }
        Ok(content)
    }
}

/// The end-of-directory record; behind it there is only a comment of at most 65,535 bytes.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(22)?;
    (last.saturating_sub(usize::from(u16::MAX))..=last).rev().find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
}

fn directory(bytes: &[u8], end: usize) -> Result<usize, Fault> {
    let beyond = || damaged("the zip directory reaches beyond the end of the file");
    let mut offset = number(bytes, end + 16, 4)?;
    if let Some(locator) = end.checked_sub(20)
        && bytes[locator..].starts_with(b"PK\x06\x07")
    {
        let zip64 = usize::try_from(number(bytes, locator + 8, 8)?).map_err(|_| beyond())?;
        let zip64 = zip64.checked_add(48).ok_or_else(beyond)?;
        offset = number(bytes, zip64, 8)?;
    }
    let offset = usize::try_from(offset).map_err(|_| beyond())?;
    if offset > bytes.len() { Err(beyond()) } else { Ok(offset) }
}

/// Reads a directory entry; values too large for it stand in its zip64 field, in this order.
fn record(bytes: &[u8], at: usize, mut extra: &[u8]) -> Result<Record, Fault> {
    let packed = number(bytes, at + 20, 4)?;
    let mut size = number(bytes, at + 24, 4)?;
    let mut header = number(bytes, at + 42, 4)?;
    let full = u64::from(u32::MAX);
    while extra.len() >= 4 {
        let length = number(extra, 2, 2)? as usize;
        let field = slice(extra, 4, length)?;
        if number(extra, 0, 2)? == 1 {
            let mut next = 0;
            let mut wide = |value: u64| {
                if value != full {
                    return Ok(value);
                }
                next += 8;
                number(field, next - 8, 8)
            };
            size = wide(size)?;
            wide(packed)?;
            header = wide(header)?;
        }
        extra = &extra[4 + length..];
    }
    let method = number(bytes, at + 10, 2)? as u16;
    Ok(Record { method, crc: number(bytes, at + 16, 4)? as u32, size, header })
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Fault> {
    at.checked_add(length)
        .and_then(|end| bytes.get(at..end))
        .ok_or_else(|| damaged(format!("the file ends before byte {}", at.saturating_add(length))))
}

fn number(bytes: &[u8], at: usize, width: usize) -> Result<u64, Fault> {
    let digits = slice(bytes, at, width)?;
    Ok(digits.iter().rev().fold(0, |value, &digit| value << 8 | u64::from(digit)))
}

fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut value = i as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| TABLE[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}
