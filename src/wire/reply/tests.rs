//! Replies by hand, in pieces, in every form, and as no server would send them.

use super::*;
use crate::wire::rows::Cell;
use crate::wire::writer::put_packet;
use proptest::prelude::*;

const CLASSIC: Capabilities = Capabilities::PROTOCOL_41;

fn modern() -> Capabilities {
    Capabilities::PROTOCOL_41 | Capabilities::DEPRECATE_EOF | Capabilities::SESSION_TRACK
}

fn packets(payloads: &[&[u8]]) -> BytesMut {
    let mut out = BytesMut::new();
    for (at, payload) in payloads.iter().enumerate() {
        put_packet(&mut out, u8::try_from(at + 1).unwrap(), payload);
    }
    out
}

/// Feeds `bytes` in pieces of `step`; returns the outcome and what the client gets.
fn run(mut tracker: ReplyTracker, bytes: &[u8], step: usize) -> (Result<Progress, ProtocolError>, Outcome, Vec<u8>) {
    let (mut inbox, mut client, mut last) = (Inbox::default(), Vec::new(), Ok(Progress::More));
    for piece in bytes.chunks(step) {
        inbox.space(piece.len()).extend_from_slice(piece);
        inbox.received();
        last = tracker.walk(&mut inbox, &TrackFilter::default());
        client.extend_from_slice(inbox.scanned());
        inbox.forwarded();
        if last != Ok(Progress::More) {
            break;
        }
    }
    (last, tracker.take_outcome(), client)
}

const COLUMN: &[u8] = b"\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00";

#[test]
fn a_text_result_in_both_eof_styles_and_any_pieces() {
    let classic = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x02\x00", b"\x011", b"\x012", b"\xfe\x01\x00\x03\x00"]);
    let modern_bytes = packets(&[b"\x01", COLUMN, b"\x011", b"\x012", b"\xfe\x00\x00\x03\x00\x01\x00"]);
    for step in [1, 2, 3, 7, 1000] {
        for (bytes, capabilities) in [(&classic, CLASSIC), (&modern_bytes, modern())] {
            let tracker = ReplyTracker::new(ReplyKind::Results, capabilities, capabilities);
            let (progress, outcome, client) = run(tracker, bytes, step);
            assert_eq!(progress, Ok(Progress::Done), "{step}");
            assert_eq!((outcome.rows, outcome.warnings, outcome.result_sets), (2, 1, 1));
            assert!(outcome.status.unwrap().contains(Status::IN_TRANS));
            assert_eq!(client, bytes[..]);
        }
    }
}

#[test]
fn a_classic_eof_announces_no_change_of_state() {
    let bytes = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x02\x40", b"\x011", b"\xfe\x01\x00\x03\x40"]);
    let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Results, CLASSIC, CLASSIC), &bytes, 6);
    assert_eq!((progress, outcome.rows, client.len()), (Ok(Progress::Done), 1, bytes.len()));
    assert!(!client.contains(&0x40));
}

#[test]
fn several_results_and_an_error_in_the_second() {
    let bytes = packets(&[b"\x00\x01\x00\x0a\x00\x00\x00", b"\x01", COLUMN, b"\x011", b"\xff\x28\x04#42000bad"]);
    let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Results, modern(), modern()), &bytes, 5);
    assert_eq!(progress, Ok(Progress::Done));
    assert_eq!(outcome.error.unwrap().code, 1064);
    assert_eq!(outcome.affected_rows, 1);
    assert_eq!(client, bytes[..]);
}

#[test]
fn prepare_gets_the_clients_id() {
    let ok = b"\x00\x05\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00";
    let eof = b"\xfe\x00\x00\x02\x00";
    let classic = packets(&[ok, COLUMN, COLUMN, eof, COLUMN, eof]);
    let modern_bytes = packets(&[ok, COLUMN, COLUMN, COLUMN]);
    for (bytes, capabilities) in [(classic, CLASSIC), (modern_bytes, modern())] {
        for step in [1, 4, 1000] {
            let tracker = ReplyTracker::new(ReplyKind::Prepare, capabilities, capabilities)
                .with_statement(ClientStatementId(0x0102_0304));
            let (progress, outcome, client) = run(tracker, &bytes, step);
            assert_eq!(progress, Ok(Progress::Done));
            let prepared = outcome.prepared.unwrap();
            assert_eq!((prepared.statement.0, prepared.columns, prepared.parameters), (5, 1, 2));
            assert_eq!(&client[5..9], &[4, 3, 2, 1]);
            assert_eq!(client[9..], bytes[9..]);
        }
    }
}

#[test]
fn prepare_is_numbered_for_the_client_whatever_a_compressed_server_says() {
    // The command came to the server in three compressed packets, by which it numbers its answer.
    let ok = b"\x00\x05\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let mut bytes = BytesMut::new();
    put_packet(&mut bytes, 3, ok);
    put_packet(&mut bytes, 4, COLUMN);
    let tracker =
        ReplyTracker::new(ReplyKind::Prepare, modern(), modern()).with_statement(ClientStatementId(5)).with_sequence(1);
    let (progress, _, client) = run(tracker, &bytes, 1000);
    assert_eq!((progress, BytesMut::from(&client[..])), (Ok(Progress::Done), packets(&[ok, COLUMN])));
}

#[test]
fn rows_of_our_own_take_the_place_of_the_servers() {
    let cells = vec![vec![Cell::Text(b"a"[..].into()), Cell::Null], vec![Cell::Text(b"b"[..].into()), Cell::Null]];
    for (server_rows, binary) in [(0_u8, false), (1, false), (3, false), (3, true)] {
        let mut theirs: Vec<&[u8]> = vec![b"\x01", COLUMN];
        theirs.extend((0..server_rows).map(|_| &b"\x05other"[..]));
        theirs.push(b"\xfe\x00\x00\x03\x00\x01\x00");
        // The second cell is not asked for.
        let ours: [&[u8]; 2] = if binary { [b"\0\0\x01a", b"\0\0\x01b"] } else { [b"\x01a", b"\x01b"] };
        let expected = packets(&[b"\x01", COLUMN, ours[0], ours[1], b"\xfe\x00\x00\x03\x00\x01\x00"]);
        for step in [1, 5, 1000] {
            let tracker =
                ReplyTracker::new(ReplyKind::Results, modern(), modern()).with_rows(Rows::new(cells.clone(), binary));
            let (progress, outcome, client) = run(tracker, &packets(&theirs), step);
            assert_eq!((progress, &client[..]), (Ok(Progress::Done), &expected[..]), "{server_rows} {binary}");
            assert_eq!((outcome.rows, outcome.warnings), (2, 1));
        }
    }
}

#[test]
fn local_infile_waits_for_the_client() {
    let mut tracker = ReplyTracker::new(ReplyKind::Results, modern(), modern());
    let mut inbox = Inbox::default();
    inbox.space(100).extend_from_slice(&packets(&[b"\xfbfile.csv"]));
    inbox.received();
    assert_eq!(tracker.walk(&mut inbox, &TrackFilter::default()), Ok(Progress::WantsFile));
    inbox.forwarded();
    tracker.file_sent(4);
    inbox.space(100).extend_from_slice(&packets(&[b"\x00\x03\x00\x02\x00\x00\x00"]));
    assert_eq!(tracker.walk(&mut inbox, &TrackFilter::default()), Ok(Progress::Done));
    assert_eq!(tracker.outcome().affected_rows, 3);
}

#[test]
fn a_row_of_more_than_16_mib_is_not_mistaken() {
    let mut bytes = packets(&[b"\x01", COLUMN]);
    // Its continuation begins with 0xFF, which is data and no error.
    let mut row = vec![0xFE; MAX_PAYLOAD];
    row.extend_from_slice(&[0xFF; 10]);
    put_packet(&mut bytes, 3, &row);
    put_packet(&mut bytes, 5, b"\xfe\x00\x00\x02\x00\x00\x00");
    let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Results, modern(), modern()), &bytes, 65_536);
    assert_eq!((progress, outcome.rows), (Ok(Progress::Done), 1));
    assert_eq!(client.len(), bytes.len());
}

#[test]
fn a_cursor_has_one_eof_in_either_style() {
    let classic = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x42\x00"]);
    let modern_bytes = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x42\x00\x00\x00"]);
    for (bytes, capabilities) in [(classic, CLASSIC), (modern_bytes, modern())] {
        let (progress, outcome, _) =
            run(ReplyTracker::new(ReplyKind::Results, capabilities, capabilities).with_cursor(true), &bytes, 4);
        assert_eq!(progress, Ok(Progress::Done));
        assert!(outcome.status.unwrap().contains(Status::CURSOR_EXISTS));
    }
}

proptest! {
    #[test]
    fn no_bytes_of_a_server_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..6, step in 1usize..50) {
        let kind = [ReplyKind::Results, ReplyKind::Prepare, ReplyKind::FieldList, ReplyKind::Rows, ReplyKind::Simple, ReplyKind::Text][kind];
        let _ = run(ReplyTracker::new(kind, modern(), CLASSIC), &bytes, step);
        let _ = run(ReplyTracker::new(kind, CLASSIC, CLASSIC), &bytes, step);
        let _ = run(ReplyTracker::new(kind, CLASSIC, modern()), &bytes, step);
        let optional = Capabilities::OPTIONAL_RESULTSET_METADATA | Capabilities::PROGRESS;
        let _ = run(ReplyTracker::new(kind, modern() | optional, CLASSIC | optional).with_rows(Rows::new(vec![vec![Cell::Null; 3]; 2], false)), &bytes, step);
    }
}

/// The same reply in both forms, for one direction and the other: what came, and what the client must get.
fn in_both_forms() -> Vec<(ReplyKind, BytesMut, BytesMut)> {
    let ok = b"\x00\x05\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00";
    let (eof, more, last) = (b"\xfe\x00\x00\x02\x00", b"\xfe\x01\x00\x0a\x00", b"\xfe\x01\x00\x03\x00");
    let (more_ok, last_ok) = (b"\xfe\x00\x00\x0a\x00\x01\x00", b"\xfe\x00\x00\x03\x00\x01\x00");
    let done = b"\x00\x01\x00\x02\x00\x00\x00";
    let failed = b"\xff\x28\x04#42000bad";
    let (cursor, cursor_ok) = (b"\xfe\x00\x00\x42\x00", b"\xfe\x00\x00\x42\x00\x00\x00");
    vec![
        (
            ReplyKind::Results,
            packets(&[b"\x01", COLUMN, eof, b"\x011", b"\x012", last]),
            packets(&[b"\x01", COLUMN, b"\x011", b"\x012", last_ok]),
        ),
        (ReplyKind::Results, packets(&[b"\x01", COLUMN, eof, last]), packets(&[b"\x01", COLUMN, last_ok])),
        (ReplyKind::Results, packets(&[b"\x01", COLUMN, cursor]), packets(&[b"\x01", COLUMN, cursor_ok])),
        (ReplyKind::Results, packets(&[b"\x01", COLUMN, eof, failed]), packets(&[b"\x01", COLUMN, failed])),
        (
            ReplyKind::Results,
            packets(&[b"\x02", COLUMN, COLUMN, eof, b"\x011\x011", more, b"\x01", COLUMN, eof, b"\x012", more, done]),
            packets(&[b"\x02", COLUMN, COLUMN, b"\x011\x011", more_ok, b"\x01", COLUMN, b"\x012", more_ok, done]),
        ),
        (ReplyKind::Prepare, packets(&[ok, COLUMN, COLUMN, eof, COLUMN, eof]), packets(&[ok, COLUMN, COLUMN, COLUMN])),
        (ReplyKind::FieldList, packets(&[COLUMN, COLUMN, last]), packets(&[COLUMN, COLUMN, last_ok])),
        (
            ReplyKind::Rows,
            packets(&[b"\x00\x001", b"\x00\x002", last]),
            packets(&[b"\x00\x001", b"\x00\x002", last_ok]),
        ),
        (ReplyKind::Simple, packets(&[last]), packets(&[last_ok])),
    ]
}

#[test]
fn eof_packets_are_put_in_and_left_out_where_the_sides_differ() {
    let modern = modern().without(Capabilities::SESSION_TRACK);
    for (at, (kind, classic, deprecated)) in in_both_forms().into_iter().enumerate() {
        for step in [1, 2, 3, 5, 7, 11, 30, 1000] {
            for (bytes, server, client, wanted) in
                [(&classic, CLASSIC, modern, &deprecated), (&deprecated, modern, CLASSIC, &classic)]
            {
                let tracker = ReplyTracker::new(kind, server, client).with_cursor(at == 2);
                let (progress, outcome, got) = run(tracker, bytes, step);
                assert_eq!(progress, Ok(Progress::Done), "{at} {kind:?} {step}");
                assert_eq!(BytesMut::from(&got[..]), wanted, "{at} {kind:?} in pieces of {step}, for {client:?}");
                let (_, as_is, _) = run(ReplyTracker::new(kind, server, server).with_cursor(at == 2), bytes, step);
                assert_eq!(outcome, as_is, "{at}");
            }
        }
    }
}

#[test]
fn a_long_row_keeps_its_order_when_an_eof_is_left_out() {
    let mut bytes = packets(&[b"\x01", COLUMN, b"\xfe\x00\x00\x02\x00"]);
    put_packet(&mut bytes, 4, &vec![0xFE; MAX_PAYLOAD + 9]);
    put_packet(&mut bytes, 6, b"\xfe\x00\x00\x02\x00");
    let tracker = ReplyTracker::new(ReplyKind::Results, CLASSIC, modern());
    let (progress, outcome, client) = run(tracker, &bytes, 65_536);
    assert_eq!((progress, outcome.rows), (Ok(Progress::Done), 1));
    let mut inbox = Inbox::default();
    inbox.space(client.len()).extend_from_slice(&client);
    let mut sequences = Vec::new();
    while let Ok(Some((header, _))) = inbox.take(MAX_PAYLOAD) {
        sequences.push(header.sequence);
    }
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
}

#[test]
fn definitions_that_are_left_out_are_not_waited_for() {
    let optional = modern() | Capabilities::OPTIONAL_RESULTSET_METADATA;
    let classic = CLASSIC | Capabilities::OPTIONAL_RESULTSET_METADATA;
    let (eof, ok) = (b"\xfe\x00\x00\x02\x00", b"\xfe\x00\x00\x02\x00\x00\x00");
    let prepared = b"\x00\x05\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00\x00";
    for (kind, form, bytes) in [
        (ReplyKind::Results, optional, packets(&[b"\x02\x00", b"\x011\x012", ok])),
        (ReplyKind::Results, classic, packets(&[b"\x02\x00", eof, b"\x011\x012", eof])),
        (ReplyKind::Results, optional, packets(&[b"\x01\x01", COLUMN, b"\x011", ok])),
        (ReplyKind::Prepare, optional, packets(&[prepared])),
        (ReplyKind::Prepare, classic, packets(&[prepared, eof, eof])),
    ] {
        for step in [1, 4, 1000] {
            let (progress, _, client) = run(ReplyTracker::new(kind, form, form), &bytes, step);
            assert_eq!((progress, &client[..]), (Ok(Progress::Done), &bytes[..]), "{kind:?} {form:?}");
        }
    }
}

#[test]
fn a_report_of_progress_is_not_the_end() {
    let progress_form = modern() | Capabilities::PROGRESS;
    let report = b"\xff\xff\xff\x01\x01\x02\x00\x00\x00\x07copying";
    let bytes = packets(&[report, report, b"\x01", COLUMN, report, b"\x011", b"\xfe\x00\x00\x02\x00\x00\x00"]);
    for step in [1, 6, 1000] {
        let tracker = ReplyTracker::new(ReplyKind::Results, progress_form, progress_form);
        let (progress, outcome, client) = run(tracker, &bytes, step);
        assert_eq!((progress, outcome.rows, outcome.error), (Ok(Progress::Done), 1, None));
        assert_eq!(client, bytes[..]);
    }
    // Not agreed on: the server means an error.
    let (_, outcome, _) = run(ReplyTracker::new(ReplyKind::Results, modern(), modern()), &bytes, 1000);
    assert_eq!(outcome.error.unwrap().code, 0xFFFF);
}

#[test]
fn a_binary_log_ends_by_eof_or_error_only() {
    let events: [&[u8]; 3] = [b"\x00event", b"\x00\xff\xfe", b"\x00"];
    let ends: [(&[u8], Option<u16>); 2] =
        [(b"\xfe\x00\x00\x02\x00", None), (b"\xff\xd4\x04#HY000no such log", Some(1236))];
    for (end, code) in ends {
        let bytes = packets(&[events[0], events[1], events[2], end]);
        let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Binlog, CLASSIC, CLASSIC), &bytes, 3);
        assert_eq!((progress, outcome.rows), (Ok(Progress::Done), 3));
        assert_eq!(outcome.error.map(|error| error.code), code);
        assert_eq!(client, bytes[..]);
    }
}

#[test]
fn an_ok_follows_out_parameters_whatever_their_eof_says() {
    // MySQL 9.7 and MariaDB 10.11, of a client without DEPRECATE_EOF, and with it.
    let (out, ok) = (b"\xfe\x00\x00\x0a\x10", b"\x00\x00\x00\x02\x00\x00\x00");
    let deprecated = packets(&[b"\x01", COLUMN, b"\x00\x005", b"\xfe\x00\x00\x0a\x10\x00\x00", ok]);
    for end in [b"\xfe\x00\x00\x02\x00", out] {
        let bytes = packets(&[b"\x01", COLUMN, out, b"\x00\x005", end, ok]);
        for step in [1, 6, 1000] {
            let (progress, outcome, client) =
                run(ReplyTracker::new(ReplyKind::Results, CLASSIC, CLASSIC), &bytes, step);
            assert_eq!((progress, outcome.result_sets, &client[..]), (Ok(Progress::Done), 1, &bytes[..]));
            let modern = modern().without(Capabilities::SESSION_TRACK);
            let (progress, _, client) = run(ReplyTracker::new(ReplyKind::Results, CLASSIC, modern), &bytes, step);
            assert_eq!((progress, &client[..]), (Ok(Progress::Done), &deprecated[..]));
        }
    }
}

#[test]
fn rows_follow_where_nobody_asked_for_a_cursor() {
    // MariaDB 10.11: SELECT in a procedure that has a cursor of its own open.
    let (eof, more) = (b"\xfe\x00\x00\x4a\x00", b"\xfe\x00\x00\x0a\x00");
    let bytes = packets(&[b"\x01", COLUMN, eof, b"\x011", more, b"\x00\x00\x00\x02\x00\x00\x00"]);
    for step in [1, 5, 1000] {
        let (progress, outcome, client) = run(ReplyTracker::new(ReplyKind::Results, CLASSIC, CLASSIC), &bytes, step);
        assert_eq!((progress, outcome.rows, &client[..]), (Ok(Progress::Done), 1, &bytes[..]));
    }
}

#[test]
fn a_plain_ok_may_be_the_whole_reply_to_prepare() {
    let bytes = packets(&[b"\x00\x00\x00\x02\x00\x00\x00"]);
    let tracker = ReplyTracker::new(ReplyKind::Prepare, modern(), modern()).with_statement(ClientStatementId(7));
    let (progress, outcome, client) = run(tracker, &bytes, 3);
    assert_eq!((progress, outcome.prepared, &client[..]), (Ok(Progress::Done), None, &bytes[..]));
}
