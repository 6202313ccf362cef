//! What a statement asks of status variables, of which some describe the connection that runs it and not the client's own.

use super::SqlContext;
use super::lexer::{Kind, Token, Tokens};
use super::scan::unquote;

/// Longer statements are not looked at, in tokens.
const LONGEST: usize = 1024;

/// What a statement asks of status variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusQuestion {
    /// It is a SHOW: names and values are its two columns.
    pub shows: bool,
    /// SHOW GLOBAL STATUS.
    pub global: bool,
    /// The one variable of which it asks, as the literal that VARIABLE_NAME is compared with.
    pub variable: Option<Vec<u8>>,
}

/// What a statement asks that shows status or reads a table of it.
pub(crate) fn status_question(sql: &[u8], context: SqlContext) -> StatusQuestion {
    let tokens: Vec<_> = Tokens::new(sql, context.mode, true).take(LONGEST).collect();
    match tokens.as_slice() {
        [show, what, ..] if show.is("SHOW") => {
            StatusQuestion { shows: true, global: what.is("GLOBAL"), variable: None }
        }
        tokens => StatusQuestion { variable: variable(tokens), ..StatusQuestion::default() },
    }
}

/// The only variable that rows can be of; None where that is not plain.
fn variable(tokens: &[Token<'_>]) -> Option<Vec<u8>> {
    let several = ["OR", "XOR", "NOT", "UNION", "EXCEPT", "INTERSECT", "WITH", "JOIN"];
    let selects = tokens.iter().filter(|token| token.is("SELECT")).count();
    if selects != 1
        || tokens.len() >= LONGEST
        || tokens.iter().any(|token| token.is_any(&several) || token.is_operator(b"||") || token.is_operator(b"!"))
    {
        return None;
    }
    let named = |token: &Token<'_>| token.is_name() && unquote(token.text).eq_ignore_ascii_case(b"variable_name");
    let compares = |token: &Token<'_>| token.is_operator(b"=") || token.is("LIKE");
    let mut found = tokens.windows(3).filter_map(|three| match three {
        [name, by, text] | [text, by, name] if named(name) && compares(by) && text.kind == Kind::Text => {
            Some(unquote(text.text))
        }
        _ => None,
    });
    found.next().filter(|name| found.next().is_none() && !name.contains(&b'%'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Charset, SqlMode};

    #[test]
    fn what_is_asked_of_status_variables() {
        let context = SqlContext { mode: SqlMode::default(), charset: Charset::AsciiSafe };
        let asked = |sql: &str| status_question(sql.as_bytes(), context);
        for (sql, global) in [
            ("SHOW STATUS", false),
            ("/* a */ show session status like 'Ssl%'", false),
            ("SHOW LOCAL STATUS WHERE Variable_name = 'Ssl_cipher'", false),
            ("SHOW GLOBAL STATUS", true),
        ] {
            assert_eq!(asked(sql), StatusQuestion { shows: true, global, variable: None }, "{sql}");
        }
        for (sql, variable) in [
            ("SELECT VARIABLE_VALUE FROM t WHERE VARIABLE_NAME = 'Ssl_cipher'", Some("Ssl_cipher")),
            ("SELECT v.variable_value FROM t v WHERE v.`variable_name`='ssl_version' LIMIT 1;", Some("ssl_version")),
            ("SELECT variable_value FROM t WHERE 'Compression' = variable_name", Some("Compression")),
            ("SELECT variable_value FROM t WHERE variable_name LIKE 'Compression'", Some("Compression")),
            ("SELECT variable_value FROM t WHERE variable_name LIKE 'Compression%'", None),
            ("SELECT variable_value FROM t WHERE variable_name = 'a' OR variable_name = 'b'", None),
            ("SELECT variable_value FROM t WHERE NOT variable_name = 'a'", None),
            ("SELECT variable_value FROM t WHERE variable_name = ?", None),
            ("SELECT variable_value FROM t", None),
        ] {
            assert_eq!(asked(sql).variable.as_deref(), variable.map(str::as_bytes), "{sql}");
        }
    }
}
