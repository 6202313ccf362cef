//! Properties that hold for any text.

use proptest::prelude::*;

use super::tests::{classifier, classify, classify_in};
use super::*;

fn any_context() -> impl Strategy<Value = SqlContext> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(ansi_quotes, no_backslash_escapes, multibyte)| {
        SqlContext {
            mode: SqlMode { ansi_quotes, no_backslash_escapes, oracle: false },
            charset: if multibyte { Charset::Multibyte } else { Charset::AsciiSafe },
        }
    })
}

/// Pieces that mean something to the lexer, in any order.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"SELECT ",
        b"FOR ",
        b"UPDATE ",
        b"'",
        b"\"",
        b"`",
        b"\\",
        b"/*",
        b"*/",
        b"/*!",
        b"/*M!",
        b"50000 ",
        b"-- ",
        b"--",
        b"#",
        b"\n",
        b"(",
        b")",
        b",",
        b";",
        b".",
        b"@",
        b"@@",
        b":=",
        b"?",
        b"1",
        b"0x1f",
        b"1e5",
        b"x'",
        b"b'",
        b"N'",
        b"_utf8",
        b"t ",
        b"FROM ",
        b"INTO ",
        b"WITH ",
        b"SET ",
        b"NULL",
        b"\0",
        b"\xa0",
        b"/*+ ",
        b"*",
        b"-",
        b"$",
        b"=",
        b"f",
        b"count",
        b" ",
        b"LAST_INSERT_ID",
        b"SHOW ",
        b"EXPLAIN ",
        b"DROP TABLE ",
        b"KILL ",
        b"USE ",
        b"NAMES ",
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(prop::sample::select(pieces), 0..60).prop_map(|pieces| pieces.concat()),
    ]
}

fn spaced(sql: &str, gaps: &[u8]) -> String {
    let mut out = String::new();
    for (word, gap) in sql.split(' ').zip(gaps.iter().cycle()) {
        out.push_str(word);
        out.push_str(match gap % 6 {
            0 => " ",
            1 => "\n\t",
            2 => " /* c */ ",
            3 => " -- c\n",
            4 => " # c\n ",
            _ => "/**/",
        });
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_classified(sql in any_text(), context in any_context()) {
        let classifier = classifier();
        let mut scratch = Vec::new();
        let first = classifier.classify(&sql, context, &mut scratch);
        let second = classifier.classify(&sql, context, &mut scratch);
        prop_assert_eq!(first.key, second.key);
        prop_assert_eq!(first.shape, second.shape);
        prop_assert_eq!(first.detail, second.detail);
    }

    /// Texts that share a fingerprint share the verdict that each has alone.
    #[test]
    fn one_fingerprint_is_one_verdict(a in any_text(), cut in any::<prop::sample::Index>(), literal in "[0-9]{1,3}|'[a-z*/;#-]{0,6}'|NULL") {
        let mut b = a.clone();
        let at = cut.index(b.len().saturating_add(1));
        b.splice(at..at, literal.into_bytes());
        let (a, b) = (classify_in(&a, SqlContext::default()), classify_in(&b, SqlContext::default()));
        if a.key == b.key {
            prop_assert_eq!(a.shape.cause.is_none(), b.shape.cause.is_none());
            prop_assert_eq!(a.shape.kind, b.shape.kind);
            prop_assert_eq!(a.shape.effects, b.shape.effects);
        }
    }

    #[test]
    fn blanks_comments_and_literals_do_not_matter(gaps in prop::collection::vec(any::<u8>(), 1..20), n in 0_u32..9999, s in "[a-z ;#]{0,8}") {
        let sql = "SELECT a , f ( b ) FROM t WHERE c = 1 AND d IN ( 'x' , 2 ) ORDER BY e";
        let other = spaced(sql, &gaps).replace('1', &n.to_string()).replace("'x'", &format!("'{s}'"));
        let (a, b) = (classify(sql), classify(&other));
        prop_assert_eq!(a.key, b.key, "{} {}", a.shape.normalised, b.shape.normalised);
    }

    /// A harmful construct in any place where it is code is never part of a proven read.
    #[test]
    fn an_injected_construct_is_found(
        gaps in prop::collection::vec(any::<u8>(), 1..20),
        outer in prop::sample::select(vec![
            "SELECT * FROM t {}", "( SELECT * FROM t {} )", "SELECT * FROM ( SELECT a FROM t {} ) d",
            "WITH c AS ( SELECT a FROM t {} ) SELECT * FROM c", "SELECT 1 UNION ( SELECT a FROM t {} )",
            "SELECT a FROM t WHERE b = ' -- ' AND c IN ( SELECT d FROM u {} )", "EXPLAIN SELECT * FROM t {}",
            "SELECT * FROM t /*! {} */", "SELECT * FROM t /*!50000 {} */", "SELECT * FROM t /*M!100100 {} */",
        ]),
        construct in prop::sample::select(vec![
            "FOR UPDATE", "for share", "LOCK IN SHARE MODE", "INTO @a", "INTO OUTFILE 'x'", "WHERE ( @a := 1 )",
            "WHERE evil ( 1 )", "WHERE x . `evil` ( 1 )", "WHERE GET_LOCK ( 'a' , 1 )", "WHERE NEXT VALUE FOR s",
            "; DELETE FROM t", "WHERE @@read_only", "ORDER BY evil ( a )", "LIMIT 1 FOR UPDATE",
        ]),
    ) {
        let sql = spaced(&outer.replace("{}", construct), &gaps);
        let found = classify(&sql);
        prop_assert_ne!(found.shape.cause, None, "{}", sql);
    }
}
