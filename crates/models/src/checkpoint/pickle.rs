//! Python's pickle, read as data.
//!
//! A pickle is a program for a stack machine that may call any Python function. Here a call becomes a
//! [`Node::Call`] that names the function and is never made. Nodes live in one flat list and refer to
//! each other by index: shared and cyclic objects cost nothing, and however deeply a hostile file
//! nests, nothing recurses. No claimed length is believed before the bytes are there.

use std::collections::HashMap;

use super::objects::{Id, Node, Pickle};
use super::{Fault, damaged, unsupported};

/// The largest state dicts in use have some ten thousand nodes.
const MOST_NODES: usize = 4_000_000;

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// What may still be copied: a memo lets a few bytes ask for the same copy again and again.
    spare: usize,
}

/// Reads the pickle that starts at byte `at`.
pub(super) fn parse(bytes: &[u8], at: usize) -> Result<Pickle, Fault> {
    let mut machine = Machine {
        bytes,
        at,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        spare: bytes.len().saturating_mul(4),
    };
    while machine.step()? {}
    let root = machine.pop()?;
    Ok(Pickle { nodes: machine.nodes, root, end: machine.at })
}

impl<'a> Machine<'a> {
    /// Follows one instruction; false at the last one.
    fn step(&mut self) -> Result<bool, Fault> {
        let code = self.take(1)?[0];
        match code {
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'.' => return Ok(false),    // STOP
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'K' => self.integer(1, false)?,
            b'M' => self.integer(2, false)?,
            b'J' => self.integer(4, true)?,
            0x8a | 0x8b => {
                let length = self.length(if code == 0x8a { 1 } else { 4 })?;
                self.integer(length, true)?;
            }
            b'I' | b'L' => {
                let text = self.line()?;
                let value = text.trim_end_matches('L').parse().map(Node::Int);
                self.push(value.unwrap_or(Node::Inert))?;
            }
            b'F' => {
                self.line()?;
                self.push(Node::Inert)?;
            }
            b'G' => self.inert(8)?,
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            0x8d => self.text(8)?,
            // Python 2 wrote its text, keys and class names included, as byte strings.
            b'U' => self.text(1)?,
            b'T' => self.text(4)?,
            b'C' | b'B' | 0x8e | 0x96 => {
                let width = match code {
                    b'C' => 1,
                    b'B' => 4,
                    _ => 8,
                };
                let length = self.length(width)?;
                self.inert(length)?;
            }
            b')' => self.push(Node::Tuple(vec![]))?,
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(code - 0x84));
                let first = first.ok_or_else(|| self.fault("an empty stack"))?;
                let items = self.stack.split_off(first);
                self.push(Node::Tuple(items))?;
            }
            b't' | b'l' | b'd' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(match code {
                    b't' => Node::Tuple(items),
                    b'l' => Node::List(items),
                    b'd' => Node::Dict(pairs(&items)),
                    _ => Node::Inert,
                })?;
            }
            b']' => self.push(Node::List(vec![]))?,
            b'}' => self.push(Node::Dict(vec![]))?,
            0x8f => self.push(Node::Inert)?,
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend(&[key, value])?;
            }
            b'e' | b'u' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(&items)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Class { module, name })?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name]) else {
                    return Err(self.fault("a class without a name"));
                };
                let spare = self.copying(module.len() + name.len())?;
                let class = Node::Class { module: module.clone(), name: name.clone() };
                self.spare = spare;
                self.push(class)?;
            }
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(callable, args)?;
            }
            0x92 => {
                let (_keywords, args, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, args)?;
            }
            // An object's attributes, `_metadata` of a state dict among them.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            b'q' | b'r' => {
                let slot = self.length(if code == b'q' { 1 } else { 4 })? as u64;
                let top = self.top()?;
                self.memo.insert(slot, top);
            }
            0x94 => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u64, top);
            }
            b'h' | b'j' => {
                let slot = self.length(if code == b'h' { 1 } else { 4 })? as u64;
                let id = *self.memo.get(&slot).ok_or_else(|| self.fault("an unset memo slot"))?;
                self.stack.push(id);
            }
            other => return Err(self.fault(&format!("unknown instruction {other:#04x}"))),
        }
        Ok(true)
    }

    fn call(&mut self, callable: Id, args: Id) -> Result<(), Fault> {
        let dictionary = matches!(
            &self.nodes[callable],
            Node::Class { module, name }
                if module == "collections" && (name == "OrderedDict" || name == "defaultdict")
        );
        let node = if dictionary { Node::Dict(self.initial_items(args)?) } else { Node::Call { callable, args } };
        self.push(node)
    }

    /// What may be copied after a copy of `size` items or bytes.
    fn copying(&self, size: usize) -> Result<usize, Fault> {
        self.spare.checked_sub(size).ok_or_else(|| self.fault("copies many times larger than the file"))
    }

    /// Python 2 pickled an ordered dictionary as a call with the list of its pairs.
    fn initial_items(&mut self, args: Id) -> Result<Vec<(Id, Id)>, Fault> {
        let items = |id: Id| match &self.nodes[id] {
            Node::Tuple(items) | Node::List(items) => items.as_slice(),
            _ => &[],
        };
        let entries = items(args).first().map_or(&[][..], |&list| items(list));
        let spare = self.copying(entries.len())?;
        let pair = |&entry: &Id| match items(entry) {
            &[key, value] => Some((key, value)),
            _ => None,
        };
        let pairs = entries.iter().filter_map(pair).collect();
        self.spare = spare;
        Ok(pairs)
    }

    /// Adds items to the list or dictionary on top; other containers are inert.
    fn extend(&mut self, items: &[Id]) -> Result<(), Fault> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend_from_slice(items),
            Node::Dict(dict) => dict.extend(pairs(items)),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), Fault> {
        if self.nodes.len() == MOST_NODES {
            return Err(unsupported(format!(
                "the pickle has more than {MOST_NODES} objects, no state dict has; \
                 save only `model.state_dict()`"
            )));
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().ok_or_else(|| self.fault("an empty stack"))
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        let mark = mark.ok_or_else(|| self.fault("a missing mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let bytes = self.bytes;
        let end = self.at.checked_add(length).filter(|&end| end <= bytes.len());
        let end = end.ok_or_else(|| self.fault("the end of the data"))?;
        let taken = &bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn length(&mut self, width: usize) -> Result<usize, Fault> {
        let digits = self.take(width)?;
        let value = digits.iter().rev().fold(0u64, |v, &digit| v << 8 | u64::from(digit));
        usize::try_from(value).map_err(|_| self.fault("a length beyond this machine's memory"))
    }

    fn integer(&mut self, width: usize, signed: bool) -> Result<(), Fault> {
        let digits = self.take(width)?;
        if width > 15 {
            return self.push(Node::Inert);
        }
        let value = digits.iter().rev().fold(0i128, |v, &digit| v << 8 | i128::from(digit));
        let negative = signed && digits.last().is_some_and(|&digit| digit >= 0x80);
        self.push(Node::Int(if negative { value - (1 << (8 * width)) } else { value }))
    }

    fn text(&mut self, width: usize) -> Result<(), Fault> {
        let length = self.length(width)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Node::Text(text))
    }

    fn inert(&mut self, length: usize) -> Result<(), Fault> {
        self.take(length)?;
        self.push(Node::Inert)
    }

    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| self.fault("the end of the data"))?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(text)
    }

    fn fault(&self, met: &str) -> Fault {
        damaged(format!("the pickle meets {met} at byte {}", self.at))
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}
