use flate2::{Compress, FlushCompress};

use super::*;
use crate::wire::writer::put_packet;
use proptest::prelude::*;

const METHODS: [Compression; 4] =
    [Compression::Zlib(1), Compression::Zlib(6), Compression::Zstd(3), Compression::Zstd(19)];

fn pack_all(codec: &mut Codec, mut plain: &[u8]) -> BytesMut {
    let mut packed = BytesMut::new();
    while !plain.is_empty() {
        let taken = codec.pack(plain, &mut packed, true);
        plain = &plain[taken..];
    }
    packed
}

/// Packets with these payloads.
fn packets(payloads: &[&[u8]]) -> BytesMut {
    let mut plain = BytesMut::new();
    for payload in payloads {
        put_packet(&mut plain, 0, payload);
    }
    plain
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
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
        assert_eq!(headers(&pack_all(&mut codec, &packets(&[&[7; 45]]))), [(0, 49, 0)]);
        let (sequence, packed, plain) = headers(&pack_all(&mut codec, &packets(&[&[7; 46]])))[0];
        assert_eq!((sequence, plain), (1, 50));
        assert!(packed < 50);
        // What does not shrink is stored.
        assert_eq!(headers(&pack_all(&mut codec, &packets(&[&noise(1000)]))), [(2, 1004, 0)]);
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
        let answer = packets(&[&[9; 100]]);
        let reply = pack_all(&mut near, &answer);
        assert_eq!(headers(&reply)[0].0, 4);
        assert_eq!(unpack_all(&mut far, reply).unwrap(), answer);
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
        let whole = pack_all(&mut codec, &packets(&[&[1; 3000]]));
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
            pack_all(&mut codec, &packets(&[&[5; 50_000], &[5; 50_000]]))
        };
        for first in [2, 3, 1] {
            assert_eq!(unpack_all(&mut near, answer(first)).unwrap().len(), 100_008, "{first}");
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

/// Cuts packets as they may come in: anywhere but in their headers.
fn whole_headers<'a>(plain: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut forbidden = std::collections::HashSet::new();
    let mut at = 0;
    while let Some(len) = plain.get(at..).and_then(packet_len) {
        forbidden.extend(at + 1..at + HEADER_LEN);
        at += len;
    }
    let (mut pieces, mut from) = (Vec::new(), 0);
    for cut in cuts.iter().cycle() {
        if from >= plain.len() {
            return pieces;
        }
        let mut to = (from + cut).min(plain.len());
        while forbidden.contains(&to) {
            to += 1;
        }
        pieces.push(&plain[from..to]);
        from = to;
    }
    pieces
}

/// As servers frame them; and Connector/Python reads at most two compressed packets for one packet.
#[test]
fn a_packet_to_a_client_goes_in_one_compressed_packet_or_two() {
    for method in METHODS {
        for (len, content, packets_of) in [
            (40, "short", vec![44]),
            (70_000, "long", vec![70_004]),
            (70_000, "noise", vec![70_004]),
            (3 << 20, "long", vec![(3 << 20) + 4]),
            (3 << 20, "noise", vec![(3 << 20) + 4]),
            (MAX_PAYLOAD - 4, "long", vec![MAX_PAYLOAD]),
            (MAX_PAYLOAD - 3, "long", vec![PIECE, MAX_PAYLOAD + 1 - PIECE]),
            (MAX_PAYLOAD, "long", vec![PIECE, MAX_PAYLOAD + 4 - PIECE, 4]),
        ] {
            if method == Compression::Zstd(19) && len > 4 << 20 {
                continue;
            }
            let payload = if content == "noise" { noise(len) } else { vec![5; len] };
            let plain = packets(&[&payload]);
            for cut in [16 << 10, usize::MAX] {
                let mut codec = Codec::new(Peer::Client, method);
                let mut packed = BytesMut::new();
                let mut most = 0;
                for mut piece in plain.chunks(cut.min(plain.len())) {
                    while !piece.is_empty() {
                        let taken = codec.pack(piece, &mut packed, true);
                        piece = &piece[taken..];
                        most = most.max(codec.held());
                    }
                }
                assert_eq!(codec.held(), 0);
                let seen = headers(&packed);
                let in_them: Vec<usize> =
                    seen.iter().map(|(_, packed, plain)| if *plain == 0 { *packed } else { *plain }).collect();
                assert_eq!(in_them, packets_of, "{method:?} {len} {content}");
                // Nothing is held of what does not shrink, and of the other only what it has become.
                assert!(if content == "noise" { most == 0 } else { most <= packed.len() }, "{most}");
                assert_eq!(
                    unpack_all(&mut Codec::new(Peer::Server, method), packed).unwrap(),
                    plain,
                    "{method:?} {len}"
                );
            }
        }
    }
}

/// What begins as if it would shrink and does not would be longer than a compressed packet can be.
#[test]
fn no_compressed_packet_is_longer_than_its_header_can_say() {
    let payload = [vec![0; 2000], noise(MAX_PAYLOAD - 2100)].concat();
    let plain = packets(&[&payload]);
    for method in [Compression::Zlib(1), Compression::Zstd(1)] {
        let mut codec = Codec::new(Peer::Client, method);
        let mut packed = BytesMut::new();
        for mut piece in plain.chunks(2000) {
            while !piece.is_empty() {
                let taken = codec.pack(piece, &mut packed, true);
                piece = &piece[taken..];
            }
        }
        let seen = headers(&packed);
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!(unpack_all(&mut Codec::new(Peer::Server, method), packed).unwrap(), plain);
    }
}

/// Where all clients together hold too much, long packets go in pieces.
#[test]
fn what_may_not_be_held_goes_in_pieces() {
    let plain = packets(&[&[1; 100], &vec![5; 1 << 20], &[2; 100]]);
    let mut codec = Codec::new(Peer::Client, Compression::Zlib(6));
    let packed = {
        let (mut packed, mut rest) = (BytesMut::new(), &plain[..]);
        while !rest.is_empty() {
            let taken = codec.pack(rest, &mut packed, false);
            rest = &rest[taken..];
            assert_eq!(codec.held(), 0);
        }
        packed
    };
    assert!(headers(&packed).iter().all(|header| header.2 <= PIECE));
    assert_eq!(unpack_all(&mut Codec::new(Peer::Server, Compression::Zlib(6)), packed).unwrap(), plain);
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
        holds in any::<bool>(),
    ) {
        // Packets of some length, also empty ones, which are packed as they come, or all at once.
        let content: Vec<u8> = seed.iter().cycle().take(len).copied().collect();
        let mut plain = BytesMut::new();
        let (mut rest, mut at) = (&content[..], 0);
        while !rest.is_empty() {
            let (now, later) = rest.split_at((cuts[at % cuts.len()] * usize::from(seed[at % seed.len()])).min(rest.len()));
            put_packet(&mut plain, 0, now);
            (rest, at) = (later, at + 1);
            if at > 5000 { break; }
        }
        let plain = plain.to_vec();
        let mut near = Codec::new(Peer::Client, METHODS[method]);
        let mut packed = BytesMut::new();
        for piece in whole_headers(&plain, &cuts) {
            let mut piece = piece;
            while !piece.is_empty() {
                let taken = near.pack(piece, &mut packed, holds);
                piece = &piece[taken..];
            }
        }
        prop_assert_eq!(near.held(), 0);
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
        let mut good = pack_all(&mut Codec::new(Peer::Client, METHODS[method]), &packets(&[&bytes.repeat(3)]));
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
