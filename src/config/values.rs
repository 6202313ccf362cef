//! One value: TOML or plain text into what a setting's [`Kind`] says. Secrets are never part of an error.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use toml::de::DeValue;

use super::networks::network;
use super::schema::Kind;
use super::units::check_socket_path;
use super::{Address, Consistency, Endpoint, RuleTarget, Secret};

/// What a setting holds once it was understood.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Duration(Duration),
    Number(u64),
    Flag(bool),
    Address(Option<Address>),
    Endpoint(Endpoint),
    Text(String),
    List(Vec<String>),
    Secret(Secret),
    Consistency(Consistency),
    Target(RuleTarget),
    Fingerprint(u128),
    Regex(Regex),
}

/// Reads a TOML value. The error is a clause: "expected .., found ..".
pub(super) fn from_toml(kind: &Kind, value: &DeValue<'_>) -> Result<Value, String> {
    let wrong_type = || format!("expected {kind}, found {}", with_article(value));
    match (kind, value) {
        (Kind::Names | Kind::Functions | Kind::Networks, DeValue::Array(items)) => {
            let mut texts = Vec::new();
            for item in items.iter() {
                let DeValue::String(text) = item.get_ref() else {
                    return Err(format!("expected {kind}, found {} in it", with_article(item.get_ref())));
                };
                texts.push(text.to_string());
            }
            list(kind, texts)
        }
        (Kind::Names | Kind::Functions | Kind::Networks, _) => Err(wrong_type()),
        (Kind::Number { .. } | Kind::Size { .. }, DeValue::Integer(number)) => {
            let digits = number.as_str();
            match u64::from_str_radix(digits, number.radix()) {
                Ok(number) => in_range(kind, number, digits),
                Err(_) => Err(expected(kind, digits)),
            }
        }
        (Kind::Number { .. }, _) => Err(wrong_type()),
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
        (Kind::Flag, _) => Err(wrong_type()),
        (Kind::Duration { .. }, DeValue::Integer(number)) if number.as_str() == "0" => from_text(kind, "0"),
        (_, DeValue::String(text)) => from_text(kind, text),
        _ => Err(wrong_type()),
    }
}

/// Reads a value from plain text, as environment variables hold it.
pub(super) fn from_text(kind: &Kind, text: &str) -> Result<Value, String> {
    let wrong = || expected(kind, text);
    match kind {
        Kind::Duration { min, max, zero } => {
            let duration = duration(text).ok_or_else(wrong)?;
            let zero_means_something = duration.is_zero() && zero.is_some();
            let fits = zero_means_something || (duration >= *min && duration <= *max);
            if fits { Ok(Value::Duration(duration)) } else { Err(wrong()) }
        }
        Kind::Size { .. } => in_range(kind, size(text).ok_or_else(wrong)?, text),
        Kind::Number { .. } => in_range(kind, digits(text).ok_or_else(wrong)?, text),
        Kind::Listen { optional: true } if text.is_empty() => Ok(Value::Address(None)),
        Kind::Listen { .. } => match Address::parse(text, None) {
            Ok(address) => Ok(Value::Address(Some(address))),
            Err(reason) => Err(format!("{}: {reason}", wrong())),
        },
        Kind::Server => match Endpoint::parse(text) {
            Ok(endpoint) => Ok(Value::Endpoint(endpoint)),
            Err(reason) => Err(format!("{}: {reason}", wrong())),
        },
        Kind::Socket => match check_socket_path(text) {
            Ok(()) => Ok(Value::Text(text.to_owned())),
            Err(reason) => Err(format!("{}: {reason}", wrong())),
        },
        Kind::Mode => mode(text).map(Value::Number).ok_or_else(wrong),
        Kind::Text if text.is_empty() => Err(wrong()),
        Kind::Text | Kind::OptionalText if text.chars().any(char::is_control) => Err(wrong()),
        Kind::Text | Kind::OptionalText => Ok(Value::Text(text.to_owned())),
        Kind::Name => name(text).map(|name| Value::Text(name.to_owned())).ok_or_else(wrong),
        Kind::Names | Kind::Functions | Kind::Networks => {
            list(kind, text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
        }
        Kind::Secret => Ok(Value::Secret(Secret::new(text.to_owned()))),
        Kind::Path if text.is_empty() || text.contains('\0') => Err(format!("expected {kind}")),
        Kind::Path => Ok(Value::Text(text.to_owned())),
        // What is no name of a variable may be a password put in the wrong place: it is not repeated.
        Kind::Variable if is_variable(text) => Ok(Value::Text(text.to_owned())),
        Kind::Variable => Err(format!("expected {kind}")),
        Kind::Flag => text.parse().map(Value::Flag).map_err(|_| wrong()),
        Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Kind::Choice(_) => Err(wrong()),
        Kind::Consistency => consistency(text).map(Value::Consistency).ok_or_else(wrong),
        Kind::Target => target(text).map(Value::Target).ok_or_else(wrong),
        Kind::Fingerprint => fingerprint(text).map(Value::Fingerprint).ok_or_else(wrong),
        Kind::Regex => regex(text).map(Value::Regex),
        Kind::Filter => filter(text),
    }
}

/// "expected .., found ..", with what was found shortened and its control characters escaped.
fn expected(kind: &Kind, found: &str) -> String {
    const SHOWN: usize = 60;
    let shown: String = found.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let more = if found.chars().nth(SHOWN).is_some() { ".." } else { "" };
    format!("expected {kind}, found `{shown}{more}`")
}

fn with_article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn in_range(kind: &Kind, number: u64, found: &str) -> Result<Value, String> {
    let (Kind::Size { min, max } | Kind::Number { min, max }) = kind else {
        return Err(expected(kind, found));
    };
    if (*min..=*max).contains(&number) { Ok(Value::Number(number)) } else { Err(expected(kind, found)) }
}

/// Decimal digits only: `u64::from_str` would take a `+` as well.
fn digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

/// A number and its unit, with blanks between allowed.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((digits(number)?, unit.trim_start()))
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number == 0 => 1,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let unit = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Three octal digits, or four of which the first is 0.
fn mode(text: &str) -> Option<u64> {
    let digits = if text.len() == 4 { text.strip_prefix('0')? } else { text };
    let fits = digits.len() == 3 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if fits { u64::from_str_radix(digits, 8).ok() } else { None }
}

fn name(text: &str) -> Option<&str> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    fits.then_some(text)
}

fn function(text: &str) -> Option<String> {
    let parts = text.split('.').count();
    let fits = parts <= 2 && text.split('.').all(|part| !part.trim().is_empty() && !part.chars().any(char::is_control));
    fits.then(|| text.to_lowercase())
}

fn list(kind: &Kind, items: Vec<String>) -> Result<Value, String> {
    let mut kept: Vec<String> = Vec::new();
    for item in items {
        let understood = match kind {
            Kind::Functions => function(&item),
            Kind::Networks => network(&item),
            _ => name(&item).map(str::to_owned),
        };
        let understood = understood.ok_or_else(|| expected(kind, &item))?;
        if !kept.contains(&understood) {
            kept.push(understood);
        }
    }
    Ok(Value::List(kept))
}

fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn consistency(text: &str) -> Option<Consistency> {
    const LONGEST: Duration = Duration::from_hours(24);
    match text {
        "eventual" => Some(Consistency::Eventual),
        "session" => Some(Consistency::Session),
        "global" => Some(Consistency::Global),
        _ => {
            let (word, window) = text.split_once('=')?;
            let window = duration(window.trim())?;
            let fits = word.trim() == "sticky" && !window.is_zero() && window <= LONGEST;
            fits.then_some(Consistency::Sticky(window))
        }
    }
}

fn target(text: &str) -> Option<RuleTarget> {
    match text {
        "primary" => Some(RuleTarget::Primary),
        "replica" => Some(RuleTarget::Replica),
        _ => {
            let (word, pool) = text.split_once('=')?;
            let pool = name(pool.trim())?;
            (word.trim() == "pool").then(|| RuleTarget::Pool(Arc::from(pool)))
        }
    }
}

fn fingerprint(text: &str) -> Option<u128> {
    let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { u128::from_str_radix(text, 16).ok() } else { None }
}

fn regex(text: &str) -> Result<Regex, String> {
    let error = match Regex::new(text) {
        Ok(regex) if !text.is_empty() => return Ok(regex),
        Ok(_) => return Err("expected a regular expression that is not empty".to_owned()),
        Err(error) => error,
    };
    let rendered = error.to_string();
    let reason = match &error {
        regex::Error::Syntax(_) => rendered.lines().last().unwrap_or_default().trim_start_matches("error: "),
        _ => rendered.as_str(),
    };
    // The crate draws a caret below the pattern, which it indents by four; other forms of its text have none.
    let caret = rendered.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
    match caret.and_then(|column| column.checked_sub(3)) {
        Some(column) => Err(format!("expected a regular expression: {reason}, at its character {column}")),
        None => Err(format!("expected a regular expression: {reason}")),
    }
}

fn filter(text: &str) -> Result<Value, String> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) if !text.trim().is_empty() => Ok(Value::Text(text.to_owned())),
        Ok(_) => Err(expected(&Kind::Filter, text)),
        Err(error) => Err(format!("{}: {error}", expected(&Kind::Filter, text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Kind =
        Kind::Duration { min: Duration::from_millis(1), max: Duration::from_hours(24), zero: Some("never") };
    const SIZE: Kind = Kind::Size { min: 0, max: u64::MAX };

    #[test]
    fn reads_durations() {
        for (text, millis) in
            [("250ms", 250), ("2s", 2000), ("5m", 300_000), ("1h", 3_600_000), ("0", 0), ("2 s", 2000)]
        {
            assert!(
                matches!(from_text(&SPAN, text), Ok(Value::Duration(d)) if d == Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in
            ["", "5", "s", "1.5s", "-1s", "+1s", "1d", "99999999999999999999s", "9999999999999999999h", "25h", " 1s"]
        {
            assert!(from_text(&SPAN, text).is_err(), "{text}");
        }
        let error =
            from_text(&Kind::Duration { min: Duration::from_millis(10), max: Duration::from_mins(1), zero: None }, "0");
        assert_eq!(
            error.unwrap_err(),
            "expected a duration such as \"250ms\" (units ms, s, m, h) from 10ms to 1m, found `0`"
        );
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [("64MiB", 64 << 20), ("16MB", 16_000_000), ("1024", 1024), ("1 KiB", 1024), ("2kB", 2000)]
        {
            assert!(matches!(from_text(&SIZE, text), Ok(Value::Number(n)) if n == bytes), "{text}");
        }
        for text in ["", "MiB", "1mib", "1.5MiB", "99999999999GiB", "-1"] {
            assert!(from_text(&SIZE, text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_consistencies_and_targets() {
        assert_eq!(consistency("sticky=2s"), Some(Consistency::Sticky(Duration::from_secs(2))));
        assert_eq!(consistency("sticky = 250ms"), Some(Consistency::Sticky(Duration::from_millis(250))));
        for text in ["sticky", "sticky=0", "sticky=25h", "Session", "glob", "=2s"] {
            assert_eq!(consistency(text), None, "{text}");
        }
        assert_eq!(target("pool=analytics"), Some(RuleTarget::Pool(Arc::from("analytics"))));
        assert_eq!(target("pool="), None);
        assert_eq!(target("analytics"), None);
    }

    #[test]
    fn reads_modes() {
        for (text, bits) in [("0777", 0o777), ("660", 0o660), ("0000", 0)] {
            assert_eq!(mode(text), Some(bits), "{text}");
        }
        for text in ["", "7", "0o77", "1777", "0778", "+660", "00777"] {
            assert_eq!(mode(text), None, "{text}");
        }
    }

    #[test]
    fn reads_fingerprints() {
        assert_eq!(fingerprint("000000000000000000000000000000fF"), Some(255));
        assert_eq!(fingerprint("ff"), None);
        assert_eq!(fingerprint("+00000000000000000000000000000ff"), None);
    }

    #[test]
    fn names_the_character_where_a_regex_breaks() {
        assert_eq!(regex("ab(").unwrap_err(), "expected a regular expression: unclosed group, at its character 3");
        assert!(regex("a{1000000}{1000000}").is_err());
        assert!(regex("(?x)\n(").is_err());
        assert!(regex("").is_err());
    }

    #[test]
    fn checks_log_filters() {
        assert!(filter("info,pointsman::monitor=debug").is_ok());
        assert!(filter("pointsman=loud").unwrap_err().contains("found `pointsman=loud`"));
        assert!(filter("").is_err());
    }

    #[test]
    fn shortens_and_escapes_what_was_found() {
        let error = from_text(&Kind::Choice(&["a"]), &"\u{1b}\n".repeat(100)).unwrap_err();
        assert!(error.len() < 600 && !error.contains('\u{1b}') && !error.contains('\n'), "{error}");
    }
}
