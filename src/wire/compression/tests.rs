use super::*;
use crate::wire::writer::put_packet;
use proptest::prelude::*;

const METHODS: [Compression; 4] =
    [Compression::Zlib(1), Compression::Zlib(6), Compression::Zstd(3), Compression::Zstd(19)];

fn pack_all(codec: &mut Codec, mut plain: &[u8]) -> BytesMut {
    let mut packed = BytesMut::new();
    while !plain.is_empty() {
        let taken = codec.pack(plain, &mut packed);
        plain = &plain[taken..];
    }
    packed
}

/// The sequence ids and both lengths of compressed packets.
fn headers(mut packed: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut seen = Vec::new();
    while let [a, b, c, sequence, d, e, f, rest @ ..] = packed {
        let length = |a: u8, b: u8, c: u8| usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        seen.push((*sequence, length(*a, *b, *c), length(*d, *e, *f)));
        packed = &rest[length(*a, *b, *c)..];
    }
    seen
}

fn unpack_all(codec: &mut Codec, mut packed: BytesMut) -> Result<Vec<u8>, ProtocolError> {
    let mut plain = BytesMut::new();
    while codec.unpack(&mut packed, &mut plain, 1000)? > 0 {}
    assert!(packed.is_empty() && codec.is_between());
    Ok(plain.to_vec())
}

#[test]
fn short_payloads_are_stored_and_long_ones_shrink() {
    for method in METHODS {
        let mut codec = Codec::new(Peer::Client, method);
        assert_eq!(headers(&pack_all(&mut codec, &[7; 49])), [(0, 49, 0)]);
        let (sequence, packed, plain) = headers(&pack_all(&mut codec, &[7; 50]))[0];
        assert_eq!((sequence, plain), (1, 50));
        assert!(packed < 50);
        // What does not shrink is stored.
        let noise: Vec<u8> = (0..1000_u32)
            .map(|at| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &at.to_le_bytes()).as_ref()[0])
            .collect();
        assert_eq!(headers(&pack_all(&mut codec, &noise)), [(2, 1000, 0)]);
    }
}

#[test]
fn a_client_is_answered_with_the_numbers_behind_its_own() {
    let mut far = Codec::new(Peer::Server, Compression::Zlib(6));
    let mut near = Codec::new(Peer::Client, Compression::Zlib(6));
    for _ in 0..3 {
        let mut command = BytesMut::new();
        put_packet(&mut command, 0, &[3; 200_000]);
        let packed = pack_all(&mut far, &command);
        assert_eq!(headers(&packed).iter().map(|header| header.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(unpack_all(&mut near, packed).unwrap(), command);
        let reply = pack_all(&mut near, &[9; 100]);
        assert_eq!(headers(&reply)[0].0, 4);
        assert_eq!(unpack_all(&mut far, reply).unwrap(), [9; 100]);
    }
}

#[test]
fn each_command_to_a_server_begins_at_zero() {
    let mut codec = Codec::new(Peer::Server, Compression::Zlib(6));
    let mut commands = BytesMut::new();
    put_packet(&mut commands, 0, b"\x03SET NAMES utf8mb4");
    put_packet(&mut commands, 0, &[3; 100_000]);
    put_packet(&mut commands, 0, b"\x0e");
    let packed = pack_all(&mut codec, &commands);
    assert_eq!(headers(&packed).iter().map(|header| header.0).collect::<Vec<_>>(), [0, 0, 1, 0]);
    // A file's packets go on, also behind 255, and after the answer a command begins anew.
    let mut next = 1;
    for sequence in 3..=260_u16 {
        let mut packet = BytesMut::new();
        put_packet(&mut packet, sequence.to_le_bytes()[0], b"data");
        assert_eq!(headers(&pack_all(&mut codec, &packet))[0].0, next);
        next = next.wrapping_add(1);
    }
    let mut at_the_edge = BytesMut::new();
    put_packet(&mut at_the_edge, 255, b"");
    pack_all(&mut codec, &at_the_edge);
    let mut answer = BytesMut::from(&[1, 0, 0, next.wrapping_add(1), 0, 0, 0, 0][..]);
    codec.unpack(&mut answer, &mut BytesMut::new(), 100).unwrap();
    let mut command = BytesMut::new();
    put_packet(&mut command, 0, b"\x0e");
    assert_eq!(headers(&pack_all(&mut codec, &command))[0].0, 0);
}

#[test]
fn sixteen_mib_in_one_packet_come_in_pieces() {
    let plain = vec![5; MAX_PAYLOAD];
    for zlib in [true, false] {
        let (method, body) = if zlib {
            let mut body = Vec::with_capacity(1 << 20);
            Compress::new(flate2::Compression::new(6), true)
                .compress_vec(&plain, &mut body, FlushCompress::Finish)
                .unwrap();
            (Compression::Zlib(6), body)
        } else {
            (Compression::Zstd(3), zstd::bulk::compress(&plain, 3).unwrap())
        };
        let [a, b, c, ..] = body.len().to_le_bytes();
        let mut packed = BytesMut::from(&[a, b, c, 0, 0xFF, 0xFF, 0xFF][..]);
        packed.extend_from_slice(&body);
        let mut codec = Codec::new(Peer::Client, method);
        let (mut all, mut buffer) = (0, BytesMut::new());
        loop {
            let made = codec.unpack(&mut packed, &mut buffer, 16 << 10).unwrap();
            assert!(made <= 16 << 10 && buffer.iter().all(|byte| *byte == 5));
            all += made;
            buffer.clear();
            if made == 0 {
                break;
            }
        }
        assert_eq!(all, MAX_PAYLOAD);
        assert!(codec.is_between());
    }
}

#[test]
fn lengths_that_lie_are_found() {
    for method in METHODS {
        let mut codec = Codec::new(Peer::Client, method);
        let whole = pack_all(&mut codec, &[1; 3000]);
        for (at, change) in [(0, 1_u8), (0, 255), (4, 1), (4, 255), (6, 1)] {
            let mut packed = whole.clone();
            packed[at] = packed[at].wrapping_add(change);
            packed.extend_from_slice(&[0; 400]);
            let mut plain = BytesMut::new();
            let result = Codec::new(Peer::Client, method).unpack(&mut packed, &mut plain, 10_000);
            assert_eq!(result, Err(LIES), "{method:?} {at} {change}");
        }
        // Nothing that says it is something.
        let mut packed = BytesMut::from(&[0, 0, 0, 0, 9, 0, 0][..]);
        assert_eq!(Codec::new(Peer::Client, method).unpack(&mut packed, &mut BytesMut::new(), 100), Err(LIES));
    }
}

/// A server that answers several commands numbers each answer on from its command, however long that was.
#[test]
fn long_commands_that_leave_together_are_answered_behind_their_own_numbers() {
    let mut near = Codec::new(Peer::Server, Compression::Zlib(6));
    for _ in 0..3 {
        let mut commands = BytesMut::new();
        put_packet(&mut commands, 0, &[1; 70_000]);
        put_packet(&mut commands, 0, &[2; 140_000]);
        put_packet(&mut commands, 0, &[3; 10]);
        assert_eq!(
            headers(&pack_all(&mut near, &commands)).iter().map(|header| header.0).collect::<Vec<_>>(),
            [0, 1, 0, 1, 2, 0]
        );
        let answer = |first: u8| {
            let mut codec = Codec::new(Peer::Client, Compression::Zlib(6));
            codec.next = first;
            pack_all(&mut codec, &[5; 100_000])
        };
        for first in [2, 3, 1] {
            assert_eq!(unpack_all(&mut near, answer(first)).unwrap().len(), 100_000, "{first}");
        }
        // Each once.
        assert!(unpack_all(&mut near, answer(2)).is_err());
        near.next = 0;
    }
}

#[test]
fn a_sequence_id_out_of_order_is_an_error() {
    let mut codec = Codec::new(Peer::Client, Compression::Zlib(6));
    let mut packed = BytesMut::from(&[1, 0, 0, 5, 0, 0, 0, 1][..]);
    assert_eq!(
        codec.unpack(&mut packed, &mut BytesMut::new(), 100),
        Err(ProtocolError::OutOfOrder { expected: 0, got: 5 })
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_bytes(
        seed in proptest::collection::vec(any::<u8>(), 1..40),
        len in 0usize..150_000,
        cuts in proptest::collection::vec(1usize..9000, 1..20),
        most in 1usize..20_000,
        method in 0usize..4,
    ) {
        let plain: Vec<u8> = seed.iter().cycle().take(len).copied().collect();
        let mut near = Codec::new(Peer::Client, METHODS[method]);
        let packed = pack_all(&mut near, &plain);
        let mut far = Codec::new(Peer::Client, METHODS[method]);
        let (mut inbox, mut out, mut rest) = (BytesMut::new(), BytesMut::new(), &packed[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            inbox.extend_from_slice(now);
            rest = later;
            while far.unpack(&mut inbox, &mut out, most).unwrap() == most {}
        }
        prop_assert_eq!(&out[..], &plain[..]);
        prop_assert!(far.is_between());
    }

    #[test]
    fn no_bytes_of_a_peer_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..600), flips in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..6), method in 0usize..4) {
        // Noise, and a good packet that was tampered with.
        let mut good = pack_all(&mut Codec::new(Peer::Client, METHODS[method]), &bytes.repeat(3));
        for (at, change) in flips {
            let len = good.len().max(1);
            if let Some(byte) = good.get_mut(usize::from(at) % len) { *byte ^= change; }
        }
        for mut packed in [BytesMut::from(&bytes[..]), good] {
            let mut codec = Codec::new(Peer::Server, METHODS[method]);
            let mut out = BytesMut::new();
            for _ in 0..100 {
                out.clear();
                match codec.unpack(&mut packed, &mut out, 5000) {
                    Ok(0) | Err(_) => break,
                    Ok(made) => prop_assert!(made <= 5000),
                }
            }
        }
    }
}

#[test]
fn a_file_of_small_packets_is_one_numbering_wherever_its_pieces_end() {
    // Headers stand at every place around the end of a piece.
    for len in 4090..4100 {
        let mut near = Codec::new(Peer::Server, Compression::Zlib(6));
        let mut file = BytesMut::new();
        for at in 2..400_u32 {
            put_packet(&mut file, (at % 256) as u8, &vec![0; len]);
        }
        near.next = 2;
        let packed = headers(&pack_all(&mut near, &file));
        assert_eq!(
            packed.iter().map(|header| header.0).collect::<Vec<_>>(),
            (2..).take(packed.len()).collect::<Vec<u8>>()
        );
    }
}
