//! What came back, as far as the model speaks of it.

use pointsman::wire::Reader;

use crate::support::raw::Packet;

/// One reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done { affected: u64, insert_id: u64 },
    Rows(Vec<Vec<Option<String>>>),
    Error(u16, String),
}

impl Answer {
    /// One row of one value.
    pub fn value(value: impl Into<Option<String>>) -> Self {
        Self::Rows(vec![vec![value.into()]])
    }

    /// Rows of one value each.
    pub fn column(values: impl IntoIterator<Item = String>) -> Self {
        Self::Rows(values.into_iter().map(|value| vec![Some(value)]).collect())
    }

    /// The first of several results, of a client that knows DEPRECATE_EOF. `binary`: of EXECUTE, whose columns are all
    /// strings here.
    pub fn read(packets: &[Packet], binary: bool) -> Self {
        if let Some(error) = packets.last().filter(|packet| packet.payload[0] == 0xFF) {
            let error = error.error();
            return Self::Error(error.code, error.message.into_string());
        }
        let mut first = Reader::new("reply", &packets[0].payload);
        if packets[0].payload[0] == 0 {
            first.u8().unwrap();
            return Self::Done { affected: first.lenenc().unwrap(), insert_id: first.lenenc().unwrap() };
        }
        let columns = usize::try_from(first.lenenc().unwrap()).unwrap();
        let mut rows = Vec::new();
        for packet in &packets[columns + 1..] {
            if packet.payload[0] == 0xFE {
                break;
            }
            rows.push(if binary { binary_row(&packet.payload, columns) } else { text_row(&packet.payload, columns) });
        }
        Self::Rows(rows)
    }
}

fn text(reader: &mut Reader<'_>) -> String {
    String::from_utf8_lossy(reader.lenenc_bytes().unwrap()).into_owned()
}

fn text_row(payload: &[u8], columns: usize) -> Vec<Option<String>> {
    let mut reader = Reader::new("row", payload);
    let mut row = Vec::new();
    for _ in 0..columns {
        if reader.rest().first() == Some(&0xFB) {
            reader.u8().unwrap();
            row.push(None);
        } else {
            row.push(Some(text(&mut reader)));
        }
    }
    row
}

fn binary_row(payload: &[u8], columns: usize) -> Vec<Option<String>> {
    let mut reader = Reader::new("row", payload);
    reader.u8().unwrap();
    // The bits of the columns begin at the third.
    let nulls = reader.take((columns + 9) / 8).unwrap().to_vec();
    let null = |column: usize| nulls[(column + 2) / 8] & 1 << ((column + 2) % 8) != 0;
    (0..columns).map(|column| (!null(column)).then(|| text(&mut reader))).collect()
}
