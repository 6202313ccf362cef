//! What is wrong with a configuration, and where. Texts never hold a secret: they name settings, not their values,
//! wherever the value may be one.

use std::fmt;

/// Where a setting, or a mistake, comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Something is missing altogether, so it has no line. Shown as the file's name or, without a file, as
    /// `configuration`.
    Missing {
        /// The file's name, if there is a file.
        file: Option<String>,
    },
    /// A place in the file.
    File {
        /// The file's name as it was passed in.
        name: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// An environment variable.
    Environment {
        /// The variable's name.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { file } => f.write_str(file.as_deref().unwrap_or("configuration")),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment { name } => f.write_str(name),
        }
    }
}

/// One mistake. Ordered by its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// What was found, what is accepted, what to write.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Every mistake of a configuration, at least one, ordered by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    /// One per line, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems and notes while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Findings {
    pub(super) fn problem(&mut self, origin: &Origin, message: impl Into<String>) {
        self.problems.push(Problem { origin: origin.clone(), message: message.into() });
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The notes if there was no problem, otherwise the problems in the order of their places.
    pub(super) fn finish(mut self) -> Result<Vec<String>, Problems> {
        if self.problems.is_empty() {
            return Ok(self.notes);
        }
        self.problems.sort();
        self.problems.dedup();
        Err(Problems(self.problems))
    }
}

/// Turns byte offsets of the file into lines and columns.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    name: &'a str,
    text: &'a str,
}

impl<'a> Lines<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text }
    }

    /// The place of byte `offset`; beyond the end, or inside a character, the nearest place before it.
    pub(super) fn at(&self, offset: usize) -> Origin {
        let before = self.text.get(..self.text.floor_char_boundary(offset)).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        Origin::File { name: self.name.to_owned(), line, column }
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Origin {
        Origin::Missing { file: Some(self.name.to_owned()) }
    }
}

/// The known name nearest to `name`, if one is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // 0.75 keeps `max_lagg`/`max_lag` and `pasword`/`password` and refuses `colour`/`listen`.
    const NEAR: f64 = 0.75;
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

/// `; did you mean ..?` if a known name is near, otherwise the list of known names.
pub(super) fn suggestion(name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("; did you mean `{near}`?");
    }
    if known.is_empty() {
        return String::new();
    }
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("; known are {}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let lines = Lines::new("f", "a\näö=1\n");
        assert_eq!(lines.at(0).to_string(), "f:1:1");
        assert_eq!(lines.at(6).to_string(), "f:2:3");
        assert_eq!(lines.at(3).to_string(), "f:2:1", "inside a character");
        assert_eq!(lines.at(99).to_string(), "f:3:1");
    }

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(suggestion("max_lagg", &["max_lag", "consistency"]), "; did you mean `max_lag`?");
        assert_eq!(suggestion("colour", &["listen", "format"]), "; known are `listen`, `format`");
    }
}
