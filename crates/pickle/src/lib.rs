//! Python's pickles, read as data.
//!
//! A pickle is a program for a stack machine that may call any function of Python. Here a call becomes a
//! [`Value::Call`] that names the function, and is never made. Values lie in one list and are named by their place in
//! it, so shared and cyclic ones cost nothing, and however deeply a hostile file nests, nothing recurses. Bytes and text
//! stay in the file, so nothing is copied and no claimed length is believed before the bytes are there.
//!
//! Known are the instructions that `torch.save` and the files of CIFAR are made of, in the protocols 2 to 5 and by Python
//! 2 and 3; any other is an error.

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
    /// An integer.
    Int(i128),
    /// Text, and what Python 2 calls a string if it is UTF-8.
    Text(&'a str),
    /// Bytes, and text that is not UTF-8, such as a path with a surrogate.
    Bytes(&'a [u8]),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// The keys and values of a dictionary in turn; as many of both.
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
        /// A tuple, if Python is to make the call.
        arguments: Id,
        /// The state the result would be given.
        state: Option<Id>,
        /// What would be added to the result: items of a list, or keys and values in turn.
        added: Vec<Id>,
    },
    /// A reference to something outside of the pickle.
    Persistent(Id),
    /// A set, a number with a fraction, or one that is none or too large for [`Value::Int`].
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
        /// How far it had been read.
        at: usize,
    },
    /// It is longer than any honest file.
    #[error("the pickle has more than {} instructions", machine::MOST_INSTRUCTIONS)]
    TooMany,
}

/// The values of one pickle. What takes an [`Id`] panics at one of another pickle that is beyond the values of this one.
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

    /// Text.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        if let Value::Text(text) = self.value(id) { Some(text) } else { None }
    }

    /// Bytes, and those of a text: what Python 2 wrote may look like one.
    pub fn bytes(&self, id: Id) -> Option<&'a [u8]> {
        match self.value(id) {
            Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes),
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

    /// The value under a key that is this text, or its bytes; as in Python the last one written counts.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let found = self.entries(dict).rev().find(|(k, _)| self.bytes(*k) == Some(key.as_bytes()));
        found.map(|(_, value)| value)
    }
}
