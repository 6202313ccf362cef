//! The normalised text of a statement and its keyed hash.
//!
//! Comments go, blanks become one, literals become `?`, lists of literals and equal rows become one. Two statements of
//! one normalised text classify alike; everything whose literals matter is read anew by `detail`. It knows nothing of
//! what a statement means.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::SqlContext;
use super::functions;
use super::hint;
use super::lexer::{Kind, Lexer, Token};
use super::shape::{Charset, Fingerprint, Hint, ShapeKey};

/// Rows nested deeper than this are not collapsed.
const DEPTH: usize = 32;

/// What one pass over the text tells beside the normalised text.
#[derive(Debug, Default)]
pub(super) struct Normalised {
    /// It has executable comments.
    pub(super) executable: bool,
    /// One of them does not end at the same place for all servers.
    pub(super) weird: bool,
    /// The hints in leading and trailing comments.
    pub(super) hint: Hint,
}

/// Where a parenthesis was opened, and the last group at that depth.
#[derive(Clone, Copy, Default)]
struct Group {
    open: usize,
    last: (usize, usize),
}

/// Writes the normalised text of `sql` into `out`, which is cleared first.
pub(super) fn normalise(sql: &[u8], context: SqlContext, out: &mut Vec<u8>) -> Normalised {
    out.clear();
    let mut normalised = Normalised::default();
    let mut lexer = Lexer::new(sql, context.mode);
    let mut trailing: Option<Hint> = None;
    let mut groups = [Group::default(); DEPTH];
    let mut depth: usize = 0;
    let mut word_before = false;
    for token in lexer.by_ref() {
        match token.kind {
            Kind::Comment => {
                if let Some(text) = hint::text(token.text) {
                    let hint =
                        if out.is_empty() { &mut normalised.hint } else { trailing.get_or_insert_with(Hint::default) };
                    hint::read(text, hint);
                }
                continue;
            }
            Kind::ExecutableOpen => normalised.executable = true,
            _ => {}
        }
        if trailing.is_some() && !token.is_operator(b";") {
            trailing = None;
        }
        match (token.kind, token.text) {
            (Kind::Text | Kind::Number | Kind::Placeholder, _) => literal(out),
            (Kind::Operator, b",") => {
                element(out);
                out.push(b',');
            }
            (Kind::Operator, b"(") => {
                open(out, &token, word_before);
                if let Some(group) = groups.get_mut(depth) {
                    group.open = out.len();
                }
                depth = depth.saturating_add(1);
                if let Some(group) = groups.get_mut(depth) {
                    group.last = (0, 0);
                }
                out.push(b'(');
            }
            (Kind::Operator, b")") => {
                element(out);
                out.push(b')');
                depth = depth.saturating_sub(1);
                if let Some(group) = groups.get_mut(depth) {
                    row(out, group);
                }
            }
            (Kind::Operator, b"." | b";") => out.extend_from_slice(token.text),
            // What does not end may hold anything, also what must not be logged.
            (Kind::Broken, [b'\'' | b'"' | b'`' | b'@' | b'n' | b'N', ..]) => out.extend_from_slice(b" '?"),
            (Kind::Broken, [b'/', b'*', ..] | [b'-', ..] | [b'#', ..]) => out.extend_from_slice(b" /*?"),
            _ => {
                space(out);
                out.extend_from_slice(token.text);
            }
        }
        word_before = matches!(token.kind, Kind::Word { .. });
    }
    normalised.weird = lexer.is_weird();
    if let Some(trailing) = trailing {
        hint::merge(&mut normalised.hint, trailing);
    }
    // A trailing semicolon is no other statement.
    if out.last() == Some(&b';') && !out.ends_with(b";;") {
        out.pop();
    }
    normalised
}

/// The key of a normalised text. The text is `out` on return as well.
pub(super) fn hash(out: &mut Vec<u8>, context: SqlContext, weird: bool, keys: [u64; 2]) -> ShapeKey {
    let charset = match context.charset {
        Charset::AsciiSafe => 0,
        Charset::Multibyte => 8,
        Charset::Unreadable => 16,
    };
    let mode = u8::from(context.mode.ansi_quotes)
        | (u8::from(context.mode.no_backslash_escapes) << 1)
        | (u8::from(context.mode.oracle) << 2)
        | (u8::from(weird) << 5);
    let [first, second] = keys;
    let mut hasher = SipHasher13::new_with_keys(first, second);
    out.push(charset | mode);
    hasher.write(out);
    out.pop();
    ShapeKey(hasher.finish128().as_u128())
}

/// What a normalised text is known by outside this process: the first half of its SHA-256.
pub(super) fn fingerprint(normalised: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, normalised);
    Fingerprint(digest.as_ref().first_chunk().map_or(0, |half| u128::from_be_bytes(*half)))
}

/// One blank between two tokens, where they need it.
fn space(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'(' | b'.')) {
        out.push(b' ');
    }
}

/// `?`, taking with it the sign before it and the literals before that in the same list.
fn literal(out: &mut Vec<u8>) {
    // `(- ?` and `= - ?` are what `(?` and `= ?` are.
    if let [head @ .., b'-' | b'+'] = out.as_slice() {
        let head = head.strip_suffix(b" ").unwrap_or(head);
        if matches!(head.last(), Some(b'(' | b',' | b'=' | b'<' | b'>')) {
            let length = head.len();
            out.truncate(length);
        }
    }
    // An offset is no list: FOUND_ROWS() counts otherwise.
    if out.ends_with(b"?,") && !ends_with_limit(out) {
        out.pop();
        return;
    }
    space(out);
    out.push(b'?');
}

/// Whether `LIMIT ?,` stands at the end.
fn ends_with_limit(out: &[u8]) -> bool {
    const LIMIT: &[u8] = b"LIMIT ?,";
    out.last_chunk::<8>().is_some_and(|end| end.eq_ignore_ascii_case(LIMIT))
}

/// At the end of a list's element: one that is NULL, TRUE, FALSE or DEFAULT is a literal as well.
fn element(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'L' | b'l' | b'E' | b'e' | b'T' | b't')) {
        return;
    }
    for name in [b"NULL".as_slice(), b"TRUE", b"FALSE", b"DEFAULT"] {
        let length = out.len().saturating_sub(name.len());
        let Some((head, tail)) = out.split_at_checked(length) else { continue };
        if !tail.eq_ignore_ascii_case(name) {
            continue;
        }
        let head = match head {
            [.., b'('] => head.len(),
            [before @ .., b',', b' '] => before.len().saturating_add(1),
            _ => return,
        };
        out.truncate(head);
        literal(out);
        return;
    }
}

/// Before an opening parenthesis. Some built-in functions must directly touch theirs to be themselves.
fn open(out: &mut Vec<u8>, token: &Token<'_>, word_before: bool) {
    let spaced = match out.last() {
        None | Some(b'(' | b'.') => false,
        Some(_) if word_before => {
            token.gap && {
                let length =
                    out.iter().rev().take(24).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
                let start = out.len().saturating_sub(length.count());
                functions::must_touch(out.get(start..).unwrap_or_default())
            }
        }
        Some(b')' | b'`' | b'"') => false,
        Some(_) => true,
    };
    if spaced {
        out.push(b' ');
    }
}

/// After a closing parenthesis: a group equal to the one before, with only a comma between, goes.
fn row(out: &mut Vec<u8>, group: &mut Group) {
    let (start, end) = group.last;
    let comma = out.get(end..group.open) == Some(b", ") || out.get(end..group.open) == Some(b",");
    if end > start && comma && out.get(start..end) == out.get(group.open..) {
        out.truncate(end);
    } else {
        group.last = (group.open, out.len());
    }
}
