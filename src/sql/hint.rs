//! `/* pointsman: primary, max_lag=200ms */`: what a statement's leading or trailing comment asks for.
//!
//! It does not know which comments are leading or trailing, nor whether a hint may be followed.

use std::time::Duration;

use super::shape::Hint;

const NAME: &[u8] = b"pointsman:";

/// What follows `pointsman:` in a comment of any form; None if it is no hint.
pub(super) fn text(comment: &[u8]) -> Option<&[u8]> {
    let body = match comment {
        [b'/', b'*', body @ .., b'*', b'/'] => body,
        [b'-', b'-', body @ ..] | [b'#', body @ ..] => body,
        _ => return None,
    };
    let body = body.trim_ascii();
    let (name, rest) = body.split_at_checked(NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then_some(rest)
}

/// Adds what `text` asks for to `hint`.
pub(super) fn read(text: &[u8], hint: &mut Hint) {
    for word in text.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty()) {
        let word = String::from_utf8_lossy(word);
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key.trim_end(), Some(value.trim_start()).filter(|value| !value.is_empty())),
            None => (&*word, None),
        };
        let has_value = word.contains('=');
        match (key.to_ascii_lowercase().as_str(), value) {
            ("primary", None) if !has_value => hint.primary = true,
            ("replica", None) if !has_value => hint.replica = true,
            ("pool", Some(name)) => hint.pool = Some(name.into()),
            ("max_lag", Some(value)) if duration(value).is_some() => hint.max_lag = duration(value),
            ("consistency", Some(value)) if value.eq_ignore_ascii_case("eventual") => hint.eventual = true,
            _ => add_unknown(hint, &word),
        }
    }
}

/// Adds `other` to `hint`; where both say something, `other` wins.
pub(super) fn merge(hint: &mut Hint, other: Hint) {
    hint.primary |= other.primary;
    hint.replica |= other.replica;
    hint.eventual |= other.eventual;
    hint.pool = other.pool.or_else(|| hint.pool.take());
    hint.max_lag = other.max_lag.or(hint.max_lag);
    if let Some(unknown) = other.unknown {
        add_unknown(hint, &unknown);
    }
}

/// At most 256 bytes of them are kept.
fn add_unknown(hint: &mut Hint, word: &str) {
    let known = hint.unknown.take().unwrap_or_default();
    let all = if known.is_empty() { word.to_owned() } else { format!("{known}, {word}") };
    hint.unknown = Some(all.chars().take(256).collect::<String>().into());
}

/// `200ms`, `2s`, `1m`; decimals as in `1.5s` are read as well. At most a day.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim_start().to_ascii_lowercase().as_str() {
        "ms" => number / 1000.0,
        "s" => number,
        "m" | "min" => number * 60.0,
        _ => return None,
    };
    (seconds <= 86_400.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(comment: &str) -> Option<Hint> {
        let mut hint = Hint::default();
        read(text(comment.as_bytes())?, &mut hint);
        Some(hint)
    }

    #[test]
    fn reads_every_form_of_comment() {
        for comment in
            ["/* pointsman: primary */", "/*pointsman:PRIMARY*/", "-- Pointsman: primary", "# pointsman:primary"]
        {
            assert_eq!(hint(comment), Some(Hint { primary: true, ..Hint::default() }), "{comment}");
        }
        for comment in ["/* point */", "/**/", "/*! pointsman: primary */", "--", "/* see pointsman: primary */"] {
            assert_eq!(hint(comment), None, "{comment}");
        }
    }

    #[test]
    fn reads_every_word() {
        let read = hint("/* pointsman: pool=analytics, max_lag = 200ms,consistency=EVENTUAL , replica */").unwrap();
        assert_eq!(read.pool.as_deref(), Some("analytics"));
        assert_eq!(read.max_lag, Some(Duration::from_millis(200)));
        assert!(read.eventual && read.replica && !read.primary);
        assert_eq!(read.unknown, None);
    }

    #[test]
    fn keeps_what_it_does_not_know() {
        let read = hint("/* pointsman: master, max_lag=soon, pool=, primary=1 */").unwrap();
        assert_eq!(read.unknown.as_deref(), Some("master, max_lag=soon, pool=, primary=1"));
        assert_eq!(Hint { unknown: None, ..read }, Hint::default());
    }
}
