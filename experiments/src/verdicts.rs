//! What attacks have come to, example by example: kept in a file from the moment it is known.

use crate::{arsenal, cli::Threat, files};
use anyhow::{Context, Result};
use attacks::Ball;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The attack that is none.
pub const CLEAN: &str = "clean";

/// Whose verdicts, and in which ball.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Which weights: `best` or `last` of a run, or a file and a hash of everything verdicts depend on.
    pub checkpoint: String,
    /// Threat model: norm.
    pub norm: String,
    /// Threat model: radius as given.
    pub epsilon: String,
}

impl Place {
    /// The threat model.
    ///
    /// # Errors
    /// When the norm or the radius is none.
    pub fn ball(&self) -> Result<Ball> {
        Ok(Threat::parse(&self.norm, &self.epsilon)?.ball())
    }
}

/// A line of `evaluations.csv`: one attack on one network.
///
/// An attack of several stages has no line of its own: its stages have, so that attacks share them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    checkpoint: String,
    attack: String,
    norm: String,
    epsilon: String,
    /// Of how many it was asked in full: an evaluation of more that was interrupted leaves this as it was.
    examples: usize,
    /// What it has taken so far.
    seconds: f64,
    /// For every example, in order: 1 where it is still classified correctly, 0 where it is not, and a
    /// dot where nobody has asked. Longer than `examples` while more are being asked.
    correct: String,
}

const STANDS: u8 = b'1';
const BROKEN: u8 = b'0';
const UNKNOWN: u8 = b'.';

/// What an attack has come to on the first test images.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `clean`, `fgsm`, `pgd-20`, ...
    pub attack: String,
    /// What it took.
    pub seconds: f64,
    /// For every example, in order, whether it is still classified correctly; clean-wrong ones are not.
    pub correct: Vec<bool>,
}

impl Outcome {
    /// Share of examples still classified correctly, in percent.
    pub fn percent(&self) -> f64 {
        100. * self.standing() as f64 / self.correct.len().max(1) as f64
    }

    /// The same on the first `examples` alone; `seconds` stay those of all.
    #[must_use]
    pub fn of_the_first(&self, examples: usize) -> Self {
        Self { correct: self.correct.iter().take(examples).copied().collect(), ..self.clone() }
    }

    /// How many examples are still classified correctly.
    pub fn standing(&self) -> usize {
        self.correct.iter().filter(|hit| **hit).count()
    }
}

/// One stage of an attack that has several.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The attack it is.
    pub stage: String,
    /// Examples that the stages before it left.
    pub attacked: usize,
    /// Those it broke.
    pub broken: usize,
    /// Those it left.
    pub standing: usize,
    /// What it took.
    pub seconds: f64,
}

/// The verdicts in one `evaluations.csv`.
pub struct Verdicts {
    path: PathBuf,
    lines: Vec<Line>,
}

impl Verdicts {
    /// Reads what is at `path`; nothing, if there is no file.
    ///
    /// # Errors
    /// When it is there but broken.
    pub fn read(path: PathBuf) -> Result<Self> {
        let place = path.display();
        let broken = || format!("{place}: not evaluations; delete the line that is damaged, or all, to evaluate again");
        let lines: Vec<Line> = if path.is_file() { files::read_csv(&path).with_context(broken)? } else { Vec::new() };
        let sign = |byte| matches!(byte, STANDS | BROKEN | UNKNOWN);
        let whole = |line: &&Line| line.correct.len() >= line.examples && line.correct.bytes().all(sign);
        if let Some((i, Line { attack, examples, .. })) = lines.iter().enumerate().find(|(_, line)| !whole(line)) {
            let line = i + 2;
            anyhow::bail!(
                "{place}: line {line} is damaged: {attack} does not have a 0, a 1 or a dot for each of {examples} examples; delete \
                 that line to evaluate again"
            )
        }
        Ok(Self { path, lines })
    }

    /// What the attack called `attack`, whose stages are `stages`, has come to on the first `examples` test
    /// images; `None` until it is known of each.
    pub fn outcome(&self, place: &Place, attack: &str, stages: &[String], examples: usize) -> Option<Outcome> {
        let lines = self.sequence(place, stages);
        let correct = (0..examples).map(|i| verdict(&lines, i)).collect::<Option<Vec<bool>>>()?;
        // The clean pass is not part of what an attack took, unless nothing else is.
        let own = if stages.is_empty() { &lines[..] } else { &lines[1..] };
        // Not `sum`, whose sum of nothing is -0.
        let seconds = own.iter().flatten().fold(0., |sum, line| sum + line.seconds);
        Some(Outcome { attack: attack.into(), seconds, correct })
    }

    /// The same on as many images as anything there was asked for in full, but at most `wanted` (0: any number): an
    /// evaluation of more that was interrupted, or of which a stage was asked about some alone, counts as far as that.
    pub fn outcome_at_most(&self, place: &Place, attack: &str, stages: &[String], wanted: usize) -> Option<Outcome> {
        let known = self.known(place, stages);
        let asked = self.lines.iter().filter(|line| is(line, place, stage(line))).map(|line| line.examples);
        let asked = asked.chain([wanted]).filter(|asked| (1..=known).contains(asked));
        let most = asked.filter(|asked| wanted == 0 || *asked <= wanted).max()?;
        self.outcome(place, attack, stages, most)
    }

    /// The same on all images up to the first of which it is not known.
    pub fn outcome_so_far(&self, place: &Place, attack: &str, stages: &[String]) -> Option<Outcome> {
        match self.known(place, stages) {
            0 => None,
            known => self.outcome(place, attack, stages, known),
        }
    }

    /// Of how many images, from the first on, it is known what all `stages` leave.
    fn known(&self, place: &Place, stages: &[String]) -> usize {
        let lines = self.sequence(place, stages);
        (0..).find(|&i| verdict(&lines, i).is_none()).expect("lines end")
    }

    /// What each of `stages` did to what those before it left of the first `examples` test images.
    pub fn by_stage(&self, place: &Place, stages: &[String], examples: usize) -> Vec<Stage> {
        let lines = self.sequence(place, stages);
        let standing = |upto: usize| (0..examples).filter(|&i| verdict(&lines[..upto], i) == Some(true)).count();
        let stage = |(i, stage): (usize, &String)| {
            let [attacked, standing] = [i + 1, i + 2].map(standing);
            let seconds = lines[i + 1].map_or(0., |line| line.seconds);
            Stage { stage: stage.clone(), attacked, broken: attacked - standing, standing, seconds }
        };
        stages.iter().enumerate().map(stage).collect()
    }

    /// The names of what was asked there, in the order it was asked.
    pub fn attacks(&self, place: &Place) -> Vec<&str> {
        self.lines.iter().filter(|line| is(line, place, stage(line))).map(stage).collect()
    }

    /// Positions among the first `examples` that stand after `before`, and of which `stage` knows nothing.
    pub fn unknown(&self, place: &Place, before: &[String], stage: &str, examples: usize) -> Vec<usize> {
        let before = if stage == CLEAN { Vec::new() } else { self.sequence(place, before) };
        let stage = self.line(place, stage);
        let open = |i: &usize| stage.is_none_or(|line| sign(line, *i) == UNKNOWN);
        (0..examples).filter(open).filter(|&i| verdict(&before, i) == Some(true)).collect()
    }

    /// Those of `positions` that `stage` has broken.
    pub fn broken(&self, place: &Place, stage: &str, positions: &[usize]) -> Vec<usize> {
        let line = self.line(place, stage);
        let broken = |i: &usize| line.is_some_and(|line| sign(line, *i) == BROKEN);
        positions.iter().copied().filter(broken).collect()
    }

    /// Notes what `stage` has come to at some positions in `seconds`.
    pub fn note(&mut self, place: &Place, stage: &str, news: (&[usize], &[bool]), seconds: f64) {
        let line = match self.lines.iter().position(|line| is(line, place, stage)) {
            Some(at) => &mut self.lines[at],
            None => {
                let Place { checkpoint, norm, epsilon } = place.clone();
                let (attack, correct) = (stored(stage, &norm), String::new());
                self.lines.push(Line { checkpoint, attack, norm, epsilon, examples: 0, seconds: 0., correct });
                self.lines.last_mut().expect("one was just added")
            }
        };
        let mut signs = std::mem::take(&mut line.correct).into_bytes();
        let end = news.0.iter().max().map_or(0, |last| last + 1);
        signs.resize(signs.len().max(end), UNKNOWN);
        for (&at, &stands) in news.0.iter().zip(news.1) {
            signs[at] = if stands { STANDS } else { BROKEN };
        }
        line.seconds += seconds;
        line.correct = signs.into_iter().map(char::from).collect();
    }

    /// Notes that `stage` has been asked of all of the first `examples` that it had to be; whether that is news.
    pub fn complete(&mut self, place: &Place, stage: &str, examples: usize) -> bool {
        let less = |line: &&mut Line| is(line, place, stage) && line.examples < examples;
        let Some(line) = self.lines.iter_mut().find(less) else { return false };
        line.examples = examples;
        // Those whom the stages before it had broken were not asked.
        let unasked = examples.saturating_sub(line.correct.len());
        line.correct.extend(std::iter::repeat_n(char::from(UNKNOWN), unasked));
        true
    }

    /// Drops what `stage` has come to, wherever; whether it was asked at all.
    pub fn forget(&mut self, stage: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| self::stage(line) != stage);
        self.lines.len() < before
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When its folder cannot be written.
    pub fn save(&self) -> Result<()> {
        files::write_csv(&self.path, &self.lines)
    }

    fn line(&self, place: &Place, stage: &str) -> Option<&Line> {
        self.lines.iter().find(|line| is(line, place, stage))
    }

    /// The clean pass and then `stages`.
    fn sequence(&self, place: &Place, stages: &[String]) -> Vec<Option<&Line>> {
        let names = std::iter::once(CLEAN).chain(stages.iter().map(String::as_str));
        names.map(|stage| self.line(place, stage)).collect()
    }
}

/// Clean images are in no ball.
fn is(line: &Line, place: &Place, stage: &str) -> bool {
    let within = || line.norm == place.norm && line.epsilon == place.epsilon;
    line.attack == stored(stage, &place.norm) && line.checkpoint == place.checkpoint && (stage == CLEAN || within())
}

/// How lines call `stage`.
fn stored(stage: &str, norm: &str) -> String {
    norm.parse().map_or_else(|_| stage.to_owned(), |norm| arsenal::revised(stage, norm))
}

/// The attack that a line is about, whatever its revision.
fn stage(line: &Line) -> &str {
    arsenal::unrevised(&line.attack)
}

fn sign(line: &Line, i: usize) -> u8 {
    line.correct.as_bytes().get(i).copied().unwrap_or(UNKNOWN)
}

/// Whether example `i` stands after all of `lines`: one that is broken needs no later verdict.
fn verdict(lines: &[Option<&Line>], i: usize) -> Option<bool> {
    for line in lines {
        match sign((*line)?, i) {
            STANDS => {}
            BROKEN => return Some(false),
            _ => return None,
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests;
