//! Thousands of statements and commands, each run on a direct connection and on one through the proxy, in every form of
//! the protocol; what comes back is compared packet by packet, byte for byte, but for what `masks.rs` lists.
//!
//! `TRANSPARENCY=all` runs every section in every form (`make test-transparency`); otherwise each runs in the two forms
//! that a fixed rule gives it. `TRANSPARENCY_ONLY=text` runs the sections whose names contain the text, in every form, or in
//! those whose names contain `TRANSPARENCY_FORM`; `TRANSPARENCY_SEED=7` generates other sections than the committed seed does.
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
mod forms;
mod generate;
mod masks;
mod relay;
mod report;
mod sequences;
#[path = "../support/mod.rs"]
mod support;
mod twins;

use client::{Client, End, Heard};
use corpus::{Act, Entry, Section};
use forms::{FORMS, Form};
use masks::{Facts, Used};
use pointsman::cluster::Flavor;
use pointsman::wire::Capabilities;
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
    form: Option<String>,
}

impl Choice {
    fn from_environment() -> Self {
        let all = std::env::var("TRANSPARENCY").is_ok_and(|value| value == "all");
        Self { all, only: std::env::var("TRANSPARENCY_ONLY").ok(), form: std::env::var("TRANSPARENCY_FORM").ok() }
    }

    /// Whether the section at this place of the list runs in the form at that place.
    fn takes(&self, number: usize, section: &Section, at: usize, forms: &[&Form]) -> bool {
        // Without definitions cells have no names by which they could be masked.
        if forms[at].no_definitions && section.entries.iter().any(Entry::masks_cells) {
            return false;
        }
        // A change that an EOF has no room for comes with the next OK of the same connection (`state-behind-eof`).
        let tracked = forms[at].capabilities & (Capabilities::SESSION_TRACK | Capabilities::DEPRECATE_EOF);
        if section.generated && tracked == Capabilities::SESSION_TRACK {
            return false;
        }
        // The proxy learns what its servers can do: those who log in later agree on less.
        if forms[at].behind.converts && !section.every {
            return false;
        }
        if self.form.as_ref().is_some_and(|form| !forms[at].name.contains(form.as_str())) {
            return false;
        }
        match &self.only {
            Some(only) => section.name.contains(only.as_str()),
            // Two neighbours, so that every section is sent as text and prepared.
            None => {
                self.all
                    || self.form.is_some()
                    || section.every
                    || at == number % forms.len()
                    || at == (number + 1) % forms.len()
            }
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
    let mut built = false;
    for (at, form) in forms.iter().enumerate() {
        let chosen: Vec<&&Section> = sections
            .iter()
            .enumerate()
            .filter(|(number, section)| choice.takes(*number, section, at, &forms))
            .map(|(_, section)| section)
            .collect();
        if chosen.is_empty() {
            continue;
        }
        twins.stand(form.behind).await;
        // What sections changed of the fixtures is the same on both sides, but makes later forms poorer.
        if choice.all || !built {
            twins.rebuild().await;
            built = true;
        }
        for section in chosen {
            compare_section(&mut twins, section, form, facts.clone(), &mut report).await;
        }
        if choice.all {
            // It takes long.
            eprintln!("{flavor:?}: {}, form `{}` is through", report.progress(), form.name);
        }
    }
    let [replica, primary] = twins.end().await;
    report.finish(began.elapsed(), replica, primary, choice.all);
    if choice.only.is_none() && choice.form.is_none() {
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
    let ((mut direct, mut greeted), (mut here, mut greeted_here)) =
        tokio::join!(Client::login(addresses[0], login.clone(), *form), Client::login(addresses[1], login, *form));
    let mut mask = |place: &Where<'_>, said: [(&Client, &mut Heard); 2], used: &mut Used| {
        for ((client, heard), facts) in said.into_iter().zip(&mut facts) {
            facts.connection_id = client.id();
            facts.statements = client.given().to_vec();
            masks::apply(heard, &place.entry.masks, facts, client.capabilities(), used);
        }
    };
    let login = Entry::new(Act::Reconnect);
    let place = Where { section, entry: &login, form };
    mask(&place, [(&direct, &mut greeted), (&here, &mut greeted_here)], report.used());
    let mut differences = usize::from(!report.compare(&place, &greeted, &greeted_here));
    let mut abandoned = false;
    let mut misread = twins.misread();
    let mut said: Option<&Entry> = None;
    for entry in &section.entries {
        if entry.flavor.is_some_and(|only| only != twins.flavor) {
            continue;
        }
        let (mut expected, mut got) =
            tokio::join!(direct.say(entry, section.text_only), here.say(entry, section.text_only));
        // What a reply reported is taken in behind it: before the next one at the latest.
        let now = twins.misread();
        if let Some(said) = said.filter(|_| now > misread) {
            report.misread(&Where { section, entry: said, form }, entry);
        }
        misread = now;
        said = Some(entry);
        twins.last = format!("{}, line {}, {}", section.name, entry.line, form.name);
        let place = Where { section, entry, form };
        mask(&place, [(&direct, &mut expected), (&here, &mut got)], report.used());
        if !report.compare(&place, &expected, &got) {
            differences += 1;
        }
        let broken = expected.end != End::Whole || got.end != End::Whole;
        if broken || differences >= SHOWN {
            let known = entry.gap_on(twins.flavor).is_some();
            if (expected.end != got.end && !known) || differences >= SHOWN {
                abandoned = true;
                break;
            }
            tokio::join!(direct.reconnect(), here.reconnect());
        }
        if entry.act.may_write() {
            twins.settle().await;
        }
    }
    if abandoned {
        report.abandoned(section);
    }
    tokio::join!(direct.quit(), here.quit());
    twins.tidy().await;
    if let Some(said) = said.filter(|_| twins.misread() > misread) {
        report.misread(&Where { section, entry: said, form }, said);
    }
}

/// Every listed statement and command.
async fn the_corpus_is_answered_as_by_the_server(flavor: Flavor) {
    Box::pin(compare_all(flavor, &corpus::load())).await;
}

/// The committed seed.
const SEED: u64 = 1;

/// What a seed makes.
async fn what_chance_makes_is_answered_as_by_the_server(flavor: Flavor) {
    let seed = std::env::var("TRANSPARENCY_SEED").map_or(SEED, |seed| seed.parse().expect("a seed is a number"));
    eprintln!("TRANSPARENCY_SEED={seed}");
    let (queries, sequences) = if Choice::from_environment().all { (60, 60) } else { (40, 20) };
    let mut sections = generate::sections(seed, queries);
    sections.extend(sequences::sections(seed, sequences, flavor));
    Box::pin(compare_all(flavor, &sections)).await;
}

on_both!(the_corpus_is_answered_as_by_the_server, what_chance_makes_is_answered_as_by_the_server);
