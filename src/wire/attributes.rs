//! Query attributes: names and values that a client sends in front of a statement's text.
//! [COM_QUERY](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html),
//! [values](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html).

use super::ProtocolError;
use super::reader::Reader;

/// The text behind the attributes of a COM_QUERY whose first byte was read.
///
/// # Errors
/// When they are cut off, or what servers do not take either: another number of sets than one, values without types.
pub(super) fn behind_attributes<'a>(mut reader: Reader<'a>) -> Result<&'a [u8], ProtocolError> {
    // The hot path: none.
    if let [0, 1, text @ ..] = reader.rest() {
        return Ok(text);
    }
    let count = reader.lenenc()?;
    if reader.lenenc()? != 1 {
        return Err(reader.malformed("not one set of attributes"));
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_PARAMETERS);
    let count = count.ok_or_else(|| reader.malformed("too many attributes"))?;
    if count == 0 {
        return Ok(reader.take_rest());
    }
    let nulls = reader.take(count.div_ceil(8))?;
    if reader.u8()? != 1 {
        return Err(reader.malformed("attributes without types"));
    }
    let mut names = reader;
    for _ in 0..count {
        reader.u16()?;
        reader.lenenc_bytes()?;
    }
    for at in 0..count {
        let [kind, _] = names.u16()?.to_le_bytes();
        names.lenenc_bytes()?;
        let null = nulls.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        if !null {
            skip_value(&mut reader, kind)?;
        }
    }
    Ok(reader.take_rest())
}

/// As many parameters as a statement may have.
const MAX_PARAMETERS: usize = 65_535;

/// Steps over a value of the binary protocol.
fn skip_value(reader: &mut Reader<'_>, kind: u8) -> Result<(), ProtocolError> {
    let len = match kind {
        // NULL.
        6 => 0,
        // TINY, BOOL.
        1 | 244 => 1,
        // SHORT, YEAR.
        2 | 13 => 2,
        // LONG, FLOAT, INT24.
        3 | 4 | 9 => 4,
        // DOUBLE, LONGLONG.
        5 | 8 => 8,
        // TIMESTAMP, DATE, TIME, DATETIME: a length in one byte.
        7 | 10 | 11 | 12 => usize::from(reader.u8()?),
        // Numbers as text, strings, blobs, JSON, geometries, vectors.
        0 | 15 | 16 | 242 | 245..=255 => {
            reader.lenenc_bytes()?;
            0
        }
        _ => return Err(reader.malformed("an attribute of an unknown type")),
    };
    reader.take(len)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::writer::put_lenenc_bytes;
    use bytes::{BufMut as _, BytesMut};
    use proptest::prelude::*;

    /// What a client sends: type, name, and value (None: NULL).
    fn encoded(attributes: &[(u8, &str, Option<&[u8]>)], text: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        out.put_u8(u8::try_from(attributes.len()).unwrap());
        out.put_u8(1);
        if !attributes.is_empty() {
            let mut nulls = vec![0_u8; attributes.len().div_ceil(8)];
            for (at, _) in attributes.iter().enumerate().filter(|(_, (_, _, value))| value.is_none()) {
                nulls[at / 8] |= 1 << (at % 8);
            }
            out.put_slice(&nulls);
            out.put_u8(1);
            for (kind, name, _) in attributes {
                out.put_slice(&[*kind, 0]);
                put_lenenc_bytes(&mut out, name.as_bytes());
            }
            for (_, _, value) in attributes {
                out.put_slice(value.unwrap_or_default());
            }
        }
        out.put_slice(text);
        out
    }

    fn text(payload: &[u8]) -> Result<&[u8], ProtocolError> {
        behind_attributes(Reader::new("COM_QUERY", payload))
    }

    #[test]
    fn the_text_is_found_behind_attributes_of_every_type() {
        let all: [(u8, &str, Option<&[u8]>); 12] = [
            (254, "traceparent", Some(b"\x0300-")),
            (1, "t", Some(b"\x05")),
            (2, "", Some(b"\x05\x00")),
            (3, "l", Some(b"abcd")),
            (8, "ll", Some(b"abcdefgh")),
            (5, "d", Some(b"abcdefgh")),
            (12, "dt", Some(b"\x07\xe8\x07\x01\x02\x03\x04\x05")),
            (11, "none", Some(b"\x00")),
            (6, "null", Some(b"")),
            (253, "by the bitmap", None),
            (252, "long", Some(b"\xfc\x03\x00abc")),
            (245, "j", Some(b"\x02{}")),
        ];
        for count in 0..=all.len() {
            let payload = encoded(&all[..count], b"SELECT 1");
            assert_eq!(text(&payload), Ok(&b"SELECT 1"[..]), "{count}");
        }
        assert_eq!(text(b"\x00\x01"), Ok(&b""[..]));
    }

    #[test]
    fn what_servers_refuse_is_refused() {
        assert!(text(b"SELECT 1").is_err());
        assert!(text(b"").is_err());
        assert!(text(b"\x00\x00SELECT 1").is_err());
        assert!(text(b"\x01\x01\x00\x00SELECT 1").is_err());
        assert!(text(b"\x01\x01\x00\x01\x63\x00\x01nSELECT 1").is_err());
        assert!(text(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x01").is_err());
    }

    proptest! {
        #[test]
        fn cut_or_any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..60) {
            let _ = text(&bytes);
            let whole = encoded(&[(254, "name", Some(b"\x05value")), (12, "d", Some(b"\x04\xe8\x07\x01\x02"))], b"");
            if cut < whole.len() {
                prop_assert!(text(&whole[..cut]).is_err());
            }
        }
    }
}
