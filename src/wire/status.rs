//! Rows of status variables in which values are put in the place of the server's: what describes the server's connection
//! shall describe the client's. Finds the columns by their
//! [definitions](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html),
//! and leaves alone what it does not understand.

use bytes::BytesMut;

use super::reader::Reader;
use super::rows::{NULL, nulls_bit, nulls_len};
use super::writer::put_lenenc_bytes;

/// Longer rows are left as they are, in bytes: names have 64, values 2,048 (MySQL 9.7).
pub const LONGEST_ROW: usize = 16 << 10;

/// A variable's value of the client's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnStatus {
    /// The variable.
    pub name: &'static str,
    /// What is said of it.
    pub value: StatusValue,
    /// It holds for the session only, and not for the server as a whole.
    pub session: bool,
}

/// What a value becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusValue {
    /// This one.
    Text(String),
    /// So many more than the server says.
    More(u64),
}

/// Values by their variables, and where they stand in the rows.
#[derive(Debug, PartialEq, Eq)]
pub struct StatusRows {
    values: Vec<OwnStatus>,
    /// A SHOW; whether of GLOBAL STATUS.
    shows: Option<bool>,
    /// Rows are in the binary form.
    binary: bool,
    /// The only variable that rows are of, where their columns do not tell.
    variable: Option<Vec<u8>>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Column {
    what: What,
    form: Form,
}

/// How a value of a column is written in the binary form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With its length before it.
    Text,
    /// In so many bytes.
    Fixed(usize),
    Unknown,
}

/// A cell of a row.
struct Cell<'a> {
    /// As it is written.
    raw: &'a [u8],
    /// Of a text, what it says; None: NULL.
    text: Option<&'a [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Name,
    /// Whether it tells of the server as a whole.
    Value {
        global: bool,
    },
    Other,
}

impl StatusRows {
    /// For a SHOW; `global`: SHOW GLOBAL STATUS.
    #[must_use]
    pub const fn of_show(global: bool, values: Vec<OwnStatus>) -> Self {
        Self { values, shows: Some(global), binary: false, variable: None, columns: Vec::new() }
    }

    /// For a query of the tables `session_status` and `global_status`; `variable`: the one of which it asks.
    #[must_use]
    pub const fn of_tables(variable: Option<Vec<u8>>, values: Vec<OwnStatus>) -> Self {
        Self { values, shows: None, binary: false, variable, columns: Vec::new() }
    }

    /// In the binary form.
    #[must_use]
    pub const fn binary(mut self, binary: bool) -> Self {
        self.binary = binary;
        self
    }

    /// Another result set begins.
    pub(super) fn begin(&mut self) {
        self.columns.clear();
    }

    /// Takes note of the next column's definition.
    pub(super) fn define(&mut self, definition: &[u8]) {
        let column = self.column(definition).unwrap_or(Column { what: What::Other, form: Form::Unknown });
        self.columns.push(column);
    }

    fn column(&self, definition: &[u8]) -> Option<Column> {
        let mut reader = Reader::new("column definition", definition);
        let mut text = || reader.lenenc_bytes().ok();
        let (_, schema, _, table, name, original) = (text()?, text()?, text()?, text()?, text()?, text()?);
        // The kind stands in a block behind; MariaDB's extended metadata would stand before that.
        let block = definition.get(definition.len().saturating_sub(12)..)?;
        let kind = *block.get(6)?;
        let form = match kind {
            0x01 => Form::Fixed(1),
            0x02 | 0x0D => Form::Fixed(2),
            0x03 | 0x04 | 0x09 => Form::Fixed(4),
            0x05 | 0x08 => Form::Fixed(8),
            // Times too have one byte of length.
            0x00 | 0x07 | 0x0A..=0x0C | 0x0F | 0x10 | 0xF5..=0xFF => Form::Text,
            _ => Form::Unknown,
        };
        let is = |text: &[u8], names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes()));
        let global = is(table, &["global_status"]);
        let of_status =
            is(schema, &["information_schema", "performance_schema"]) && (global || is(table, &["session_status"]));
        let what = match () {
            () if self.shows.is_some() && is(name, &["Variable_name"]) => What::Name,
            () if self.shows.is_some() && is(name, &["Value"]) => What::Value { global: self.shows == Some(true) },
            () if of_status && is(original, &["VARIABLE_NAME"]) => What::Name,
            () if of_status && is(original, &["VARIABLE_VALUE"]) => What::Value { global },
            () => What::Other,
        };
        Some(Column { what, form })
    }

    /// The row with other values; None: it stays as it is.
    pub(super) fn rewrite(&self, row: &[u8]) -> Option<BytesMut> {
        let shown = [What::Name, What::Value { global: self.shows == Some(true) }];
        let shown = shown.map(|what| Column { what, form: Form::Text });
        // Definitions may be left out.
        let columns = if self.columns.is_empty() && self.shows.is_some() { &shown[..] } else { &self.columns };
        let cells = self.cells(columns, row)?;
        let mut names = columns.iter().zip(&cells).filter(|(column, _)| column.what == What::Name);
        let name = match (names.next(), names.next()) {
            (Some((_, name)), None) => name.text?,
            (None, _) => self.variable.as_deref()?,
            _ => return None,
        };
        let mut out = BytesMut::with_capacity(row.len().saturating_add(64));
        if self.binary {
            out.extend_from_slice(row.get(..nulls_end(columns.len()))?);
        }
        let mut changed = false;
        for (column, cell) in columns.iter().zip(&cells) {
            let value = match (column.what, cell.text) {
                (What::Value { global }, Some(value)) => self.value(name, value, global),
                _ => None,
            };
            changed |= value.is_some();
            match value {
                Some(value) => put_lenenc_bytes(&mut out, value.as_bytes()),
                None => out.extend_from_slice(cell.raw),
            }
        }
        changed.then_some(out)
    }

    /// The cells of a row; None: it is not what its definitions say, or they were not understood.
    fn cells<'a>(&self, columns: &[Column], row: &'a [u8]) -> Option<Vec<Cell<'a>>> {
        let nulls = if self.binary { row.get(1..nulls_end(columns.len()))? } else { &[] };
        let values = if self.binary { row.get(nulls_end(columns.len())..)? } else { row };
        let mut reader = Reader::new("row", values);
        let mut cells = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let rest = reader.rest();
            let bit = nulls_bit(at);
            let text = match column.form {
                _ if self.binary && nulls.get(bit / 8)? >> (bit % 8) & 1 == 1 => None,
                Form::Fixed(len) if self.binary => reader.take(len).ok().map(|_| None)?,
                Form::Unknown if self.binary => return None,
                _ if !self.binary && rest.first() == Some(&NULL) => reader.u8().ok().map(|_| None)?,
                _ => Some(reader.lenenc_bytes().ok()?),
            };
            let raw = rest.get(..rest.len().saturating_sub(reader.rest().len()))?;
            cells.push(Cell { raw, text });
        }
        reader.is_empty().then_some(cells)
    }

    fn value(&self, name: &[u8], value: &[u8], global: bool) -> Option<String> {
        let own = self.values.iter().find(|own| name.eq_ignore_ascii_case(own.name.as_bytes()))?;
        match &own.value {
            _ if global && own.session => None,
            StatusValue::Text(text) => Some(text.clone()),
            StatusValue::More(more) => {
                let value: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
                Some(value.saturating_add(*more).to_string())
            }
        }
    }
}

/// Where the bits that say which cells are NULL end in a binary row.
fn nulls_end(columns: usize) -> usize {
    nulls_len(columns).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(schema: &str, table: &str, name: &str, original: &str, kind: u8) -> BytesMut {
        let mut out = BytesMut::new();
        for text in ["def", schema, table, table, name, original] {
            put_lenenc_bytes(&mut out, text.as_bytes());
        }
        out.extend_from_slice(&[12, 33, 0, 0, 1, 0, 0, kind, 0, 0, 0, 0, 0]);
        out
    }

    fn cells(cells: &[Option<&str>], binary: bool) -> BytesMut {
        let mut out = BytesMut::new();
        if binary {
            out.extend_from_slice(&vec![0; nulls_end(cells.len())]);
        }
        for (at, cell) in cells.iter().enumerate() {
            match cell {
                Some(text) => put_lenenc_bytes(&mut out, text.as_bytes()),
                None if binary => out[1 + (at + 2) / 8] |= 1 << ((at + 2) % 8),
                None => out.extend_from_slice(&[NULL]),
            }
        }
        out
    }

    fn values() -> Vec<OwnStatus> {
        let text = |text: &str| StatusValue::Text(text.to_owned());
        vec![
            OwnStatus { name: "Ssl_cipher", value: text("own"), session: false },
            OwnStatus { name: "Aborted_clients", value: StatusValue::More(2), session: false },
            OwnStatus { name: "Compression", value: text("ON"), session: true },
        ]
    }

    #[test]
    fn a_shows_rows_get_the_values_of_the_clients_connection() {
        for binary in [false, true] {
            for (name, original) in [("Variable_name", "VARIABLE_NAME"), ("variable_name", "")] {
                for global in [false, true] {
                    let mut rows = StatusRows::of_show(global, values()).binary(binary);
                    for (name, original) in [(name, original), ("Value", "VARIABLE_VALUE")] {
                        rows.define(&definition("performance_schema", "session_status", name, original, 0xFD));
                    }
                    let row = |name: &str, value: Option<&str>| cells(&[Some(name), value], binary);
                    let same = |name: &str, value: Option<&str>, new: Option<&str>| {
                        assert_eq!(
                            rows.rewrite(&row(name, value)),
                            new.map(|new| row(name, Some(new))),
                            "{name} {global}"
                        );
                    };
                    same("Ssl_cipher", Some("theirs"), Some("own"));
                    same("SSL_CIPHER", Some(""), Some("own"));
                    same("Ssl_version", Some("TLSv1.3"), None);
                    same("Aborted_clients", Some("40"), Some("42"));
                    same("Aborted_clients", Some("many"), None);
                    same("Ssl_cipher", None, None);
                    same("Compression", Some("OFF"), (!global).then_some("ON"));
                    assert_eq!(rows.rewrite(&row("Ssl_cipher", Some("theirs"))[..5]), None);
                    assert_eq!(rows.rewrite(b""), None);
                }
            }
        }
    }

    #[test]
    fn tables_columns_are_known_by_their_definitions() {
        let of = |columns: &[(&str, &str, &str, u8)], variable: Option<&str>, binary| {
            let mut rows = StatusRows::of_tables(variable.map(|name| name.into()), values()).binary(binary);
            for (schema, table, original, kind) in columns {
                rows.define(&definition(schema, table, "any", original, *kind));
            }
            rows
        };
        let name = ("performance_schema", "session_status", "VARIABLE_NAME", 0xFD);
        let value = ("performance_schema", "session_status", "VARIABLE_VALUE", 0xFD);
        let number = ("", "", "", 0x08);
        for binary in [false, true] {
            // In whatever order, and beside others.
            let rows = of(&[value, ("", "", "", 0xFD), name], None, binary);
            let row = cells(&[Some("x"), None, Some("Ssl_cipher")], binary);
            assert_eq!(rows.rewrite(&row).unwrap(), cells(&[Some("own"), None, Some("Ssl_cipher")], binary));
            // The value alone, of a variable that the text names.
            let rows = of(&[value], Some("ssl_CIPHER"), binary);
            assert_eq!(rows.rewrite(&cells(&[Some("x")], binary)).unwrap(), cells(&[Some("own")], binary));
            assert_eq!(of(&[value], None, binary).rewrite(&cells(&[Some("x")], binary)), None);
            // Another's table of that name.
            let theirs = ("app", "session_status", "VARIABLE_VALUE", 0xFD);
            assert_eq!(
                of(&[name, theirs], None, binary).rewrite(&cells(&[Some("Ssl_cipher"), Some("x")], binary)),
                None
            );
            // What holds for the session only.
            let global = ("information_schema", "GLOBAL_STATUS", "VARIABLE_VALUE", 0xFD);
            let rows = of(&[global], Some("Compression"), binary);
            assert_eq!(rows.rewrite(&cells(&[Some("OFF")], binary)), None);
        }
        assert!(
            of(&[name, value, number], None, false)
                .rewrite(&cells(&[Some("Ssl_cipher"), Some("x"), Some("1")], false))
                .is_some()
        );
        assert_eq!(of(&[name, value, number], None, true).rewrite(&[0; 24]), None);
    }
}
