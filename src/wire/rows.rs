//! Rows of the proxy's own, in the form of either protocol.
//! [Text](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html),
//! [binary](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::writer::{put_lenenc_bytes, put_packet};

/// A value. What it is in the binary form must be what its column's definition says.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A string.
    Text(Bytes),
    /// BIGINT.
    Long(u64),
    /// INT.
    Int(i32),
    /// DOUBLE with three decimals.
    Double(f64),
}

/// The rows of one result set.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Row by row; cells beyond the columns of the result are left out.
    cells: Vec<Vec<Cell>>,
    binary: bool,
}

impl Rows {
    /// These rows, for the binary or the text protocol.
    #[must_use]
    pub const fn new(cells: Vec<Vec<Cell>>, binary: bool) -> Self {
        Self { cells, binary }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.cells.len() as u64
    }

    /// Appends the first `columns` cells of each row, from this sequence id on. Returns the next one.
    pub(super) fn encode(&self, columns: u64, mut sequence: u8, out: &mut BytesMut) -> u8 {
        let columns = usize::try_from(columns).unwrap_or(usize::MAX);
        let mut row = BytesMut::new();
        for cells in &self.cells {
            row.clear();
            let cells = cells.get(..columns).unwrap_or(cells);
            let form = if self.binary { binary } else { text };
            form(cells, &mut row);
            sequence = put_packet(out, sequence, &row);
        }
        sequence
    }
}

/// In a row of the text protocol NULL, in the place of a text's length.
pub(super) const NULL: u8 = 0xFB;

/// Bytes that say which of so many cells of a binary row are NULL. They stand behind its first byte.
pub(super) fn nulls_len(columns: usize) -> usize {
    nulls_bit(columns).saturating_add(7) / 8
}

/// The bit of a cell in these bytes: they begin at the third.
pub(super) fn nulls_bit(at: usize) -> usize {
    at.saturating_add(2)
}

fn text(cells: &[Cell], out: &mut BytesMut) {
    for cell in cells {
        match cell {
            Cell::Null => out.put_u8(NULL),
            Cell::Text(text) => put_lenenc_bytes(out, text),
            Cell::Long(number) => put_lenenc_bytes(out, number.to_string().as_bytes()),
            Cell::Int(number) => put_lenenc_bytes(out, number.to_string().as_bytes()),
            Cell::Double(number) => put_lenenc_bytes(out, format!("{number:.3}").as_bytes()),
        }
    }
}

fn binary(cells: &[Cell], out: &mut BytesMut) {
    out.put_u8(0);
    let mut nulls = vec![0_u8; nulls_len(cells.len())];
    for (at, _) in cells.iter().enumerate().filter(|(_, cell)| **cell == Cell::Null) {
        let bit = nulls_bit(at);
        if let Some(byte) = nulls.get_mut(bit / 8) {
            *byte |= 1 << (bit % 8);
        }
    }
    out.put_slice(&nulls);
    for cell in cells {
        match cell {
            Cell::Null => {}
            Cell::Text(text) => put_lenenc_bytes(out, text),
            Cell::Long(number) => out.put_u64_le(*number),
            Cell::Int(number) => out.put_i32_le(*number),
            Cell::Double(number) => out.put_f64_le(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_in_both_forms() {
        let cells =
            [Cell::Long(300), Cell::Text(Bytes::from_static(b"ab")), Cell::Null, Cell::Int(-1), Cell::Double(0.0)];
        let mut out = BytesMut::new();
        text(&cells, &mut out);
        assert_eq!(&out[..], b"\x03300\x02ab\xfb\x02-1\x050.000");
        out.clear();
        binary(&cells, &mut out);
        assert_eq!(&out[..], b"\0\x10\x2c\x01\0\0\0\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\0\0\0");
        // Seven columns: nine bits.
        out.clear();
        binary(&[const { Cell::Null }; 7], &mut out);
        assert_eq!(&out[..], b"\0\xfc\x01");
    }
}
