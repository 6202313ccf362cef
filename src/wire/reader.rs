//! Checked reading of integers and strings: every step can say that the packet is too short.

use super::ProtocolError;

/// Reads a packet's payload from front to back.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    packet: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `payload`; `packet` names it in errors.
    #[must_use]
    pub fn new(packet: &'static str, payload: &'a [u8]) -> Self {
        Self { packet, rest: payload }
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The error for a packet that ends too early.
    #[must_use]
    pub fn truncated(&self) -> ProtocolError {
        ProtocolError::Truncated { packet: self.packet }
    }

    /// The error for a field that holds what it must not.
    #[must_use]
    pub fn malformed(&self, what: &'static str) -> ProtocolError {
        ProtocolError::Malformed { packet: self.packet, what }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// When fewer are left; the same for all methods below.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], ProtocolError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(head)
    }

    /// All that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    ///
    /// # Errors
    /// When none is left.
    pub fn u8(&mut self) -> Result<u8, ProtocolError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, little endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u16(&mut self) -> Result<u16, ProtocolError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Three bytes, little endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u24(&mut self) -> Result<u32, ProtocolError> {
        self.array::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes, little endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u64(&mut self) -> Result<u64, ProtocolError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded integer. `0xFB` (NULL) and `0xFF` (ERR) are malformed here.
    ///
    /// # Errors
    /// When it is cut off or malformed.
    pub fn lenenc(&mut self) -> Result<u64, ProtocolError> {
        match self.u8()? {
            small @ 0..=0xFA => Ok(u64::from(small)),
            0xFC => self.u16().map(u64::from),
            0xFD => self.u24().map(u64::from),
            0xFE => self.u64(),
            0xFB | 0xFF => Err(self.malformed("not a length-encoded integer")),
        }
    }

    /// A string with its length in front, length-encoded.
    ///
    /// # Errors
    /// When it is cut off or its length malformed.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], ProtocolError> {
        let len = self.lenenc()?;
        self.take(usize::try_from(len).map_err(|_| self.truncated())?)
    }

    /// A string that ends at a NUL byte, which is read but not returned.
    ///
    /// # Errors
    /// When there is no NUL byte.
    pub fn until_nul(&mut self) -> Result<&'a [u8], ProtocolError> {
        let mut parts = self.rest.splitn(2, |&byte| byte == 0);
        match (parts.next(), parts.next()) {
            (Some(text), Some(rest)) => {
                self.rest = rest;
                Ok(text)
            }
            _ => Err(self.truncated()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::writer::put_lenenc;
    use bytes::BytesMut;

    #[test]
    fn lenenc_round_trip() {
        for value in [0, 250, 251, 252, 65_535, 65_536, 0xFF_FF_FF, 0x100_0000, u64::MAX] {
            let mut out = BytesMut::new();
            put_lenenc(&mut out, value);
            let mut reader = Reader::new("test", &out);
            assert_eq!(reader.lenenc(), Ok(value));
            assert!(reader.is_empty());
            for cut in 0..out.len() {
                assert!(Reader::new("test", &out[..cut]).lenenc().is_err());
            }
        }
    }

    #[test]
    fn until_nul_needs_its_nul() {
        let mut reader = Reader::new("test", b"ab\0cd");
        assert_eq!(reader.until_nul(), Ok(&b"ab"[..]));
        assert!(reader.until_nul().is_err());
        assert_eq!(reader.take_rest(), b"cd");
    }
}
