//! What a pickle describes: objects that refer to each other.

/// The place of a node in its pickle.
pub(super) type Id = usize;

/// One object.
#[derive(Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i128),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Class {
        module: String,
        name: String,
    },
    Call {
        callable: Id,
        args: Id,
    },
    /// A reference to data outside of the pickle: a tensor's storage.
    Persistent(Id),
    /// Numbers, bytes and sets: nothing a state dict is made of.
    Inert,
}

/// The objects of one pickle.
pub(super) struct Pickle {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
    /// The first byte behind the pickle.
    pub(super) end: usize,
}

impl Pickle {
    pub(super) fn items(&self, id: Id) -> &[Id] {
        match &self.nodes[id] {
            Node::Tuple(items) | Node::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[id] {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match &self.nodes[id] {
            Node::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A shape or strides; no tensor has more than 16 dimensions.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        match &self.nodes[id] {
            Node::Tuple(items) if items.len() <= 16 => items.iter().map(|&item| self.size(item)).collect(),
            _ => None,
        }
    }

    pub(super) fn entries(&self, id: Id) -> &[(Id, Id)] {
        match &self.nodes[id] {
            Node::Dict(entries) => entries,
            _ => &[],
        }
    }

    /// The value under a text key; as in Python the last one written counts.
    pub(super) fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let found = self.entries(dict).iter().rev().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|&(_, value)| value)
    }

    pub(super) fn class(&self, id: Id) -> Option<(&str, &str)> {
        match &self.nodes[id] {
            Node::Class { module, name } => Some((module, name)),
            _ => None,
        }
    }
}
