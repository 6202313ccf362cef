//! What was given, by section and key, with its place: the file and the environment before they become a `Config`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::problem::Origin;
use super::schema::{Otherwise, Section};
use super::settings::SECTIONS;
use super::values::{self, Value};
use super::{Address, Consistency, Endpoint, RuleTarget, Secret};

/// A value that was given.
#[derive(Debug)]
pub(super) struct Given {
    /// The place of the key.
    pub(super) key_at: Origin,
    /// The place of the value.
    pub(super) at: Origin,
    /// None: it was not understood, which has been reported.
    pub(super) value: Option<Value>,
}

/// One `[section]`, or one of `[[section]]`.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) section: &'static Section,
    /// The place of its header.
    pub(super) at: Origin,
    pub(super) given: BTreeMap<&'static str, Given>,
}

/// Everything that was given.
#[derive(Debug)]
pub(super) struct Raw {
    /// The file, or nothing, as a place for what is missing.
    pub(super) whole: Origin,
    /// Every section that is not a list, also those not given.
    single: BTreeMap<&'static str, Block>,
    lists: BTreeMap<&'static str, Vec<Block>>,
}

impl Raw {
    pub(super) fn new(whole: Origin) -> Self {
        let single = SECTIONS
            .iter()
            .filter(|section| !section.list)
            .map(|section| (section.name, Block::new(section, whole.clone())))
            .collect();
        Self { whole, single, lists: BTreeMap::new() }
    }

    pub(super) fn single(&self, name: &str) -> Option<&Block> {
        self.single.get(name)
    }

    pub(super) fn single_mut(&mut self, name: &str) -> Option<&mut Block> {
        self.single.get_mut(name)
    }

    pub(super) fn list(&self, name: &str) -> &[Block] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn list_mut(&mut self, name: &'static str) -> &mut Vec<Block> {
        self.lists.entry(name).or_default()
    }

    /// Every block, of lists too.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.single.values().chain(self.lists.values().flatten())
    }
}

impl Block {
    pub(super) fn new(section: &'static Section, at: Origin) -> Self {
        Self { section, at, given: BTreeMap::new() }
    }

    /// Puts `value` in place of what was given for `key`.
    pub(super) fn put(&mut self, key: &'static str, at: Origin, value: Option<Value>) {
        self.given.insert(key, Given { key_at: at.clone(), at, value });
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Where `key` is given, otherwise the header.
    pub(super) fn place(&self, key: &str) -> &Origin {
        self.given.get(key).map_or(&self.at, |given| &given.at)
    }

    /// The value of `key`: what was given and understood, otherwise the schema's default.
    fn value(&self, key: &str) -> Option<Value> {
        if let Some(value) = self.given.get(key).and_then(|given| given.value.clone()) {
            return Some(value);
        }
        let setting = self.section.setting(key)?;
        let Otherwise::Default(text) = setting.otherwise else { return None };
        let default = toml::de::DeValue::parse(text).ok()?;
        values::from_toml(&setting.kind, default.get_ref()).ok()
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        if let Value::Duration(duration) = self.value(key)? { Some(duration) } else { None }
    }

    pub(super) fn number(&self, key: &str) -> Option<u32> {
        if let Value::Number(number) = self.value(key)? { u32::try_from(number).ok() } else { None }
    }

    /// False also when it is not given and has no default.
    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Flag(true)))
    }

    pub(super) fn bytes(&self, key: &str) -> Option<usize> {
        if let Value::Number(number) = self.value(key)? { usize::try_from(number).ok() } else { None }
    }

    pub(super) fn address(&self, key: &str) -> Option<Address> {
        if let Value::Address(address) = self.value(key)? { address } else { None }
    }

    pub(super) fn endpoint(&self, key: &str) -> Option<Endpoint> {
        if let Value::Endpoint(endpoint) = self.value(key)? { Some(endpoint) } else { None }
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        if let Value::Text(text) = self.value(key)? { Some(text) } else { None }
    }

    pub(super) fn names(&self, key: &str) -> Vec<Arc<str>> {
        self.list(key).into_iter().map(Arc::from).collect()
    }

    pub(super) fn list(&self, key: &str) -> Vec<String> {
        if let Some(Value::List(items)) = self.value(key) { items } else { Vec::new() }
    }

    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        if let Value::Secret(secret) = self.value(key)? { Some(secret) } else { None }
    }

    pub(super) fn consistency(&self, key: &str) -> Option<Consistency> {
        if let Value::Consistency(consistency) = self.value(key)? { Some(consistency) } else { None }
    }

    pub(super) fn target(&self, key: &str) -> Option<RuleTarget> {
        if let Value::Target(target) = self.value(key)? { Some(target) } else { None }
    }

    pub(super) fn fingerprint(&self, key: &str) -> Option<u128> {
        if let Value::Fingerprint(fingerprint) = self.value(key)? { Some(fingerprint) } else { None }
    }

    pub(super) fn regex(&self, key: &str) -> Option<Regex> {
        if let Value::Regex(regex) = self.value(key)? { Some(regex) } else { None }
    }
}
