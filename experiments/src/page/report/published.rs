//! Published numbers beside ours: other networks, other budgets, so no test of anything.

use super::gathered::Gathered;
use crate::{
    audit::Verdict,
    files,
    page::html::{escape, scroll},
    report::{Cell, Summary, caption::grouped},
    run::Split,
};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// `paper/reference.csv` when the program was built.
pub const PUBLISHED: &str = include_str!("../../../../paper/reference.csv");

/// The columns of accuracy, as the CSV files call them and as printed.
const COLUMNS: [(&str, &str); 4] =
    [("clean", "clean"), ("pgd-20", "PGD-20"), ("autoattack", "AutoAttack"), ("as-reported", "as first reported")];

/// A published accuracy on CIFAR-10, l-infinity 8/255 or a radius so close that it is compared with it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Our name of the method, `trades`.
    pub framework: String,
    /// Who published it.
    pub source: String,
    /// The method as it is called there.
    pub method: String,
    /// The network.
    pub network: String,
    /// The radius as it is given there.
    pub epsilon: String,
    /// `clean`, `pgd-20`, `autoattack`, or `as-reported`: by an attack of the authors' choice.
    pub attack: String,
    /// The attack as it is called there.
    pub attack_as_published: String,
    /// The accuracy in per cent.
    pub value_percent: f64,
    /// Repository, file and commit.
    pub where_found: String,
}

/// The published accuracies.
///
/// # Errors
/// When a line is none.
pub fn published() -> Result<Vec<Published>> {
    parse(PUBLISHED)
}

fn parse(text: &str) -> Result<Vec<Published>> {
    let lines: Vec<Published> = files::rows(text.as_bytes()).context("paper/reference.csv")?;
    let mut known = BTreeSet::new();
    for (number, line) in lines.iter().enumerate() {
        let at = || format!("paper/reference.csv, record {}: {} of {}", number + 1, line.attack, line.method);
        let texts = [&line.framework, &line.source, &line.method, &line.network, &line.where_found];
        ensure!(texts.iter().all(|text| !text.trim().is_empty()), "{}: a column is empty", at());
        ensure!((0.0..=100.0).contains(&line.value_percent), "{}: {} is no percentage", at(), line.value_percent);
        ensure!(COLUMNS.iter().any(|(attack, _)| *attack == line.attack), "{}: unknown attack", at());
        ensure!(line.epsilon.starts_with("8/255") || line.epsilon.starts_with("0.031"), "{}: another radius", at());
        ensure!(
            (line.attack == "clean") == (line.attack_as_published == "none"),
            "{}: a clean accuracy is one without an attack",
            at()
        );
        ensure!(known.insert((of(line), &line.attack)), "{}: is listed twice", at());
    }
    Ok(lines)
}

/// What a row of the table is about.
fn of(line: &Published) -> [&str; 5] {
    [&line.source, &line.method, &line.network, &line.epsilon, &line.where_found]
}

pub(super) fn html(published: &[Published], gathered: &Gathered) -> String {
    let mut order: Vec<&str> = Vec::new();
    for line in published {
        if !order.contains(&line.framework.as_str()) {
            order.push(&line.framework);
        }
    }
    let bodies: String = order
        .into_iter()
        .map(|framework| {
            let own = ours(framework, gathered);
            let columns = COLUMNS.len() + 3;
            format!(
                "<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"{columns}\"><strong>{}</strong></th></tr>\n{own}{}</tbody>\n",
                escape(framework),
                theirs(framework, published)
            )
        })
        .collect();
    let heads = COLUMNS.map(|(_, name)| format!("<th scope=\"col\" class=\"number\">{name}</th>")).concat();
    let table = format!(
        "<table>\n<caption>CIFAR-10, l-infinity 8/255, accuracy in %; ours are shaded, with the number of seeds × test images; ‡ a network \
         fails its audit</caption>\n\
         <thead><tr><th scope=\"col\">method</th><th scope=\"col\">network</th>{heads}\
         <th scope=\"col\">source</th></tr></thead>\n{bodies}</table>\n"
    );
    let note = "<p>What others published, to see what size of number to expect. Networks, training budgets and the choice of \
                the epoch differ (many chose it on the test set), so a difference between a shaded row and another is no \
                finding. None of these numbers is of the I2FR paper.</p>\n";
    note.to_owned() + &scroll("Published numbers", &table)
}

/// What was measured, by attack and seed.
type Attacks<'a> = BTreeMap<&'a str, BTreeMap<u64, &'a Cell>>;

/// Our rows of `framework`: one for each table, regulariser, network and profile.
fn ours(framework: &str, gathered: &Gathered) -> String {
    let mut rows: BTreeMap<[&str; 5], Attacks<'_>> = BTreeMap::new();
    let comparable = |c: &&Cell| {
        let threat = (c.dataset.as_str(), c.norm.as_str(), c.epsilon.as_str());
        c.split == Split::Test
            // `trades+awp` stands with AWP.
            && (c.framework == framework || c.framework.split('+').skip(1).any(|part| part == framework))
            && threat == ("cifar10", "linf", "8/255")
            && c.checkpoint == "best"
    };
    for cell in gathered.cells.iter().filter(comparable) {
        let row = rows.entry([&cell.framework, &cell.regularizer, &cell.arch, &cell.profile, &cell.table]).or_default();
        row.entry(&cell.attack).or_default().insert(cell.seed, cell);
    }
    let failing = gathered.audits.iter().filter(|line| line.verdict == Verdict::Fail && line.checkpoint == "best");
    let failing: BTreeSet<&str> = failing.map(|line| line.run.as_str()).collect();
    let row = |([framework, regularizer, arch, profile, table], attacks): ([&str; 5], Attacks<'_>)| {
        let mut name =
            if regularizer == "none" { framework.to_owned() } else { format!("{framework} + {regularizer}") };
        if attacks.values().flat_map(BTreeMap::values).any(|cell| failing.contains(cell.run.as_str())) {
            name = format!("{name} {}", Verdict::Fail.mark());
        }
        let value = |attack: &str| {
            let cells: Vec<&Cell> = attacks.get(attack).into_iter().flat_map(|seeds| seeds.values().copied()).collect();
            let values: Vec<f64> = cells.iter().map(|cell| cell.value_percent).collect();
            let images: BTreeSet<usize> = cells.iter().map(|cell| cell.examples).collect();
            let images: Vec<String> = images.into_iter().map(grouped).collect();
            let text = |summary: Summary| format!("{:.1} ({} × {})", summary.mean, summary.seeds, images.join(" or "));
            Summary::of(&values).map_or("—".into(), text)
        };
        line("ours", [&name, arch], value, &format!("ours: {table}, profile {profile}"))
    };
    rows.into_iter().map(row).collect()
}

/// The published rows of `framework`, in the order of the file.
fn theirs(framework: &str, published: &[Published]) -> String {
    let own: Vec<&Published> = published.iter().filter(|line| line.framework == framework).collect();
    let mut rows: Vec<[&str; 5]> = Vec::new();
    for line in &own {
        if !rows.contains(&of(line)) {
            rows.push(of(line));
        }
    }
    let row = |row: [&str; 5]| {
        let value = |attack: &str| {
            let found = own.iter().find(|line| of(line) == row && line.attack == attack);
            found.map_or("—".into(), |line| format!("{}", line.value_percent))
        };
        let [source, method, network, epsilon, place] = row;
        line("theirs", [method, network], value, &format!("{source}: {place}; ε = {epsilon}"))
    };
    rows.into_iter().map(row).collect()
}

fn line(class: &str, [method, network]: [&str; 2], value: impl Fn(&str) -> String, source: &str) -> String {
    let values = COLUMNS.map(|(attack, _)| format!("<td class=\"number\">{}</td>", value(attack))).concat();
    format!(
        "<tr class=\"{class}\"><th scope=\"row\">{}</th><td>{}</td>{values}<td class=\"source\">{}</td></tr>\n",
        escape(method),
        escape(network),
        escape(source)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_are_percentages_with_a_source() {
        let lines = published().unwrap();
        let frameworks: BTreeSet<&str> = lines.iter().map(|line| line.framework.as_str()).collect();
        for framework in ["pgd-at", "trades", "mart", "alp", "fast-at", "awp", "he", "pcl", "tla", "feature-scattering"]
        {
            assert!(frameworks.contains(framework), "{framework}");
        }
        assert!(lines.iter().all(|line| !format!("{line:?}").to_lowercase().contains("i2fr")));
        // A number that anybody can look up.
        let madry = lines.iter().find(|line| line.method.contains("Madry et al., 2018") && line.attack == "autoattack");
        assert_eq!(madry.unwrap().value_percent, 44.04);
    }

    #[test]
    fn what_is_no_published_number_is_refused() {
        let head = "framework,source,method,network,epsilon,attack,attack_as_published,value_percent,where_found\n";
        let good = "tla,board,TLA,WRN,8/255,autoattack,AutoAttack,47.41,readme\n";
        assert_eq!(parse(&format!("{head}{good}")).unwrap().len(), 1);
        for (from, to, said) in [
            ("47.41", "147", "no percentage"),
            ("47.41", "NaN", "no percentage"),
            ("47.41", "high", "invalid float"),
            ("readme", " ", "a column is empty"),
            (",8/255", ",4/255", "another radius"),
            ("autoattack", "fgsm", "unknown attack"),
            ("autoattack", "clean", "without an attack"),
            (",readme", "", "found record with 8 fields"),
        ] {
            let text = format!("{:#}", parse(&format!("{head}{}", good.replace(from, to))).unwrap_err());
            assert!(text.contains(said) && text.contains("paper/reference.csv"), "{said}: {text}");
        }
        assert!(format!("{:#}", parse(&format!("{head}{good}{good}")).unwrap_err()).contains("twice"));
        assert!(parse(&format!("{}{good}", head.replace("source", "origin"))).is_err());
    }
}
