//! The form of the schema: what a section and a setting are. The settings themselves stand in `settings.rs`, and that
//! one table drives parsing, unknown keys, the environment, the sample file and `docs/configuration.md`.

use std::fmt;
use std::time::Duration;

/// A `[section]`, or an array of tables `[[section]]`.
#[derive(Debug)]
pub struct Section {
    /// Its name in the file.
    pub name: &'static str,
    /// Whether it is written `[[name]]`, any number of times.
    pub list: bool,
    /// One paragraph.
    pub doc: &'static str,
    /// Lines that stand before it in the sample file; often empty.
    pub sample: &'static str,
    /// Its settings, in the order of the documentation.
    pub settings: &'static [Setting],
}

impl Section {
    /// The setting called `key`.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// Its header as written in a file.
    #[must_use]
    pub fn header(&self) -> String {
        if self.list { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the section.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds when it is not given.
    pub otherwise: Otherwise,
    /// One paragraph: the meaning, then the consequence or what to do.
    pub doc: &'static str,
}

/// What holds when a setting is not given.
#[derive(Debug, Clone, Copy)]
pub enum Otherwise {
    /// This TOML value.
    Default(&'static str),
    /// No value: what happens then in words, and a value as an example.
    Unset {
        /// Completes "Default: ".
        effect: &'static str,
        /// A TOML value for the sample file.
        example: &'static str,
    },
    /// A problem.
    Required {
        /// A TOML value for the sample file.
        example: &'static str,
    },
}

/// The type of a setting, with its range.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A time span; zero as well if `zero` says what it means.
    Duration {
        /// Least, except zero.
        min: Duration,
        /// Most.
        max: Duration,
        /// What zero means, if it is allowed.
        zero: Option<&'static str>,
    },
    /// Bytes.
    Size {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// A whole number.
    Number {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// `host:port` to listen on; `""` for nowhere if `optional`.
    Listen {
        /// Whether it may be empty.
        optional: bool,
    },
    /// `host`, `host:port` or the path of a Unix socket of a server.
    Server,
    /// The path of a Unix socket.
    Socket,
    /// Permissions of a file, in octal.
    Mode,
    /// Any text without control characters; not empty.
    Text,
    /// The same, and `""` means not set.
    OptionalText,
    /// A name that fits hints and metric labels.
    Name,
    /// A list of such names.
    Names,
    /// A list of stored functions, `name` or `schema.name`.
    Functions,
    /// A list of addresses and networks, and `unix`.
    Networks,
    /// A password.
    Secret,
    /// A file.
    Path,
    /// An environment variable that holds a password.
    Variable,
    /// `true` or `false`.
    Flag,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// How fresh a read must be.
    Consistency,
    /// Where a rule sends what it matches.
    Target,
    /// A statement's fingerprint.
    Fingerprint,
    /// A regular expression.
    Regex,
    /// A `tracing` filter.
    Filter,
}

impl fmt::Display for Kind {
    /// What is accepted, to complete "expected ..".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration { min, max, zero } => {
                let (min, max) = (duration_text(*min), duration_text(*max));
                write!(f, "a duration such as \"250ms\" (units ms, s, m, h) from {min} to {max}")?;
                zero.map_or(Ok(()), |meaning| write!(f, ", or 0 for {meaning}"))
            }
            Self::Size { min, max } => {
                write!(f, "a size such as \"64MiB\" from {} to {}", size_text(*min), size_text(*max))
            }
            Self::Number { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Listen { optional: false } => f.write_str("an address \"host:port\" or \"[::1]:port\""),
            Self::Listen { optional: true } => {
                f.write_str("an address \"host:port\" or \"[::1]:port\", or \"\" for nowhere")
            }
            Self::Server => f.write_str("an address \"host\", \"host:port\", \"[::1]:port\" or \"/path/of/a.sock\""),
            Self::Socket => f.write_str("the path of a Unix socket such as \"/run/pointsman/pointsman.sock\""),
            Self::Mode => f.write_str("permissions in octal from \"0000\" to \"0777\""),
            Self::Text => f.write_str("a text that is not empty and has no control characters"),
            Self::OptionalText => f.write_str("a text without control characters"),
            Self::Name => f.write_str("a name of 1 to 64 letters, digits, `_`, `-` and `.`"),
            Self::Names => f.write_str("a list of names of 1 to 64 letters, digits, `_`, `-` and `.`"),
            Self::Functions => f.write_str("a list of functions, each \"name\" or \"schema.name\""),
            Self::Networks => f.write_str(
                "a list of addresses and networks such as \"10.0.0.5\", \"10.0.0.0/8\" or \"2001:db8::/32\", or \"unix\"",
            ),
            Self::Secret => f.write_str("a text"),
            Self::Path => f.write_str("the path of a file"),
            Self::Variable => f.write_str("the name of an environment variable"),
            Self::Flag => f.write_str("true or false"),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&words.join(" or "))
            }
            Self::Consistency => {
                f.write_str("\"eventual\", \"sticky=2s\" (from 1ms to 24h), \"session\" or \"global\"")
            }
            Self::Target => f.write_str("\"primary\", \"replica\" or \"pool=NAME\""),
            Self::Fingerprint => f.write_str("32 hexadecimal digits, as `pointsman explain` prints them"),
            Self::Regex => f.write_str("a regular expression"),
            Self::Filter => f.write_str("a log filter such as \"info\" or \"pointsman=debug\""),
        }
    }
}

/// The shortest text that reads back as `duration`, down to milliseconds.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, name) in [(3_600_000, "h"), (60_000, "m"), (1000, "s")] {
        if millis >= unit && millis.is_multiple_of(unit) {
            return format!("{}{name}", millis / unit);
        }
    }
    format!("{millis}ms")
}

/// The shortest text that reads back as `bytes`.
pub(super) fn size_text(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}
