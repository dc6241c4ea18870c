//! Python's pickles, read as data.
//!
//! A pickle is a program for a stack machine that may call any function of Python. Here a call becomes a
//! [`Value::Call`] that names the function, and is never made. Values lie in one list and are named by their place in
//! it, so shared and cyclic ones cost nothing, and however deeply a hostile file nests, nothing recurses. Bytes and text
//! stay in the file, so nothing is copied and no claimed length is believed before the bytes are there.
//!
//! Known are the instructions that Python 2 and 3 write in the protocols 2 to 5, which is what `torch.save` and the
//! files of CIFAR are made of.

mod machine;

/// A value's place among those of its pickle.
pub type Id = usize;

/// What a pickle makes.
#[derive(Debug)]
pub enum Value<'a> {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 15 bytes.
    Int(i128),
    /// Text.
    Text(&'a str),
    /// Bytes, and what Python 2 calls a string.
    Bytes(&'a [u8]),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// The keys and values of a dictionary in turn.
    Dict(Vec<Id>),
    /// A class or a function.
    Global {
        /// Where Python would look for it.
        module: &'a str,
        /// What it is called there.
        name: &'a str,
    },
    /// What a call would give.
    Call {
        /// What would be called.
        function: Id,
        /// A tuple.
        arguments: Id,
        /// The state the result would be given.
        state: Option<Id>,
        /// What would be added to the result: items of a list, or keys and values in turn.
        added: Vec<Id>,
    },
    /// A reference to something outside of the pickle.
    Persistent(Id),
    /// A set, a number with a fraction, or one too large for [`Value::Int`].
    Inert,
}

/// Why a pickle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be followed.
    #[error("the pickle meets {met} at byte {at}")]
    Damaged {
        /// What was found there.
        met: String,
        /// The first byte that was not followed.
        at: usize,
    },
    /// It makes more than any honest file.
    #[error("the pickle has more than {} objects", machine::MOST_VALUES)]
    TooMany,
}

/// The values of one pickle.
#[derive(Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    end: usize,
}

impl<'a> Pickle<'a> {
    /// Follows the pickle that starts at byte `at`.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read(bytes: &'a [u8], at: usize) -> Result<Self, Fault> {
        machine::follow(bytes, at)
    }

    /// What the pickle as a whole makes.
    pub fn root(&self) -> Id {
        self.root
    }

    /// The first byte behind it.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Everything it makes on the way.
    pub fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    /// One value.
    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// What a list or a tuple holds; nothing else holds items.
    pub fn items(&self, id: Id) -> &[Id] {
        match self.value(id) {
            Value::Tuple(items) | Value::List(items) => items,
            _ => &[],
        }
    }

    /// Text, which Python 2 wrote as bytes.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A whole number that counts something.
    pub fn size(&self, id: Id) -> Option<usize> {
        if let Value::Int(value) = self.value(id) { usize::try_from(*value).ok() } else { None }
    }

    /// A tuple of whole numbers, as a shape is; none has more than 16.
    pub fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        match self.value(id) {
            Value::Tuple(items) if items.len() <= 16 => items.iter().map(|&item| self.size(item)).collect(),
            _ => None,
        }
    }

    /// Module and name of a class or function.
    pub fn global(&self, id: Id) -> Option<(&'a str, &'a str)> {
        if let Value::Global { module, name } = self.value(id) { Some((module, name)) } else { None }
    }

    /// Whether a value is a dictionary, one of `collections` included.
    pub fn is_dict(&self, id: Id) -> bool {
        match self.value(id) {
            Value::Dict(_) => true,
            Value::Call { function, .. } => {
                matches!(self.global(*function), Some(("collections", "OrderedDict" | "defaultdict")))
            }
            _ => false,
        }
    }

    /// Keys and values of a dictionary, in the order in which they were written; nothing else has entries.
    pub fn entries(&self, id: Id) -> impl DoubleEndedIterator<Item = (Id, Id)> {
        let (first, then): (&[Id], &[Id]) = match self.value(id) {
            Value::Dict(entries) => (&[], entries),
            // Python 2 wrote an ordered dictionary as a call with the list of its pairs.
            Value::Call { arguments, added, .. } if self.is_dict(id) => {
                (self.items(*arguments).first().map_or(&[], |&pairs| self.items(pairs)), added)
            }
            _ => (&[], &[]),
        };
        let pair = |pair: &[Id]| if let &[key, value] = pair { Some((key, value)) } else { None };
        first.iter().filter_map(move |&entry| pair(self.items(entry))).chain(then.chunks_exact(2).filter_map(pair))
    }

    /// The value under a text key; as in Python the last one written counts.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let found = self.entries(dict).rev().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|(_, value)| value)
    }
}
