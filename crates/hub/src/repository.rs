//! What a repository of the Hub is called.

use std::fmt;

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A data set.
    Dataset,
    /// A model.
    Model,
}

impl Kind {
    /// How addresses and folders of the cache spell it.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Model => "models",
        }
    }
}

/// A repository of the Hub. Displays as `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    /// What it holds.
    pub kind: Kind,
    /// The user or organisation it belongs to.
    pub owner: String,
    /// Its name.
    pub name: String,
}

impl Repository {
    /// The data set `owner/name`.
    pub fn dataset(owner: &str, name: &str) -> Self {
        Self { kind: Kind::Dataset, owner: owner.into(), name: name.into() }
    }

    /// The model `owner/name`.
    pub fn model(owner: &str, name: &str) -> Self {
        Self { kind: Kind::Model, owner: owner.into(), name: name.into() }
    }

    /// The name of its folder in the cache, as the Hub's own libraries have it.
    pub(crate) fn folder(&self) -> String {
        format!("{}--{}--{}", self.kind.plural(), self.owner, self.name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}
