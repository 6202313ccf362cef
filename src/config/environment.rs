//! The environment over the file. Everything is read through [`Variables`]; nothing here touches the process.

use std::collections::BTreeSet;

use super::problem::{Findings, Origin, nearest};
use super::raw::{Block, Raw};
use super::schema::{Kind, Section};
use super::secrets::PASSWORD_KEYS;
use super::settings::{SECTIONS, section};
use super::units::Endpoint;
use super::values::{self, Value};

/// Where the environment and secret files are read from; tests pass a map.
pub trait Variables {
    /// The value of a variable, if it is set.
    fn get(&self, name: &str) -> Option<String>;
    /// The names of all variables.
    fn names(&self) -> Vec<String>;
    /// The content of a file; the error is the reason in words.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not UTF-8.
    fn read_file(&self, path: &str) -> Result<String, String>;
}

/// An environment in which nothing is set, and no file can be read: a configuration's text alone counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not read here"))
    }
}

/// Short names for single settings: `(variable, section, key)`.
pub const SHORT_NAMES: &[(&str, &str, &str)] = &[
    ("POINTSMAN_LISTEN", "proxy", "listen"),
    ("POINTSMAN_ADMIN_LISTEN", "admin", "listen"),
    ("POINTSMAN_HTTP_LISTEN", "http", "listen"),
    ("POINTSMAN_MONITOR_USER", "monitor", "user"),
    ("POINTSMAN_MONITOR_PASSWORD", "monitor", "password"),
    ("POINTSMAN_CONSISTENCY", "routing", "consistency"),
    ("POINTSMAN_MAX_LAG", "routing", "max_lag"),
    ("POINTSMAN_LOG", "log", "filter"),
];

const PRIMARY: &str = "POINTSMAN_PRIMARY";
const REPLICAS: &str = "POINTSMAN_REPLICAS";
const USER: &str = "POINTSMAN_USER";
const PASSWORD: &str = "POINTSMAN_PASSWORD";

/// Short names for servers and users.
pub const LIST_NAMES: &[&str] = &[PRIMARY, REPLICAS, USER, PASSWORD];

/// Names the file; read by the command line, not here.
pub const CONFIG_NAME: &str = "POINTSMAN_CONFIG";

/// Names a folder with a server's programs for the demo and the tests; not read here.
pub const SANDBOX_NAME: &str = "POINTSMAN_SANDBOX_BIN";

/// Begins the name of a variable that overrides a setting: `POINTSMAN__SECTION__KEY`.
const OVERRIDE: &str = "POINTSMAN__";

/// What is one server's own, and cannot be set for all of them.
const OWN: &[&str] = &["name", "address", "role", "weight", "pools"];

/// Whether a variable can set this: in what there are several of, only what holds for all servers.
fn is_overridable(section: &Section, key: &str) -> bool {
    !section.list || (section.name == "servers" && !OWN.contains(&key))
}

/// Lays the environment over `raw`.
pub(super) fn apply(variables: &impl Variables, raw: &mut Raw, findings: &mut Findings) {
    short_names(variables, raw, findings);
    overrides(variables, raw, findings);
    servers(variables, raw, findings);
    server_overrides(variables, raw, findings);
    user(variables, raw, findings);
    unknown_names(variables, raw, findings);
}

/// One line feed, or carriage return and line feed, less: editors and `echo` add it.
pub(super) fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// A variable, or the file that its `_FILE` twin names.
fn lookup(variables: &impl Variables, name: &str, findings: &mut Findings) -> Option<(Origin, String)> {
    let twin = format!("{name}_FILE");
    match (variables.get(name), variables.get(&twin)) {
        (None, None) => None,
        (Some(value), None) => Some((Origin::Environment { name: name.to_owned() }, value)),
        (Some(_), Some(_)) => {
            let at = Origin::Environment { name: twin };
            findings.problem(&at, format!("{name} is set as well; set one of the two"));
            None
        }
        (None, Some(path)) => {
            let at = Origin::Environment { name: twin };
            match variables.read_file(&path) {
                Ok(content) => Some((at, without_newline(content))),
                Err(reason) => {
                    findings.problem(&at, format!("cannot read the file `{path}`: {reason}"));
                    None
                }
            }
        }
    }
}

fn short_names(variables: &impl Variables, raw: &mut Raw, findings: &mut Findings) {
    for (name, section, key) in SHORT_NAMES {
        if let Some((at, text)) = lookup(variables, name, findings)
            && let Some(block) = raw.single_mut(section)
        {
            put(block, key, &at, &text, findings);
        }
    }
}

fn overrides(variables: &impl Variables, raw: &mut Raw, findings: &mut Findings) {
    for name in override_names(variables) {
        let Ok((section, key)) = find_override(&name) else { continue };
        let at = Origin::Environment { name: name.clone() };
        let Some(block) = raw.single_mut(section.name) else { continue };
        if let Some(Origin::Environment { name: other }) = block.given.get(key).map(|given| &given.at) {
            findings.problem(&at, format!("{other} is set as well and means the same; set one of the two"));
        } else if let Some(text) = variables.get(&name) {
            put(block, key, &at, &text, findings);
        }
    }
}

fn override_names(variables: &impl Variables) -> BTreeSet<String> {
    variables.names().into_iter().filter(|name| name.starts_with(OVERRIDE)).collect()
}

/// The setting that `POINTSMAN__SECTION__KEY` names, or what is wrong with the name.
fn find_override(name: &str) -> Result<(&'static Section, &'static str), String> {
    let path = name.strip_prefix(OVERRIDE).unwrap_or(name);
    let (section_name, key) = path.split_once("__").unwrap_or((path, ""));
    let found = section(&section_name.to_lowercase()).filter(|_| section_name == section_name.to_uppercase());
    if let Some(section) = found {
        let setting = section.setting(&key.to_lowercase()).filter(|_| key == key.to_uppercase());
        if let Some(setting) = setting.filter(|setting| is_overridable(section, setting.key)) {
            return Ok((section, setting.key));
        }
        if section.list {
            return Err(format!(
                "{} cannot be set by single variables; use POINTSMAN_PRIMARY, POINTSMAN_REPLICAS, POINTSMAN_USER or the \
                 file",
                section.header()
            ));
        }
    }
    let known = known_overrides();
    let near = nearest(&name.to_uppercase(), known.iter().map(String::as_str));
    let hint = near.map_or_else(
        || "; the form is POINTSMAN__SECTION__KEY, such as POINTSMAN__POOLS__SIZE".to_owned(),
        |near| format!("; did you mean `{near}`?"),
    );
    Err(format!("unknown variable{hint}"))
}

fn known_overrides() -> Vec<String> {
    let all = SECTIONS.iter().flat_map(|section| section.settings.iter().map(move |setting| (section, setting.key)));
    all.filter(|(section, key)| is_overridable(section, key))
        .map(|(section, key)| format!("{OVERRIDE}{}__{}", section.name.to_uppercase(), key.to_uppercase()))
        .collect()
}

fn put(block: &mut Block, key: &'static str, at: &Origin, text: &str, findings: &mut Findings) {
    let Some(setting) = block.section.setting(key) else { return };
    let value = match values::from_text(&setting.kind, text) {
        Ok(value) => Some(value),
        Err(reason) => {
            findings.problem(at, reason);
            None
        }
    };
    if PASSWORD_KEYS.contains(&key) {
        // A password from the environment replaces the file's, in whichever of the three forms that is.
        block.given.retain(|key, given| !PASSWORD_KEYS.contains(key) || matches!(given.at, Origin::Environment { .. }));
    }
    block.put(key, at.clone(), value);
}

fn servers(variables: &impl Variables, raw: &mut Raw, findings: &mut Findings) {
    if let Some((at, text)) = lookup(variables, PRIMARY, findings) {
        replace_servers(raw, "primary", &at, &[text.as_str()], findings);
    }
    if let Some((at, text)) = lookup(variables, REPLICAS, findings) {
        let addresses: Vec<&str> = text.split(',').map(str::trim).filter(|address| !address.is_empty()).collect();
        replace_servers(raw, "replica", &at, &addresses, findings);
    }
}

/// `POINTSMAN__SERVERS__KEY` holds for every server, of the environment and of the file.
fn server_overrides(variables: &impl Variables, raw: &mut Raw, findings: &mut Findings) {
    for name in override_names(variables) {
        let Ok((section, key)) = find_override(&name) else { continue };
        let Some(text) = variables.get(&name).filter(|_| section.list) else { continue };
        let at = Origin::Environment { name };
        let servers = raw.list_mut(section.name);
        let replaced = servers.iter().filter(|server| server.given.contains_key(key)).count();
        if replaced > 0 {
            findings.note(format!("{at} replaces `{key}` of {replaced} of the servers"));
        }
        // What is wrong with it is said once: equal problems are one.
        for server in servers {
            put(server, key, &at, &text, findings);
        }
    }
}

fn replace_servers(raw: &mut Raw, role: &str, at: &Origin, addresses: &[&str], findings: &mut Findings) {
    let Some(section) = section("servers") else { return };
    let servers = raw.list_mut(section.name);
    let before = servers.len();
    servers.retain(|server| server.text("role").as_deref() != Some(role));
    if servers.len() < before {
        findings
            .note(format!("{at} replaces each {role} of the file ({} in all)", before.saturating_sub(servers.len())));
    }
    for address in addresses {
        let mut server = Block::new(section, at.clone());
        server.put("role", at.clone(), Some(Value::Text(role.to_owned())));
        let value = Endpoint::parse(address);
        if let Err(reason) = &value {
            findings.problem(at, format!("expected {}, found `{address}`: {reason}", Kind::Server));
        }
        server.put("address", at.clone(), value.ok().map(Value::Endpoint));
        servers.push(server);
    }
}

fn user(variables: &impl Variables, raw: &mut Raw, findings: &mut Findings) {
    let name = lookup(variables, USER, findings);
    let password = lookup(variables, PASSWORD, findings);
    let Some((at, name)) = name else {
        if let Some((at, _)) = password {
            findings.problem(&at, format!("{USER} is not set; set it to the name of the account"));
        }
        return;
    };
    let (Some(section), Some(setting)) = (section("users"), section("users").and_then(|users| users.setting("name")))
    else {
        return;
    };
    let value = match values::from_text(&setting.kind, &name) {
        Ok(value) => Some(value),
        Err(reason) => {
            findings.problem(&at, reason);
            None
        }
    };
    let users = raw.list_mut(section.name);
    let same = users.iter_mut().find(|user| user.text("name").as_deref() == Some(name.as_str()));
    if let Some(user) = same {
        // The limits that the file gives this user stay.
        if let Some((at, password)) = password {
            findings.note(format!("{at} replaces the password of user `{name}` of the file"));
            put(user, "password", &at, &password, findings);
        }
        return;
    }
    let mut user = Block::new(section, at.clone());
    user.put("name", at, value);
    if let Some((at, password)) = password {
        put(&mut user, "password", &at, &password, findings);
    }
    users.insert(0, user);
}

fn unknown_names(variables: &impl Variables, raw: &Raw, findings: &mut Findings) {
    let short: Vec<String> = SHORT_NAMES
        .iter()
        .map(|(name, _, _)| *name)
        .chain(LIST_NAMES.iter().copied())
        .flat_map(|name| [name.to_owned(), format!("{name}_FILE")])
        .chain([CONFIG_NAME, SANDBOX_NAME].map(str::to_owned))
        .collect();
    // `password_env = "POINTSMAN_APP_PASSWORD"` makes that name a known one.
    let named: BTreeSet<String> = raw.blocks().filter_map(|block| block.text("password_env")).collect();
    for name in variables.names() {
        if !name.starts_with("POINTSMAN_") || short.contains(&name) || named.contains(&name) {
            continue;
        }
        let at = Origin::Environment { name: name.clone() };
        if name.starts_with(OVERRIDE) {
            if let Err(reason) = find_override(&name) {
                findings.problem(&at, reason);
            }
        } else if !is_service_link(&name, &variables.get(&name).unwrap_or_default()) {
            let known = short.iter().map(String::as_str);
            let hint = nearest(&name, known).map_or_else(
                || "; every setting has the name POINTSMAN__SECTION__KEY".to_owned(),
                |near| format!("; did you mean `{near}`?"),
            );
            findings.problem(&at, format!("unknown variable{hint}"));
        }
    }
}

/// Kubernetes sets `POINTSMAN_SERVICE_HOST`, `POINTSMAN_PORT_6033_TCP_ADDR` and others in every pod near a Service called
/// `pointsman`; they say nothing about the configuration.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url)
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| name.contains("_PORT_") && name.contains(protocol))
}
