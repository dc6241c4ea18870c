//! A walk over a Thrift structure in its compact encoding, to see what it claims before the parquet crate
//! believes it.
//!
//! The crate skips fields that it does not know. For an element of a list or map of booleans that takes no
//! byte, so a few bytes can ask it for billions of turns.

/// Kinds of values that callers ask about.
pub(super) const I32: u8 = 5;
pub(super) const STRUCT: u8 = 12;

/// What is left of the bytes. Its functions give `None` where it ends early, is unknown or overclaims.
pub(super) struct Walk<'a> {
    pub(super) rest: &'a [u8],
    /// Whether it claims more than it can hold.
    pub(super) overclaims: bool,
    /// Whether there may be lists.
    lists: bool,
}

impl<'a> Walk<'a> {
    /// One over `bytes`, in which there may be lists, or may not.
    pub(super) fn new(bytes: &'a [u8], lists: bool) -> Self {
        Self { rest: bytes, overclaims: false, lists }
    }

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

    /// The value of a number with a sign.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A structure; `field` is told the number and kind of each of its fields, and goes over the value.
    pub(super) fn fields(&mut self, mut field: impl FnMut(&mut Self, i16, u8) -> Option<()>) -> Option<()> {
        let mut id = 0i16;
        loop {
            let header = self.byte()?;
            let kind = header & 0x0f;
            if kind == 0 {
                return Some(());
            }
            id = match header >> 4 {
                0 => self.signed()? as i16,
                more => id.wrapping_add(i16::from(more)),
            };
            field(self, id, kind)?;
        }
    }

    /// A value of `kind` that nests no deeper than `depth`.
    pub(super) fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
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
            9 | 10 if self.lists && depth > 0 => {
                let header = self.byte()?;
                let size = if header >> 4 == 15 { self.number()? } else { u64::from(header >> 4) };
                let element = header & 0x0f;
                if size > self.rest.len() as u64 || size > 0 && matches!(element, 1 | 2) {
                    return self.refuse();
                }
                (0..size).try_for_each(|_| self.value(element, depth - 1))
            }
            STRUCT if depth > 0 => self.fields(|walk, _, kind| walk.value(kind, depth - 1)),
            13 => self.skip(16),
            9..=12 => self.refuse(),
            _ => None,
        }
    }

    /// Ends the walk: this is no claim to believe.
    pub(super) fn refuse(&mut self) -> Option<()> {
        self.overclaims = true;
        None
    }
}
