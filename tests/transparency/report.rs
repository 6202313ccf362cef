//! What was compared, what differed, which masks were used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::wire::ErrPacket;

use crate::client::{End, Heard};
use crate::corpus::{Entry, Section};
use crate::forms::Form;
use crate::masks::Used;
use crate::support::proxy::logged;
use crate::support::raw::Packet;

/// More differences than this are counted, not shown.
const SHOWN: u64 = 60;

/// Where a comparison was made.
pub struct Where<'a> {
    pub section: &'a Section,
    pub entry: &'a Entry,
    pub form: &'a Form,
}

/// All that is known of a run.
pub struct Report {
    flavor: Flavor,
    comparisons: u64,
    packets: u64,
    bytes: u64,
    entries: std::collections::BTreeSet<(String, usize)>,
    abandoned: u64,
    used: Used,
    mismatches: u64,
    /// Replies that reported another state than the proxy had read from their statements.
    misread: u64,
    /// Gaps: how often their entries differed, and how often they did not.
    gaps: BTreeMap<String, (u64, u64)>,
}

impl Report {
    pub fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            comparisons: 0,
            packets: 0,
            bytes: 0,
            entries: std::collections::BTreeSet::new(),
            abandoned: 0,
            used: Used::new(),
            mismatches: 0,
            misread: 0,
            gaps: BTreeMap::new(),
        }
    }

    pub fn used(&mut self) -> &mut Used {
        &mut self.used
    }

    /// Whether both sides heard the same, or differ as a known gap does.
    pub fn compare(&mut self, place: &Where<'_>, direct: &Heard, here: &Heard) -> bool {
        self.comparisons += 1;
        let all = direct.steps.iter().flat_map(|(_, packets)| packets);
        self.packets += all.clone().count() as u64;
        self.bytes += all.map(|packet| packet.payload.len() as u64).sum::<u64>();
        self.entries.insert((place.section.name.clone(), place.entry.line));
        // Who waits for what does not come reads the protocol wrongly: then nothing is compared.
        let same = direct == here && direct.end != End::Silent;
        if let Some(gap) = place.entry.gap_on(self.flavor) {
            let named = include_str!("../../docs/routing.md").contains(&format!("`{gap}`"));
            assert!(named, "the gap `{gap}` does not stand in docs/routing.md");
            let seen = self.gaps.entry(gap.to_owned()).or_default();
            if same {
                seen.1 += 1;
            } else {
                seen.0 += 1;
            }
            return true;
        }
        if !same {
            self.mismatches += 1;
            // At once: a long run may not come to its end.
            if self.mismatches <= SHOWN {
                eprintln!("{}", describe(self.flavor, place, direct, here));
            }
        }
        same
    }

    /// The reply to this entry, or already to the next, reported another state than the statement says.
    pub fn misread(&mut self, place: &Where<'_>, next: &Entry) {
        self.misread += 1;
        let Where { section, entry, form } = place;
        eprintln!(
            "--- {:?}, {}, line {} or {}, form `{}`: another state was reported than the statement says\n    {}\n    {}\n    {:?}",
            self.flavor,
            section.name,
            entry.line,
            next.line,
            form.name,
            entry.describe(),
            next.describe(),
            logged()
        );
    }

    /// How far it is, for those who wait.
    pub fn progress(&self) -> String {
        format!("{} comparisons, {} mismatches, {} misread", self.comparisons, self.mismatches, self.misread)
    }

    pub fn abandoned(&mut self, section: &Section) {
        self.abandoned += 1;
        eprintln!("  (the rest of `{}` was not run)", section.name);
    }

    /// Prints the summary; fails if anything differed.
    pub fn finish(self, took: Duration, replica: f64, primary: f64, whole: bool) {
        let mut out = format!(
            "{:?}: {} entries, {} comparisons, {} packets of {} bytes, {:.1} s; of {} reads {} ran on the replica\n",
            self.flavor,
            self.entries.len(),
            self.comparisons,
            self.packets,
            self.bytes,
            took.as_secs_f64(),
            replica + primary,
            replica,
        );
        for (mask, times) in &self.used {
            let _ = writeln!(out, "  masked {times} times: {mask}");
        }
        for (gap, (differed, same)) in &self.gaps {
            let _ = writeln!(out, "  known gap `{gap}`: differed {differed} times, was equal {same} times");
        }
        let _ = writeln!(
            out,
            "  mismatches: {}, misread: {}, sections left early: {}",
            self.mismatches, self.misread, self.abandoned
        );
        eprintln!("{out}");
        assert!(self.mismatches == 0, "{} mismatches, see above", self.mismatches);
        assert!(
            self.misread == 0,
            "{} replies reported another state than their statements say, see above",
            self.misread
        );
        for (gap, (differed, _)) in &self.gaps {
            // Some show in few forms only.
            assert!(*differed > 0 || !whole, "the known gap `{gap}` is none any more: take it out of the list");
        }
    }
}

fn describe(flavor: Flavor, place: &Where<'_>, direct: &Heard, here: &Heard) -> String {
    let Where { section, entry, form } = place;
    let mut out = format!(
        "--- {flavor:?}, {}, line {}, form `{}`\n    {}\n",
        section.name,
        entry.line,
        form.name,
        entry.describe()
    );
    if section.generated {
        // Nobody can look it up.
        for entry in section.entries.iter().take_while(|said| said.line < entry.line) {
            let _ = writeln!(out, "    after {}: {}", entry.line, entry.describe());
        }
    }
    if direct.end != End::Whole || here.end != End::Whole {
        let _ = writeln!(out, "  ended {:?} directly, {:?} here", direct.end, here.end);
    }
    for (at, ((step, expected), (_, got))) in direct.steps.iter().zip(&here.steps).enumerate() {
        if expected == got {
            continue;
        }
        let _ = writeln!(out, "  step {at}, {step}: {} packets directly, {} here", expected.len(), got.len());
        let mut shown = 0;
        for at in 0..expected.len().max(got.len()) {
            let (one, other) = (expected.get(at), got.get(at));
            if one != other {
                let _ = writeln!(
                    out,
                    "    packet {at} directly {}\n    packet {at} here     {}",
                    show(one, other),
                    show(other, one)
                );
                shown += 1;
            }
            if shown == 3 {
                break;
            }
        }
    }
    if direct.steps.len() != here.steps.len() {
        let _ = writeln!(out, "  {} steps directly, {} here", direct.steps.len(), here.steps.len());
    }
    out
}

/// A packet for people: its text around the first difference, and what it is.
fn show(packet: Option<&Packet>, other: Option<&Packet>) -> String {
    let Some(packet) = packet else { return "none".to_owned() };
    let payload = &packet.payload;
    if payload.first() == Some(&0xFF)
        && let Ok(error) = ErrPacket::parse(payload)
    {
        return format!("#{} error {error:?}", packet.sequence);
    }
    let differs =
        other.map_or(0, |other| payload.iter().zip(&other.payload).take_while(|(one, other)| one == other).count());
    let from = differs.saturating_sub(24);
    let part = &payload[from..payload.len().min(from + 72)];
    let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
    let text: String = part.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
    format!("#{} {} bytes, from {from}: {hex} {text}", packet.sequence, payload.len())
}
