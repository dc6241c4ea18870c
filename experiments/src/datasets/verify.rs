//! Whether a data set is the published one.

use anyhow::{Result, bail};
use data::{Dataset, Name, Splits};
use std::fmt;

/// SHA-256 of the training and the test split ([`Dataset::sha256`]) of files whose published checksums were
/// compared.
const PUBLISHED: [(Name, [&str; 2]); 1] = [(
    Name::Mnist,
    [
        "baedb0edd00a28e97b281c967f6c7514bedfea1d17b30334caccd6ec0d75cf98",
        "ad39c4e3d6eb0920f4ea84533a577cc5afbb47c5e8034d374d0605316c8923f3",
    ],
)];

/// What was found, and how it differs from what was published.
#[derive(Debug)]
pub struct Findings {
    name: Name,
    lines: Vec<String>,
    differences: Vec<String>,
}

/// Compares the images of each class, and where it is known the checksum, with what was published.
pub fn verify(splits: &Splits) -> Findings {
    let name = splits.train.name();
    let mut findings = Findings { name, lines: Vec::new(), differences: Vec::new() };
    let published = PUBLISHED.iter().find(|(known, _)| *known == name).map(|(_, checksums)| checksums);
    let parts = [("training", &splits.train), ("test", &splits.test)];
    for (i, ((part, set), expected)) in parts.into_iter().zip(name.class_counts()).enumerate() {
        findings.look_at(part, set, &expected, published.map(|checksums| checksums[i]));
    }
    findings
}

impl Findings {
    fn look_at(&mut self, part: &str, set: &Dataset, expected: &[usize], published: Option<&str>) {
        let counts = set.class_counts();
        let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
        let each = if least == most { least.to_string() } else { format!("{least} to {most}") };
        self.lines.push(format!("{part}: {} images, {each} of each class", set.len()));
        let others: Vec<String> = (counts.iter().zip(expected).zip(self.name.class_names()))
            .filter(|((found, expected), _)| found != expected)
            .map(|((found, expected), class)| format!("{class} {found}, not {expected}"))
            .collect();
        match &others[..] {
            [] => {}
            [only] => self.differences.push(format!("{part} images of {only}")),
            [first, .., _] => {
                self.differences.push(format!("{part} images of {} classes ({first}, ...)", others.len()));
            }
        }
        let sum = set.sha256();
        let word = match published {
            None => "no checksum is on record to compare with",
            Some(published) if published == sum => "as published",
            Some(_) => "not the published one",
        };
        self.lines.push(format!("{part}: SHA-256 {sum} of the decoded images, {word}"));
        if published.is_some_and(|published| published != sum) {
            self.differences.push(format!("the {part} images' checksum"));
        }
    }

    /// # Errors
    /// When something differs.
    pub fn judged(&self) -> Result<()> {
        if !self.differences.is_empty() {
            bail!("{}: differs from the published data set in {}", self.name, self.differences.join("; "));
        }
        Ok(())
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{}: {line}", self.name))
    }
}
