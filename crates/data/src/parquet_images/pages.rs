//! What the headers of a column's pages claim to hold.
//!
//! No field of one is a list or a map. The parquet crate reads the fields that it knows without a look at
//! their kind; one of another kind would hide from the walk what the crate makes of its bytes.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::ops::Range;

use super::thrift::{I32, STRUCT, Walk};

/// Headers are shorter: the longest things in them are a smallest and a largest value.
const LONGEST: u64 = 1 << 18;

/// They nest less than this.
const DEPTH: usize = 8;

/// Whether the header of a page in `chunk`, a part of `file`, claims more than it can hold. Any other damage is
/// for the parquet crate to tell.
pub(super) fn overclaim(mut file: &File, chunk: Range<u64>) -> Result<bool> {
    let (mut at, mut bytes) = (chunk.start, Vec::new());
    while at < chunk.end {
        file.seek(SeekFrom::Start(at))?;
        bytes.clear();
        let read = file.take(LONGEST.min(chunk.end - at)).read_to_end(&mut bytes)?;
        let mut walk = Walk::new(&bytes, false);
        let Some(content) = header(&mut walk) else {
            return Ok(walk.overclaims || read as u64 == LONGEST);
        };
        let length = (read - walk.rest.len()) as u64;
        let Some(next) = at.checked_add(length).and_then(|end| end.checked_add(content)) else { break };
        at = next;
    }
    Ok(false)
}

/// How many bytes follow the header of a page.
fn header(walk: &mut Walk<'_>) -> Option<u64> {
    let mut content = None;
    walk.fields(|walk, field, kind| match (field, kind) {
        (3, I32) => {
            content = Some(u64::try_from(walk.signed()?).ok()?);
            Some(())
        }
        (1..=4, I32) => walk.value(I32, 0),
        (5, STRUCT) => integers(walk, 4),
        (7, STRUCT) => integers(walk, 2),
        (8, STRUCT) => integers(walk, 6),
        (1..=8, kind) if kind != STRUCT || field < 5 => walk.refuse(),
        _ => walk.value(kind, DEPTH),
    })?;
    content
}

/// A structure whose first `count` fields are integers.
fn integers(walk: &mut Walk<'_>, count: i16) -> Option<()> {
    walk.fields(
        |walk, field, kind| {
            if (1..=count).contains(&field) && kind != I32 { walk.refuse() } else { walk.value(kind, DEPTH) }
        },
    )
}
