//! Square: random search that asks a network for its logits and nothing else.

mod bump;
mod moves;
mod stream;

use crate::{
    Attack, Ball, Keys, Victim,
    candidate::{NO_NUMBERS, check_images},
    name::more,
};
use candle::{DType, Result, Tensor};
use kernels::Key;
use moves::{Moves, Size};
use std::fmt;
use stream::Stream;

/// Square (Andriushchenko, Croce, Flammarion and Hein 2020, "Square attack: a query-efficient black-box
/// adversarial attack via random search", algorithms 1 to 3), with the schedule, the starts and the moves
/// of AutoAttack's `standard` version.
///
/// Each query changes an image in a random square window, smaller and smaller ones, and keeps the change
/// if the margin `z_y - max_{k != y} z_k` falls. It computes no gradient and ignores the victim's
/// objective. Examples that are broken, and those the network gets wrong to begin with, are queried no
/// more; the latter come back as they are. A broken example comes back as the point that broke it, any
/// other as the point with the lowest margin, which may be the image itself.
///
/// It differs from the official code in three ways. Windows, signs and orientations are drawn for every
/// example by its own key, where the official code shares one window over the batch; so an example's
/// result does not depend on its batch, unless the victim's mode does. Windows may touch the last row and
/// column, as in the paper: the official code never draws the last position. An example is broken when
/// the network names another class: a margin of 0 alone, a tie that the label wins, is searched on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// Threat model.
    pub ball: Ball,
    /// Passes an example gets in each run, apart from the one over its start.
    pub queries: usize,
    /// Independent runs; each attacks what the runs before it have not broken.
    pub restarts: usize,
    /// Whether the schedule of window sizes, which is one for 10 000 queries, is stretched to `queries`.
    /// AutoAttack does not stretch it (`resc_schedule=False`): its 5000 queries end with windows of
    /// 1/160 of the pixels. Stretched it is the stronger attack, but no longer AutoAttack's.
    pub rescaled: bool,
}

/// Share of the pixels in the first windows.
const P_INIT: f64 = 0.8;

/// After these of 10 000 queries windows lose half of their pixels.
const HALVINGS: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/// What a network says of an image.
#[derive(Clone, Copy)]
struct Verdict {
    /// Whether it names another class than the label.
    wrong: bool,
    /// The label's logit less the largest other one.
    margin: f32,
}

impl Verdict {
    fn new(logits: &[f32], label: u32) -> Result<Self> {
        let label = label as usize;
        let Some(&own) = logits.get(label) else { candle::bail!("label {label}, but {} classes", logits.len()) };
        let mut margin = f32::INFINITY;
        let mut wrong = false;
        for (class, &other) in logits.iter().enumerate().filter(|(class, _)| *class != label) {
            let ahead = own - other;
            if ahead.is_nan() {
                candle::bail!("{NO_NUMBERS}")
            }
            margin = margin.min(ahead);
            // The first of equal logits is the prediction, as it is for candle on a processor (a GPU may take another one).
            wrong |= ahead < 0. || (ahead == 0. && class < label);
        }
        Ok(Self { wrong, margin })
    }

    fn beats(self, other: Self) -> bool {
        (self.wrong && !other.wrong) || (self.wrong == other.wrong && self.margin < other.margin)
    }
}

/// The best point of an example so far.
struct Found {
    x: Vec<f32>,
    verdict: Verdict,
}

impl Found {
    fn improve(&mut self, x: &[f32], verdict: Verdict) {
        if verdict.beats(self.verdict) {
            self.x.copy_from_slice(x);
            self.verdict = verdict;
        }
    }
}

/// An example that stands, in one run.
struct Hunt<'a> {
    row: usize,
    image: &'a [f32],
    stream: Stream,
    best: Found,
}

/// What the network says of points, one after the other, given their rows in the batch.
type Judge<'a> = &'a dyn Fn(&[f32], &[usize]) -> Result<Vec<Verdict>>;

impl Square {
    /// AutoAttack's parameters: 5000 queries, one run, the schedule as it is.
    pub fn new(ball: Ball) -> Self {
        Self { ball, queries: 5000, restarts: 1, rescaled: false }
    }

    /// Share of the pixels that the window of `query` (from 0) covers.
    fn share(&self, query: usize) -> f64 {
        let progress = if self.rescaled { query * 10_000 / self.queries.max(1) } else { query };
        HALVINGS.iter().filter(|end| progress > **end).fold(P_INIT, |share, _| share / 2.)
    }

    /// One run over `hunts`; what it finds goes to `found`.
    fn run(&self, size: Size, mut hunts: Vec<Hunt<'_>>, found: &mut [Found], judge: Judge<'_>) -> Result<()> {
        let mut moves = Moves::new(self.ball, size);
        let mut points = vec![0.; hunts.len() * size.pixels()];
        for turn in 0..=self.queries {
            if hunts.is_empty() {
                break;
            }
            if let Some(query) = turn.checked_sub(1) {
                moves.cover(self.share(query));
            }
            points.truncate(hunts.len() * size.pixels());
            for (hunt, point) in hunts.iter_mut().zip(points.chunks_exact_mut(size.pixels())) {
                match turn {
                    0 => moves.start(hunt.image, &mut hunt.stream, point),
                    _ => moves.propose(hunt.image, &hunt.best.x, &mut hunt.stream, point),
                }
            }
            let rows: Vec<usize> = hunts.iter().map(|hunt| hunt.row).collect();
            let verdicts = judge(&points, &rows)?;
            for ((hunt, point), verdict) in hunts.iter_mut().zip(points.chunks_exact(size.pixels())).zip(verdicts) {
                hunt.best.improve(point, verdict);
            }
            hunts.retain(|hunt| {
                if hunt.best.verdict.wrong {
                    found[hunt.row].improve(&hunt.best.x, hunt.best.verdict);
                }
                !hunt.best.verdict.wrong
            });
        }
        for hunt in hunts {
            found[hunt.row].improve(&hunt.best.x, hunt.best.verdict);
        }
        Ok(())
    }
}

impl Attack for Square {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = images.detach();
        let (n, c, h, w) = images.dims4()?;
        let size = Size { c, h, w };
        let labels = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
        if keys.examples.len() != n || labels.len() != n {
            candle::bail!("{n} images, but {} labels and random keys for {}", labels.len(), keys.examples.len())
        }
        if n * size.pixels() == 0 {
            return Ok(images);
        }
        check_images(&images)?;
        let judge = |points: &[f32], rows: &[usize]| -> Result<Vec<Verdict>> {
            let x = Tensor::from_slice(points, (rows.len(), c, h, w), images.device())?;
            let logits = victim.model.forward(&x, victim.mode)?.logits.to_vec2::<f32>()?;
            logits.iter().zip(rows).map(|(logits, row)| Verdict::new(logits, labels[*row])).collect()
        };
        let pixels = images.flatten_all()?.to_vec1::<f32>()?;
        let clean = judge(&pixels, &(0..n).collect::<Vec<_>>())?;
        let originals = || pixels.chunks_exact(size.pixels());
        let mut found: Vec<Found> =
            originals().zip(clean).map(|(image, verdict)| Found { x: image.to_vec(), verdict }).collect();
        // In a ball of one point there is nothing to find.
        let runs = if self.ball.eps > 0. { self.restarts.max(1) as u64 } else { 0 };
        for restart in 0..runs {
            let standing = originals().enumerate().filter(|(row, _)| !found[*row].verdict.wrong);
            let hunts = standing.map(|(row, image)| {
                let key = Key { seed: keys.seed, epoch: keys.epoch, example: keys.examples[row], restart };
                // Nothing is known of this run's points yet: its start replaces the image whatever it is worth.
                let verdict = Verdict { wrong: false, margin: f32::INFINITY };
                Hunt { row, image, stream: Stream::new(key), best: Found { x: image.to_vec(), verdict } }
            });
            let hunts = hunts.collect();
            self.run(size, hunts, &mut found, &judge)?;
        }
        let points: Vec<f32> = found.into_iter().flat_map(|found| found.x).collect();
        Tensor::from_vec(points, (n, c, h, w), images.device())
    }
}

impl fmt::Display for Square {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "square-{} ({}", self.queries, self.ball)?;
        more(f, self.restarts, "restarts")?;
        if self.rescaled {
            write!(f, ", rescaled")?;
        }
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_schedule() {
        let attack = Square::new(Ball::grey_levels(8.));
        let table = [
            (0, 1.),
            (10, 1.),
            (11, 2.),
            (50, 2.),
            (51, 4.),
            (200, 4.),
            (201, 8.),
            (500, 8.),
            (501, 16.),
            (1000, 16.),
            (1001, 32.),
            (2000, 32.),
            (2001, 64.),
            (4000, 64.),
            (4001, 128.),
            (6000, 128.),
            (6001, 256.),
            (8000, 256.),
            (8001, 512.),
            (9999, 512.),
        ];
        for (query, part) in table {
            assert_eq!(attack.share(query), 0.8 / part, "query {query}");
        }
        let stretched = Square { rescaled: true, ..attack };
        assert_eq!((stretched.share(5), stretched.share(6), stretched.share(4001)), (0.8, 0.4, 0.8 / 512.));
        assert_eq!(Square { queries: 1, ..stretched }.share(0), 0.8);
        assert_eq!(Square { queries: 0, ..stretched }.share(0), 0.8);
    }

    #[test]
    fn verdicts() {
        let say = |logits: &[f32], label| {
            let verdict = Verdict::new(logits, label).expect("a verdict");
            (verdict.wrong, verdict.margin)
        };
        assert_eq!(say(&[1., 3., 2.], 1), (false, 1.));
        assert_eq!(say(&[1., 3., 2.], 0), (true, -2.));
        assert_eq!(say(&[1., 1.], 0), (false, 0.));
        assert_eq!(say(&[1., 1.], 1), (true, 0.));
        assert_eq!(say(&[1.], 0), (false, f32::INFINITY));
        for logits in [[f32::NAN, 1., 2.], [1., f32::NAN, 2.], [1., 2., f32::NAN], [f32::INFINITY, f32::INFINITY, 0.]] {
            let told = Verdict::new(&logits, 0).map(|_| ()).unwrap_err().to_string();
            assert!(told.contains("no numbers"), "{logits:?}: {told}");
        }
        assert!(Verdict::new(&[1., 2.], 2).is_err());
    }
}
