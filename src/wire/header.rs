//! The four bytes in front of each packet.

/// Length of a packet header in bytes.
pub const HEADER_LEN: usize = 4;

/// The longest payload of one packet in bytes; a payload of just this length is continued in the next packet.
pub const MAX_PAYLOAD: usize = 0xFF_FF_FF;

/// A packet header: three bytes of payload length, little endian, and a sequence id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketHeader {
    /// Bytes that follow the header.
    pub payload_len: usize,
    /// The packet's place in its exchange, modulo 256.
    pub sequence: u8,
}

impl PacketHeader {
    /// The header at the start of `bytes`; None when there are fewer than four.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, sequence] = *bytes.first_chunk::<HEADER_LEN>()?;
        Some(Self { payload_len: usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, sequence })
    }

    /// The header's bytes. A length above [`MAX_PAYLOAD`] is cut to it; callers split before.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let [a, b, c, ..] = self.payload_len.min(MAX_PAYLOAD).to_le_bytes();
        [a, b, c, self.sequence]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trip() {
        for payload_len in [0, 1, 255, 256, 65_536, MAX_PAYLOAD] {
            let header = PacketHeader { payload_len, sequence: 7 };
            assert_eq!(PacketHeader::parse(&header.encode()), Some(header));
        }
        assert_eq!(PacketHeader::parse(&[1, 0, 0]), None);
    }
}
