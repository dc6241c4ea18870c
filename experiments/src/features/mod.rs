//! Where features lie: a figure of clean and adversarial ones, without and with I2FR, and statistics of both.
//!
//! Features are the input of the last linear layer, divided by their Euclidean norm as I2FR does, so that networks
//! whose features have other lengths can be compared. Of each network, clean and adversarial ([`ATTACK`]) features of
//! the same test images are placed in one plane together, by [t-SNE](tsne) and by [principal components](pca);
//! statistics ([`Separation`]) are taken of the features themselves, not of the plane, for clean and for adversarial
//! ones alone. t-SNE shows neighbourhoods: sizes of clusters and distances between them mean nothing there.

pub mod eigen;
mod figure;
pub mod pca;
mod plot;
mod shown;
pub mod statistics;
pub mod tsne;

pub use figure::{Distribution, Panel, Point};
pub use statistics::{Separation, normalized};

#[cfg(doc)]
pub use crate::pictures::ATTACK;
