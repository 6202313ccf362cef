//! The name of the one thing that a statement takes or releases: a user lock, a HANDLER, a text-protocol prepared
//! statement. A session is pinned until what it took is released, so a wrong name would free it too early: whatever is
//! not plain has no name.

use super::SqlContext;
use super::lexer::{Kind, Token, Tokens};
use super::scan::unquote;
use super::shape::Effects;

/// Longer statements are not looked at, in tokens.
const LONGEST: usize = 1024;

/// The name, lower case.
pub(super) fn name(tokens: &[Token<'_>], effects: Effects) -> Option<Vec<u8>> {
    if effects.contains(Effects::OPAQUE) {
        return None;
    }
    let name = if effects.intersects(Effects::PREPARES) {
        unquote(tokens.get(1).filter(|token| token.is_name())?.text)
    } else if effects.intersects(Effects::DEALLOCATES) {
        unquote(tokens.get(2).filter(|token| token.is_name())?.text)
    } else if effects.intersects(Effects::OPENS_HANDLER | Effects::CLOSES_HANDLER) {
        handler(tokens)?
    } else {
        lock(tokens)?
    };
    Some(name.to_ascii_lowercase())
}

/// The user variables that a statement names, lower case.
pub(crate) fn user_variables(sql: &[u8], context: SqlContext) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Tokens::new(sql, context.mode, true)
        .filter(|token| token.kind == Kind::UserVariable)
        .map(|token| String::from_utf8_lossy(&unquote(token.text.get(1..).unwrap_or_default())).to_lowercase().into())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name, lower case, and the text of `PREPARE name FROM 'text'`. None: the text is no plain literal.
pub(crate) fn prepared_text(sql: &[u8], context: SqlContext) -> Option<(Vec<u8>, Vec<u8>)> {
    match statement(sql, context).as_slice() {
        [prepare, name, from, text] if prepare.is("PREPARE") && name.is_name() && from.is("FROM") && is_plain(text) => {
            Some((unquote(name.text).to_ascii_lowercase(), unquote(text.text)))
        }
        _ => None,
    }
}

/// The text of `EXECUTE IMMEDIATE 'text' [USING ...]`. None: it is no plain literal.
pub(crate) fn immediate_text(sql: &[u8], context: SqlContext) -> Option<Vec<u8>> {
    match statement(sql, context).as_slice() {
        [execute, immediate, text, rest @ ..]
            if execute.is("EXECUTE")
                && immediate.is("IMMEDIATE")
                && is_plain(text)
                && rest.first().is_none_or(|first| first.is("USING")) =>
        {
            Some(unquote(text.text))
        }
        _ => None,
    }
}

/// Whether a token is a text that says what it holds.
fn is_plain(text: &Token<'_>) -> bool {
    text.kind == Kind::Text && text.text.starts_with(b"'") && !text.text.contains(&b'\\')
}

/// The name, lower case, of `EXECUTE name [USING ...]`.
pub(crate) fn executed_name(sql: &[u8], context: SqlContext) -> Option<Vec<u8>> {
    match statement(sql, context).as_slice() {
        [execute, name, rest @ ..]
            if execute.is("EXECUTE") && name.is_name() && rest.first().is_none_or(|first| first.is("USING")) =>
        {
            Some(unquote(name.text).to_ascii_lowercase())
        }
        _ => None,
    }
}

/// The tokens of a short statement, without the semicolon at its end.
fn statement(sql: &[u8], context: SqlContext) -> Vec<Token<'_>> {
    let mut tokens: Vec<_> = Tokens::new(sql, context.mode, true).take(LONGEST).collect();
    if tokens.last().is_some_and(|token| token.is_operator(b";")) {
        tokens.pop();
    }
    tokens
}

/// `HANDLER [schema.]table OPEN [[AS] alias]`, `HANDLER name CLOSE`.
fn handler(tokens: &[Token<'_>]) -> Option<Vec<u8>> {
    let verb = tokens.iter().position(|token| token.is_any(&["OPEN", "CLOSE"]))?;
    let alias = tokens.get(verb.saturating_add(1)..)?.last().filter(|token| token.is_name() && !token.is("AS"));
    let table = tokens.get(verb.checked_sub(1)?).filter(|token| token.is_name())?;
    Some(unquote(alias.unwrap_or(table).text))
}

/// The literal of the only lock function, in a statement that calls it once.
fn lock(tokens: &[Token<'_>]) -> Option<Vec<u8>> {
    let functions = ["GET_LOCK", "RELEASE_LOCK"];
    // With a table it runs once a row; in a condition perhaps never.
    if tokens.iter().any(|token| token.is_any(&["FROM", "WHERE", "IF", "CASE", "AND", "OR", "UNION"])) {
        return None;
    }
    let mut calls = tokens.iter().enumerate().filter(|(_, token)| {
        token.is_name() && functions.iter().any(|name| unquote(token.text).eq_ignore_ascii_case(name.as_bytes()))
    });
    let (at, _) = calls.next()?;
    if calls.next().is_some() {
        return None;
    }
    match tokens.get(at.saturating_add(1)..)? {
        [open, literal, end, ..]
            if open.is_operator(b"(")
                && literal.kind == Kind::Text
                && (end.is_operator(b",") || end.is_operator(b")")) =>
        {
            let name = unquote(literal.text);
            // An escaped name may be written in another way at its release.
            (!name.contains(&b'\\')).then_some(name)
        }
        _ => None,
    }
}
