//! Winograd's algorithm F(4x4, 3x3) for 3x3 kernels of stride 1: a tile of 4x4 outputs costs 36
//! multiplications per pair of channels instead of 144.
//!
//! Input tiles (6x6), weights and output tiles are mapped to 36 *planes*; between the maps each
//! plane is one matrix product over channels. The constants of the maps cost about two decimal
//! digits of 32-bit accuracy. Lavin and Gray, "Fast algorithms for convolutional neural networks".

mod forward;
mod pack;
mod transform;
mod weight_grad;

pub(super) use forward::convolve;
pub(super) use pack::{pack_backward, pack_forward};
pub(super) use weight_grad::weight_grad;

use super::Shape;
use super::window::Window;
use transform::Tiles;

/// Planes of a tile.
const PLANES: usize = 36;

/// Floats added to a plane's length, so that the planes of one tile do not compete for the same
/// lines of the cache, as they would a power of two apart.
const SKEW: usize = 32;

impl Shape {
    /// Output tiles.
    fn tiles(&self) -> Tiles {
        Tiles { oh: self.oh, ow: self.ow, rows: self.oh.div_ceil(4), columns: self.ow.div_ceil(4) }
    }

    /// Input tiles, as windows: a row of windows is a row of tiles.
    fn tile_window(&self) -> Window {
        let Tiles { rows, columns, .. } = self.tiles();
        let before = self.padding as isize;
        let (h, w, c) = (self.h, self.w, self.i);
        Window { h, w, c, kh: 6, kw: 6, stride: 4, top: before, left: before, gh: rows, gw: columns }
    }

    /// Floats of the transformed weights.
    fn transformed(&self) -> usize {
        PLANES * (self.i * self.o + SKEW)
    }
}
