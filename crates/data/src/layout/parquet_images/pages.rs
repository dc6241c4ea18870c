//! What the headers of a column's pages claim to hold.
//!
//! No field of one is a list or a map. The parquet crate reads the fields that it knows without a look at
//! their kind; one of another kind would hide from the walk what the crate makes of its bytes.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::ops::{Range, RangeInclusive};

use super::thrift::{I32, STRUCT, Walk};

/// Headers are shorter: the longest things in them are a smallest and a largest value. Nearly all are far shorter.
const LONGEST: u64 = 1 << 18;
const USUAL: u64 = 1 << 10;

/// They nest less than this.
const DEPTH: usize = 8;

/// Snappy, the only compression that is read, makes 64 bytes of three at best.
const RATIO: i32 = 32;

/// Two encodings begin with the number of their values, which the crate believes.
const DELTA_LENGTHS: RangeInclusive<i32> = 6..=7;

/// Whether a page in `chunk`, a part of `file`, claims more than it can hold, or might. Any other damage is for the
/// parquet crate to tell.
pub(super) fn overclaim(mut file: &File, chunk: Range<u64>) -> Result<bool> {
    let (mut at, mut bytes) = (chunk.start, Vec::new());
    while at < chunk.end {
        let mut window = USUAL;
        let (content, length) = loop {
            file.seek(SeekFrom::Start(at))?;
            bytes.clear();
            let read = file.take(window.min(chunk.end - at)).read_to_end(&mut bytes)?;
            let mut walk = Walk::new(&bytes, false);
            match header(&mut walk) {
                Some(content) => break (content, (read - walk.rest.len()) as u64),
                None if walk.overclaims || read as u64 == LONGEST => return Ok(true),
                None if (read as u64) < window => return Ok(false),
                None => window = LONGEST,
            }
        };
        let Some(next) = at.checked_add(length).and_then(|end| end.checked_add(content)) else { break };
        at = next;
    }
    Ok(false)
}

/// How many bytes follow the header of a page.
fn header(walk: &mut Walk<'_>) -> Option<u64> {
    let (mut whole, mut content, mut dictionary, mut encoding) = (0, None, 0, 0);
    walk.fields(|walk, field, kind| {
        match (field, kind) {
            (2, I32) => whole = integer(walk)?,
            (3, I32) => content = Some(integer(walk)?),
            (1 | 4, I32) => drop(integer(walk)?),
            (5, STRUCT) => encoding = integers::<4>(walk)?[1],
            (7, STRUCT) => dictionary = integers::<2>(walk)?[0],
            (8, STRUCT) => encoding = integers::<6>(walk)?[3],
            (1..=8, kind) if kind != STRUCT || field < 5 => return walk.refuse(),
            _ => walk.value(kind, DEPTH)?,
        }
        Some(())
    })?;
    let content = content?;
    // Each value of a dictionary takes some bytes.
    let inflated = whole > content.saturating_mul(RATIO).saturating_add(RATIO);
    if inflated || dictionary > whole || DELTA_LENGTHS.contains(&encoding) {
        walk.refuse()?;
    }
    u64::try_from(content).ok()
}

/// As the crate reads it.
fn integer(walk: &mut Walk<'_>) -> Option<i32> {
    walk.signed().map(|number| number as i32)
}

/// A structure whose first `N` fields are integers: those.
fn integers<const N: usize>(walk: &mut Walk<'_>) -> Option<[i32; N]> {
    let mut values = [0; N];
    walk.fields(|walk, field, kind| {
        let value = usize::try_from(field).ok().and_then(|field| values.get_mut(field.checked_sub(1)?));
        match value {
            Some(value) if kind == I32 => *value = integer(walk)?,
            Some(_) => return walk.refuse(),
            None => walk.value(kind, DEPTH)?,
        }
        Some(())
    })?;
    Some(values)
}
