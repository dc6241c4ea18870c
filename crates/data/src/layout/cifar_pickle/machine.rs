//! Python's pickle, as far as CIFAR's files and what Python makes of them need it.
//!
//! A pickle is a program for a stack machine that may call any function of Python. Here a call is written down,
//! and never made. Values lie in one list and are named by their place in it, so a shared one costs nothing and
//! nothing recurses; bytes and text stay in the file. The number of instructions is limited, and each adds one
//! value at most.

use std::collections::HashMap;

/// CIFAR-100's training file takes a quarter of a million.
const MOST_INSTRUCTIONS: usize = 4_000_000;

/// A value's place in the list.
pub(super) type Id = usize;

/// What a pickle makes.
pub(super) enum Value<'a> {
    /// An integer or a boolean.
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Bytes as the text of their numbers' letters: what Python 3 makes of bytes in protocol 2.
    Letters(&'a str),
    /// A list or a tuple.
    Items(Vec<Id>),
    /// Keys and values in turn.
    Dict(Vec<Id>),
    /// Something of Python's, by its name without the module's.
    Global(&'a str),
    /// What a call would give, and the state it would be given.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
    },
    /// What no CIFAR file is read for.
    Nothing,
}

/// The values of a pickle; the last of them is what it makes.
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Follows the instructions in `bytes` up to the one that ends them.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine { rest: bytes, ..Machine::default() };
        for _ in 0..MOST_INSTRUCTIONS {
            let place = bytes.len() - machine.rest.len();
            match machine.step() {
                Some(false) => {}
                Some(true) => {
                    let root = machine.stack.pop().ok_or("it makes nothing")?;
                    return Ok(Self { values: machine.values, root });
                }
                None => return Err(format!("it ends early or has an unknown instruction at byte {place}")),
            }
        }
        Err(format!("more than {MOST_INSTRUCTIONS} instructions"))
    }

    pub(super) fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// The value of `key` in the dictionary that the pickle makes.
    pub(super) fn get(&self, key: &str) -> Result<&Value<'a>, String> {
        let Value::Dict(pairs) = self.value(self.root) else { return Err("it makes no dictionary".into()) };
        let pair = pairs.chunks_exact(2).find(|pair| self.says(pair[0], key));
        pair.map(|pair| self.value(pair[1])).ok_or_else(|| format!("no `{key}` in it"))
    }

    /// Whether a value is `text`; Python 2 wrote its text as bytes.
    pub(super) fn says(&self, id: Id, text: &str) -> bool {
        match self.value(id) {
            Value::Text(found) | Value::Letters(found) => *found == text,
            Value::Bytes(found) => *found == text.as_bytes(),
            _ => false,
        }
    }

    /// What a list or a tuple holds.
    pub(super) fn items(&self, id: Id) -> Result<&[Id], String> {
        if let Value::Items(items) = self.value(id) { Ok(items) } else { Err("a tuple is missing in it".into()) }
    }

    /// A tuple of whole numbers.
    pub(super) fn sizes(&self, id: Id) -> Result<Vec<usize>, String> {
        let size = |&id| if let Value::Int(size) = self.value(id) { usize::try_from(*size).ok() } else { None };
        self.items(id)?.iter().map(size).collect::<Option<_>>().ok_or_else(|| "a shape in it is none".into())
    }

    /// The name of something of Python's.
    pub(super) fn name(&self, id: Id) -> Result<&'a str, String> {
        if let Value::Global(name) = self.value(id) { Ok(name) } else { Err("a call of nothing in it".into()) }
    }
}

#[derive(Default)]
struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    /// Follows one instruction; true at the last one, nothing where it cannot be followed.
    fn step(&mut self) -> Option<bool> {
        let code = self.take(1)?[0];
        let value = match code {
            b'.' => return Some(true),
            0x80 => return self.take(1).map(|_| false), // protocol
            0x95 => return self.take(8).map(|_| false), // frame
            b'(' => {
                self.marks.push(self.stack.len());
                return Some(false);
            }
            b'q' | b'r' | 0x94 => {
                let place = if code == 0x94 { self.memo.len() } else { self.size(if code == b'q' { 1 } else { 4 })? };
                self.memo.insert(place, *self.stack.last()?);
                return Some(false);
            }
            b'h' | b'j' => {
                let place = self.size(if code == b'h' { 1 } else { 4 })?;
                self.stack.push(*self.memo.get(&place)?);
                return Some(false);
            }
            b'a' => {
                let item = self.stack.pop()?;
                return self.extend(vec![item]);
            }
            b's' => {
                let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                return self.extend(vec![key, value]);
            }
            b'e' | b'u' => {
                let items = self.since_mark()?;
                return self.extend(items);
            }
            b'b' => {
                let given = self.stack.pop()?;
                let Value::Call { state, .. } = &mut self.values[*self.stack.last()?] else { return None };
                *state = Some(given);
                return Some(false);
            }
            b'N' => Value::Nothing,
            0x88 | 0x89 => Value::Int(i64::from(code == 0x88)),
            b'K' => Value::Int(self.size(1)? as i64),
            b'M' => Value::Int(self.size(2)? as i64),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            b'G' => self.take(8).map(|_| Value::Nothing)?, // a float
            b'U' | b'C' => Value::Bytes(self.counted(1)?),
            b'T' | b'B' => Value::Bytes(self.counted(4)?),
            0x8e | 0x96 => Value::Bytes(self.counted(8)?),
            0x8c => Value::Text(str::from_utf8(self.counted(1)?).ok()?),
            b'X' => Value::Text(str::from_utf8(self.counted(4)?).ok()?),
            0x8d => Value::Text(str::from_utf8(self.counted(8)?).ok()?),
            b']' | b')' => Value::Items(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b't' | b'l' => Value::Items(self.since_mark()?),
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(code - 0x84))?;
                Value::Items(self.stack.split_off(first))
            }
            b'c' => {
                self.line()?;
                Value::Global(self.line()?)
            }
            0x93 => {
                let (name, _module) = (self.stack.pop()?, self.stack.pop()?);
                let Value::Text(name) = self.values[name] else { return None };
                Value::Global(name)
            }
            b'R' => {
                let (arguments, function) = (self.stack.pop()?, self.stack.pop()?);
                match (&self.values[function], self.first(arguments)) {
                    (Value::Global("encode"), Some(Value::Text(text))) => Value::Letters(text),
                    _ => Value::Call { function, arguments, state: None },
                }
            }
            _ => return None,
        };
        self.stack.push(self.values.len());
        self.values.push(value);
        Some(false)
    }

    fn first(&self, list: Id) -> Option<&Value<'a>> {
        if let Value::Items(items) = &self.values[list] { Some(&self.values[*items.first()?]) } else { None }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// A number of `width` bytes, the lowest first.
    fn size(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        let number = bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        usize::try_from(number).ok()
    }

    /// Bytes after their number, of `width` bytes.
    fn counted(&mut self, width: usize) -> Option<&'a [u8]> {
        let count = self.size(width)?;
        self.take(count)
    }

    fn line(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let line = str::from_utf8(self.take(end)?).ok();
        self.take(1)?;
        line
    }

    fn since_mark(&mut self) -> Option<Vec<Id>> {
        let mark = self.marks.pop()?;
        (mark <= self.stack.len()).then(|| self.stack.split_off(mark))
    }

    /// Adds to the list or dictionary on top of the stack.
    fn extend(&mut self, added: Vec<Id>) -> Option<bool> {
        match &mut self.values[*self.stack.last()?] {
            Value::Items(items) => items.extend(added),
            Value::Dict(pairs) if added.len().is_multiple_of(2) => pairs.extend(added),
            _ => return None,
        }
        Some(false)
    }
}
