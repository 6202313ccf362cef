//! What is read from a statement anew each time, because its literals matter.

use super::SqlContext;
use super::lexer::{Kind, Token, Tokens};
use super::scan::unquote;
use super::set;
use super::shape::{Detail, Effects, KillTarget, KillWhom, Shape, StatementKind, TableName};

/// More tokens than this are not read: no SET that an application sends is that long.
const MOST_TOKENS: usize = 4096;

/// The detail of a statement of this shape.
pub(super) fn of(sql: &[u8], context: SqlContext, shape: &Shape) -> Detail {
    let names = shape.effects.intersects(Effects::CREATES_TEMPORARY | Effects::DROPS_TEMPORARY);
    let read = || -> Vec<Token<'_>> {
        let mut tokens: Vec<_> = Tokens::new(sql, context.mode, true).take(MOST_TOKENS).collect();
        if tokens.last().is_some_and(|token| token.is_operator(b";")) {
            tokens.pop();
        }
        tokens
    };
    match shape.kind {
        StatementKind::Set => {
            let tokens = read();
            let rest = tokens.get(1..).filter(|_| tokens.len() < MOST_TOKENS);
            Detail::Set(rest.and_then(set::assignments))
        }
        StatementKind::Use => Detail::Use(read().get(1).map(|token| unquote(token.text)).unwrap_or_default()),
        StatementKind::Kill => Detail::Kill(kill(read().get(1..).unwrap_or_default())),
        StatementKind::Ddl if names => Detail::Names(tables(&read())),
        _ if shape.effects.intersects(Effects::NAMED) => {
            super::named::name(&read(), shape.effects).map_or(Detail::None, Detail::Name)
        }
        _ => Detail::None,
    }
}

fn kill(tokens: &[Token<'_>]) -> KillTarget {
    let mut rest = tokens;
    let mut graded = false;
    if let [first, tail @ ..] = rest
        && first.is_any(&["HARD", "SOFT"])
    {
        graded = true;
        rest = tail;
    }
    let query = matches!(rest, [first, ..] if first.is("QUERY"));
    if let [first, tail @ ..] = rest
        && first.is_any(&["CONNECTION", "QUERY"])
    {
        rest = tail;
    }
    let name = |token: &Token<'_>| String::from_utf8_lossy(&unquote(token.text)).into();
    let whom = match rest {
        [first, ..] if query && first.is("ID") => KillWhom::ServerQuery,
        [first, user] if first.is("USER") && user.is("CURRENT_USER") => KillWhom::CurrentUser,
        [first, user, open, close]
            if first.is("USER") && user.is("CURRENT_USER") && open.is_operator(b"(") && close.is_operator(b")") =>
        {
            KillWhom::CurrentUser
        }
        [first, user] if first.is("USER") => KillWhom::User(name(user), None),
        [first, user, host] if first.is("USER") && host.kind == Kind::UserVariable => {
            let host = host.text.get(1..).unwrap_or_default();
            KillWhom::User(name(user), Some(String::from_utf8_lossy(&unquote(host)).into()))
        }
        [id] if id.kind == Kind::Number && id.text.iter().all(u8::is_ascii_digit) => {
            match std::str::from_utf8(id.text).ok().and_then(|id| id.parse().ok()) {
                Some(id) => KillWhom::Id(id),
                None => expression(rest),
            }
        }
        _ => expression(rest),
    };
    KillTarget { whom, query, graded }
}

fn expression(tokens: &[Token<'_>]) -> KillWhom {
    let mut text = String::new();
    for token in tokens {
        if token.gap {
            text.push(' ');
        }
        text.push_str(&String::from_utf8_lossy(token.text));
    }
    KillWhom::Expression(text.trim().into())
}

/// The tables of DROP [TEMPORARY] TABLE and of CREATE TEMPORARY TABLE.
fn tables(tokens: &[Token<'_>]) -> Vec<TableName> {
    let create = tokens.first().is_some_and(|token| token.is("CREATE"));
    let skip = ["CREATE", "DROP", "OR", "REPLACE", "TEMPORARY", "TABLE", "TABLES", "IF", "NOT", "EXISTS"];
    let head = tokens.iter().take_while(|token| token.is_any(&skip)).count();
    let mut rest = tokens.get(head..).unwrap_or_default();
    let mut names = Vec::new();
    let name = |token: &Token<'_>| String::from_utf8_lossy(&unquote(token.text)).into_owned();
    while let [first, tail @ ..] = rest
        && first.is_name()
    {
        rest = tail;
        let table = match rest {
            [dot, table, tail @ ..] if dot.is_operator(b".") && table.is_name() => {
                rest = tail;
                TableName { schema: Some(name(first).to_lowercase().into()), table: name(table).into() }
            }
            _ => TableName { schema: None, table: name(first).into() },
        };
        names.push(table);
        match rest {
            [comma, tail @ ..] if !create && comma.is_operator(b",") => rest = tail,
            _ => break,
        }
    }
    names
}
