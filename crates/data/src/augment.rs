//! Random crops and flips, exactly as torchvision's `RandomCrop` and `RandomHorizontalFlip` do them.

use kernels::Key;
use rand::RngExt;

/// Which random changes training images get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Augment {
    /// Pixels of black added on every side before a crop of the original size is cut out at a
    /// uniformly drawn place; 0 for no cropping.
    pub crop_padding: usize,
    /// Whether to mirror left and right with probability one half.
    pub flip: bool,
}

impl Augment {
    /// Images as they are.
    pub const NONE: Self = Self { crop_padding: 0, flip: false };
    /// The usual choice for CIFAR: padding 4 and flips.
    pub const CIFAR: Self = Self { crop_padding: 4, flip: true };

    /// What happens to one example in one epoch.
    pub(crate) fn draw(self, seed: u64, epoch: u64, example: u64) -> View {
        let padding = self.crop_padding as isize;
        if self == Self::NONE {
            return View { down: 0, right: 0, mirrored: false };
        }
        let mut rng = Key { seed, epoch, example, restart: 0 }.domain("augment").rng();
        let mut shift = || rng.random_range(0..=2 * padding as i64) as isize - padding;
        let (down, right) = (shift(), shift());
        View { down, right, mirrored: self.flip && rng.random_bool(0.5) }
    }
}

/// One drawn crop: the window's place relative to the image, and whether it is then mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    down: isize,
    right: isize,
    mirrored: bool,
}

impl View {
    /// Appends the view of `pixels` (of `[channels, height, width]`) to `out`, scaled to [0, 1].
    pub(crate) fn push(self, pixels: &[u8], shape: [usize; 3], out: &mut Vec<f32>) {
        let [channels, height, width] = shape;
        if self == (Self { down: 0, right: 0, mirrored: false }) {
            out.extend(pixels.iter().map(|&p| f32::from(p) / 255.0));
            return;
        }
        for plane in pixels.chunks_exact(height * width).take(channels) {
            for y in 0..height {
                let row = y.checked_add_signed(self.down).filter(|&y| y < height);
                for x in 0..width {
                    let x = if self.mirrored { width - 1 - x } else { x };
                    let column = x.checked_add_signed(self.right).filter(|&x| x < width);
                    let pixel = row.zip(column).map_or(0, |(y, x)| plane[y * width + x]);
                    out.push(f32::from(pixel) / 255.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(down: isize, right: isize, mirrored: bool) -> Vec<u8> {
        let pixels = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]; // 2 channels, 2 rows, 3 columns
        let mut out = Vec::new();
        View { down, right, mirrored }.push(&pixels, [2, 2, 3], &mut out);
        out.iter().map(|v| (v * 255.0).round() as u8).collect()
    }

    #[test]
    fn a_crop_moves_the_window_over_black_padding() {
        assert_eq!(view(0, 0, false), [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]);
        assert_eq!(view(1, 0, false), [4, 5, 6, 0, 0, 0, 14, 15, 16, 0, 0, 0]);
        assert_eq!(view(-1, 1, false), [0, 0, 0, 2, 3, 0, 0, 0, 0, 12, 13, 0]);
        assert_eq!(view(0, -2, false), [0, 0, 1, 0, 0, 4, 0, 0, 11, 0, 0, 14]);
        assert_eq!(view(5, 5, false), [0; 12]);
    }

    #[test]
    fn a_flip_mirrors_the_crop() {
        assert_eq!(view(0, 0, true), [3, 2, 1, 6, 5, 4, 13, 12, 11, 16, 15, 14]);
        assert_eq!(view(-1, 1, true), [0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 13, 12]);
    }

    #[test]
    fn draws_cover_every_offset_and_both_directions_evenly() {
        let mut counts = [[0u32; 9]; 2];
        let mut mirrored = 0;
        for example in 0..9000 {
            let view = Augment::CIFAR.draw(1, 2, example);
            counts[0][(view.down + 4) as usize] += 1;
            counts[1][(view.right + 4) as usize] += 1;
            mirrored += u32::from(view.mirrored);
        }
        // Five standard deviations around 1,000 and 4,500.
        assert!(counts.iter().flatten().all(|&n| (851..1149).contains(&n)), "{counts:?}");
        assert!((4263..4737).contains(&mirrored), "{mirrored}");
    }

    #[test]
    fn draws_depend_on_seed_epoch_and_example() {
        let draws = |seed, epoch| (0..50).map(|i| Augment::CIFAR.draw(seed, epoch, i)).collect::<Vec<_>>();
        assert_eq!(draws(1, 1), draws(1, 1));
        assert_ne!(draws(1, 1), draws(2, 1));
        assert_ne!(draws(1, 1), draws(1, 2));
    }

    #[test]
    fn without_augmentation_nothing_moves() {
        assert_eq!(Augment::NONE.draw(3, 4, 5), View { down: 0, right: 0, mirrored: false });
    }
}
