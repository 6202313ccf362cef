//! Writing packets into a buffer: integers, strings, headers, and the split at 16 MiB.

use bytes::{BufMut as _, BytesMut};

use super::header::{HEADER_LEN, MAX_PAYLOAD, PacketHeader};

/// Appends a length-encoded integer.
pub fn put_lenenc(out: &mut BytesMut, value: u64) {
    match value {
        0..=0xFA => out.put_u8(value.to_le_bytes()[0]),
        0xFB..=0xFFFF => {
            out.put_u8(0xFC);
            out.put_uint_le(value, 2);
        }
        0x1_0000..=0xFF_FFFF => {
            out.put_u8(0xFD);
            out.put_uint_le(value, 3);
        }
        _ => {
            out.put_u8(0xFE);
            out.put_u64_le(value);
        }
    }
}

/// Appends a string with its length in front.
pub fn put_lenenc_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Appends one payload as a packet, or as several when it is longer than [`MAX_PAYLOAD`]. Returns the next sequence id.
pub fn put_packet(out: &mut BytesMut, mut sequence: u8, payload: &[u8]) -> u8 {
    let mut rest = payload;
    loop {
        let (head, tail) = rest.split_at_checked(MAX_PAYLOAD).unwrap_or((rest, &[]));
        out.put_slice(&PacketHeader { payload_len: head.len(), sequence }.encode());
        out.put_slice(head);
        sequence = sequence.wrapping_add(1);
        rest = tail;
        if head.len() < MAX_PAYLOAD {
            return sequence;
        }
    }
}

/// Appends one packet whose payload `fill` writes. For payloads that are surely shorter than [`MAX_PAYLOAD`].
pub fn put_with(out: &mut BytesMut, sequence: u8, fill: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&[0; HEADER_LEN]);
    fill(out);
    let payload_len = out.len().saturating_sub(start).saturating_sub(HEADER_LEN);
    let header = PacketHeader { payload_len, sequence }.encode();
    if let Some(place) = out.get_mut(start..).and_then(|tail| tail.first_chunk_mut::<HEADER_LEN>()) {
        *place = header;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_split_at_the_exact_boundary() {
        for (len, packets) in [(0, 1), (5, 1), (MAX_PAYLOAD - 1, 1), (MAX_PAYLOAD, 2), (MAX_PAYLOAD + 1, 2)] {
            let mut out = BytesMut::new();
            let next = put_packet(&mut out, 255, &vec![7; len]);
            assert_eq!(next, 255u8.wrapping_add(packets));
            assert_eq!(out.len(), len + usize::from(packets) * HEADER_LEN);
        }
    }
}
