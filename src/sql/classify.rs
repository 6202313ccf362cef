//! Statement text in, [`Classified`] out.
//!
//! At first sight of a shape: tokens, then for queries `sqlparser`; afterwards one pass, one hash and one look into the
//! cache. What the session does with it is not known here.

use std::sync::Arc;

use super::detail;
use super::fingerprint;
use super::kind::{self, HEAD, Judgement};
use super::lexer::{Kind, Token, Tokens};
use super::render;
use super::scan::{Declared, Findings, Scan, text};
use super::shape::{
    Charset, Classified, Detail, Effects, Hint, PrimaryCause, Shape, SqlMode, StatementKind, TableName,
};
use super::shapes::Shapes;
use super::tree;

/// Longest normalised text kept in a [`Shape`], bytes.
pub(crate) const LONGEST_NORMALISED: usize = 2048;

/// How the session's text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SqlContext {
    /// The SQL mode.
    pub mode: SqlMode,
    /// The class of `character_set_client`.
    pub charset: Charset,
}

/// Classifies statements. Shared by all sessions.
pub struct Classifier {
    shapes: Shapes,
    keys: [u64; 2],
    declared: Declared,
    unreadable: Arc<Shape>,
}

/// What one statement, or one part of several, was found to be.
struct Verdict {
    kind: StatementKind,
    cause: Option<(PrimaryCause, Box<str>)>,
    effects: Effects,
    tables: Vec<TableName>,
}

impl Classifier {
    /// `capacity`: shapes kept. `keys`: secret, so that nobody can make two statements share a fingerprint.
    /// `read_functions`: functions declared to only read, as `name` or `schema.name`.
    #[must_use]
    pub fn new(capacity: usize, keys: [u64; 2], read_functions: &[String]) -> Self {
        let unreadable = Shape {
            kind: StatementKind::Opaque,
            cause: Some(PrimaryCause::Unreadable),
            culprit: "".into(),
            effects: Effects::OPAQUE,
            tables: Vec::new(),
            fingerprint: fingerprint::fingerprint(b""),
            normalised: "".into(),
        };
        Self {
            shapes: Shapes::new(capacity),
            keys,
            declared: read_functions.iter().map(|name| name.to_lowercase().into()).collect(),
            unreadable: Arc::new(unreadable),
        }
    }

    /// Classifies one statement. `scratch` is overwritten with the normalised text; reusing it saves allocations.
    pub fn classify(&self, sql: &[u8], context: SqlContext, scratch: &mut Vec<u8>) -> Classified {
        let readable = !context.mode.oracle
            && match context.charset {
                Charset::AsciiSafe => true,
                // ASCII bytes may be parts of characters.
                Charset::Multibyte => sql.is_ascii(),
                Charset::Unreadable => false,
            };
        if !readable {
            scratch.clear();
            let key = fingerprint::hash(scratch, context, false, self.keys);
            let shape = Arc::clone(&self.unreadable);
            return Classified { shape, key, hint: Hint::default(), detail: Detail::None };
        }
        let normalised = fingerprint::normalise(sql, context, scratch);
        let key = fingerprint::hash(scratch, context, normalised.weird, self.keys);
        let shape = self.shapes.get(key, || {
            let verdict = self.verdict(sql, context.mode, normalised.executable, normalised.weird);
            shape(verdict, scratch)
        });
        let detail = detail::of(sql, context, &shape);
        Classified { shape, key, hint: normalised.hint, detail }
    }

    /// How often a shape was known.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.shapes.hits()
    }

    /// How often it was not.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.shapes.misses()
    }

    fn verdict(&self, sql: &[u8], mode: SqlMode, executable: bool, weird: bool) -> Verdict {
        let mut with = self.text(Tokens::new(sql, mode, true));
        if !executable {
            return with;
        }
        let without = self.text(Tokens::new(sql, mode, false));
        let same = with.kind == without.kind;
        with.effects |= without.effects;
        let both_read = with.cause.is_none() && without.cause.is_none();
        let neither = with.cause.as_ref().is_some_and(|(cause, _)| *cause == PrimaryCause::NotARead)
            && without.cause.as_ref().is_some_and(|(cause, _)| *cause == PrimaryCause::NotARead);
        if weird {
            with.effects |= Effects::OPAQUE;
        } else if same && (both_read || neither) {
            return with;
        }
        // `/*!40101 SET NAMES utf8 */` is a SET or nothing.
        if weird || !(same || without.kind == StatementKind::Empty) {
            with.kind = StatementKind::Opaque;
            with.effects |= Effects::OPAQUE;
        }
        with.cause = Some((PrimaryCause::ExecutableComment, "/*!".into()));
        with
    }

    /// The verdict on a whole text, which may hold several statements.
    fn text(&self, mut tokens: Tokens<'_>) -> Verdict {
        let (first, mut more) = self.statement(&mut tokens);
        if !more {
            return first;
        }
        let mut all = first;
        let mut reads = is_read(&all);
        while more {
            let (part, next) = self.statement(&mut tokens);
            more = next;
            reads &= is_read(&part);
            all.effects |= part.effects;
            all.tables.extend(part.tables);
            all.tables.truncate(64);
            all.cause = all.cause.or(part.cause);
        }
        all.kind = StatementKind::Multi;
        if !reads {
            all.effects |= Effects::OPAQUE;
            let culprit = all.cause.take().map(|(_, culprit)| culprit).unwrap_or_default();
            all.cause = Some((PrimaryCause::Multi, culprit));
        }
        all
    }

    /// The verdict on the statement up to the next semicolon, and whether anything follows that.
    fn statement(&self, tokens: &mut Tokens<'_>) -> (Verdict, bool) {
        let start = tokens.clone();
        let part = || start.clone().take_while(|token| !token.is_operator(b";"));
        let mut head = Vec::with_capacity(HEAD);
        let mut tail = Vec::with_capacity(HEAD);
        let mut ended = false;
        for token in tokens.by_ref() {
            if token.is_operator(b";") {
                ended = true;
                break;
            }
            if head.len() < HEAD {
                head.push(token);
            }
            if tail.len() == 3 {
                tail.remove(0);
            }
            tail.push(token);
        }
        let more = ended && tokens.clone().next().is_some();
        let facts = kind::of(&head, &tail);
        let mut verdict = Verdict { kind: facts.kind, cause: None, effects: facts.effects, tables: Vec::new() };
        match facts.judgement {
            Judgement::Routine => {
                verdict.cause = Some((PrimaryCause::NotARead, "".into()));
                if more {
                    // Its body, or other statements: nobody can tell without its whole grammar.
                    verdict.effects |= Effects::OPAQUE;
                    tokens.by_ref().for_each(drop);
                }
                return (verdict, false);
            }
            Judgement::Query(from) => self.query(part(), from, &mut verdict),
            Judgement::Tokens => {
                let findings = Scan::new(&self.declared).run(part());
                verdict.effects |= findings.effects;
                verdict.cause = findings.cause;
            }
            Judgement::Never(cause) => self.other(part(), &head, cause, &mut verdict),
        }
        (verdict, more)
    }

    fn query<'a>(&self, part: impl Iterator<Item = Token<'a>> + Clone, from: usize, verdict: &mut Verdict) {
        let Findings { cause, effects } = Scan::new(&self.declared).run(part.clone());
        verdict.effects |= effects;
        verdict.cause = cause;
        if writes(part.clone().skip(from)) {
            verdict.kind = StatementKind::Write;
            verdict.cause = Some((PrimaryCause::NotARead, "".into()));
            return;
        }
        let opinion = match render::render(part.skip(from)) {
            Some(text) => tree::judge(&text, &self.declared),
            None => {
                let cause = Some((PrimaryCause::Unparsed, "longer than 16 KiB".into()));
                tree::Opinion { cause, tables: Vec::new() }
            }
        };
        verdict.tables = opinion.tables;
        if matches!(opinion.cause, Some((PrimaryCause::UnknownFunction, _))) {
            verdict.effects |= Effects::CALLS_UNKNOWN;
        }
        verdict.cause = verdict.cause.take().or(opinion.cause);
    }

    /// What is no query: only what it does to the connection is of interest.
    fn other<'a>(
        &self,
        part: impl Iterator<Item = Token<'a>> + Clone,
        head: &[Token<'_>],
        cause: PrimaryCause,
        verdict: &mut Verdict,
    ) {
        let scan = Scan::new(&self.declared);
        let scan = match verdict.kind {
            StatementKind::Set => scan.in_set(),
            StatementKind::Write | StatementKind::Ddl => scan.in_write(),
            _ => scan,
        };
        let findings = scan.run(part.clone());
        verdict.effects |= findings.effects;
        // Definitions name much before parentheses, and run nothing but the query of CREATE TABLE ... SELECT.
        let fills = || {
            head.first().is_some_and(|first| first.is("CREATE"))
                && head.iter().any(|token| token.is("TABLE"))
                && part.clone().any(|token| token.is_any(&["SELECT", "WITH", "VALUES"]))
        };
        if !matches!(
            verdict.kind,
            StatementKind::Do | StatementKind::Set | StatementKind::Call | StatementKind::Write | StatementKind::Show
        ) && (verdict.kind != StatementKind::Ddl || !fills())
        {
            verdict.effects = verdict.effects.without(Effects::CALLS_UNKNOWN);
        }
        let reads_variable = findings.effects.contains(Effects::READS_USER_VARIABLE);
        let first = head.first();
        if reads_variable && first.is_some_and(|first| first.is_any(&["CALL", "LOAD", "EXECUTE"])) {
            verdict.effects |= Effects::ASSIGNS_USER_VARIABLE;
        }
        verdict.cause = match verdict.kind {
            // A DO that calls nothing special is a write for all we know.
            StatementKind::Do => findings.cause.or_else(|| Some((cause, "".into()))),
            _ => Some((cause, first.map(|first| text(first.text)).unwrap_or_default())),
        };
        // MariaDB's SET STATEMENT x = y FOR statement.
        if verdict.kind == StatementKind::Set && head.get(1).is_some_and(|token| token.is("STATEMENT")) {
            let mut inner = part.skip(2).skip_while(|token| !token.is("FOR")).skip(1);
            let head: Vec<_> = inner.by_ref().take(HEAD).collect();
            let facts = kind::of(&head, &[]);
            verdict.kind = if head.is_empty() { StatementKind::Opaque } else { facts.kind };
            verdict.effects |= facts.effects;
        }
    }
}

/// A part of several that leaves nothing behind and asks nothing of its connection.
fn is_read(part: &Verdict) -> bool {
    matches!(part.kind, StatementKind::Select | StatementKind::Show)
        && part.cause.is_none()
        && !part.effects.intersects(Effects::READS_USER_VARIABLE | Effects::CALC_FOUND_ROWS)
}

/// `WITH ... UPDATE`: whether a common table expression is followed by a write.
fn writes<'a>(tokens: impl Iterator<Item = Token<'a>>) -> bool {
    let mut depth = 0_usize;
    let mut after = None::<Token<'a>>;
    for token in tokens {
        if after.is_none() && !token.is("WITH") {
            return false;
        }
        if token.is_operator(b"(") {
            depth = depth.saturating_add(1);
        } else if token.is_operator(b")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && matches!(token.kind, Kind::Word { .. }) {
            let follows = after.is_some_and(|after| after.is_operator(b")"));
            if follows && token.is_any(&["UPDATE", "DELETE", "INSERT", "REPLACE"]) {
                return true;
            }
        }
        after = Some(token);
    }
    false
}

/// Whether the one query of this text ends with a LIMIT of one number: FOUND_ROWS() is then the number of its rows, unless it
/// says SQL_CALC_FOUND_ROWS (MariaDB 10.11, MySQL 9.7).
fn is_plainly_limited(normalised: &[u8]) -> bool {
    let text = String::from_utf8_lossy(normalised).to_ascii_lowercase();
    let times = |word: &str| words(&text).filter(|one| *one == word).count();
    text.ends_with(" limit ?") && times("limit") == 1 && times("select") == 1 && times("fetch") == 0
}

/// The words of a normalised text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// What something that is no query may do to FOUND_ROWS() (MariaDB 10.11, MySQL 9.7).
fn finds(kind: StatementKind, normalised: &[u8]) -> Effects {
    let text = String::from_utf8_lossy(normalised).to_ascii_lowercase();
    let query = if text.contains("select") { Effects::RUNS_QUERY } else { Effects::NONE };
    let mut words = words(&text);
    let first = words.next();
    let mut several = || {
        let target = text.split(" where ").next().and_then(|head| head.split(" set ").next()).unwrap_or_default();
        target.contains(',') || words.any(|word| matches!(word, "join" | "using"))
    };
    let (on_mysql, on_both) = match (kind, first) {
        (StatementKind::Do, _) => (true, false),
        (StatementKind::Write, Some("insert" | "replace")) => (false, false),
        (StatementKind::Write, Some("update")) => (true, several()),
        (StatementKind::Write, Some("delete")) => {
            let several = several();
            (several, several)
        }
        // LOAD and the like.
        (StatementKind::Write, _) => (true, true),
        _ => (false, false),
    };
    let when = |counts, effect| if counts { effect } else { Effects::NONE };
    query | when(on_mysql, Effects::COUNTS_FOUND_ON_MYSQL) | when(on_both, Effects::COUNTS_FOUND)
}

fn shape(verdict: Verdict, normalised: &[u8]) -> Shape {
    let (cause, culprit) = match verdict.cause {
        Some((cause, culprit)) => (Some(cause), culprit),
        None => (None, "".into()),
    };
    let kept = normalised.get(..LONGEST_NORMALISED).unwrap_or(normalised);
    let mut effects = verdict.effects;
    if effects.contains(Effects::HAS_LIMIT) && verdict.kind == StatementKind::Select && is_plainly_limited(normalised) {
        effects = effects.without(Effects::HAS_LIMIT);
    }
    if matches!(verdict.kind, StatementKind::Write | StatementKind::Ddl | StatementKind::Do) {
        effects |= finds(verdict.kind, normalised);
    }
    Shape {
        kind: verdict.kind,
        cause,
        culprit,
        effects,
        tables: verdict.tables,
        fingerprint: fingerprint::fingerprint(normalised),
        normalised: String::from_utf8_lossy(kept).into(),
    }
}
