//! Thousands of statements and commands, each run on a direct connection and on one through the proxy, in every form of
//! the protocol; what comes back is compared packet by packet, byte for byte, but for what `masks.rs` lists.
//!
//! `TRANSPARENCY=all` runs every section in every form (`make test-transparency`); otherwise each runs in the two forms
//! that a fixed rule gives it. `TRANSPARENCY_ONLY=text` runs the sections whose names contain the text, in every form;
//! `TRANSPARENCY_SEED=7` generates other sections than the committed seed does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a broken fixture must fail the test, and a difference must be seen"
)]
#![allow(unreachable_pub, reason = "one program")]

mod client;
mod corpus;
mod generate;
mod masks;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod twins;

use client::{Client, End, FORMS, Form};
use corpus::{Act, Section};
use masks::Facts;
use pointsman::cluster::Flavor;
use report::{Report, Where};
use support::raw::Login;
use twins::Twins;

/// Differences of one section in one form that are shown; more follow from the first.
const SHOWN: usize = 3;

/// Of the reads, at least this share must have run on the replica: otherwise the comparison would prove little.
const REPLICA_SHARE: f64 = 0.25;

/// What is run.
struct Choice {
    all: bool,
    only: Option<String>,
}

impl Choice {
    fn from_environment() -> Self {
        let all = std::env::var("TRANSPARENCY").is_ok_and(|value| value == "all");
        Self { all, only: std::env::var("TRANSPARENCY_ONLY").ok() }
    }

    /// Whether the section at this place of the list runs in the form at that place.
    fn takes(&self, section: usize, name: &str, form: usize, forms: usize) -> bool {
        match &self.only {
            Some(only) => name.contains(only.as_str()),
            // Two forms of all, half a round apart, so that every section is sent as text and prepared.
            None => self.all || form == section % forms || form == (section + 1) % forms,
        }
    }
}

async fn compare_all(flavor: Flavor, sections: &[Section]) {
    let began = pointsman::clock::now();
    let Some(mut twins) = Twins::start(flavor).await else { return };
    let choice = Choice::from_environment();
    let mut report = Report::new(flavor);
    let facts = twins.facts().await;
    let forms: Vec<&Form> = FORMS.iter().filter(|form| form.flavor.is_none_or(|only| only == flavor)).collect();
    let sections: Vec<&Section> =
        sections.iter().filter(|section| section.flavor.is_none_or(|only| only == flavor)).collect();
    for (at, form) in forms.iter().enumerate() {
        let chosen: Vec<&&Section> = sections
            .iter()
            .enumerate()
            .filter(|(number, section)| choice.takes(*number, &section.name, at, forms.len()))
            .map(|(_, section)| section)
            .collect();
        if chosen.is_empty() {
            continue;
        }
        twins.rebuild().await;
        for section in chosen {
            compare_section(&mut twins, section, form, facts.clone(), &mut report).await;
        }
    }
    let (replica, primary) = reads(&twins).await;
    twins.end().await;
    report.finish(began.elapsed(), replica, primary, choice.all);
    if choice.only.is_none() {
        let share = replica / (replica + primary);
        assert!(share >= REPLICA_SHARE, "{flavor:?}: only {share:.2} of the reads ran on the replica");
    }
}

async fn compare_section(
    twins: &mut Twins,
    section: &Section,
    form: &Form,
    mut facts: [Facts; 2],
    report: &mut Report,
) {
    let addresses = twins.addresses();
    let mut login = Login::new(&section.user, &format!("{}-secret", section.user));
    login.schema.clone_from(&section.schema);
    let (mut direct, mut here) =
        tokio::join!(Client::login(addresses[0], login.clone(), *form), Client::login(addresses[1], login, *form));
    let mut differences = 0;
    for entry in &section.entries {
        if entry.flavor.is_some_and(|only| only != twins.flavor) {
            continue;
        }
        let (mut expected, mut got) =
            tokio::join!(direct.say(entry, section.text_only), here.say(entry, section.text_only));
        let [direct_facts, here_facts] = &mut facts;
        for (client, heard, facts) in [(&direct, &mut expected, direct_facts), (&here, &mut got, here_facts)] {
            facts.connection_id = client.id();
            masks::apply(heard, &entry.masks, facts, client.capabilities(), report.used());
        }
        twins.last = format!("{}, line {}, {}", section.name, entry.line, form.name);
        let place = Where { section, entry, form };
        if !report.compare(&place, &expected, &got) {
            differences += 1;
        }
        let broken = expected.end != End::Whole || got.end != End::Whole;
        if broken || differences >= SHOWN {
            let known = entry.gap_on(twins.flavor).is_some();
            if (expected.end != got.end && !known) || differences >= SHOWN {
                report.abandoned(&place);
                break;
            }
            tokio::join!(direct.reconnect(), here.reconnect());
        }
        if !matches!(entry.act, Act::File(_) | Act::Close(_) | Act::Long(..)) {
            twins.settle().await;
        }
    }
    tokio::join!(direct.quit(), here.quit());
    twins.tidy().await;
}

/// Reads that ran on the replica and on the primary.
async fn reads(twins: &Twins) -> (f64, f64) {
    let text = support::metrics_of(&twins.proxy).await;
    let sum = |target: &str| -> f64 {
        let lines = text.lines().filter(|line| {
            line.starts_with("pointsman_statements_total{")
                && line.contains("kind=\"select\"")
                && line.contains(&format!("target=\"{target}\""))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    (sum("replica"), sum("primary"))
}

/// Every listed statement and command.
async fn the_corpus_is_answered_as_by_the_server(flavor: Flavor) {
    compare_all(flavor, &corpus::load()).await;
}

/// The committed seed.
const SEED: u64 = 1;

/// What a seed makes.
async fn what_chance_makes_is_answered_as_by_the_server(flavor: Flavor) {
    let seed = std::env::var("TRANSPARENCY_SEED").map_or(SEED, |seed| seed.parse().expect("a seed is a number"));
    eprintln!("TRANSPARENCY_SEED={seed}");
    compare_all(flavor, &generate::sections(seed, 60)).await;
}

on_both!(the_corpus_is_answered_as_by_the_server, what_chance_makes_is_answered_as_by_the_server);
