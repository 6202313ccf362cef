//! Tokens of a statement, as MySQL's and MariaDB's own lexers cut them under a SQL mode.
//!
//! It knows nothing of grammar: what a token means is for `scan` and `classify`. It follows `sql_lex.cc`; where the
//! two servers, or two versions of one, would cut differently, it yields [`Kind::Broken`] or sets [`Lexer::is_weird`],
//! and nobody claims to have read the text.

use super::SqlMode;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted identifier. `name`: directly after a dot, where it is never a keyword.
    Word {
        /// Directly after a dot.
        name: bool,
    },
    /// An identifier in backticks, or in double quotes under `ANSI_QUOTES`; with its quotes.
    Quoted,
    /// A string, with its quotes and its `N` prefix.
    Text,
    /// A number, also `0x1F`, `x'1F'`, `b'01'`.
    Number,
    /// `@name`, with the `@`.
    UserVariable,
    /// `@@name`, `@@scope.name`, with the `@@`.
    SystemVariable,
    /// `?`
    Placeholder,
    /// Punctuation: `,`, `:=`, `<=>`, `->>`, ...
    Operator,
    /// A plain comment of any form, whole.
    Comment,
    /// `/*+ ... */`, whole.
    OptimizerHint,
    /// `/*!`, `/*!50000`, `/*M!100100`: what follows may be live code.
    ExecutableOpen,
    /// The `*/` that ends an executable comment.
    ExecutableClose,
    /// What no server reads, or not all alike: an unterminated string, a stray control character, ...
    Broken,
}

/// A piece of the statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    /// Something (blanks, a comment) separates it from the token before.
    pub(super) gap: bool,
}

impl Token<'_> {
    /// Whether it is this keyword (upper case), unquoted and not a part of a dotted name.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == (Kind::Word { name: false }) && self.text.eq_ignore_ascii_case(keyword.as_bytes())
    }

    /// Whether it is one of these keywords.
    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    /// Whether it is this punctuation.
    pub(super) fn is_operator(&self, operator: &[u8]) -> bool {
        self.kind == Kind::Operator && self.text == operator
    }

    /// Whether it can name something: a word or a quoted identifier.
    pub(super) const fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word { .. } | Kind::Quoted)
    }
}

const OTHER: u8 = 0;
const BLANK: u8 = 1;
const LETTER: u8 = 2;
const DIGIT: u8 = 3;
const PUNCTUATION: u8 = 4;
const QUOTE: u8 = 5;
const SPECIAL: u8 = 6;

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
const fn classes() -> [u8; 256] {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let character = byte as u8;
        table[byte] = match character {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => BLANK,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xff => LETTER,
            b'0'..=b'9' => DIGIT,
            b',' | b'(' | b')' | b'=' | b'<' | b'>' | b'+' | b'%' | b'&' | b'|' | b'^' | b'~' | b'!' | b';' => {
                PUNCTUATION
            }
            b'\'' | b'"' | b'`' => QUOTE,
            b'-' | b'/' | b'*' | b'#' | b'.' | b'@' | b':' | b'?' => SPECIAL,
            _ => OTHER,
        };
        byte += 1;
    }
    table
}

static CLASS: [u8; 256] = classes();

fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

fn is_word(byte: u8) -> bool {
    matches!(class(byte), LETTER | DIGIT)
}

fn count(bytes: &[u8], keep: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !keep(byte)).unwrap_or(bytes.len())
}

/// Cuts a statement into [`Token`]s. Linear in its length.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    mode: SqlMode,
    /// Inside an executable comment: `Some(n)`, where n bytes must be left after its `*/`.
    executable: Option<usize>,
    weird: bool,
    /// The last token was a comment.
    after_comment: bool,
    /// The last token was an unquoted word: a dot now separates names, also before a digit.
    after_word: bool,
    /// The last token was a dot: a word now is a name.
    after_dot: bool,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(sql: &'a [u8], mode: SqlMode) -> Self {
        Self {
            rest: sql,
            mode,
            executable: None,
            weird: false,
            after_comment: false,
            after_word: false,
            after_dot: false,
        }
    }

    /// Whether an executable comment was found whose extent is not the same for a server that runs it and for one
    /// that skips it. Known only at the end.
    pub(super) const fn is_weird(&self) -> bool {
        self.weird || self.executable.is_some()
    }

    /// Bytes that are not cut yet.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Takes the first `length` bytes.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        text
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.rest.get(at).copied()
    }

    /// The length of the operator that starts here.
    fn operator(&self) -> usize {
        match (self.byte(0), self.byte(1)) {
            (Some(b'<'), Some(b'=')) => {
                if self.byte(2) == Some(b'>') {
                    3
                } else {
                    2
                }
            }
            (Some(b'<'), Some(b'>' | b'<'))
            | (Some(b'>'), Some(b'=' | b'>'))
            | (Some(b'!'), Some(b'='))
            | (Some(b'|'), Some(b'|'))
            | (Some(b'&'), Some(b'&')) => 2,
            _ => 1,
        }
    }

    /// The length of a quoted thing that starts at `from` (at its opening quote), measured from the start of the rest.
    /// None: it does not end.
    fn quoted(&self, from: usize, escapes: bool) -> Option<usize> {
        let (&quote, mut rest) = self.rest.get(from..)?.split_first()?;
        loop {
            let at = if escapes {
                rest.iter().position(|&byte| byte == quote || byte == b'\\')?
            } else {
                rest.iter().position(|&byte| byte == quote)?
            };
            let (found, tail) = rest.get(at..)?.split_first()?;
            if *found == quote && tail.first() != Some(&quote) {
                return Some(self.rest.len().saturating_sub(tail.len()));
            }
            // Past the second of a doubled quote, or what a backslash escapes.
            rest = tail.get(1..)?;
        }
    }

    fn quote(&mut self) -> (Kind, &'a [u8]) {
        let quote = self.byte(0);
        let name = quote == Some(b'`') || (quote == Some(b'"') && self.mode.ansi_quotes);
        match self.quoted(0, !name && !self.mode.no_backslash_escapes) {
            // An empty name and a NUL in one are errors for every server.
            Some(length) if name => {
                let text = self.take(length);
                (if length < 3 || text.contains(&0) { Kind::Broken } else { Kind::Quoted }, text)
            }
            Some(length) => (Kind::Text, self.take(length)),
            None => (Kind::Broken, self.take(usize::MAX)),
        }
    }

    fn word(&mut self) -> (Kind, &'a [u8]) {
        if self.after_dot {
            return (Kind::Word { name: true }, self.take(count(self.rest, is_word)));
        }
        let first = self.byte(0);
        if self.byte(1) == Some(b'\'') {
            match first {
                Some(b'n' | b'N') => {
                    return match self.quoted(1, !self.mode.no_backslash_escapes) {
                        Some(length) => (Kind::Text, self.take(length)),
                        None => (Kind::Broken, self.take(usize::MAX)),
                    };
                }
                Some(b'x' | b'X') => return self.digits_in_quotes(|byte| byte.is_ascii_hexdigit()),
                Some(b'b' | b'B') => return self.digits_in_quotes(|byte| matches!(byte, b'0' | b'1')),
                _ => {}
            }
        }
        // MySQL 9 reads `$tag$ ... $tag$` as a string.
        let kind = if first == Some(b'$') { Kind::Broken } else { Kind::Word { name: false } };
        (kind, self.take(count(self.rest, is_word)))
    }

    fn digits_in_quotes(&mut self, digit: impl Fn(u8) -> bool) -> (Kind, &'a [u8]) {
        let length = count(self.rest.get(2..).unwrap_or_default(), digit).saturating_add(2);
        if self.byte(length) == Some(b'\'') {
            (Kind::Number, self.take(length.saturating_add(1)))
        } else {
            (Kind::Broken, self.take(length))
        }
    }

    /// A number, or a name that starts with a digit (`2fa_tokens`).
    fn number(&mut self) -> (Kind, &'a [u8]) {
        if self.after_dot {
            return (Kind::Word { name: true }, self.take(count(self.rest, is_word)));
        }
        let digits_from =
            |at: usize, digit: fn(u8) -> bool| at.saturating_add(count(self.rest.get(at..).unwrap_or_default(), digit));
        let decimal: fn(u8) -> bool = |byte| byte.is_ascii_digit();
        if self.byte(0) == Some(b'0') {
            let digit: Option<fn(u8) -> bool> = match self.byte(1) {
                Some(b'x') => Some(|byte| byte.is_ascii_hexdigit()),
                Some(b'b') => Some(|byte| matches!(byte, b'0' | b'1')),
                _ => None,
            };
            if let Some(digit) = digit {
                let end = digits_from(2, digit);
                if end > 2 && !self.byte(end).is_some_and(is_word) {
                    return (Kind::Number, self.take(end));
                }
            }
        }
        let end = digits_from(0, decimal);
        match self.byte(end) {
            Some(b'.') => self.fraction(end.saturating_add(1)),
            Some(b'e' | b'E') => match self.exponent(end) {
                Some(end) => (Kind::Number, self.take(end)),
                None => (Kind::Word { name: true }, self.take(count(self.rest, is_word))),
            },
            // Never a keyword, whatever it spells.
            Some(byte) if is_word(byte) => (Kind::Word { name: true }, self.take(count(self.rest, is_word))),
            _ => (Kind::Number, self.take(end)),
        }
    }

    /// A number whose decimal point was at `from - 1`.
    fn fraction(&mut self, from: usize) -> (Kind, &'a [u8]) {
        let end = from.saturating_add(count(self.rest.get(from..).unwrap_or_default(), |byte| byte.is_ascii_digit()));
        if matches!(self.byte(end), Some(b'e' | b'E')) {
            return match self.exponent(end) {
                Some(end) => (Kind::Number, self.take(end)),
                None => (Kind::Broken, self.take(end)),
            };
        }
        (Kind::Number, self.take(end))
    }

    /// The end of the exponent whose `e` is at `at`, if there is one.
    fn exponent(&self, at: usize) -> Option<usize> {
        let mut from = at.saturating_add(1);
        if matches!(self.byte(from), Some(b'+' | b'-')) {
            from = from.saturating_add(1);
        }
        let digits = count(self.rest.get(from..).unwrap_or_default(), |byte| byte.is_ascii_digit());
        (digits > 0).then(|| from.saturating_add(digits))
    }

    fn variable(&mut self) -> (Kind, &'a [u8]) {
        match self.byte(1) {
            Some(b'@') => {
                let mut end = 2;
                loop {
                    let part = match self.byte(end) {
                        Some(b'`') => self.quoted(end, false),
                        _ => Some(end.saturating_add(count(self.rest.get(end..).unwrap_or_default(), |byte| {
                            is_word(byte) && byte.is_ascii()
                        }))),
                    };
                    let Some(part) = part else { return (Kind::Broken, self.take(usize::MAX)) };
                    end = part;
                    if self.byte(end) != Some(b'.') {
                        return (Kind::SystemVariable, self.take(end));
                    }
                    end = end.saturating_add(1);
                }
            }
            // Under ANSI_QUOTES a name in double quotes has no escapes.
            Some(quote @ (b'\'' | b'"'))
                if !(self.mode.no_backslash_escapes || (quote == b'"' && self.mode.ansi_quotes)) =>
            {
                match self.quoted(1, true) {
                    Some(length) => (Kind::UserVariable, self.take(length)),
                    None => (Kind::Broken, self.take(usize::MAX)),
                }
            }
            Some(b'\'' | b'"' | b'`') => match self.quoted(1, false) {
                Some(length) => (Kind::UserVariable, self.take(length)),
                None => (Kind::Broken, self.take(usize::MAX)),
            },
            _ => {
                let name = count(self.rest.get(1..).unwrap_or_default(), |byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')
                });
                (Kind::UserVariable, self.take(name.saturating_add(1)))
            }
        }
    }

    /// To the end of the line. A NUL ends it for MySQL.
    fn line_comment(&mut self) -> (Kind, &'a [u8]) {
        let text = self.take(count(self.rest, |byte| byte != b'\n'));
        (if text.contains(&0) { Kind::Broken } else { Kind::Comment }, text)
    }

    fn block_comment(&mut self) -> (Kind, &'a [u8]) {
        let body = self.rest.get(2..).unwrap_or_default();
        let open = if body.starts_with(b"!") {
            3
        } else if body.starts_with(b"M!") {
            4
        } else {
            let Some(end) = body.windows(2).position(|pair| pair == b"*/") else {
                return (Kind::Broken, self.take(usize::MAX));
            };
            let text = self.take(end.saturating_add(4));
            // MySQL's reader of hints knows quotes: one that is open makes the hint longer than the comment.
            let quoted = |quote: u8| text.iter().filter(|&&byte| byte == quote).count() % 2 == 1;
            let hint = body.starts_with(b"+");
            let broken = text.contains(&0) || (hint && (quoted(b'\'') || quoted(b'"') || quoted(b'`')));
            return match (broken, hint) {
                (true, _) => (Kind::Broken, text),
                (false, true) => (Kind::OptimizerHint, text),
                (false, false) => (Kind::Comment, text),
            };
        };
        if self.executable.is_some() {
            self.weird = true;
            return (Kind::ExecutableOpen, self.take(open));
        }
        let after = self.rest.get(open..).unwrap_or_default();
        let digits = count(after, |byte| byte.is_ascii_digit());
        // Where the version ends is told alike by all servers only for these.
        let clear = digits == 0
            || (matches!(digits, 5 | 6) && after.get(digits).is_none_or(|&byte| class(byte) == BLANK || byte == b'*'));
        let content = after.get(digits..).unwrap_or_default();
        // A server that skips it looks for `*/` (and MySQL for a nested `/*`) and knows no strings.
        let end = content.windows(2).position(|pair| pair == b"*/");
        let nested = content
            .get(..end.unwrap_or(content.len()))
            .is_some_and(|content| content.windows(2).any(|pair| pair == b"/*") || content.contains(&0));
        self.weird |= !clear || nested || end.is_none();
        self.executable = Some(end.map_or(usize::MAX, |end| content.len().saturating_sub(end).saturating_sub(2)));
        (Kind::ExecutableOpen, self.take(open.saturating_add(digits)))
    }

    fn special(&mut self, byte: u8) -> (Kind, &'a [u8]) {
        match (byte, self.byte(1)) {
            (b'-', Some(b'-')) if self.byte(2).is_none_or(|next| next <= b' ' || next == 0x7f) => self.line_comment(),
            // In latin1 0xA0 is a blank, so this may be a comment.
            (b'-', Some(b'-')) if self.byte(2).is_some_and(|next| !next.is_ascii()) => (Kind::Broken, self.take(2)),
            (b'#', _) => self.line_comment(),
            (b'/', Some(b'*')) => self.block_comment(),
            (b'*', Some(b'/')) if self.executable.is_some() => {
                let text = self.take(2);
                self.weird |= self.executable.take() != Some(self.rest.len());
                (Kind::ExecutableClose, text)
            }
            (b'.', Some(b'0'..=b'9')) if !self.after_word => self.fraction(1),
            (b'@', _) => self.variable(),
            (b'?', _) => (Kind::Placeholder, self.take(1)),
            (b':', Some(b'=')) => (Kind::Operator, self.take(2)),
            (b'-', Some(b'>')) => (Kind::Operator, self.take(if self.byte(2) == Some(b'>') { 3 } else { 2 })),
            (b':', _) => (Kind::Broken, self.take(1)),
            _ => (Kind::Operator, self.take(1)),
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let mut gap = self.after_comment;
        let mut first = *self.rest.first()?;
        if class(first) == BLANK {
            gap = true;
            self.take(count(self.rest, |byte| class(byte) == BLANK));
            first = *self.rest.first()?;
        }
        if gap {
            self.after_word = false;
            self.after_dot = false;
        }
        let (kind, text) = match class(first) {
            LETTER => self.word(),
            PUNCTUATION => (Kind::Operator, self.take(self.operator())),
            DIGIT => self.number(),
            QUOTE => self.quote(),
            SPECIAL => self.special(first),
            _ => (Kind::Broken, self.take(1)),
        };
        self.after_comment =
            matches!(kind, Kind::Comment | Kind::OptimizerHint | Kind::ExecutableOpen | Kind::ExecutableClose);
        self.after_word = matches!(kind, Kind::Word { .. });
        self.after_dot = kind == Kind::Operator && text == b".";
        Some(Token { kind, text, gap })
    }
}

/// The tokens that mean something, with the content of executable comments or without it.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    lexer: Lexer<'a>,
    live: bool,
    inside: bool,
    gap: bool,
}

impl<'a> Tokens<'a> {
    /// `live`: with the content of executable comments.
    pub(super) const fn new(sql: &'a [u8], mode: SqlMode, live: bool) -> Self {
        Self { lexer: Lexer::new(sql, mode), live, inside: false, gap: false }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let mut token = self.lexer.next()?;
            match token.kind {
                Kind::Comment | Kind::OptimizerHint => {}
                Kind::ExecutableOpen => self.inside = true,
                Kind::ExecutableClose => self.inside = false,
                _ if self.inside && !self.live => {}
                _ => {
                    token.gap |= self.gap;
                    self.gap = false;
                    return Some(token);
                }
            }
            self.gap = true;
        }
    }
}
