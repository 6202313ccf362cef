//! Passwords from exactly one of three places. No text made here holds a password.

use super::Secret;
use super::environment::{Variables, without_newline};
use super::problem::Findings;
use super::raw::Block;

/// The settings of which exactly one gives a password.
pub(super) const PASSWORD_KEYS: &[&str] = &["password", "password_file", "password_env"];

/// The password of `block`, or None after a problem was reported. `owner` begins the text, such as "user `app`".
pub(super) fn resolve(
    block: &Block,
    owner: &str,
    variables: &impl Variables,
    findings: &mut Findings,
) -> Option<Secret> {
    let given: Vec<&str> = PASSWORD_KEYS.iter().copied().filter(|key| block.has(key)).collect();
    let key = match given.as_slice() {
        [key] => *key,
        [] => {
            findings.problem(
                &block.at,
                format!(
                    "{owner} has no password: write `password_file`, `password_env` or `password` (`password = \"\"` for an \
                     account without one; with POINTSMAN_USER or POINTSMAN_MONITOR_USER, set the variable that ends in \
                     PASSWORD or PASSWORD_FILE)"
                ),
            );
            return None;
        }
        [.., last] => {
            let all: Vec<String> = given.iter().map(|key| format!("`{key}`")).collect();
            let at = block.given.get(last).map_or(&block.at, |given| &given.key_at);
            findings.problem(at, format!("{owner} has {}: keep one of them", all.join(" and ")));
            return None;
        }
    };
    let at = block.place(key);
    match key {
        "password_file" => {
            let path = block.text(key)?;
            match variables.read_file(&path) {
                Ok(content) => Some(Secret::new(without_newline(content))),
                Err(reason) => {
                    findings.problem(at, format!("password of {owner}: cannot read the file `{path}`: {reason}"));
                    None
                }
            }
        }
        "password_env" => {
            let name = block.text(key)?;
            let value = variables.get(&name);
            if value.is_none() {
                findings.problem(at, format!("password of {owner}: the environment variable `{name}` is not set"));
            }
            value.map(Secret::new)
        }
        _ => block.secret(key),
    }
}
