//! Where a run starts, and the point a query asks about.

use super::{bump::bump, stream::Stream};
use crate::{Ball, Norm};

/// Of one image, stored channel by channel and row by row.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub c: usize,
    pub h: usize,
    pub w: usize,
}

impl Size {
    pub(super) fn pixels(self) -> usize {
        self.c * self.h * self.w
    }
}

/// A square part of an image.
#[derive(Clone, Copy)]
struct Window {
    top: usize,
    left: usize,
    side: usize,
}

impl Window {
    fn draw(side: usize, size: Size, stream: &mut Stream) -> Self {
        Self { top: stream.upto(size.h - side), left: stream.upto(size.w - side), side }
    }

    /// The places of its pixels in `channel`, row by row.
    fn places(self, channel: usize, size: Size) -> impl Iterator<Item = usize> {
        let first = (channel * size.h + self.top) * size.w + self.left;
        (0..self.side).flat_map(move |row| first + row * size.w..first + row * size.w + self.side)
    }

    /// The sum of squares of `values` in `channel`, without the pixels that lie in `other`.
    fn squares(self, other: Option<Self>, values: &[f32], channel: usize, size: Size) -> f64 {
        let inside = |at: usize| {
            let (row, column) = (at / size.w % size.h, at % size.w);
            other.is_some_and(|o| (o.top..o.top + o.side).contains(&row) && (o.left..o.left + o.side).contains(&column))
        };
        self.places(channel, size).filter(|&at| !inside(at)).map(|at| square(values[at])).sum()
    }
}

/// The starts and moves of one threat model.
pub(super) struct Moves {
    ball: Ball,
    size: Size,
    side: usize,
    /// Of this side; l2 only.
    bump: Vec<f32>,
}

/// Guards a division by a norm that may be 0, as in the official code.
const TINY: f64 = 1e-12;

fn square(value: f32) -> f64 {
    f64::from(value) * f64::from(value)
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|v| square(*v)).sum::<f64>().sqrt()
}

impl Moves {
    pub(super) fn new(ball: Ball, size: Size) -> Self {
        Self { ball, size, side: 0, bump: Vec::new() }
    }

    /// From now on windows cover `share` of the pixels.
    pub(super) fn cover(&mut self, share: f64) {
        let Size { h, w, .. } = self.size;
        let side = (share * (h * w) as f64).sqrt().round_ties_even() as usize;
        let side = match self.ball.norm {
            Norm::Linf => side.max(1),
            // A bump has a middle row.
            Norm::L2 => side.max(3) | 1,
        };
        let side = side.min(h).min(w);
        if side != self.side && self.ball.norm == Norm::L2 {
            self.bump = bump(side);
        }
        self.side = side;
    }

    /// Writes the first point around `image` to `out`.
    pub(super) fn start(&self, image: &[f32], stream: &mut Stream, out: &mut [f32]) {
        match self.ball.norm {
            Norm::Linf => self.stripes(image, stream, out),
            Norm::L2 => self.tiles(image, stream, out),
        }
    }

    /// Writes the next point to ask about, near `best`, to `out`.
    pub(super) fn propose(&self, image: &[f32], best: &[f32], stream: &mut Stream, out: &mut [f32]) {
        match self.ball.norm {
            Norm::Linf => self.repaint(image, best, stream, out),
            Norm::L2 => self.carry(image, best, stream, out),
        }
    }

    /// Every column of every channel at one end of the ball.
    fn stripes(&self, image: &[f32], stream: &mut Stream, out: &mut [f32]) {
        let Size { h, w, .. } = self.size;
        for (image, out) in image.chunks_exact(h * w).zip(out.chunks_exact_mut(h * w)) {
            for column in 0..w {
                let step = stream.sign() * self.ball.eps as f32;
                for at in (column..h * w).step_by(w) {
                    out[at] = (image[at] + step).clamp(0., 1.);
                }
            }
        }
    }

    /// Every channel of a window moves by twice the radius and back into the ball: to one of its ends.
    fn repaint(&self, image: &[f32], best: &[f32], stream: &mut Stream, out: &mut [f32]) {
        out.copy_from_slice(best);
        let window = Window::draw(self.side, self.size, stream);
        for channel in 0..self.size.c {
            let step = stream.sign() * self.ball.eps as f32;
            for at in window.places(channel, self.size) {
                out[at] = (image[at] + step).clamp(0., 1.);
            }
        }
    }

    /// A bump on each of five by five tiles (one a pixel where there are fewer), scaled to the radius.
    fn tiles(&self, image: &[f32], stream: &mut Stream, out: &mut [f32]) {
        let Size { c, h, w } = self.size;
        let side = (h.min(w) / 5).max(1);
        let bump = bump(side);
        out.fill(0.);
        for row in 0..h / side {
            for column in 0..w / side {
                let window = Window { top: h % side / 2 + row * side, left: w % side / 2 + column * side, side };
                let turned = stream.coin();
                for channel in 0..c {
                    let sign = stream.sign();
                    for (k, at) in window.places(channel, self.size).enumerate() {
                        out[at] = sign * bump[turn(k, side, turned)];
                    }
                }
            }
        }
        self.settle(image, out);
    }

    /// Moves the change in one window to another, where it joins a bump and what is there.
    ///
    /// The first window's new change points along the sum of a bump of norm 1 and its old direction; its
    /// length in a channel is what both windows held there, and a channel's part of what the radius has left.
    fn carry(&self, image: &[f32], best: &[f32], stream: &mut Stream, out: &mut [f32]) {
        let size = self.size;
        for ((out, best), image) in out.iter_mut().zip(best).zip(image) {
            *out = best - image;
        }
        let first = Window::draw(self.side, size, stream);
        let second = Window::draw(self.side, size, stream);
        let turned = stream.coin();
        let left = (self.ball.eps.powi(2) - norm(out).powi(2)).max(0.) / size.c as f64;
        let mut fresh = Vec::with_capacity(size.c * self.bump.len());
        for channel in 0..size.c {
            let sign = stream.sign();
            let held = first.squares(None, out, channel, size);
            let length = (left + held + second.squares(Some(first), out, channel, size)).sqrt();
            let scale = (held.sqrt() + TINY).recip() as f32;
            let from = fresh.len();
            let places = first.places(channel, size).enumerate();
            fresh.extend(places.map(|(k, at)| sign * self.bump[turn(k, self.side, turned)] + out[at] * scale));
            let scale = (length / (norm(&fresh[from..]) + TINY)) as f32;
            fresh[from..].iter_mut().for_each(|v| *v *= scale);
        }
        for channel in 0..size.c {
            second.places(channel, size).for_each(|at| out[at] = 0.);
            let fresh = &fresh[channel * self.bump.len()..];
            first.places(channel, size).zip(fresh).for_each(|(at, v)| out[at] = *v);
        }
        self.settle(image, out);
    }

    /// Turns a change into the point in its direction at the radius, then inside `[0, 1]`.
    fn settle(&self, image: &[f32], out: &mut [f32]) {
        let scale = (self.ball.eps / (norm(out) + TINY)) as f32;
        for (out, image) in out.iter_mut().zip(image) {
            *out = (image + *out * scale).clamp(0., 1.);
        }
    }
}

/// Where pixel `k` of a window of `side` rows finds its value in a bump, which may be transposed.
fn turn(k: usize, side: usize, turned: bool) -> usize {
    if turned { k % side * side + k / side } else { k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::Key;

    /// As in AutoAttack's code since 2021: what both windows held in one channel is no room for another.
    #[test]
    fn a_channel_keeps_its_own_part() {
        let size = Size { c: 2, h: 3, w: 3 };
        let mut moves = Moves::new(Ball { norm: Norm::L2, eps: 0.3 }, size);
        moves.cover(1.);
        // The whole radius is in the first channel, and both windows are the whole image.
        let (image, mut best) = ([0.5; 18], [0.5; 18]);
        best[..9].fill(0.6);
        let mut out = [0.; 18];
        let key = Key { seed: 0, epoch: 0, example: 0, restart: 0 };
        moves.propose(&image, &best, &mut Stream::new(key), &mut out);
        assert!(out[..9] != best[..9] && out[9..].iter().all(|v| (v - 0.5).abs() < 1e-3), "{out:?}");
    }
}
