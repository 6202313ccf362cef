//! A statement rewritten for `sqlparser`: short, without literals and comments, and without what it is known to choke
//! on though it is harmless.
//!
//! This text decides nothing alone: the verdict of `scan` on the original tokens stands beside it, so a rewriting here
//! need not keep the meaning, only the structure.

use std::iter::Peekable;

use super::lexer::{Kind, Token};
use super::scan::unquote;

/// Longest text given to `sqlparser`, bytes. A flat chain of 32,000 terms (64 KB) still fits a 2 MiB stack, one of 45,000
/// overflows it, which no handler catches.
pub(super) const LONGEST: usize = 16 * 1024;

const COMPOSITE_UNITS: &[&str] = &[
    "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_SECOND",
    "HOUR_MINUTE",
    "DAY_MICROSECOND",
    "DAY_SECOND",
    "DAY_MINUTE",
    "DAY_HOUR",
    "YEAR_MONTH",
    "SQL_TSI_SECOND",
    "SQL_TSI_MINUTE",
    "SQL_TSI_HOUR",
    "SQL_TSI_DAY",
    "SQL_TSI_WEEK",
    "SQL_TSI_MONTH",
    "SQL_TSI_QUARTER",
    "SQL_TSI_YEAR",
];

/// Modifiers of SELECT that only advise, or whose effect `scan` has noted.
const MODIFIERS: &[&str] = &[
    "SQL_NO_CACHE",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "HIGH_PRIORITY",
];

/// Keywords of other dialects, and of MySQL where no query has them, that MySQL takes for names and `sqlparser` does not.
const NAMES: &[&str] = &[
    "ANTI",
    "ASOF",
    "CLUSTER",
    "CONNECT",
    "DISTRIBUTE",
    "FINAL",
    "FORMAT",
    "GLOBAL",
    "MINUS",
    "PIVOT",
    "PREWHERE",
    "QUALIFY",
    "SAMPLE",
    "SEMI",
    "SETTINGS",
    "SORT",
    "START",
    "TOP",
    "UNPIVOT",
    "VIEW",
];

/// The text for `sqlparser`. None: too long, or it holds what nobody can read.
pub(super) fn render<'a>(tokens: impl Iterator<Item = Token<'a>> + Clone) -> Option<String> {
    let mut out = String::with_capacity(256);
    let mut previous: Option<Token<'a>> = None;
    // For each open parenthesis, whether it holds joined tables.
    let mut joined = Vec::new();
    let mut rest = tokens.peekable();
    while let Some(token) = rest.next() {
        let next = rest.peek();
        if token.is("CHARACTER") && next.is_some_and(|next| next.is("SET")) {
            // CAST(a AS CHAR CHARACTER SET utf8mb4)
            rest.next();
            rest.next();
            continue;
        }
        if token.is("FOR") && next.is_some_and(|next| next.is("SYSTEM_TIME")) {
            system_time(&mut rest);
            continue;
        }
        match token.text {
            b"(" => joined.push(previous.is_some_and(|previous| previous.is_any(&["JOIN", "FROM"]))),
            b")" => drop(joined.pop()),
            _ => {}
        }
        if token.is_operator(b",") && joined.last() == Some(&true) {
            // `LEFT JOIN (a, b)`
            out.push_str("CROSS JOIN ");
        } else {
            push(&mut out, &token, previous.as_ref(), next)?;
        }
        previous = Some(token);
        if out.len() > LONGEST {
            return None;
        }
    }
    Some(out)
}

/// MariaDB's `FOR SYSTEM_TIME ALL` and `AS OF [TIMESTAMP] literal`, read away after the FOR.
fn system_time<'a>(rest: &mut Peekable<impl Iterator<Item = Token<'a>>>) {
    rest.next();
    if rest.next_if(|token| token.is("ALL")).is_none() {
        rest.next_if(|token| token.is("AS"));
        rest.next_if(|token| token.is("OF"));
        rest.next_if(|token| token.is_any(&["TIMESTAMP", "TRANSACTION"]));
        // Anything but a value is left for `sqlparser` to stumble over.
        rest.next_if(|token| matches!(token.kind, Kind::Text | Kind::Number | Kind::Placeholder | Kind::UserVariable));
    }
}

fn push(out: &mut String, token: &Token<'_>, previous: Option<&Token<'_>>, next: Option<&Token<'_>>) -> Option<()> {
    match token.kind {
        Kind::Text => {
            // Adjacent strings are one.
            if !previous.is_some_and(|previous| previous.kind == Kind::Text) {
                literal(out, "'x'");
            }
        }
        Kind::Number | Kind::Placeholder => literal(out, "1"),
        Kind::Quoted => {
            out.push('`');
            out.push_str(&String::from_utf8_lossy(&unquote(token.text)).replace(['`', '\\'], "_"));
            out.push_str("` ");
        }
        Kind::UserVariable => out.push_str("@v "),
        Kind::SystemVariable => out.push_str("@@v "),
        Kind::Operator if token.text == b"!" => out.push_str("NOT "),
        Kind::Operator => {
            if matches!(token.text, b"." | b"(") && out.ends_with(' ') {
                out.pop();
            }
            out.push_str(std::str::from_utf8(token.text).ok()?);
            if token.text != b"." {
                out.push(' ');
            }
        }
        Kind::Word { name } => word(out, token, name, previous, next)?,
        Kind::Broken => return None,
        Kind::Comment | Kind::OptimizerHint | Kind::ExecutableOpen | Kind::ExecutableClose => {}
    }
    Some(())
}

/// A literal; those that follow two others in a list go.
fn literal(out: &mut String, text: &str) {
    // Two stay, for what must have two arguments.
    for before in ["'x' , 'x' , ", "1 , 1 , ", "'x' , 1 , ", "1 , 'x' , "] {
        if out.ends_with(before) {
            let length = out.len().saturating_sub(2);
            out.truncate(length);
            return;
        }
    }
    out.push_str(text);
    out.push(' ');
}

fn word(
    out: &mut String,
    token: &Token<'_>,
    name: bool,
    previous: Option<&Token<'_>>,
    next: Option<&Token<'_>>,
) -> Option<()> {
    let text = std::str::from_utf8(token.text).ok();
    let quote = name || !token.text.is_ascii();
    if quote {
        out.push('`');
        out.push_str(text.unwrap_or("u"));
        out.push_str("` ");
        return Some(());
    }
    let text = text?;
    let calls = next.is_some_and(|next| next.is_operator(b"("));
    // Where a query may begin.
    let begins = previous.is_none_or(|previous| {
        previous.is_operator(b"(") || previous.is_any(&["UNION", "ALL", "DISTINCT", "EXCEPT", "INTERSECT", "EXPLAIN"])
    });
    if text.starts_with('_') && next.is_some_and(|next| matches!(next.kind, Kind::Text | Kind::Number)) {
        // A character set introducer.
        return Some(());
    }
    if !calls && token.is_any(NAMES) {
        out.push_str(&format!("`{text}` "));
    } else if token.is("MOD") && !calls {
        out.push_str("% ");
    } else if token.is("TABLE") && begins && next.is_some_and(Token::is_name) {
        out.push_str("SELECT * FROM ");
    } else if token.is("STRAIGHT_JOIN") {
        if !previous.is_some_and(|previous| previous.is_any(&["SELECT", "DISTINCT", "ALL", "HIGH_PRIORITY"])) {
            out.push_str("JOIN ");
        }
    } else if token.is_any(MODIFIERS) || (token.is("SOUNDS") && next.is_some_and(|next| next.is("LIKE"))) {
        // Nothing.
    } else if token.is_any(&["LEADING", "TRAILING", "BOTH"]) && next.is_some_and(|next| next.is("FROM")) {
        out.push_str("BOTH 'x' ");
    } else if token.is_any(COMPOSITE_UNITS) {
        out.push_str("DAY ");
    } else {
        out.push_str(text);
        out.push(' ');
    }
    Some(())
}
