//! What may differ between a direct connection and one through the proxy: this list, and nothing else. Each mask takes
//! out no more than what it names; every use is counted, and the report prints the counts.
//!
//! Of every entry:
//! - the statement id in the OK of COM_STMT_PREPARE, and in errors that name a statement by it, there only if this side gave
//!   that id on this connection: a session has its own, whatever connections run its statements;
//! - SESSION_STATE_CHANGED in an EOF packet, which has no room for what changed: servers set it there until an OK can tell
//!   (MariaDB 10.11), which is another one where connections are shared; the proxy takes it out;
//! - the order of changed variables (and of nothing else) among session state changes: that of a hash table of the server;
//! - MySQL's `statement_id` among them, a counter of all statements of the server, which is told where all variables are;
//! - the sequence ids of packets inside compressed ones, but of an answer's first: servers number anew wherever they flush,
//!   and clients do not look at them;
//! - in the OK that ends a login or COM_CHANGE_USER under TLS, the proof by which MariaDB's clients from 11.4 on trust a
//!   certificate: the proxy gives it, MariaDB 10.11 does not know it yet.
//!
//! Of entries that ask for it:
//! - `connection_id`: the side's own connection id;
//! - `server`: port, folders and UUIDs of the side's own servers;
//! - `timing`: digits behind the names of measured times in EXPLAIN ANALYZE and ANALYZE;
//! - `columns=A,B`: the digits in these columns: clocks, counters, estimates that each server makes for itself;
//! - `dictionary`: schemas, tables and flags of definitions in what MySQL shows of its dictionary: its plan decides whether they
//!   are those of a temporary table;
//! - `plan`: the status flags NO_INDEX_USED and NO_GOOD_INDEX_USED of queries on the server's own tables.
//!
//! Besides, `client.rs` looks at no more than the last packet of a login.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pointsman::wire::{Capabilities, OkPacket, Reader};
use regex::bytes::{Captures, Regex};

use crate::client::Heard;
use crate::support::raw::Packet;

/// A mask that an entry asks for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// The side's own connection id, in cells and error texts. That it is the side's own is thereby checked.
    ConnectionId,
    /// Measured times in EXPLAIN ANALYZE, ANALYZE and profiles: the digits of numbers with such a name.
    Timing,
    /// The server's port, folders, UUID and the like: the known text of that side.
    Server,
    /// The digits of cells in these columns: clocks, counters of the server, estimates.
    Columns(Vec<String>),
    /// Schemas, tables and flags of definitions: the plan of a SHOW over MySQL's dictionary decides whose they are.
    Dictionary,
    /// The status flags NO_INDEX and NO_GOOD_INDEX: the plan of a query on the server's own tables hangs on their statistics.
    Plan,
}

/// Those that apply to every entry, by the names under which they are counted.
pub const STATEMENT_ID: &str = "statement id: the session's own";
pub const EOF_STATE_FLAG: &str = "SESSION_STATE_CHANGED in an EOF, which has no room for the change";
pub const TRACK_ORDER: &str = "order of changed variables: that of a hash table";
pub const STATEMENT_COUNTER: &str = "MySQL's counter of statements among the changed variables";
pub const PROOF_OF_CERTIFICATE: &str = "proof for a certificate, of MariaDB 11.4";
pub const COMPRESSED_SEQUENCE: &str = "sequence ids inside compressed packets";

impl Mask {
    pub fn named(name: &str, argument: &str) -> Option<Self> {
        Some(match name {
            "connection_id" => Self::ConnectionId,
            "timing" => Self::Timing,
            "server" => Self::Server,
            "plan" => Self::Plan,
            "dictionary" => Self::Dictionary,
            "columns" => Self::Columns(argument.split(',').map(str::to_owned).collect()),
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::ConnectionId => "connection id",
            Self::Timing => "measured times",
            Self::Server => "port, folder and UUID of the server",
            Self::Columns(_) => "digits of named columns (clocks, counters, estimates)",
            Self::Dictionary => "schema, tables and flags of definitions in what MySQL shows of its dictionary",
            Self::Plan => "NO_INDEX and NO_GOOD_INDEX of queries on the server's own tables",
        }
    }
}

/// What is known of a side.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub connection_id: u32,
    /// The statement ids that this side gave.
    pub statements: Vec<u32>,
    /// Texts that name this side's server.
    pub server: Vec<String>,
}

/// How often each mask changed something.
pub type Used = BTreeMap<&'static str, u64>;

/// Takes out of what was heard what may differ.
pub fn apply(heard: &mut Heard, masks: &[Mask], facts: &Facts, capabilities: Capabilities, used: &mut Used) {
    // Rows that are fetched have their columns in the EXECUTE's reply.
    let mut columns = Vec::new();
    for (step, packets) in &mut heard.steps {
        everywhere(step, packets, facts, capabilities, used);
        if !masks.is_empty() {
            asked_for(step, packets, &mut columns, masks, facts, capabilities, used);
        }
    }
}

fn everywhere(step: &str, packets: &mut [Packet], facts: &Facts, capabilities: Capabilities, used: &mut Used) {
    if step == "prepare"
        && let Some(Packet { payload, .. }) = packets.first_mut()
        && let [0, id @ ..] = payload.as_mut_slice()
        && matches!(id.len(), 11 | 12)
    {
        id[..4].fill(0);
        *used.entry(STATEMENT_ID).or_default() += 1;
    }
    if matches!(step, "login" | "change user")
        && let Some(packet) = packets.first_mut()
        && let Some(found) = PROOF.find(&packet.payload)
    {
        // What changed stands behind it, and then the length of no message.
        let (head, rest) = (&packet.payload[..found.start()], &packet.payload[found.end()..]);
        packet.payload = [head, if rest.is_empty() { b"" } else { b"\0" }, rest].concat();
        *used.entry(PROOF_OF_CERTIFICATE).or_default() += 1;
    }
    let tracked = capabilities.contains(Capabilities::SESSION_TRACK);
    let compressed = capabilities.0 & Capabilities::COMPRESSION.0 != 0;
    for (at, packet) in packets.iter_mut().enumerate() {
        if compressed && at > 0 {
            packet.sequence = 0;
            *used.entry(COMPRESSED_SEQUENCE).or_default() += 1;
        }
        if packet.payload.first() == Some(&0xFF) {
            let masked = HANDLER.replace_all(&packet.payload, |found: &Captures<'_>| {
                let id = std::str::from_utf8(&found[2]).ok().and_then(|id| id.parse().ok());
                let own = id.is_some_and(|id: u32| facts.statements.contains(&id));
                if own { [&found[1], &b"id)"[..]].concat() } else { found[0].to_vec() }
            });
            if masked != packet.payload {
                packet.payload = masked.into_owned();
                *used.entry(STATEMENT_ID).or_default() += 1;
            }
        }
        if let [0xFE, _, _, _, high] = packet.payload.as_mut_slice()
            && *high & 0x40 != 0
        {
            *high &= !0x40;
            *used.entry(EOF_STATE_FLAG).or_default() += 1;
        }
        if matches!(packet.payload.first(), Some(0 | 0xFE)) && tracked {
            sort_changes(packet, used);
        }
    }
}

/// Changed variables stand in the order of the server's hash table; all else is where it is.
fn sort_changes(packet: &mut Packet, used: &mut Used) {
    // Rows may begin like an OK packet.
    let Ok(ok) = OkPacket::parse(&packet.payload, true) else { return };
    if ok.state.is_empty() || !packet.payload.ends_with(ok.state) {
        return;
    }
    let mut reader = Reader::new("state", ok.state);
    let mut blocks = Vec::new();
    while let (Ok(kind), Ok(data)) = (reader.u8(), reader.lenenc_bytes()) {
        blocks.push((kind, data.to_vec()));
    }
    let told = blocks.len();
    blocks.retain(|(kind, data)| *kind != VARIABLE || !data.starts_with(b"\x0cstatement_id"));
    let counted = blocks.len() < told;
    let places: Vec<usize> = (0..blocks.len()).filter(|&at| blocks[at].0 == VARIABLE).collect();
    let mut variables: Vec<_> = places.iter().map(|&at| blocks[at].clone()).collect();
    if !reader.is_empty() || (variables.is_sorted() && !counted) {
        return;
    }
    variables.sort();
    for (at, variable) in places.into_iter().zip(variables) {
        blocks[at] = variable;
    }
    let mut sorted = bytes::BytesMut::new();
    for (kind, data) in blocks {
        sorted.extend_from_slice(&[kind]);
        pointsman::wire::writer::put_lenenc_bytes(&mut sorted, &data);
    }
    let mut keep = packet.payload.len() - ok.state.len();
    if counted {
        // Nor is the length before them the same.
        keep -= if ok.state.len() < 251 { 1 } else { 3 };
    }
    packet.payload.truncate(keep);
    packet.payload.extend_from_slice(&sorted);
    *used.entry(if counted { STATEMENT_COUNTER } else { TRACK_ORDER }).or_default() += 1;
}

/// SESSION_TRACK_SYSTEM_VARIABLES.
const VARIABLE: u8 = 0;

static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x) (?: actual\ time=|\.\.|"actual_[a-z_]*":\ |time_ms":\ |_time":\ |elapsed|"r_[a-z_]*_ms":\ |"r_[a-z_]*cost[a-z_]*":\ |"r_engine_stats":\ |"pages_[a-z_]*":\ |duration":\ ) [0-9.e+-]+ "#,
    )
    .unwrap()
});

/// Error texts name statements by their ids.
static HANDLER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"((?:statement handler|The statement) \()(\d+)\)").unwrap());

/// A message of 65 bytes: a one, and a digest.
static PROOF: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)A\x01[0-9A-F]{64}").unwrap());

static DIGITS: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9]").unwrap());

/// A column of a result: its name and its type.
struct Column {
    name: String,
    kind: u8,
}

fn asked_for(
    step: &str,
    packets: &mut [Packet],
    columns: &mut Vec<Column>,
    masks: &[Mask],
    facts: &Facts,
    capabilities: Capabilities,
    used: &mut Used,
) {
    let classic = !capabilities.contains(Capabilities::DEPRECATE_EOF);
    let binary = matches!(step, "execute" | "fetch");
    let mut left = 0_u64;
    let mut in_rows = step == "fetch";
    for packet in packets.iter_mut() {
        if masks.contains(&Mask::Plan) && drop_plan(&mut packet.payload, classic) {
            *used.entry(Mask::Plan.name()).or_default() += 1;
        }
        let payload = packet.payload.clone();
        if payload.first() == Some(&0xFF) {
            let masked = mask_text(&payload, masks, facts, used);
            packet.payload = masked;
            continue;
        }
        if left > 0 {
            columns.extend(column(&payload));
            if masks.contains(&Mask::Dictionary)
                && let Some(masked) = without_table(&payload)
            {
                packet.payload = masked;
                *used.entry(Mask::Dictionary.name()).or_default() += 1;
            }
            left -= 1;
            in_rows = left == 0 && !classic;
            continue;
        }
        let ends = payload.first() == Some(&0xFE) && (payload.len() < 9 || !classic);
        if in_rows && !ends {
            // Rows whose columns are not known stay as they are.
            if !columns.is_empty()
                && let Some(mut cells) = cells(&payload, columns, binary)
            {
                for (cell, column) in cells.iter_mut().zip(&*columns) {
                    let Some(text) = cell else { continue };
                    *text = mask_cell(text, column, binary, masks, facts, used);
                }
                packet.payload = cells
                    .iter()
                    .flat_map(|cell| match cell {
                        Some(text) => [&b"|"[..], text].concat(),
                        None => b"|NULL".to_vec(),
                    })
                    .collect();
            }
            continue;
        }
        if in_rows || matches!(payload.first(), Some(0)) {
            in_rows = false;
            continue;
        }
        if classic && payload.first() == Some(&0xFE) && payload.len() < 9 {
            in_rows = true;
            continue;
        }
        if step != "prepare" {
            columns.clear();
            let mut head = Reader::new("count", &payload);
            left = head.lenenc().unwrap_or(0);
            if capabilities.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) && head.u8() == Ok(0) {
                left = 0;
                in_rows = !classic;
            }
        }
    }
}

/// Takes the two flags out of a packet that ends a result.
fn drop_plan(payload: &mut [u8], classic: bool) -> bool {
    let low = match payload {
        [0xFE, _, _, low, _] => low,
        [0xFE, 0, 0, low, ..] if !classic => low,
        _ => return false,
    };
    let had = *low & 0x30 != 0;
    *low &= !0x30;
    had
}

fn column(payload: &[u8]) -> Option<Column> {
    let mut reader = Reader::new("column", payload);
    let mut names = Vec::new();
    for _ in 0..6 {
        names.push(reader.lenenc_bytes().ok()?.to_vec());
    }
    // The fixed part is the last 13 bytes; before it there may be MariaDB's extended metadata.
    let fixed = payload.get(payload.len().checked_sub(13)?..)?;
    Some(Column { name: String::from_utf8_lossy(&names[4]).into_owned(), kind: fixed[7] })
}

/// A definition without schema, tables and flags.
fn without_table(payload: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new("column", payload);
    let mut names = Vec::new();
    for _ in 0..6 {
        names.push(reader.lenenc_bytes().ok()?.to_vec());
    }
    let mut fixed = payload.get(payload.len().checked_sub(13)?..)?.to_vec();
    fixed.get_mut(8..10)?.fill(0);
    Some([&names[4][..], b".", &names[5], &fixed].concat())
}

/// The cells of a row; numbers and times of the binary protocol as their bytes.
fn cells(payload: &[u8], columns: &[Column], binary: bool) -> Option<Vec<Option<Vec<u8>>>> {
    let mut reader = Reader::new("row", payload);
    let mut out = Vec::new();
    if !binary {
        for _ in columns {
            let rest = reader.rest();
            if rest.first() == Some(&0xFB) {
                reader.u8().ok()?;
                out.push(None);
            } else {
                out.push(Some(reader.lenenc_bytes().ok()?.to_vec()));
            }
        }
        return Some(out);
    }
    reader.u8().ok()?;
    let nulls = reader.take((columns.len() + 9) / 8).ok()?.to_vec();
    for (at, column) in columns.iter().enumerate() {
        if nulls[(at + 2) / 8] & 1 << ((at + 2) % 8) != 0 {
            out.push(None);
            continue;
        }
        let fixed = match column.kind {
            0x01 => 1,
            0x02 | 0x0D => 2,
            0x03 | 0x09 | 0x04 => 4,
            0x08 | 0x05 => 8,
            0x07 | 0x0A | 0x0B | 0x0C => usize::from(reader.u8().ok()?),
            _ => {
                out.push(Some(reader.lenenc_bytes().ok()?.to_vec()));
                continue;
            }
        };
        out.push(Some(reader.take(fixed).ok()?.to_vec()));
    }
    Some(out)
}

fn mask_cell(text: &[u8], column: &Column, binary: bool, masks: &[Mask], facts: &Facts, used: &mut Used) -> Vec<u8> {
    let mut text = text.to_vec();
    for mask in masks {
        match mask {
            Mask::Columns(names) if names.iter().any(|name| name.eq_ignore_ascii_case(&column.name)) => {
                let number = binary && !matches!(column.kind, 0x0F | 0xF5..=0xFF);
                text = if number { b"0".to_vec() } else { DIGITS.replace_all(&text, &b"0"[..]).into_owned() };
                // A number is as long as it is.
                if text.iter().all(|byte| matches!(byte, b'0' | b'.' | b'-')) {
                    text = b"0".to_vec();
                }
                *used.entry(mask.name()).or_default() += 1;
            }
            Mask::ConnectionId if binary && matches!(column.kind, 0x03 | 0x08) => {
                let id = u64::from(facts.connection_id).to_le_bytes();
                if text.len() >= 4 && text[..] == id[..text.len()] {
                    text = b"connection id".to_vec();
                    *used.entry(mask.name()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    mask_text(&text, masks, facts, used)
}

fn mask_text(text: &[u8], masks: &[Mask], facts: &Facts, used: &mut Used) -> Vec<u8> {
    let mut text = text.to_vec();
    for mask in masks {
        let before = text.clone();
        match mask {
            Mask::ConnectionId => {
                let own = Regex::new(&format!(r"\b{}\b", facts.connection_id)).unwrap();
                text = own.replace_all(&text, &b"connection id"[..]).into_owned();
            }
            Mask::Timing => text = TIMES.replace_all(&text, &b"time"[..]).into_owned(),
            Mask::Server => {
                for known in &facts.server {
                    // A port is no part of a greater number.
                    let bound = if known.starts_with(|first: char| first.is_ascii_digit()) { r"\b" } else { "" };
                    let known = Regex::new(&format!("{bound}{}{bound}", regex::escape(known))).unwrap();
                    text = known.replace_all(&text, &b"server"[..]).into_owned();
                }
            }
            Mask::Columns(_) | Mask::Plan | Mask::Dictionary => {}
        }
        if text != before {
            *used.entry(mask.name()).or_default() += 1;
        }
    }
    text
}
