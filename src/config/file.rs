//! The TOML text into [`Raw`]: every key is looked up in the schema, and what is not there is a problem.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Findings, Lines, suggestion};
use super::raw::{Block, Given, Raw};
use super::schema::Section;
use super::settings::{SECTIONS, section};
use super::values;

/// More syntax errors than these are consequences of the first ones.
const SYNTAX_ERRORS_SHOWN: usize = 10;

/// Reads the file. None after a syntax error: nothing but the syntax errors is known then.
pub(super) fn read(lines: &Lines<'_>, text: &str, findings: &mut Findings) -> Option<Raw> {
    let mut raw = Raw::new(lines.whole());
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(SYNTAX_ERRORS_SHOWN) {
        // Only the message: the error's Display shows the line, which may hold a password.
        let offset = error.span().map_or(0, |span| span.start);
        findings.problem(&lines.at(offset), format!("not valid TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        return None;
    }
    for (name, value) in document.get_ref() {
        match section(name.get_ref()) {
            Some(section) => read_section(lines, section, name, value, &mut raw, findings),
            None => unknown_section(lines, name, value, findings),
        }
    }
    Some(raw)
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;

fn unknown_section(lines: &Lines<'_>, name: &Key<'_>, value: &Spanned<DeValue<'_>>, findings: &mut Findings) {
    let is_section = match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    };
    let at = lines.at(name.span().start);
    let name = shown(name.get_ref());
    if is_section {
        let known: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
        findings.problem(&at, format!("unknown section [{name}]{}", suggestion(&name, &known)));
    } else {
        let owner = SECTIONS.iter().find(|section| section.setting(&name).is_some());
        let hint = owner.map_or_else(
            || "; every key stands in a section such as [proxy]".to_owned(),
            |section| format!("; it belongs below {}", section.header()),
        );
        findings.problem(&at, format!("unknown key `{name}` outside of any section{hint}"));
    }
}

fn read_section(
    lines: &Lines<'_>,
    section: &'static Section,
    name: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
    raw: &mut Raw,
    findings: &mut Findings,
) {
    let at = lines.at(name.span().start);
    match (section.list, value.get_ref()) {
        (false, DeValue::Table(table)) => {
            if let Some(block) = raw.single_mut(section.name) {
                block.at = at;
                read_keys(lines, table, block, findings);
            }
        }
        (true, DeValue::Array(items)) => {
            for item in items.iter() {
                let at = lines.at(item.span().start);
                match item.get_ref() {
                    DeValue::Table(table) => {
                        let mut block = Block::new(section, at);
                        read_keys(lines, table, &mut block, findings);
                        raw.list_mut(section.name).push(block);
                    }
                    _ => findings.problem(&at, format!("expected a table {}", section.header())),
                }
            }
        }
        (_, other) => {
            let found = match other {
                DeValue::Table(_) => format!("[{}]", section.name),
                DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                    format!("[[{}]]", section.name)
                }
                _ => "a value".to_owned(),
            };
            findings.problem(&at, format!("expected {}, found {found}", section.header()));
        }
    }
}

fn read_keys(lines: &Lines<'_>, table: &DeTable<'_>, block: &mut Block, findings: &mut Findings) {
    let section = block.section;
    for (key, value) in table {
        let key_at = lines.at(key.span().start);
        let Some(setting) = section.setting(key.get_ref()) else {
            let known: Vec<&str> = section.settings.iter().map(|setting| setting.key).collect();
            let name = shown(key.get_ref());
            findings
                .problem(&key_at, format!("unknown key `{name}` in {}{}", section.header(), suggestion(&name, &known)));
            continue;
        };
        let at = lines.at(value.span().start);
        let value = match values::from_toml(&setting.kind, value.get_ref()) {
            Ok(value) => Some(value),
            Err(reason) => {
                findings.problem(&at, format!("`{}.{}`: {reason}", section.name, setting.key));
                None
            }
        };
        block.given.insert(setting.key, Given { key_at, at, value });
    }
}

/// A key of the file, short and without control characters.
fn shown(key: &str) -> String {
    key.chars().take(60).flat_map(char::escape_debug).collect()
}
