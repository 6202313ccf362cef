//! Prepared statements of the binary protocol: the reply to PREPARE and the head of EXECUTE.
//! [PREPARE](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html),
//! [EXECUTE](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::ProtocolError;
use super::command::code;
use super::reader::Reader;

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

/// Where the parameter types stand in an EXECUTE's payload.
const EXECUTE_HEAD: usize = 10;

/// What an EXECUTE says of its parameters' types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterTypes {
    /// The statement has no parameters.
    None,
    /// Sent with this EXECUTE: two bytes a parameter.
    Sent(Bytes),
    /// Not sent: those of the EXECUTE before hold.
    AsBefore,
}

/// Reads the parameter types of an EXECUTE of a statement with so many parameters.
///
/// # Errors
/// When the packet is cut off.
pub fn parameter_types(payload: &Bytes, parameters: u16) -> Result<ParameterTypes, ProtocolError> {
    if parameters == 0 {
        return Ok(ParameterTypes::None);
    }
    let mut reader = Reader::new("EXECUTE", payload);
    reader.take(EXECUTE_HEAD)?;
    reader.take(usize::from(parameters).div_ceil(8))?;
    if reader.u8()? == 0 {
        return Ok(ParameterTypes::AsBefore);
    }
    Ok(ParameterTypes::Sent(payload.slice_ref(reader.take(usize::from(parameters).saturating_mul(2))?)))
}

/// The payload of an EXECUTE with the server's statement id, and with `types` put in where the client left them out.
///
/// # Errors
/// When the packet is cut off.
pub fn rewrite_execute(
    payload: &[u8],
    statement: ServerStatementId,
    parameters: u16,
    types: Option<&[u8]>,
) -> Result<BytesMut, ProtocolError> {
    let mut reader = Reader::new("EXECUTE", payload);
    let extra = types.map_or(0, <[u8]>::len);
    let mut out = BytesMut::with_capacity(payload.len().saturating_add(extra));
    out.put_u8(code::STMT_EXECUTE);
    out.put_u32_le(statement.0);
    reader.take(5)?;
    match types {
        Some(types) if parameters > 0 => {
            out.put_slice(reader.take(EXECUTE_HEAD.saturating_sub(5))?);
            out.put_slice(reader.take(usize::from(parameters).div_ceil(8))?);
            reader.u8()?;
            out.put_u8(1);
            out.put_slice(types);
        }
        _ => {}
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

    #[test]
    fn types_are_found_and_put_in() {
        // id 7, no cursor, 1 iteration, null bitmap, types sent: one LONGLONG, value 5.
        let sent = Bytes::from_static(b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x08\0\x05\0\0\0\0\0\0\0");
        let ParameterTypes::Sent(types) = parameter_types(&sent, 1).unwrap() else { panic!() };
        assert_eq!(&types[..], b"\x08\0");
        let again = Bytes::from_static(b"\x17\x07\0\0\0\0\x01\0\0\0\0\x00\x05\0\0\0\0\0\0\0");
        assert_eq!(parameter_types(&again, 1), Ok(ParameterTypes::AsBefore));
        let rewritten = rewrite_execute(&again, ServerStatementId(9), 1, Some(&types)).unwrap();
        assert_eq!(&rewritten[..], b"\x17\x09\0\0\0\0\x01\0\0\0\0\x01\x08\0\x05\0\0\0\0\0\0\0");
        for cut in 0..12 {
            assert!(parameter_types(&sent.slice(..cut), 1).is_err());
        }
    }
}
