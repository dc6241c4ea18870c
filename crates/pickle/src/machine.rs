//! The machine that a pickle is a program for.

use std::collections::HashMap;

use crate::{Fault, Id, Pickle, Value};

/// The largest state dicts in use take some ten thousand, CIFAR-100's training file a quarter of a million. Each adds one
/// value, memory slot or mark at most.
pub(crate) const MOST_INSTRUCTIONS: usize = 8_000_000;

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

/// Follows the pickle that starts at byte `at`.
pub(crate) fn follow(bytes: &[u8], at: usize) -> Result<Pickle<'_>, Fault> {
    let (values, stack, marks, memo) = Default::default();
    let mut machine = Machine { bytes, at, values, stack, marks, memo };
    for _ in 0..MOST_INSTRUCTIONS {
        if !machine.step()? {
            let root = machine.pop()?;
            return Ok(Pickle { values: machine.values, root, end: machine.at });
        }
    }
    Err(Fault::TooMany)
}

impl<'a> Machine<'a> {
    /// Follows one instruction; false at the last one.
    fn step(&mut self) -> Result<bool, Fault> {
        let code = self.take(1)?[0];
        match code {
            0x80 => drop(self.take(1)?), // the protocol
            0x95 => drop(self.take(8)?), // a frame
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' | b'r' | 0x94 => {
                let place = match code {
                    b'q' => self.size(1)?,
                    b'r' => self.size(4)?,
                    _ => self.memo.len(),
                };
                self.memo.insert(place, self.top()?);
            }
            b'h' | b'j' => {
                let place = self.size(if code == b'h' { 1 } else { 4 })?;
                let id = self.memo.get(&place).copied().ok_or_else(|| self.fault("an unset memo slot"))?;
                self.stack.push(id);
            }
            b'a' => {
                let item = self.pop()?;
                self.add(vec![item])?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.add(vec![key, value])?;
            }
            b'e' | b'u' | 0x90 => {
                let items = self.since_mark()?;
                self.add(items)?;
            }
            b'b' => self.build()?,
            _ => {
                let value = self.make(code)?;
                self.stack.push(self.values.len());
                self.values.push(value);
            }
        }
        Ok(true)
    }

    /// Follows an instruction that makes a value.
    fn make(&mut self, code: u8) -> Result<Value<'a>, Fault> {
        Ok(match code {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => self.integer(1, false)?,
            b'M' => self.integer(2, false)?,
            b'J' => self.integer(4, true)?,
            0x8a | 0x8b => {
                let width = self.size(if code == 0x8a { 1 } else { 4 })?;
                self.integer(width, true)?
            }
            b'I' | b'L' => self.line()?.trim_end_matches('L').parse().map_or(Value::Inert, Value::Int),
            b'F' => self.line().map(|_| Value::Inert)?,
            b'G' => self.take(8).map(|_| Value::Inert)?,
            b'U' | 0x8c => self.text(1)?,
            b'T' | b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => Value::Bytes(self.counted(1)?),
            b'B' => Value::Bytes(self.counted(4)?),
            0x8e | 0x96 => Value::Bytes(self.counted(8)?),
            b')' => Value::Tuple(vec![]),
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(code - 0x84));
                let first = first.ok_or_else(|| self.fault("an empty stack"))?;
                Value::Tuple(self.stack.split_off(first))
            }
            b't' => Value::Tuple(self.since_mark()?),
            b']' => Value::List(vec![]),
            b'l' => Value::List(self.since_mark()?),
            b'}' => Value::Dict(vec![]),
            b'd' => {
                let entries = self.since_mark()?;
                self.paired(&entries)?;
                Value::Dict(entries)
            }
            0x8f => Value::Inert, // a set
            0x91 => self.since_mark().map(|_| Value::Inert)?,
            b'c' => Value::Global { module: self.line()?, name: self.line()? },
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (&Value::Text(module), &Value::Text(name)) = (&self.values[module], &self.values[name]) else {
                    return Err(self.fault("a class without a name"));
                };
                Value::Global { module, name }
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                Value::Call { function, arguments, state: None, added: vec![] }
            }
            0x92 => {
                let (_keywords, arguments, function) = (self.pop()?, self.pop()?, self.pop()?);
                Value::Call { function, arguments, state: None, added: vec![] }
            }
            b'Q' => Value::Persistent(self.pop()?),
            _ => {
                self.at -= 1;
                return Err(self.fault(&format!("the unknown instruction {code:#04x}")));
            }
        })
    }

    /// Gives the value on top its state; nobody asks for that of anything but the result of a call.
    fn build(&mut self) -> Result<(), Fault> {
        let given = self.pop()?;
        let top = self.top()?;
        if let Value::Call { state, .. } = &mut self.values[top] {
            *state = Some(given);
        }
        Ok(())
    }

    /// Adds to the value on top.
    fn add(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        let top = self.top()?;
        if matches!(self.values[top], Value::Dict(_)) {
            self.paired(&items)?;
        }
        match &mut self.values[top] {
            Value::List(all) | Value::Dict(all) | Value::Call { added: all, .. } => all.extend(items),
            _ => {}
        }
        Ok(())
    }

    fn paired(&self, entries: &[Id]) -> Result<(), Fault> {
        if entries.len().is_multiple_of(2) { Ok(()) } else { Err(self.fault("a key without a value")) }
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().ok_or_else(|| self.fault("an empty stack"))
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        self.stack.pop().ok_or_else(|| self.fault("an empty stack"))
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        let mark = mark.ok_or_else(|| self.fault("a missing mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.fault("the end of the data"))?;
        self.at += length;
        Ok(taken)
    }

    /// A number of `width` bytes, the lowest first.
    fn size(&mut self, width: usize) -> Result<usize, Fault> {
        let digits = self.take(width)?;
        let value = digits.iter().rev().fold(0u64, |value, &digit| value << 8 | u64::from(digit));
        usize::try_from(value).map_err(|_| self.fault("a length beyond this machine's memory"))
    }

    /// Bytes after their number, of `width` bytes.
    fn counted(&mut self, width: usize) -> Result<&'a [u8], Fault> {
        let length = self.size(width)?;
        self.take(length)
    }

    fn integer(&mut self, width: usize, signed: bool) -> Result<Value<'a>, Fault> {
        let digits = self.take(width)?;
        if width > 15 {
            return Ok(Value::Inert);
        }
        let value = digits.iter().rev().fold(0i128, |value, &digit| value << 8 | i128::from(digit));
        let negative = signed && digits.last().is_some_and(|&digit| digit >= 0x80);
        Ok(Value::Int(if negative { value - (1 << (8 * width)) } else { value }))
    }

    fn text(&mut self, width: usize) -> Result<Value<'a>, Fault> {
        let bytes = self.counted(width)?;
        Ok(str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text))
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n');
        let bytes = self.take(length.ok_or_else(|| self.fault("the end of the data"))?)?;
        self.at += 1;
        str::from_utf8(bytes).map_err(|_| self.fault("a name that is not UTF-8"))
    }

    fn fault(&self, met: &str) -> Fault {
        Fault::Damaged { met: met.into(), at: self.at }
    }
}
