//! The configuration from outside: the shipped files, the documents against the schema, every class of problem with its
//! place, and arbitrary input.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use pointsman::config::schema::{Kind, Otherwise, Section, Setting};
use pointsman::config::{
    Config, Consistency, Fallback, Loaded, LogFormat, Origin, Problems, RuleTarget, SECTIONS, ServerRole,
    ServerTlsMode, Source, Variables, parse,
};
use pointsman::wire::compression::Compression;
use pointsman::wire::proxy_protocol::ProxyVersion;
use proptest::prelude::*;

const FULL: &str = include_str!("../config/pointsman.toml");
const MINIMAL: &str = include_str!("../config/pointsman.minimal.toml");
const ANALYTICS: &str = include_str!("../config/analytics.toml");
const SIDECAR: &str = include_str!("../config/sidecar.env");
const DOCS: &str = include_str!("../docs/configuration.md");

const BASE: &str = "[[servers]]\naddress = \"db1\"\nrole = \"primary\"\n[[servers]]\naddress = \"db2\"\nrole = \"replica\"\n\
                    [[users]]\nname = \"app\"\npassword = \"hunter2\"\n";

/// An environment and files from maps.
#[derive(Default, Clone)]
struct World {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl World {
    fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { variables, files: BTreeMap::new() }
    }

    fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.to_owned(), content.to_owned());
        self
    }
}

impl Variables for World {
    fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        self.files.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

fn load_with(text: &str, world: &World) -> Result<Loaded, Problems> {
    parse(Some(Source { name: "p.toml", text }), world)
}

fn load(text: &str) -> Result<Loaded, Problems> {
    load_with(text, &World::default())
}

/// `BASE` and below it `extra`; its first line is line 10.
fn with_base(extra: &str) -> Result<Loaded, Problems> {
    load(&format!("{BASE}{extra}"))
}

#[track_caller]
fn good(text: &str) -> Config {
    load(text).map_err(|problems| problems.to_string()).unwrap().config
}

/// The problems of a configuration must be these lines.
#[track_caller]
fn bad(result: Result<Loaded, Problems>, lines: &[&str]) {
    let problems = result.map(|loaded| format!("{:?}", loaded.notes)).unwrap_err().to_string();
    assert_eq!(problems.lines().collect::<Vec<_>>(), lines);
    assert!(!problems.contains("hunter2"), "a secret in {problems}");
}

// Documents.

fn value_of(setting: &Setting) -> &'static str {
    match setting.otherwise {
        Otherwise::Default(value) => value,
        Otherwise::Unset { example, .. } | Otherwise::Required { example } => example,
    }
}

fn wrapped(text: &str, prefix: &str, width: usize) -> String {
    let (mut out, mut line) = (String::new(), prefix.to_owned());
    for word in text.split_whitespace() {
        if line.len() > prefix.len() && line.chars().count() + 1 + word.chars().count() > width {
            writeln!(out, "{}", line.trim_end()).unwrap();
            line = prefix.to_owned();
        }
        if line.len() > prefix.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{}", line.trim_end()).unwrap();
    out
}

/// Only the first of the three may be uncommented with the others.
fn is_alternative(setting: &Setting) -> bool {
    matches!(setting.key, "password" | "password_env")
}

fn sample() -> String {
    let mut out = String::from(
        "# pointsman: every setting with its default. Uncomment what you change.\n# Text begins with `# `, settings with `#`. \
         A setting that has no default shows an example.\n# docs/configuration.md says more; pointsman.minimal.toml is a \
         short start.\n",
    );
    for section in SECTIONS {
        writeln!(out, "\n{}\n{}", "#".repeat(60), wrapped(section.doc, "# ", 110).trim_end()).unwrap();
        if !section.sample.is_empty() {
            writeln!(out, "\n{}", section.sample.trim_end()).unwrap();
        }
        writeln!(out, "\n#{}", section.header()).unwrap();
        for setting in section.settings {
            let default = match setting.otherwise {
                Otherwise::Default(_) => String::new(),
                Otherwise::Unset { effect, .. } => format!(" Not set: {effect}."),
                Otherwise::Required { .. } => " Required.".to_owned(),
            };
            writeln!(out).unwrap();
            out.push_str(&wrapped(&format!("{}{default}", setting.doc), "# ", 110));
            let mark = if is_alternative(setting) { "# or: " } else { "#" };
            writeln!(out, "{mark}{} = {}", setting.key, value_of(setting)).unwrap();
        }
    }
    out
}

fn reference() -> String {
    let mut out = String::new();
    for section in SECTIONS {
        writeln!(out, "\n### {}\n\n{}", section.header(), wrapped(section.doc, "", 118).trim_end()).unwrap();
        for setting in section.settings {
            let default = match setting.otherwise {
                Otherwise::Default(value) => format!("`{value}`"),
                Otherwise::Unset { effect, .. } => format!("not set: {effect}"),
                Otherwise::Required { .. } => "none, it is required".to_owned(),
            };
            writeln!(out, "\n#### {}.{}\n", section.name, setting.key).unwrap();
            out.push_str(&wrapped(setting.doc, "", 118));
            let range = wrapped(&format!("Accepts: {}.", setting.kind), "", 118);
            write!(out, "\n{range}\nDefault: {default}.\n").unwrap();
        }
    }
    out.push('\n');
    out
}

fn documents() -> (String, String) {
    let (head, rest) = DOCS.split_once("<!-- settings: begin").unwrap();
    let (marker, rest) = rest.split_once("-->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- settings: end -->").unwrap();
    let docs = format!("{head}<!-- settings: begin{marker}-->\n{}<!-- settings: end -->{tail}", reference());
    (sample(), docs)
}

/// After a change in `src/config/settings.rs`: `cargo test --test config -- --ignored write_the_documents`.
#[test]
#[ignore = "writes config/pointsman.toml and docs/configuration.md"]
fn write_the_documents() {
    let (sample, docs) = documents();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/config/pointsman.toml"), sample).unwrap();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md"), docs).unwrap();
}

#[test]
fn the_documents_equal_the_schema() {
    let (sample, docs) = documents();
    let how = "run: cargo test --test config -- --ignored write_the_documents";
    assert!(sample == FULL, "config/pointsman.toml differs from the schema; {how}");
    assert!(docs == DOCS, "docs/configuration.md differs from the schema; {how}");
    for (variable, section, key) in pointsman::config::SHORT_NAMES {
        assert!(DOCS.contains(&format!("| `{variable}` | `{section}.{key}`")), "{variable}");
    }
    for variable in pointsman::config::LIST_NAMES {
        assert!(DOCS.contains(&format!("| `{variable}` |")), "{variable}");
    }
}

#[test]
fn every_default_is_accepted_by_its_own_setting() {
    let one =
        |section: &Section, setting: &Setting| format!("[{}]\n{} = {}\n", section.name, setting.key, value_of(setting));
    for section in SECTIONS.iter().filter(|section| !section.list && section.name != "monitor") {
        // Files of TLS come in pairs, and must hold what they should: the test of the full file has them.
        let file = |setting: &&Setting| section.name == "tls" && matches!(setting.kind, Kind::Path);
        for setting in section.settings.iter().filter(|setting| !file(setting)) {
            with_base(&one(section, setting)).map_err(|problems| problems.to_string()).unwrap();
        }
    }
}

/// `#key = value` and `#[section]` without their `#`; text begins with `# `.
fn uncommented(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let setting =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
        writeln!(out, "{}", setting.unwrap_or(line)).unwrap();
    }
    out
}

#[test]
fn the_full_file_parses_with_everything_uncommented() {
    let pair = rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap();
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let world = World::default()
        .file("/run/secrets/app", "a")
        .file("/run/secrets/monitor", "m\n")
        .file("/etc/pointsman/server.pem", &certificate)
        .file("/etc/pointsman/server.key", &key)
        .file("/etc/pointsman/clients-ca.pem", &certificate)
        .file("/etc/pointsman/servers-ca.pem", &certificate)
        .file("/etc/pointsman/client.pem", &certificate)
        .file("/etc/pointsman/client.key", &key);
    let text = uncommented(FULL);
    let config = load_with(&text, &world).map_err(|problems| problems.to_string()).unwrap().config;
    assert_eq!(config.servers.len(), 2);
    assert_eq!(config.monitor.password.expose(), "m");
    assert_eq!(config.rules.len(), 1);
    for section in SECTIONS {
        for setting in section.settings.iter().filter(|setting| !is_alternative(setting)) {
            assert!(text.contains(&format!("\n{} = {}\n", setting.key, value_of(setting))), "{}", setting.key);
        }
    }
}

#[test]
fn the_full_file_as_shipped_changes_nothing() {
    let world = World::of(&[("POINTSMAN_PRIMARY", "db1"), ("POINTSMAN_USER", "app"), ("POINTSMAN_PASSWORD", "")]);
    let with = load_with(FULL, &world).unwrap();
    let without = parse(None, &world).unwrap();
    assert_eq!(format!("{with:?}"), format!("{without:?}"));
}

#[test]
fn the_minimal_file_parses() {
    let loaded = load_with(MINIMAL, &World::of(&[("APP_PASSWORD", "hunter2")])).unwrap();
    assert_eq!(loaded.config.users[0].password.expose(), "hunter2");
    assert_eq!(loaded.config.servers[1].name.as_ref(), "db2.internal:3306");
    assert_eq!(loaded.notes, ["monitor.user is not set: the first of [[users]] watches the servers"]);
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn the_analytics_file_parses() {
    let world = ["shop", "analyst", "monitor"]
        .iter()
        .fold(World::default(), |w, user| w.file(&format!("/run/secrets/{user}"), "x"));
    let Loaded { config, notes } = load_with(ANALYTICS, &world).map_err(|problems| problems.to_string()).unwrap();
    assert_eq!(notes, [""; 0]);
    assert_eq!(config.replica_pools[1].fallback, Fallback::Refuse);
    assert_eq!(config.rules[0].target, Some(RuleTarget::Pool("analytics".into())));
    assert!(config.rules[2].regex.as_ref().unwrap().is_match("select 1 where match (a) against (?)"));
    assert_eq!(config.users[1].consistency, Some(Consistency::Eventual));
    let summary = config.summary();
    assert!(summary.contains("replica   reports (reports.internal:3306), weight 1, pools analytics"), "{summary}");
}

#[test]
fn the_sidecar_environment_is_enough() {
    let lines = SIDECAR.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs: Vec<(&str, &str)> = lines.map(|line| line.split_once('=').unwrap()).collect();
    let world = World::of(&pairs)
        .file("/run/secrets/app_password", "hunter2\r\n")
        .file("/run/secrets/monitor_password", "m\n\n");
    let config = parse(None, &world).map_err(|problems| problems.to_string()).unwrap().config;
    assert_eq!(config.servers.len(), 3);
    assert_eq!(config.servers[2].role, ServerRole::Replica);
    assert_eq!(config.users[0].password.expose(), "hunter2");
    assert_eq!(config.monitor.password.expose(), "m\n", "only one newline is dropped");
    assert_eq!(config.routing.max_lag, Duration::from_millis(500));
    assert_eq!(config.pools.size, 20);
}

#[test]
fn defaults_are_those_of_the_typed_configuration() {
    let config = good(BASE);
    assert_eq!(config.proxy.listen.to_string(), "127.0.0.1:6033");
    assert_eq!(config.proxy.max_connections, 10_000);
    assert_eq!(config.proxy.idle_timeout, Duration::from_hours(8));
    assert_eq!(config.proxy.max_packet, 64 << 20);
    assert_eq!(config.proxy.server_version, None);
    assert_eq!(config.admin.listen.unwrap().port, 6032);
    assert_eq!(config.http.listen.unwrap().port, 6070);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.monitor.interval, Duration::from_millis(500));
    assert_eq!(config.routing.consistency, Consistency::Session);
    assert_eq!(config.routing.shape_cache, 10_000);
    assert_eq!(config.replica_pools.len(), 1);
    assert_eq!(config.replica_pools[0].max_lag, Duration::from_secs(1));
    assert_eq!(config.servers[1].pools, ["default".into()]);
    assert_eq!(config.servers[0].weight, 1);
    assert_eq!((config.pools.max_per_server, config.pools.size), (200, 100));
}

// Problems of the file.

#[test]
fn syntax_errors_have_line_and_column_and_do_not_show_the_line() {
    let problems = load("[[users]]\nname = \"app\"\npassword = \"hunter2\n").unwrap_err();
    let first = problems.iter().next().unwrap();
    assert!(matches!(first.origin, Origin::File { line: 3, .. }), "{problems}");
    assert!(first.message.starts_with("not valid TOML: "), "{problems}");
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
    bad(
        load("colour = 1\n"),
        &[
            "p.toml: no server is the primary: write [[servers]] with `role = \"primary\"`, or set POINTSMAN_PRIMARY",
            "p.toml: no user is configured: write [[users]] with `name` and a password, or set POINTSMAN_USER and \
         POINTSMAN_PASSWORD",
            "p.toml:1:1: unknown key `colour` outside of any section; every key stands in a section such as [proxy]",
        ],
    );
    let problems = load("[pools]\nsize = 1\nsize = 2\n").unwrap_err().to_string();
    assert_eq!(problems, "p.toml:3:1: not valid TOML: duplicate key");
}

#[test]
fn unknown_keys_and_sections() {
    bad(
        with_base("[routing]\nmax_lagg = \"1s\"\ncolour = 1\n[poolz]\nsize = 1\n[zebra]\n"),
        &[
            "p.toml:11:1: unknown key `max_lagg` in [routing]; did you mean `max_lag`?",
            "p.toml:12:1: unknown key `colour` in [routing]; known are `consistency`, `sticky_window`, `max_lag`, `fallback`, \
             `read_functions`, `shape_cache`",
            "p.toml:13:2: unknown section [poolz]; did you mean `pools`?",
            "p.toml:15:2: unknown section [zebra]; known are `proxy`, `tls`, `admin`, `http`, `log`, `servers`, `users`, `monitor`, \
             `routing`, `replica_pools`, `rules`, `pools`",
        ],
    );
    bad(
        load(&format!("max_lag = \"1s\"\n{BASE}pasword = \"hunter2\"\n")),
        &[
            "p.toml:1:1: unknown key `max_lag` outside of any section; it belongs below [routing]",
            "p.toml:11:1: unknown key `pasword` in [[users]]; did you mean `password`?",
        ],
    );
}

#[test]
fn sections_with_the_wrong_brackets() {
    bad(with_base("[[pools]]\nsize = 1\n"), &["p.toml:10:3: expected [pools], found [[pools]]"]);
    bad(with_base("[rules]\nuser = \"a\"\n"), &["p.toml:10:2: expected [[rules]], found [rules]"]);
    bad(
        load(&format!("pools = 1\nrules = [1]\n{BASE}")),
        &["p.toml:1:1: expected [pools], found a value", "p.toml:2:10: expected a table [[rules]]"],
    );
}

#[test]
fn wrong_types_and_ranges() {
    bad(
        with_base(
            "[proxy]\nlogin_timeout = 250\nmax_packet = \"2GiB\"\n[pools]\nsize = 0\nstatements = \"9\"\nmax_waiting = -1\n",
        ),
        &[
            "p.toml:11:17: `proxy.login_timeout`: expected a duration such as \"250ms\" (units ms, s, m, h) from 100ms to 1h, \
             found an integer",
            "p.toml:12:14: `proxy.max_packet`: expected a size such as \"64MiB\" from 1KiB to 1GiB, found `2GiB`",
            "p.toml:14:8: `pools.size`: expected a whole number from 1 to 100000, found `0`",
            "p.toml:15:14: `pools.statements`: expected a whole number from 1 to 100000, found a string",
            "p.toml:16:15: `pools.max_waiting`: expected a whole number from 0 to 1000000, found `-1`",
        ],
    );
    bad(
        with_base(
            "[routing]\nconsistency = \"strong\"\nfallback = \"x\"\nread_functions = [\"a.b.c\"]\n[log]\nformat = true\n",
        ),
        &[
            "p.toml:11:15: `routing.consistency`: expected \"eventual\", \"sticky=2s\" (from 1ms to 24h), \"session\" or \
             \"global\", found `strong`",
            "p.toml:12:12: `routing.fallback`: expected \"primary\" or \"refuse\", found `x`",
            "p.toml:13:18: `routing.read_functions`: expected a list of functions, each \"name\" or \"schema.name\", found \
             `a.b.c`",
            "p.toml:15:10: `log.format`: expected \"text\" or \"json\", found a boolean",
        ],
    );
    bad(
        with_base("[proxy]\nproxy_protocol_from = [\"10.0.0.0/8\", \"10.0.0.0/33\"]\n"),
        &[
            "p.toml:11:23: `proxy.proxy_protocol_from`: expected a list of addresses and networks such as \"10.0.0.5\", \
           \"10.0.0.0/8\" or \"2001:db8::/32\", or \"unix\", found `10.0.0.0/33`",
        ],
    );
    let config = good(&format!("{BASE}[proxy]\nproxy_protocol_from = [\"10.0.0.0/8\", \"unix\"]\n"));
    let from = &config.proxy.proxy_protocol_from;
    assert!(
        from.contain(None) && from.contain(Some([10, 1, 2, 3].into())) && !from.contain(Some([11, 1, 2, 3].into()))
    );
    let config = good(&format!("{BASE}[proxy]\nidle_timeout = 0\nmax_packet = 0x400\n"));
    assert_eq!((config.proxy.idle_timeout, config.proxy.max_packet), (Duration::ZERO, 1024));
}

#[test]
fn addresses_and_log_filters() {
    let problems = with_base("[proxy]\nlisten = \"::1:6033\"\n[http]\nlisten = \"6070\"\n[log]\nfilter = \"a=loud\"\n");
    let problems = problems.unwrap_err().to_string();
    let lines: Vec<&str> = problems.lines().collect();
    assert!(lines[0].starts_with("p.toml:11:10: `proxy.listen`: expected an address"), "{problems}");
    assert!(lines[0].ends_with("found `::1:6033`: an IPv6 address must stand in brackets"), "{problems}");
    assert!(lines[1].ends_with("found `6070`: the port is missing"), "{problems}");
    assert!(lines[2].starts_with("p.toml:15:10: `log.filter`: expected a log filter"), "{problems}");
    assert!(good(&format!("{BASE}[http]\nlisten = \"\"\n[admin]\nlisten = \"\"\n")).http.listen.is_none());
}

#[test]
fn servers() {
    bad(
        load("[[users]]\nname = \"a\"\npassword = \"\"\n"),
        &["p.toml: no server is the primary: write [[servers]] with `role = \"primary\"`, or set POINTSMAN_PRIMARY"],
    );
    bad(
        with_base("[[servers]]\naddress = \"db1\"\nrole = \"primary\"\nweight = 2\npools = [\"x\"]\n"),
        &[
            "p.toml:11:11: the server at p.toml:2:11 has the address db1:3306 already",
            "p.toml:12:8: more than one server is the primary; the first one is at p.toml:3:8",
            "p.toml:13:1: `weight` is for replicas; this server is the primary",
            "p.toml:14:1: `pools` is for replicas; this server is the primary",
            "p.toml:14:9: there is no replica pool `x`; known are `default`; a pool is declared by [[replica_pools]]",
        ],
    );
    bad(
        with_base("[[servers]]\nname = \"x y\"\n"),
        &[
            "p.toml:10:1: `address` is missing in [[servers]]",
            "p.toml:10:1: `role` is missing in [[servers]]",
            "p.toml:11:8: `servers.name`: expected a name of 1 to 64 letters, digits, `_`, `-` and `.`, found `x y`",
        ],
    );
    bad(
        with_base("[[servers]]\naddress = \"127.0.0.1:6033\"\nrole = \"replica\"\npools = []\n"),
        &[
            "p.toml:11:11: 127.0.0.1:6033 is `proxy.listen`: the proxy would connect to itself",
            "p.toml:13:9: the list is empty: name a pool, or leave the key out",
        ],
    );
}

#[test]
fn sockets() {
    let long = format!("/{}", "x".repeat(107));
    let extra = format!(
        "[proxy]\nsocket = \"/run/a.sock\"\nsocket_mode = \"888\"\n\
         [[servers]]\naddress = \"/run/a.sock\"\nrole = \"replica\"\n[[servers]]\naddress = \"unix:{long}\"\nrole = \"replica\"\n"
    );
    bad(
        with_base(&extra),
        &[
            "p.toml:12:15: `proxy.socket_mode`: expected permissions in octal from \"0000\" to \"0777\", found `888`",
            "p.toml:14:11: /run/a.sock is `proxy.socket`: the proxy would connect to itself",
            &format!(
                "p.toml:17:11: `servers.address`: expected an address \"host\", \"host:port\", \"[::1]:port\" or \
                 \"/path/of/a.sock\", found `unix:/{}..`: the path of a socket has at most 107 bytes",
                "x".repeat(54)
            ),
        ],
    );
    let loaded = with_base("[proxy]\nsocket = \"/run/a.sock\"\nsocket_mode = \"0660\"\n").unwrap();
    assert_eq!((loaded.config.proxy.socket.as_deref(), loaded.config.proxy.socket_mode), (Some("/run/a.sock"), 0o660));
}

#[test]
fn names_are_unique() {
    let extra = "[[users]]\nname = \"app\"\npassword = \"\"\n[[replica_pools]]\nname = \"p\"\n[[replica_pools]]\nname = \"p\"\n\
                 [[replica_pools]]\nname = \"default\"\n";
    bad(
        with_base(extra),
        &[
            "p.toml:11:8: there is a user named `app` already, at p.toml:8:8",
            "p.toml:16:8: there is a replica pool named `p` already, at p.toml:14:8",
            "p.toml:18:8: the pool `default` always exists: set `max_lag` and `fallback` in [routing] instead",
        ],
    );
}

#[test]
fn rules() {
    let extra = "[[replica_pools]]\nname = \"analytics\"\n\
                 [[rules]]\ntarget = \"pool=analytic\"\n\
                 [[rules]]\nname = \"r\"\nregex = 'ab('\n\
                 [[rules]]\nfingerprint = \"12\"\ntarget = \"analytics\"\n";
    bad(
        with_base(extra),
        &[
            "p.toml:12:1: `rule 1` has no condition: write one of `user`, `schema`, `table`, `fingerprint`, `regex`",
            "p.toml:13:10: there is no replica pool `analytic`; did you mean `analytics`?; a pool is declared by [[replica_pools]]",
            "p.toml:14:1: `r` has no effect: write one of `target`, `max_lag`, `consistency`",
            "p.toml:16:9: `rules.regex`: expected a regular expression: unclosed group, at its character 3",
            "p.toml:18:15: `rules.fingerprint`: expected 32 hexadecimal digits, as `pointsman explain` prints them, found `12`",
            "p.toml:19:10: `rules.target`: expected \"primary\", \"replica\" or \"pool=NAME\", found `analytics`",
        ],
    );
}

#[test]
fn contradictions() {
    bad(
        with_base("[proxy]\nlisten = \"0.0.0.0:6070\"\n[pools]\nsize = 300\n"),
        &[
            "p.toml:11:10: `proxy.listen` and `http.listen` are the same address 127.0.0.1:6070; change one of them",
            "p.toml:13:8: `pools.size` (300) is above `pools.max_per_server` (200)",
        ],
    );
    bad(
        with_base("[pools]\nmax_per_server = 50\n"),
        &["p.toml:11:18: `pools.size` (100) is above `pools.max_per_server` (50)"],
    );
    assert!(with_base("[proxy]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n").is_ok());
}

#[test]
fn notes() {
    let extra = "[[replica_pools]]\nname = \"p\"\n[[rules]]\nuser = \"ap\"\nmax_lag = \"1s\"\n[monitor]\nuser = \"m\"\npassword \
                 = \"\"\n";
    assert_eq!(
        with_base(extra).unwrap().notes,
        [
            "no replica belongs to the pool `p`: its `fallback` applies to every read of it",
            "p.toml:13:8: the rule never applies, since there is no user `ap`",
        ]
    );
    let one =
        parse(None, &World::of(&[("POINTSMAN_PRIMARY", "db1"), ("POINTSMAN_USER", "a"), ("POINTSMAN_PASSWORD", "x")]));
    assert_eq!(
        one.unwrap().notes,
        [
            "monitor.user is not set: the first of [[users]] watches the servers",
            "no replica is configured: everything runs on the primary",
        ]
    );
}

#[test]
fn the_proxy_protocol_says_what_it_opens_and_what_is_of_no_effect() {
    let notes = |text: &str| {
        let loaded = load_with(&format!("{text}[monitor]\nuser = \"m\"\npassword = \"\"\n"), &World::default());
        loaded.map_err(|problems| problems.to_string()).unwrap().notes
    };
    let proxy = |from: &str| notes(&format!("{BASE}[proxy]\nproxy_protocol_from = {from}\n"));
    for all in ["[\"0.0.0.0/0\"]", "[\"10.0.0.0/8\", \"::/0\"]", "[\"1.2.3.4/0\"]"] {
        let notes = proxy(all);
        assert!(
            notes.len() == 1 && notes[0].contains("anyone who reaches `proxy.listen` can pose as any address"),
            "{notes:?}"
        );
        assert!(notes[0].starts_with("p.toml:11:23: "), "{notes:?}");
    }
    assert_eq!(proxy("[\"0.0.0.0/1\", \"::1\"]"), [""; 0]);
    let unix = proxy("[\"unix\"]");
    assert_eq!(unix, ["p.toml:11:23: `unix` in `proxy_protocol_from` is of no effect without `proxy.socket`"]);
    assert_eq!(proxy("[\"unix\"]\nsocket = \"/run/p.sock\""), [""; 0]);

    let told = BASE.replacen("\"primary\"\n", "\"primary\"\nproxy_protocol = \"v2\"\n", 1);
    let mixed = notes(&told);
    assert!(mixed.len() == 1 && mixed[0].contains("set `proxy_protocol` on all servers"), "{mixed:?}");
    assert_eq!(notes(&told.replace("\"replica\"\n", "\"replica\"\nproxy_protocol = \"v1\"\n")), [""; 0]);
}

// Secrets.

#[test]
fn exactly_one_password() {
    let text = BASE.replace("password = \"hunter2\"", "max_connections = 1");
    bad(
        load(&text),
        &["p.toml:7:1: user `app` has no password: write `password_file`, `password_env` or `password` \
        (`password = \"\"` for an account without one; with POINTSMAN_USER or POINTSMAN_MONITOR_USER, set the variable that \
        ends in PASSWORD or PASSWORD_FILE)"],
    );
    bad(
        with_base("password_env = \"A\"\n"),
        &["p.toml:10:1: user `app` has `password` and `password_env`: keep one of them"],
    );
    bad(
        with_base("[[users]]\nname = \"b\"\npassword_file = \"/x\"\n[[users]]\nname = \"c\"\npassword_env = \"X\"\n"),
        &[
            "p.toml:12:17: password of user `b`: cannot read the file `/x`: no such file",
            "p.toml:15:16: password of user `c`: the environment variable `X` is not set",
        ],
    );
    bad(
        with_base("[[users]]\nname = \"b\"\npassword_env = \"hunter2!\"\n"),
        &["p.toml:12:16: `users.password_env`: expected the name of an environment variable"],
    );
    bad(
        with_base("[monitor]\npassword = \"hunter2\"\n"),
        &["p.toml:11:12: the monitor has a password and no name: write `user` in [monitor]"],
    );
}

#[test]
fn a_secret_is_never_shown() {
    let loaded = with_base("[monitor]\nuser = \"m\"\npassword = \"hunter2\"\n").unwrap();
    assert_eq!(loaded.config.monitor.password.expose(), "hunter2");
    let shown = format!("{loaded:?}{loaded:#?}{}", loaded.config.summary());
    assert!(!shown.contains("hunter2"), "{shown}");
    bad(
        load(&BASE.replace("\"hunter2\"", "[\"hunter2\"]")),
        &["p.toml:9:12: `users.password`: expected a text, found an array"],
    );
}

// The environment.

#[test]
fn the_environment_replaces_the_file() {
    let world = World::of(&[
        ("POINTSMAN_PRIMARY", "new1:3307"),
        ("POINTSMAN_REPLICAS", "new2, [::1]:3308"),
        ("POINTSMAN_USER", "app"),
        ("POINTSMAN_PASSWORD", "other"),
        ("POINTSMAN__ROUTING__MAX_LAG", "200ms"),
        ("POINTSMAN__ROUTING__READ_FUNCTIONS", "f, Shop.G"),
        ("POINTSMAN_CONSISTENCY", "sticky=3s"),
        ("POINTSMAN_CONFIG", "ignored here"),
        ("POINTSMAN_SERVICE_HOST", "10.0.0.1"),
        ("POINTSMAN_PORT", "tcp://10.0.0.1:6033"),
        ("POINTSMAN_PORT_6033_TCP_ADDR", "10.0.0.1"),
        ("HOME", "/"),
    ]);
    let text = format!("{BASE}max_connections = 7\n[routing]\nmax_lag = \"9s\"\n");
    let Loaded { config, notes } = load_with(&text, &world).map_err(|problems| problems.to_string()).unwrap();
    let servers: Vec<String> = config.servers.iter().map(|server| server.address.to_string()).collect();
    assert_eq!(servers, ["new1:3307", "new2:3306", "[::1]:3308"]);
    assert_eq!(config.users.len(), 1);
    assert_eq!(config.users[0].password.expose(), "other");
    assert_eq!(config.users[0].max_connections, Some(7));
    assert_eq!(config.routing.max_lag, Duration::from_millis(200));
    assert_eq!(config.routing.read_functions, ["f", "shop.g"]);
    assert_eq!(config.routing.consistency, Consistency::Sticky(Duration::from_secs(3)));
    assert_eq!(
        notes[..3],
        [
            "POINTSMAN_PRIMARY replaces each primary of the file (1 in all)",
            "POINTSMAN_REPLICAS replaces each replica of the file (1 in all)",
            "POINTSMAN_PASSWORD replaces the password of user `app` of the file",
        ]
    );
}

#[test]
fn the_environment_sets_what_holds_for_all_servers() {
    let world = World::of(&[
        ("POINTSMAN_PRIMARY", "new1"),
        ("POINTSMAN__SERVERS__PROXY_PROTOCOL", "v2"),
        ("POINTSMAN__SERVERS__TLS", "required"),
        ("POINTSMAN__SERVERS__COMPRESSION", "zstd"),
        ("POINTSMAN__SERVERS__COMPRESSION_LEVEL", "7"),
    ]);
    let text = BASE.replacen("role = \"replica\"", "role = \"replica\"\ntls = \"off\"", 1);
    let Loaded { config, notes } = load_with(&text, &world).map_err(|problems| problems.to_string()).unwrap();
    assert_eq!(config.servers.len(), 2);
    for server in &config.servers {
        assert_eq!(server.proxy_protocol, Some(ProxyVersion::V2));
        assert_eq!(server.tls.mode, ServerTlsMode::Required);
        assert_eq!(server.compression, Some(Compression::Zstd(7)));
    }
    let said: Vec<&String> = notes.iter().filter(|note| note.contains("SERVERS__")).collect();
    assert_eq!(said, ["POINTSMAN__SERVERS__TLS replaces `tls` of 1 of the servers"]);
    // Said once, though there are two servers; and what is one server's own is not for all.
    let world = World::of(&[("POINTSMAN__SERVERS__TLS", "maybe"), ("POINTSMAN__SERVERS__WEIGHT", "2")]);
    let problems = load_with(BASE, &world).unwrap_err().to_string();
    assert_eq!(problems.matches("POINTSMAN__SERVERS__TLS: expected").count(), 1, "{problems}");
    assert!(
        problems.contains("POINTSMAN__SERVERS__WEIGHT: [[servers]] cannot be set by single variables"),
        "{problems}"
    );
}

#[test]
fn a_password_of_the_environment_replaces_each_form_of_the_file() {
    let text = format!("{BASE}[monitor]\nuser = \"m\"\npassword_file = \"/absent\"\n");
    let config = load_with(&text, &World::of(&[("POINTSMAN_MONITOR_PASSWORD", "x")])).unwrap().config;
    assert_eq!(config.monitor.password.expose(), "x");
    let world = World::of(&[("POINTSMAN_USER", "second"), ("POINTSMAN_PASSWORD", "y")]);
    let users = load_with(BASE, &world).unwrap().config.users;
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["second", "app"]);
}

#[test]
fn problems_of_the_environment() {
    let world = World::of(&[
        ("POINTSMAN_LISTN", "x"),
        ("POINTSMAN_ZEBRA", "x"),
        ("POINTSMAN__POOLS__SISE", "1"),
        ("POINTSMAN__SERVERS__NAME", "x"),
        ("POINTSMAN__X", "x"),
        ("POINTSMAN__POOLS__SIZE", "many"),
        ("POINTSMAN_MAX_LAG", "1s"),
        ("POINTSMAN__ROUTING__MAX_LAG", "1s"),
        ("POINTSMAN_LOG", "info"),
        ("POINTSMAN_LOG_FILE", "/log"),
        ("POINTSMAN_PRIMARY_FILE", "/absent"),
        ("POINTSMAN_REPLICAS", "db9:x"),
        ("POINTSMAN_PASSWORD", "hunter2"),
    ]);
    bad(
        load_with(BASE, &world),
        &[
            "POINTSMAN_LISTN: unknown variable; did you mean `POINTSMAN_LISTEN`?",
            "POINTSMAN_LOG_FILE: POINTSMAN_LOG is set as well; set one of the two",
            "POINTSMAN_PASSWORD: POINTSMAN_USER is not set; set it to the name of the account",
            "POINTSMAN_PRIMARY_FILE: cannot read the file `/absent`: no such file",
            "POINTSMAN_REPLICAS: expected an address \"host\", \"host:port\", \"[::1]:port\" or \"/path/of/a.sock\", found `db9:x`: the port is not a \
         number",
            "POINTSMAN_ZEBRA: unknown variable; every setting has the name POINTSMAN__SECTION__KEY",
            "POINTSMAN__POOLS__SISE: unknown variable; did you mean `POINTSMAN__POOLS__SIZE`?",
            "POINTSMAN__POOLS__SIZE: expected a whole number from 1 to 100000, found `many`",
            "POINTSMAN__ROUTING__MAX_LAG: POINTSMAN_MAX_LAG is set as well and means the same; set one of the two",
            "POINTSMAN__SERVERS__NAME: [[servers]] cannot be set by single variables; use POINTSMAN_PRIMARY, POINTSMAN_REPLICAS, \
         POINTSMAN_USER or the file",
            "POINTSMAN__X: unknown variable; the form is POINTSMAN__SECTION__KEY, such as POINTSMAN__POOLS__SIZE",
        ],
    );
    bad(
        parse(None, &World::default()),
        &[
            "configuration: no server is the primary: write [[servers]] with `role = \"primary\"`, or set POINTSMAN_PRIMARY",
            "configuration: no user is configured: write [[users]] with `name` and a password, or set POINTSMAN_USER and \
         POINTSMAN_PASSWORD",
        ],
    );
}

#[test]
fn a_variable_that_password_env_names_is_known() {
    let text = BASE.replace("password = \"hunter2\"", "password_env = \"POINTSMAN_APP_SECRET\"");
    let config = load_with(&text, &World::of(&[("POINTSMAN_APP_SECRET", "x")])).unwrap().config;
    assert_eq!(config.users[0].password.expose(), "x");
}

// Arbitrary input.

#[test]
fn deep_nesting_is_a_problem_and_no_crash() {
    assert!(load(&format!("a = {}", "[".repeat(100_000))).is_err());
    assert!(load(&format!("a = {}", "{a=".repeat(50_000))).is_err());
    assert!(load(&"a.".repeat(50_000)).is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = load(&text);
    }

    #[test]
    fn toml_like_text_never_panics(text in "[\\[\\]a-z_.=\"' \n0-9#{},:é-]{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn a_mutated_file_never_panics(at in 0usize..4000, cut in 0usize..20, put in ".{0,6}", which in 0usize..3) {
        let full = uncommented(FULL);
        let text = [full.as_str(), ANALYTICS, BASE][which];
        let chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        let end = (at + cut).min(chars.len());
        let mutated: String = chars[..at].iter().copied().chain(put.chars()).chain(chars[end..].iter().copied()).collect();
        if let Err(problems) = load(&mutated) {
            prop_assert!(problems.iter().count() > 0);
        }
    }

    #[test]
    fn arbitrary_variables_never_panic(name in "POINTSMAN_[A-Z_]{0,20}", value in any::<String>()) {
        let world = World::of(&[(&name, &value), ("POINTSMAN__POOLS__SIZE", &value), ("POINTSMAN_REPLICAS", &value)]);
        let _ = load_with(BASE, &world);
    }
}
