//! Reads the lists in `tests/corpus/`: sections of statements and commands. `tests/corpus/README.md` has the form.

use std::fs;
use std::path::Path;

use pointsman::cluster::Flavor;

use crate::masks::Mask;

/// Statements and commands that run on one connection, after a fresh login.
#[derive(Debug, Clone)]
pub struct Section {
    /// `file: title`.
    pub name: String,
    /// Only on this family.
    pub flavor: Option<Flavor>,
    /// The account that logs in.
    pub user: String,
    pub schema: Option<String>,
    /// Everything is sent as text, whatever the form: what it leaves behind, PREPARE of it would not.
    pub text_only: bool,
    /// In every form, also in the short run.
    pub every: bool,
    /// Made by chance.
    pub generated: bool,
    pub entries: Vec<Entry>,
}

impl Section {
    /// One made by chance: its entries are numbered.
    pub fn generated(name: String, mut entries: Vec<Entry>) -> Self {
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.line = at + 1;
        }
        let (user, schema) = ("app".to_owned(), Some("app".to_owned()));
        Self { name, flavor: None, user, schema, text_only: false, every: false, generated: true, entries }
    }
}

/// One statement or command.
#[derive(Debug, Clone)]
pub struct Entry {
    pub line: usize,
    pub flavor: Option<Flavor>,
    /// Sent as text, whatever the form.
    pub text_only: bool,
    /// Executed without a cursor, whatever the form.
    pub no_cursor: bool,
    pub masks: Vec<Mask>,
    /// It is known to differ: the name of the gap, and the only family that has it.
    pub gap: Option<(String, Option<Flavor>)>,
    pub act: Act,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Sql(Vec<u8>),
    /// A payload as it is, and what answers it.
    Raw(Answer, Vec<u8>),
    /// The content of files asked for from now on.
    File(Vec<u8>),
    Prepare(String, Vec<u8>),
    Execute(String, Execute),
    /// COM_STMT_BULK_EXECUTE: its flags, and rows of parameters.
    Bulk(String, u16, Vec<Vec<Value>>),
    Fetch(String, u32),
    Long(String, u16, Vec<u8>),
    ResetStatement(String),
    Close(String),
    ChangeUser(String, Option<String>),
    Reconnect,
    /// Another one's payload, cut to this length, and with these bytes behind it.
    Altered(Box<Self>, usize, Vec<u8>, Answer),
}

impl Act {
    /// Whether it may leave something that the replica must get.
    pub fn may_write(&self) -> bool {
        match self {
            // No function is called, no value of a sequence taken, and nothing stands behind it.
            Self::Sql(text) => {
                let reads = ["SELECT ", "SHOW ", "SET NAMES "];
                let text = String::from_utf8_lossy(text).to_ascii_uppercase();
                let plain = !text.contains(['(', ';', '@']) && !text.contains("NEXT");
                !plain || !reads.iter().any(|word| text.starts_with(word))
            }
            Self::File(_) | Self::Close(_) | Self::Long(..) | Self::Fetch(..) | Self::ResetStatement(_) => false,
            _ => true,
        }
    }
}

/// How an EXECUTE is made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Execute {
    pub flags: u8,
    /// The types are those of the EXECUTE before.
    pub again: bool,
    pub values: Vec<Value>,
}

/// A parameter: its type byte, whether unsigned, and its bytes as they go on the wire. None: NULL. Sent as long data
/// before: no bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub kind: u8,
    pub unsigned: bool,
    pub bytes: Option<Vec<u8>>,
}

/// What answers a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    None,
    One,
    Results,
    Rows,
    Prepare,
}

impl Entry {
    pub fn new(act: Act) -> Self {
        Self { line: 0, flavor: None, text_only: false, no_cursor: false, masks: Vec::new(), gap: None, act }
    }

    pub fn sql(text: impl Into<Vec<u8>>) -> Self {
        Self::new(Act::Sql(text.into()))
    }

    /// Whether a mask of it looks into cells.
    pub fn masks_cells(&self) -> bool {
        self.masks.iter().any(|mask| *mask != Mask::Plan)
    }

    /// The gap that it shows on this family.
    pub fn gap_on(&self, flavor: Flavor) -> Option<&str> {
        let (name, only) = self.gap.as_ref()?;
        only.is_none_or(|only| only == flavor).then_some(name)
    }

    /// For people.
    pub fn describe(&self) -> String {
        let cut = |text: &[u8]| {
            let shown: String = String::from_utf8_lossy(text).chars().take(400).collect();
            if text.len() > 400 { format!("{shown}... ({} bytes)", text.len()) } else { shown }
        };
        match &self.act {
            Act::Sql(text) => cut(text),
            Act::Raw(_, bytes) => {
                let hex: String = bytes.iter().take(60).map(|byte| format!("{byte:02x}")).collect();
                format!("payload {hex} ({} bytes)", bytes.len())
            }
            Act::Prepare(name, text) => format!("prepare {name}: {}", cut(text)),
            Act::Altered(act, keep, tail, _) => {
                format!("{:?}, cut to {keep} bytes, with {tail:02x?} behind", Self::new((**act).clone()).describe())
            }
            other => cut(format!("{other:?}").as_bytes()),
        }
    }
}

/// All sections of all files, in the files' order.
pub fn load() -> Vec<Section> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut sections = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "fixtures" {
            sections.extend(parse(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
    sections
}

/// What both twins hold before anything runs.
pub fn fixtures(flavor: Flavor) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fixtures.sql");
    let sections = parse("fixtures", &fs::read_to_string(path).unwrap());
    let entries = sections.into_iter().flat_map(|section| section.entries);
    let mine = entries.filter(|entry| entry.flavor.is_none_or(|wanted| wanted == flavor));
    mine.map(|entry| match entry.act {
        Act::Sql(text) => String::from_utf8(text).unwrap(),
        other => panic!("fixtures are statements: {other:?}"),
    })
    .collect()
}

/// The sections of one file.
pub fn parse(file: &str, text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    // An entry goes on in lines that are indented.
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match line.chars().next() {
            None | Some('#') => {}
            Some(' ') if !lines.is_empty() => {
                let last = &mut lines.last_mut().unwrap().1;
                last.push('\n');
                last.push_str(line.trim_start());
            }
            _ => lines.push((at + 1, line.to_owned())),
        }
    }
    for (line, text) in lines {
        if let Some(header) = text.strip_prefix("== ") {
            sections.push(section(file, header));
            continue;
        }
        let section = sections.last_mut().unwrap_or_else(|| panic!("{file}:{line}: no section"));
        section.entries.push(entry(&text, line).unwrap_or_else(|why| panic!("{file}:{line}: {why}: {text}")));
    }
    sections
}

/// `title [word ...]`.
fn section(file: &str, header: &str) -> Section {
    let (title, words) =
        header.split_once(" [").map_or((header, ""), |(title, rest)| (title, rest.trim_end_matches(']')));
    let mut section = Section {
        name: format!("{file}: {title}"),
        flavor: None,
        user: "app".to_owned(),
        schema: Some("app".to_owned()),
        text_only: false,
        every: false,
        generated: false,
        entries: Vec::new(),
    };
    for word in words.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("mariadb", _) => section.flavor = Some(Flavor::MariaDb),
            ("mysql", _) => section.flavor = Some(Flavor::MySql),
            ("text", _) => section.text_only = true,
            ("every", _) => section.every = true,
            ("user", name) => section.user = name.to_owned(),
            ("schema", name) => section.schema = Some(name.to_owned()).filter(|name| !name.is_empty()),
            _ => panic!("{file}: {header}: what is `{word}`?"),
        }
    }
    section
}

/// `name` or `name@family`.
fn gap(text: &str) -> (String, Option<Flavor>) {
    match text.split_once('@') {
        Some((name, "mariadb")) => (name.to_owned(), Some(Flavor::MariaDb)),
        Some((name, "mysql")) => (name.to_owned(), Some(Flavor::MySql)),
        Some(_) => panic!("no such family: {text}"),
        None => (text.to_owned(), None),
    }
}

fn entry(text: &str, line: usize) -> Result<Entry, String> {
    let mut entry = Entry { line, ..Entry::sql("") };
    let mut rest = text;
    let mut bytes = false;
    if let Some(marked) = text.strip_prefix('[') {
        let (words, sql) = marked.split_once(']').ok_or("marks without an end")?;
        rest = sql.strip_prefix(' ').unwrap_or(sql);
        for word in words.split_whitespace() {
            match word.split_once('=').unwrap_or((word, "")) {
                ("mariadb", _) => entry.flavor = Some(Flavor::MariaDb),
                ("mysql", _) => entry.flavor = Some(Flavor::MySql),
                ("text", _) => entry.text_only = true,
                ("no_cursor", _) => entry.no_cursor = true,
                ("bytes", _) => bytes = true,
                ("gap", name) => entry.gap = Some(gap(name)),
                (name, argument) => {
                    entry.masks.push(Mask::named(name, argument).ok_or_else(|| format!("what is `{word}`?"))?);
                }
            }
        }
    }
    let expanded = expand(rest)?;
    entry.act = match rest.strip_prefix('!') {
        Some(_) => command(&expanded[1..])?,
        None if bytes => Act::Sql(unescape(&expanded)),
        // A whole line that must begin with a blank or be empty.
        None => Act::Sql(expanded.strip_prefix("\\e").unwrap_or(&expanded).as_bytes().to_vec()),
    };
    Ok(entry)
}

/// `${abc*100}` is `abc` a hundred times.
fn expand(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inner, behind) = after.split_once('}').ok_or("no end of ${")?;
        let (what, times) = inner.rsplit_once('*').ok_or("no * in ${}")?;
        out.push_str(before);
        out.push_str(&what.repeat(times.parse().map_err(|_| "no number in ${}")?));
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// `\xNN` is a byte, `\n` a line's end, `\e` nothing.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'\\', [b'x', high, low, more @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("no byte: \\x{digits}")));
                rest = more;
            }
            (b'\\', [b'n', more @ ..]) => {
                out.push(b'\n');
                rest = more;
            }
            (b'\\', [b'e', more @ ..]) => rest = more,
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn command(text: &str) -> Result<Act, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let named = || -> Result<(String, String), String> {
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        Ok((name.to_owned(), rest.to_owned()))
    };
    let raw = |answer, head: &[u8], tail: &[u8]| Act::Raw(answer, [head, tail].concat());
    Ok(match word {
        "ping" => raw(Answer::One, &[0x0E], b""),
        "debug" => raw(Answer::One, &[0x0D], b""),
        "statistics" => raw(Answer::One, &[0x09], b""),
        "reset" => raw(Answer::One, &[0x1F], b""),
        "init_db" => raw(Answer::One, &[0x02], &unescape(rest)),
        "field_list" => {
            let (table, wild) = named()?;
            raw(Answer::Rows, &[0x04], &[table.as_bytes(), b"\0", wild.as_bytes()].concat())
        }
        "set_option" => raw(Answer::One, &[0x1B], &rest.parse::<u16>().map_err(|_| "no number")?.to_le_bytes()),
        "file" => Act::File(unescape(rest)),
        // `!hex one 0e ff`: a payload in hexadecimal.
        "hex" => {
            let (answer, digits) = named()?;
            let answer = match answer.as_str() {
                "none" => Answer::None,
                "one" => Answer::One,
                "results" => Answer::Results,
                "rows" => Answer::Rows,
                "prepare" => Answer::Prepare,
                other => return Err(format!("no answer `{other}`")),
            };
            Act::Raw(answer, hex(&digits)?)
        }
        "prepare" => {
            let (name, sql) = named()?;
            Act::Prepare(name, unescape(&sql))
        }
        // `!execute name cursor | int:5 | null | str:text`, `!again name | str:text`
        "execute" | "again" => {
            let mut parts = rest.split(" | ");
            let mut head = parts.next().unwrap_or_default().split_whitespace();
            let name = head.next().ok_or("no name")?.to_owned();
            let mut execute = Execute { again: word == "again", ..Execute::default() };
            for flag in head {
                execute.flags |= match flag {
                    "cursor" => 1,
                    other => other.strip_prefix("flags=").and_then(|n| n.parse().ok()).ok_or("no flag")?,
                };
            }
            execute.values = parts.map(value).collect::<Result<_, _>>()?;
            Act::Execute(name, execute)
        }
        // `!bulk name flags | int:1; str:text | int:2; null`
        "bulk" => {
            let mut parts = rest.split(" | ");
            let (name, flags) = parts.next().and_then(|head| head.split_once(' ')).ok_or("no flags")?;
            let rows = parts.map(|row| row.split("; ").map(value).collect()).collect::<Result<_, _>>()?;
            Act::Bulk(name.to_owned(), flags.parse().map_err(|_| "no number")?, rows)
        }
        "fetch" => {
            let (name, rows) = named()?;
            Act::Fetch(name, rows.parse().map_err(|_| "no number")?)
        }
        "long" => {
            let (name, rest) = named()?;
            let (at, data) = rest.split_once(' ').unwrap_or((&rest, ""));
            Act::Long(name, at.parse().map_err(|_| "no number")?, unescape(data))
        }
        "stmt_reset" => Act::ResetStatement(rest.to_owned()),
        "close" => Act::Close(rest.to_owned()),
        "change_user" => {
            let (name, schema) = named()?;
            Act::ChangeUser(name, Some(schema).filter(|schema| !schema.is_empty()))
        }
        "reconnect" => Act::Reconnect,
        other => return Err(format!("no command `{other}`")),
    })
}

fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let digits: String = digits.split_whitespace().collect();
    if !digits.len().is_multiple_of(2) {
        return Err("half a byte".to_owned());
    }
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|error| error.to_string());
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// `type:text`, a parameter.
pub fn value(text: &str) -> Result<Value, String> {
    let (kind, text) = text.trim_start().split_once(':').unwrap_or_else(|| (text.trim(), ""));
    let (kind, unsigned) = match kind.strip_prefix('u') {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    let wrong = |_| format!("not a {kind}: {text}");
    let number = || text.parse::<i128>().map_err(|_| format!("not a number: {text}"));
    let lenenc = |bytes: &[u8]| {
        let mut out = bytes::BytesMut::new();
        pointsman::wire::writer::put_lenenc_bytes(&mut out, bytes);
        out.to_vec()
    };
    let (kind, bytes) = match kind {
        "null" => (0x06, None),
        "nulltiny" => (0x01, None),
        "nullstr" => (0xFD, None),
        "tiny" => (0x01, Some(number()?.to_le_bytes()[..1].to_vec())),
        "short" => (0x02, Some(number()?.to_le_bytes()[..2].to_vec())),
        "year" => (0x0D, Some(number()?.to_le_bytes()[..2].to_vec())),
        "int" => (0x03, Some(number()?.to_le_bytes()[..4].to_vec())),
        "int24" => (0x09, Some(number()?.to_le_bytes()[..4].to_vec())),
        "long" => (0x08, Some(number()?.to_le_bytes()[..8].to_vec())),
        "float" => (0x04, Some(text.parse::<f32>().map_err(|e| wrong(e.to_string()))?.to_le_bytes().to_vec())),
        "double" => (0x05, Some(text.parse::<f64>().map_err(|e| wrong(e.to_string()))?.to_le_bytes().to_vec())),
        "decimal" => (0xF6, Some(lenenc(text.as_bytes()))),
        "str" => (0xFD, Some(lenenc(&unescape(text)))),
        "varchar" => (0x0F, Some(lenenc(&unescape(text)))),
        "char" => (0xFE, Some(lenenc(&unescape(text)))),
        "blob" => (0xFC, Some(lenenc(&unescape(text)))),
        "bit" => (0x10, Some(lenenc(&unescape(text)))),
        "json" => (0xF5, Some(lenenc(&unescape(text)))),
        "geometry" => (0xFF, Some(lenenc(&unescape(text)))),
        "long_blob" => (0xFC, Some(Vec::new())),
        "long_str" => (0xFD, Some(Vec::new())),
        // The bytes of a date or a time, as they stand behind the length.
        "date" => (0x0A, Some(short(&hex(text)?))),
        "datetime" => (0x0C, Some(short(&hex(text)?))),
        "timestamp" => (0x07, Some(short(&hex(text)?))),
        "time" => (0x0B, Some(short(&hex(text)?))),
        other => return Err(format!("no type `{other}`")),
    };
    Ok(Value { kind, unsigned, bytes })
}

fn short(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}
