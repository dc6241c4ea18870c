//! Two networks, image by image.

use crate::{
    report::{differences::significant, mcnemar},
    verdicts::Outcome,
};

/// What one attack came to on the images that both networks were attacked on.
struct Compared<'a> {
    attack: &'a str,
    images: usize,
    /// Images that stand: of each.
    standing: [usize; 2],
    /// Images that stand in one alone: the one, the other.
    alone: [usize; 2],
}

impl<'a> Compared<'a> {
    fn of(one: &'a Outcome, other: &Outcome) -> Self {
        let count = |wanted: fn(&(&bool, &bool)) -> bool| one.correct.iter().zip(&other.correct).filter(wanted).count();
        Self {
            attack: &one.attack,
            images: one.correct.len().min(other.correct.len()),
            standing: [count(|(a, _)| **a), count(|(_, b)| **b)],
            alone: [count(|(a, b)| **a && !**b), count(|(a, b)| !**a && **b)],
        }
    }

    fn line(&self) -> String {
        let percent = self.standing.map(|standing| 100. * standing as f64 / self.images.max(1) as f64);
        let ([one, other], [only_one, only_other]) = (percent, self.alone);
        let (attack, images, p) = (self.attack, self.images, mcnemar(only_one, only_other));
        let p = match p {
            0. => "<1e-300".into(),
            p if p < 1e-4 => format!("{p:.0e}"),
            p => significant(p),
        };
        format!("{attack:<12}{images:>8}{one:>8.2}{other:>8.2}{only_one:>11}{only_other:>12}  {p:>7}\n")
    }
}

/// The attacks that both outcomes know, a line each, and what the columns mean; nothing, if there is none.
pub(super) fn text(one: &[Outcome], other: &[Outcome]) -> String {
    let line = |a: &Outcome| Some(Compared::of(a, other.iter().find(|b| b.attack == a.attack)?).line());
    let lines: String = one.iter().filter_map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    format!(
        "\ntest images  images   one %  other %  only one  only other        p\n{lines}\n\
         only one, only other: images that stand in that network alone. p: how often two networks that are equally good\n\
         differ as much on as many images (exact McNemar test). It is about these two networks, not about other seeds.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(attack: &str, correct: &str) -> Outcome {
        let correct = correct.bytes().map(|byte| byte == b'1').collect();
        Outcome { attack: attack.into(), seconds: 0., correct }
    }

    #[test]
    fn networks_are_compared_on_the_images_both_have_seen() {
        let one = [outcome("clean", "1111"), outcome("fgsm", "1")];
        let other = [outcome("pgd-20", "0000"), outcome("clean", "0101111")];
        let text = text(&one, &other);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[2], ["clean", "4", "100.00", "50.00", "2", "0", "0.5"]);
        assert!(!text.contains("fgsm") && !text.contains("pgd"), "{text}");
        assert_eq!(super::text(&one[1..], &other), "");
    }
}
