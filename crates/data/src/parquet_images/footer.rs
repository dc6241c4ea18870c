//! What a Parquet footer claims to hold, before the parquet crate believes it.
//!
//! The crate skips fields that it does not know. For an element of a list or map of booleans that takes no
//! byte, so a few bytes can ask it for billions of turns. No field of a footer is such a list, or a map.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};

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
    let mut walk = Walk { rest: &footer, overclaims: false };
    walk.structure(DEPTH);
    Ok(walk.overclaims)
}

/// Thrift's compact encoding; `None` where it ends early, is unknown or overclaims.
struct Walk<'a> {
    rest: &'a [u8],
    overclaims: bool,
}

impl Walk<'_> {
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn structure(&mut self, depth: usize) -> Option<()> {
        loop {
            let header = self.byte()?;
            if header & 0x0f == 0 {
                return Some(());
            }
            if header >> 4 == 0 {
                self.number()?;
            }
            self.value(header & 0x0f, depth)?;
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            // A boolean field is in its header.
            1 | 2 => Some(()),
            3 => self.skip(1),
            4..=6 => self.number().map(drop),
            7 => self.skip(8),
            8 => {
                let length = self.number()?;
                self.skip(usize::try_from(length).ok()?)
            }
            9 | 10 if depth > 0 => {
                let header = self.byte()?;
                let size = if header >> 4 == 15 { self.number()? } else { u64::from(header >> 4) };
                let element = header & 0x0f;
                if size > self.rest.len() as u64 || size > 0 && matches!(element, 1 | 2) {
                    return self.refuse();
                }
                (0..size).try_for_each(|_| self.value(element, depth - 1))
            }
            12 if depth > 0 => self.structure(depth - 1),
            13 => self.skip(16),
            9..=12 => self.refuse(),
            _ => None,
        }
    }

    fn refuse(&mut self) -> Option<()> {
        self.overclaims = true;
        None
    }
}
