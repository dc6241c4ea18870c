//! What a Parquet footer claims to hold. No field of one is a list of booleans, or a map.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};

use super::thrift::{STRUCT, Walk};

/// Footers nest less than ten levels.
const DEPTH: usize = 32;

/// Whether the footer of `file` claims more than it can hold. Any other damage is for the parquet crate to tell.
pub(super) fn overclaims(mut file: &File) -> Result<bool> {
    let mut end = [0; 8];
    let Some(tail) = file.metadata()?.len().checked_sub(end.len() as u64) else { return Ok(false) };
    file.seek(SeekFrom::Start(tail))?;
    file.read_exact(&mut end)?;
    let [a, b, c, d, magic @ ..] = end;
    let size = u32::from_le_bytes([a, b, c, d]);
    let Some(start) = tail.checked_sub(u64::from(size)).filter(|_| magic == *b"PAR1") else { return Ok(false) };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(u64::from(size)).read_to_end(&mut footer)?;
    let mut walk = Walk::new(&footer, true);
    walk.value(STRUCT, DEPTH);
    Ok(walk.overclaims)
}
