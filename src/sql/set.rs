//! The assignments of a SET, as MySQL's grammar binds scopes to them.
//!
//! It does not know which variables exist, nor what setting one does to a session.

use super::SqlMode;
use super::lexer::{Kind, Token, Tokens};
use super::scan::unquote;
use super::shape::{Assignment, Scope, Value};

/// The assignments after the keyword SET. None: it could not be read whole.
pub(super) fn assignments(tokens: &[Token<'_>]) -> Option<Vec<Assignment>> {
    let mut reader = Reader { rest: tokens, scope: Scope::Session };
    let mut all = Vec::new();
    if let Some(transaction) = reader.transaction() {
        return transaction;
    }
    loop {
        all.push(reader.assignment()?);
        match reader.next() {
            None => return Some(all),
            Some(token) if token.is_operator(b",") => {}
            Some(_) => return None,
        }
    }
}

const SET_STATEMENT: &str = "SET STATEMENT ";

/// Whether a normalised text is MariaDB's `SET STATEMENT x = y FOR statement`.
pub(crate) fn is_set_statement(normalised: &str) -> bool {
    normalised.get(..SET_STATEMENT.len()).is_some_and(|head| head.eq_ignore_ascii_case(SET_STATEMENT))
}

/// The variables that such a statement sets, lower case. None: it could not be read.
pub(crate) fn set_for_statement(normalised: &str) -> Option<Vec<Box<str>>> {
    let text = normalised.get(SET_STATEMENT.len()..)?;
    let tokens: Vec<_> = Tokens::new(text.as_bytes(), SqlMode::default(), true).collect();
    let end = tokens.iter().position(|token| token.is("FOR"))?;
    let all = assignments(tokens.get(..end)?)?;
    Some(all.into_iter().map(|one| one.name).collect())
}

/// Variables that `SET @@x = ...` sets for the next transaction only.
const NEXT_TRANSACTION: [&str; 4] = ["transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only"];

struct Reader<'t, 'a> {
    rest: &'t [Token<'a>],
    /// The scope of the latest keyword, which assignments without one inherit.
    scope: Scope,
}

impl<'t, 'a> Reader<'t, 'a> {
    fn peek(&self, at: usize) -> Option<&'t Token<'a>> {
        self.rest.get(at)
    }

    fn next(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.peek(0).is_some_and(|token| token.is(keyword));
        if found {
            self.next();
        }
        found
    }

    /// `[GLOBAL | SESSION | LOCAL] TRANSACTION characteristic [, characteristic]`
    fn transaction(&mut self) -> Option<Option<Vec<Assignment>>> {
        let scope = match self.peek(0)? {
            token if token.is("GLOBAL") => Scope::Global,
            token if token.is_any(&["SESSION", "LOCAL"]) => Scope::Session,
            _ => return None,
        };
        if !self.peek(1)?.is("TRANSACTION") {
            return None;
        }
        self.next();
        self.next();
        Some(self.characteristics(scope))
    }

    fn characteristics(&mut self, scope: Scope) -> Option<Vec<Assignment>> {
        let mut all = Vec::new();
        loop {
            let (name, value) = if self.eat("READ") {
                ("transaction_read_only", if self.eat("ONLY") { "1" } else { self.eat("WRITE").then_some("0")? })
            } else {
                (self.eat("ISOLATION") && self.eat("LEVEL")).then_some(())?;
                ("transaction_isolation", self.level()?)
            };
            all.push(Assignment { scope, name: name.into(), value: Value::Literal(value.into()) });
            match self.next() {
                None => return Some(all),
                Some(token) if token.is_operator(b",") => {}
                Some(_) => return None,
            }
        }
    }

    fn level(&mut self) -> Option<&'static str> {
        if self.eat("SERIALIZABLE") {
            Some("'SERIALIZABLE'")
        } else if self.eat("REPEATABLE") {
            self.eat("READ").then_some("'REPEATABLE-READ'")
        } else if self.eat("READ") {
            if self.eat("COMMITTED") {
                Some("'READ-COMMITTED'")
            } else {
                self.eat("UNCOMMITTED").then_some("'READ-UNCOMMITTED'")
            }
        } else {
            None
        }
    }

    fn assignment(&mut self) -> Option<Assignment> {
        let token = self.next()?;
        match token.kind {
            Kind::UserVariable => {
                let name = String::from_utf8(unquote(token.text.get(1..)?)).ok()?.to_lowercase();
                self.equals()?;
                let value = self.value(false)?;
                Some(Assignment { scope: Scope::User, name: name.into(), value })
            }
            Kind::SystemVariable => {
                let name = String::from_utf8(token.text.get(2..)?.to_vec()).ok()?.to_lowercase().replace('`', "");
                let (scope, name) = match name.split_once('.') {
                    Some(("session" | "local", name)) => (Scope::Session, name.to_owned()),
                    Some(("global" | "persist" | "persist_only", name)) => (Scope::Global, name.to_owned()),
                    _ if NEXT_TRANSACTION.contains(&&*name) => (Scope::NextTransaction, name),
                    _ => (Scope::Session, name),
                };
                self.equals()?;
                Some(Assignment { scope, name: name.into(), value: self.value(true)? })
            }
            Kind::Word { .. } | Kind::Quoted => self.keyword(token),
            _ => None,
        }
    }

    fn keyword(&mut self, token: &Token<'a>) -> Option<Assignment> {
        let assigns = self.peek(0).is_some_and(|next| next.is_operator(b"=") || next.is_operator(b":="));
        if !assigns {
            if token.is("NAMES") {
                return self.names("names");
            }
            if token.is("CHARSET") || (token.is_any(&["CHARACTER", "CHAR"]) && self.eat("SET")) {
                return self.names("character set");
            }
            let scope = match token {
                token if token.is_any(&["GLOBAL", "PERSIST", "PERSIST_ONLY"]) => Some(Scope::Global),
                token if token.is_any(&["SESSION", "LOCAL"]) => Some(Scope::Session),
                _ => None,
            };
            if let Some(scope) = scope {
                self.scope = scope;
                let token = self.next().filter(|token| token.is_name())?;
                return self.variable(token);
            }
        }
        self.variable(token)
    }

    /// `name [. name] = value`
    fn variable(&mut self, token: &Token<'a>) -> Option<Assignment> {
        let mut name = String::from_utf8(unquote(token.text)).ok()?.to_lowercase();
        if self.peek(0).is_some_and(|next| next.is_operator(b".")) {
            self.next();
            let second = self.next().filter(|token| token.is_name())?;
            name.push('.');
            name.push_str(&String::from_utf8(unquote(second.text)).ok()?.to_lowercase());
        }
        self.equals()?;
        Some(Assignment { scope: self.scope, name: name.into(), value: self.value(true)? })
    }

    /// What follows NAMES or CHARACTER SET: a name or DEFAULT, with its collation.
    fn names(&mut self, name: &str) -> Option<Assignment> {
        let token = self.next()?;
        let value = if token.is("DEFAULT") {
            Value::Default
        } else {
            let mut text = charset(token)?;
            if name == "names" && self.eat("COLLATE") {
                text.push_str(" COLLATE ");
                text.push_str(&charset(self.next()?)?);
            }
            Value::Literal(text.into())
        };
        Some(Assignment { scope: Scope::Session, name: name.into(), value })
    }

    fn equals(&mut self) -> Option<()> {
        self.next().filter(|token| token.is_operator(b"=") || token.is_operator(b":=")).map(|_| ())
    }

    /// The value up to the next comma outside parentheses. `bare`: a bare word is a literal (`ON`, `utf8mb4`).
    fn value(&mut self, bare: bool) -> Option<Value> {
        let mut depth = 0_usize;
        let end = self
            .rest
            .iter()
            .position(|token| {
                if token.is_operator(b"(") {
                    depth = depth.saturating_add(1);
                } else if token.is_operator(b")") {
                    depth = depth.saturating_sub(1);
                }
                depth == 0 && token.is_operator(b",")
            })
            .unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        if value.iter().any(|token| token.kind == Kind::Broken) {
            return None;
        }
        match value {
            [] => None,
            [token] if token.is("DEFAULT") => Some(Value::Default),
            [token] => Some(literal(token, bare).map_or(Value::Expression, |text| Value::Literal(text.into()))),
            [sign, number] if (sign.is_operator(b"-") || sign.is_operator(b"+")) && number.kind == Kind::Number => {
                let number = literal(number, bare)?;
                Some(Value::Literal([std::str::from_utf8(sign.text).ok()?, &number].concat().into()))
            }
            _ => Some(Value::Expression),
        }
    }
}

/// A literal as SQL text that means the same whatever `ANSI_QUOTES` says.
fn literal(token: &Token<'_>, bare: bool) -> Option<String> {
    let text = std::str::from_utf8(token.text).ok()?;
    match token.kind {
        Kind::Number => Some(text.to_owned()),
        Kind::Text => match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            // Beside backslashes it would take more to know which quotes are escaped already.
            Some(inner) if inner.contains('\\') && inner.contains(['\'', '"']) => None,
            Some(inner) => Some(format!("'{}'", inner.replace("\"\"", "\"").replace('\'', "''"))),
            None => Some(text.to_owned()),
        },
        Kind::Word { .. } if bare || token.is_any(&["NULL", "TRUE", "FALSE"]) => Some(text.to_owned()),
        _ => None,
    }
}

/// The name of a character set or collation, without quotes, lower case.
fn charset(token: &Token<'_>) -> Option<String> {
    if !(token.is_name() || token.kind == Kind::Text) {
        return None;
    }
    let name = String::from_utf8(unquote(token.text)).ok()?.to_lowercase();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then_some(name)
}
