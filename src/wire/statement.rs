//! Prepared statements of the binary protocol: the reply to PREPARE and the head of EXECUTE.
//! [PREPARE](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html),
//! [EXECUTE](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::command::code;
use super::reader::Reader;
use super::{Capabilities, ProtocolError};

/// A statement id as the client knows it: the session's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientStatementId(pub u32);

/// A statement id as one server connection knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerStatementId(pub u32);

/// The first packet of a successful reply to PREPARE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrepareOk {
    /// The server's id of the statement.
    pub statement: ServerStatementId,
    /// Columns of its result; 0: none.
    pub columns: u16,
    /// Its parameters.
    pub parameters: u16,
    /// Warnings of the PREPARE.
    pub warnings: u16,
}

impl PrepareOk {
    /// Reads it.
    ///
    /// # Errors
    /// When it is cut off.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("PREPARE_OK", payload);
        reader.u8()?;
        let statement = ServerStatementId(reader.u32()?);
        let columns = reader.u16()?;
        let parameters = reader.u16()?;
        reader.u8()?;
        // Left out by very old servers.
        let warnings = reader.u16().unwrap_or(0);
        Ok(Self { statement, columns, parameters, warnings })
    }
}

/// Bytes of an EXECUTE before its parameters: code, id, flags, iteration count.
pub const EXECUTE_HEAD: usize = 10;

/// Bytes of a bulk EXECUTE before its types: code, id, flags.
/// [Page](https://mariadb.com/kb/en/com_stmt_bulk_execute/).
const BULK_HEAD: usize = 7;

/// The count of parameters, attributes included, is sent: the flag of an EXECUTE under QUERY_ATTRIBUTES.
pub const PARAMETER_COUNT_AVAILABLE: u8 = 8;

/// The parameter types are sent: the flag of a bulk EXECUTE.
const BULK_SEND_TYPES: u8 = 0x80;

/// What an EXECUTE says of its parameters' types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterTypes {
    /// The statement has no parameters.
    None,
    /// Sent with this EXECUTE: two bytes a parameter, and its name where attributes were agreed on.
    Sent(Bytes),
    /// Not sent: those of the EXECUTE before hold.
    AsBefore,
}

/// Where the byte stands that says whether types follow, and the statement's own types that do.
struct TypesAt<'a> {
    at: usize,
    types: Option<&'a [u8]>,
    /// No attributes follow the statement's own parameters.
    alone: bool,
}

/// None: no parameters.
fn types_at(payload: &[u8], parameters: u16, agreed: Capabilities) -> Result<Option<TypesAt<'_>>, ProtocolError> {
    let mut reader = Reader::new("EXECUTE", payload);
    let own = usize::from(parameters);
    let so_far = |reader: &Reader<'_>| payload.len().saturating_sub(reader.rest().len());
    if payload.first() == Some(&code::STMT_BULK_EXECUTE) {
        reader.take(5)?;
        let [flags, _] = reader.u16()?.to_le_bytes();
        let types = if flags & BULK_SEND_TYPES == 0 { None } else { Some(reader.take(own.saturating_mul(2))?) };
        return Ok((own > 0).then_some(TypesAt { at: 5, types, alone: true }));
    }
    let [.., flags, _, _, _, _] = reader.take(EXECUTE_HEAD)? else { return Ok(None) };
    let attributes = agreed.contains(Capabilities::QUERY_ATTRIBUTES);
    if own == 0 && !(attributes && flags & PARAMETER_COUNT_AVAILABLE != 0) {
        return Ok(None);
    }
    let count = if attributes { usize::try_from(reader.lenenc()?).unwrap_or(usize::MAX) } else { own };
    if own == 0 || count == 0 {
        return Ok(None);
    }
    reader.take(count.div_ceil(8))?;
    let at = so_far(&reader);
    let mut types = None;
    if reader.u8()? != 0 {
        let rest = reader.rest();
        if attributes {
            for _ in 0..own {
                reader.u16()?;
                reader.lenenc_bytes()?;
            }
        } else {
            reader.take(own.saturating_mul(2))?;
        }
        types = rest.get(..rest.len().saturating_sub(reader.rest().len()));
    }
    Ok(Some(TypesAt { at, types, alone: count == own }))
}

/// Reads the parameter types of an EXECUTE, or a bulk EXECUTE, of a statement with so many parameters.
///
/// # Errors
/// When the packet is cut off.
pub fn parameter_types(
    payload: &Bytes,
    parameters: u16,
    agreed: Capabilities,
) -> Result<ParameterTypes, ProtocolError> {
    Ok(match types_at(payload, parameters, agreed)? {
        None => ParameterTypes::None,
        Some(TypesAt { types: Some(types), .. }) => ParameterTypes::Sent(payload.slice_ref(types)),
        Some(TypesAt { types: None, .. }) => ParameterTypes::AsBefore,
    })
}

/// The value of a parameter, of the types that hold a number or a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterValue<'a> {
    /// NULL.
    Null,
    /// An integer; a negative one as servers read it where they want none.
    Integer(u64),
    /// A floating-point number.
    Double(f64),
    /// A text, or bytes.
    Text(&'a [u8]),
}

impl ParameterValue<'_> {
    /// It as SQL has it. A text cannot end what it stands in.
    #[must_use]
    pub fn literal(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Double(number) => format!("{number:e}"),
            Self::Text(text) => {
                let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("CONVERT(x'{hex}' USING utf8mb4)")
            }
        }
    }
}

/// The values of an EXECUTE's parameters, for a client that agreed on no query attributes; `types` are those that hold, two
/// bytes each.
///
/// # Errors
/// When the packet is cut off, or holds another type than those of [`ParameterValue`].
pub fn parameter_values<'a>(
    payload: &'a [u8],
    parameters: u16,
    types: &[u8],
) -> Result<Vec<ParameterValue<'a>>, ProtocolError> {
    const OTHER: ProtocolError =
        ProtocolError::Malformed { packet: "EXECUTE", what: "a type that is none of a number or a text" };
    let mut reader = Reader::new("EXECUTE", payload);
    reader.take(EXECUTE_HEAD)?;
    let count = usize::from(parameters);
    let nulls = reader.take(count.div_ceil(8))?;
    if reader.u8()? != 0 {
        reader.take(count.saturating_mul(2))?;
    }
    let mut types = Reader::new("EXECUTE", types);
    let mut values = Vec::new();
    for at in 0..count {
        let [kind, flags] = types.u16()?.to_le_bytes();
        let null = nulls.get(at / 8).is_some_and(|bits| bits & (1 << (at % 8)) != 0);
        let signed = flags & 0x80 == 0;
        let integer = |value: u64, bits: u32| {
            // Its sign goes on to the left.
            let unused = 64_u32.saturating_sub(bits);
            let extended = value.wrapping_shl(unused).cast_signed().wrapping_shr(unused).cast_unsigned();
            ParameterValue::Integer(if signed { extended } else { value })
        };
        values.push(match kind {
            6 => ParameterValue::Null,
            _ if null => ParameterValue::Null,
            1 => integer(u64::from(reader.u8()?), 8),
            2 | 13 => integer(u64::from(reader.u16()?), 16),
            3 | 9 => integer(u64::from(reader.u32()?), 32),
            8 => integer(reader.u64()?, 64),
            4 => ParameterValue::Double(f64::from(f32::from_bits(reader.u32()?))),
            5 => ParameterValue::Double(f64::from_bits(reader.u64()?)),
            // Dates and times: a length, and as many bytes.
            7 | 10 | 11 | 12 => {
                let len = usize::from(reader.u8()?);
                ParameterValue::Text(reader.take(len)?)
            }
            0 | 15 | 16 | 245..=255 => ParameterValue::Text(reader.lenenc_bytes()?),
            _ => return Err(OTHER),
        });
    }
    Ok(values)
}

/// The payload of an EXECUTE, or a bulk EXECUTE, with the server's statement id, and with `known` types put in where the
/// client left them out.
///
/// # Errors
/// When the packet is cut off.
pub fn rewrite_execute(
    payload: &[u8],
    statement: ServerStatementId,
    parameters: u16,
    known: Option<&[u8]>,
    agreed: Capabilities,
) -> Result<BytesMut, ProtocolError> {
    let missing = match types_at(payload, parameters, agreed)? {
        // Attributes beside types that are not sent: the server refuses them.
        Some(TypesAt { at, types: None, alone: true }) => known.map(|known| (at, known)),
        Some(_) | None => None,
    };
    let mut out = BytesMut::with_capacity(payload.len().saturating_add(known.map_or(0, <[u8]>::len)));
    let mut reader = Reader::new("EXECUTE", payload);
    out.put_u8(reader.u8()?);
    reader.u32()?;
    out.put_u32_le(statement.0);
    match missing {
        Some((5, types)) => {
            let [flags, high] = reader.u16()?.to_le_bytes();
            out.put_slice(&[flags | BULK_SEND_TYPES, high]);
            debug_assert_eq!(out.len(), BULK_HEAD);
            out.put_slice(types);
        }
        Some((at, types)) => {
            out.put_slice(reader.take(at.saturating_sub(5))?);
            reader.u8()?;
            out.put_u8(1);
            out.put_slice(types);
        }
        None => {}
    }
    out.put_slice(reader.take_rest());
    Ok(out)
}

/// The payload of a command that has a statement id behind its first byte, with the server's id.
///
/// # Errors
/// When the packet is cut off.
pub fn rewrite_statement_id(payload: &[u8], statement: ServerStatementId) -> Result<BytesMut, ProtocolError> {
    let mut reader = Reader::new("COM_STMT", payload);
    let mut out = BytesMut::with_capacity(payload.len());
    out.put_u8(reader.u8()?);
    reader.u32()?;
    out.put_u32_le(statement.0);
    out.put_slice(reader.take_rest());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Capabilities = Capabilities::PROTOCOL_41;
    const ATTRIBUTES: Capabilities = Capabilities::PROTOCOL_41.with(Capabilities::QUERY_ATTRIBUTES);

    fn sent(payload: &'static [u8], parameters: u16, agreed: Capabilities) -> Bytes {
        let ParameterTypes::Sent(types) = parameter_types(&Bytes::from_static(payload), parameters, agreed).unwrap()
        else {
            panic!("no types in {payload:?}")
        };
        types
    }

    #[test]
    fn values_are_read_by_their_types() {
        let payload = b"\x17\x07\0\0\0\0\x01\0\0\0\x02\x01\x03\0\x06\0\x01\0\x08\x80\xfd\0\x05\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02'5";
        let types = sent(payload, 5, NONE);
        let values = parameter_values(payload, 5, &types).unwrap();
        use ParameterValue::{Integer, Null, Text};
        assert_eq!(values, [Integer(5), Null, Integer(u64::MAX), Integer(u64::MAX), Text(b"'5")]);
        assert_eq!(values[4].literal(), "CONVERT(x'2735' USING utf8mb4)");
        assert!(parameter_values(&payload[..30], 5, &types).is_err());
        assert!(parameter_values(payload, 5, &types[..8]).is_err());
        assert!(parameter_values(payload, 5, b"\x37\0\x37\0\x37\0\x37\0\x37\0").is_err());
    }

    #[test]
    fn types_are_found_and_put_in() {
        // id 7, no cursor, 1 iteration, null bitmap, types sent: one LONGLONG, value 5.
        let first = b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x08\0\x05\0\0\0\0\0\0\0";
        let types = sent(first, 1, NONE);
        assert_eq!(&types[..], b"\x08\0");
        let again = Bytes::from_static(b"\x17\x07\0\0\0\0\x01\0\0\0\0\x00\x05\0\0\0\0\0\0\0");
        assert_eq!(parameter_types(&again, 1, NONE), Ok(ParameterTypes::AsBefore));
        let rewritten = rewrite_execute(&again, ServerStatementId(9), 1, Some(&types), NONE).unwrap();
        assert_eq!(&rewritten[..], b"\x17\x09\0\0\0\0\x01\0\0\0\0\x01\x08\0\x05\0\0\0\0\0\0\0");
        for cut in 0..12 {
            assert!(parameter_types(&Bytes::from_static(first).slice(..cut), 1, NONE).is_err());
        }
    }

    #[test]
    fn types_are_found_beside_attributes() {
        // A parameter `p` and an attribute `n`: the types of the first only are the statement's.
        let first = b"\x17\x07\0\0\0\x08\x01\0\0\0\x02\0\x01\xfd\0\x01p\xfd\0\x01n\x02ab\x01v";
        let types = sent(first, 1, ATTRIBUTES);
        assert_eq!(&types[..], b"\xfd\0\x01p");
        let rewritten = rewrite_execute(first, ServerStatementId(9), 1, Some(&types), ATTRIBUTES).unwrap();
        assert_eq!(rewritten[1], 9);
        assert_eq!(rewritten[2..], first[2..]);
        let again = b"\x17\x07\0\0\0\x08\x01\0\0\0\x01\0\0\x02cd";
        let rewritten = rewrite_execute(again, ServerStatementId(9), 1, Some(&types), ATTRIBUTES).unwrap();
        assert_eq!(&rewritten[..], b"\x17\x09\0\0\0\x08\x01\0\0\0\x01\0\x01\xfd\0\x01p\x02cd");
        // Only attributes; none at all.
        let only = Bytes::from_static(b"\x17\x07\0\0\0\x08\x01\0\0\0\x01\0\x01\xfd\0\x01n\x01v");
        assert_eq!(parameter_types(&only, 0, ATTRIBUTES), Ok(ParameterTypes::None));
        let none = Bytes::from_static(b"\x17\x07\0\0\0\0\x01\0\0\0");
        assert_eq!(parameter_types(&none, 0, ATTRIBUTES), Ok(ParameterTypes::None));
    }

    #[test]
    fn types_of_a_bulk_execute_are_found_and_put_in() {
        let first = b"\xfa\x07\0\0\0\x80\0\x03\0\xfd\0\0\x01\0\0\0\0\x02ab";
        let types = sent(first, 2, NONE);
        assert_eq!(&types[..], b"\x03\0\xfd\0");
        let again = b"\xfa\x07\0\0\0\0\0\0\x01\0\0\0\0\x02ab";
        let rewritten = rewrite_execute(again, ServerStatementId(9), 2, Some(&types), NONE).unwrap();
        assert_eq!(rewritten[1], 9);
        assert_eq!(rewritten[2..], first[2..]);
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_client_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), bulk: bool, attributes: bool, parameters in 0u16..20) {
            let code = if bulk { code::STMT_BULK_EXECUTE } else { code::STMT_EXECUTE };
            let payload = Bytes::from([&[code][..], &bytes].concat());
            let agreed = if attributes { ATTRIBUTES } else { NONE };
            let _ = parameter_types(&payload, parameters, agreed);
            let _ = rewrite_execute(&payload, ServerStatementId(1), parameters, Some(b"\x03\0"), agreed);
        }
    }
}
