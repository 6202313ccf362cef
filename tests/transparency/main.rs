//! Thousands of statements and commands, each run on a direct connection and on one through the proxy, in every form of
//! the protocol; what comes back is compared packet by packet, byte for byte, but for what `masks.rs` lists.
//!
//! `TRANSPARENCY=all` runs every section in every form (`make test-transparency`); otherwise each runs in the one form that
//! a fixed rule gives it, as text on one family and prepared on the other, and on a newer MariaDB only those that every form
//! must show. `TRANSPARENCY_ONLY=text` runs the sections whose names contain the text, in every form, or in
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
use forms::{FORMS, Form, Protocol};
use masks::{Facts, Used};
use pointsman::cluster::Flavor;
use pointsman::wire::Capabilities;
use report::{Report, Where};
use support::raw::Login;
use twins::{Servers, Twins};

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

    /// The forms, by their places in the list, in which the section at this place of its list runs.
    fn forms(&self, number: usize, section: &Section, servers: Servers, forms: &[&Form]) -> Vec<usize> {
        let mut able: Vec<usize> = (0..forms.len()).filter(|at| can_run(section, forms[*at])).collect();
        able.retain(|at| self.form.as_ref().is_none_or(|form| forms[*at].name.contains(form.as_str())));
        match &self.only {
            Some(only) if section.name.contains(only.as_str()) => able,
            Some(_) => Vec::new(),
            None if servers.newer && !section.every => Vec::new(),
            None if self.all || self.form.is_some() || section.every => able,
            None => {
                let (text, prepared): (Vec<usize>, Vec<usize>) =
                    able.into_iter().partition(|at| forms[*at].protocol == Protocol::Text);
                // As text on one family, prepared on the other; what only one has, both ways there.
                let as_text = (number.is_multiple_of(2)) == (servers.flavor == Flavor::MariaDb);
                let one_of = |forms: &[usize]| forms.get(number / 2 % forms.len().max(1)).copied();
                let both = section.flavor.is_some();
                let chosen = [(as_text || both, one_of(&text)), (!as_text || both, one_of(&prepared))];
                chosen.into_iter().filter_map(|(takes, form)| form.filter(|_| takes)).collect()
            }
        }
    }
}

/// Whether a comparison of the section in this form says anything.
fn can_run(section: &Section, form: &Form) -> bool {
    // Without definitions cells have no names by which they could be masked.
    if form.no_definitions && section.entries.iter().any(Entry::masks_cells) {
        return false;
    }
    // A change that an EOF has no room for comes with the next OK of the same connection (`state-behind-eof`).
    let tracked = form.capabilities & (Capabilities::SESSION_TRACK | Capabilities::DEPRECATE_EOF);
    if section.generated && tracked == Capabilities::SESSION_TRACK {
        return false;
    }
    // The proxy learns what its servers can do: those who log in later agree on less.
    !form.behind.converts || (section.every && section.flavor.is_none())
}

async fn compare_all(servers: Servers, sections: &[Section]) {
    let began = pointsman::clock::now();
    let flavor = servers.flavor;
    let Some(mut twins) = Twins::start(servers).await else { return };
    let choice = Choice::from_environment();
    let mut report = Report::new(flavor);
    let facts = twins.facts().await;
    let forms: Vec<&Form> = FORMS.iter().filter(|form| form.flavor.is_none_or(|only| only == flavor)).collect();
    let mine = sections.iter().enumerate().filter(|(_, section)| section.flavor.is_none_or(|only| only == flavor));
    let sections: Vec<(&Section, Vec<usize>)> =
        mine.map(|(number, section)| (section, choice.forms(number, section, servers, &forms))).collect();
    let mut built = false;
    for (at, form) in forms.iter().enumerate() {
        let chosen: Vec<&Section> =
            sections.iter().filter(|(_, forms)| forms.contains(&at)).map(|(section, _)| *section).collect();
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
    report.finish(began.elapsed(), replica, primary, choice.all || servers.newer);
    if choice.only.is_none() && choice.form.is_none() && !servers.newer {
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
    let mut login = Entry::new(Act::Reconnect);
    login.gap = twins.newer.then(|| ("state-at-login".to_owned(), None));
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

/// The committed seed.
const SEED: u64 = 1;

/// What is listed, and what a seed makes.
fn everything(flavor: Flavor) -> Vec<Section> {
    let seed = std::env::var("TRANSPARENCY_SEED").map_or(SEED, |seed| seed.parse().expect("a seed is a number"));
    eprintln!("TRANSPARENCY_SEED={seed}");
    let (queries, sequences) = if Choice::from_environment().all { (60, 60) } else { (40, 20) };
    // First those that leave the fixtures as they are.
    let mut sections = generate::sections(seed, queries);
    sections.extend(sequences::sections(seed, sequences, flavor));
    sections.extend(corpus::load());
    sections
}

async fn everything_is_answered_as_by_the_server(flavor: Flavor) {
    Box::pin(compare_all(Servers { flavor, newer: false }, &everything(flavor))).await;
}

on_both!(everything_is_answered_as_by_the_server);

/// Unit results of bulk executions, and whatever else the other does not have yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_answered_as_by_the_newer_mariadb() {
    let flavor = Flavor::MariaDb;
    Box::pin(compare_all(Servers { flavor, newer: true }, &everything(flavor))).await;
}
