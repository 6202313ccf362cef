use std::collections::BTreeSet;

use prometheus::TextEncoder;

use super::*;
use crate::sql::StatementKind;
use crate::telemetry::{Command, PoolSample};

fn registered() -> (Registry, Metrics) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry, &["db1".into(), "db2".into()], &["transaction"], &["schema"]).unwrap();
    (registry, metrics)
}

fn record() -> Record {
    Record {
        server: Some(ServerId(1)),
        target: TargetLabel::Replica,
        reason: RouteReason::Read,
        kind: Kind::Statement(StatementKind::Select),
        total: Duration::from_micros(900),
        waited: Duration::from_micros(880),
        bytes_from_client: 40,
        bytes_to_client: 2000,
        bytes_from_server: 2010,
        bytes_to_server: 41,
        error: None,
    }
}

fn text(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|known| known == line), "no line `{line}` in\n{text}");
}

#[test]
fn a_finished_statement_is_counted() {
    let (registry, metrics) = registered();
    metrics.finish(&record());
    metrics.finish(&Record { error: Some((1064, Origin::Server)), ..record() });
    let answered = Record { server: None, target: TargetLabel::Proxy, reason: RouteReason::Proxy, ..record() };
    metrics.finish(&Record { kind: Kind::Command(Command::Ping), ..answered });
    let text = text(&registry);
    has(&text, r#"pointsman_statements_total{kind="select",reason="read",server="db2",target="replica"} 2"#);
    has(&text, r#"pointsman_statements_total{kind="com_ping",reason="proxy",server="none",target="proxy"} 1"#);
    has(&text, r#"pointsman_route_reasons_total{reason="read"} 2"#);
    has(&text, r#"pointsman_route_reasons_total{reason="write"} 0"#);
    has(&text, r#"pointsman_statement_seconds_bucket{target="replica",le="0.001"} 2"#);
    has(&text, r#"pointsman_statement_seconds_bucket{target="replica",le="0.0005"} 0"#);
    has(&text, r#"pointsman_proxy_seconds_bucket{target="replica",le="0.000025"} 2"#);
    has(&text, r#"pointsman_bytes_total{direction="to_client"} 6000"#);
    has(&text, r#"pointsman_errors_total{code="1064",origin="server"} 1"#);
}

#[test]
fn every_reason_and_server_is_there_from_the_first_scrape() {
    let (registry, _metrics) = registered();
    let text = text(&registry);
    for reason in RouteReason::ALL {
        has(&text, &format!(r#"pointsman_route_reasons_total{{reason="{}"}} 0"#, reason.as_str()));
    }
    has(&text, r#"pointsman_server_up{server="db2"} 0"#);
    has(&text, r#"pointsman_server_lag_seconds{server="db1"} NaN"#);
    has(&text, r#"pointsman_backend_connects_total{result="denied",server="db1"} 0"#);
    has(&text, r#"pointsman_pins_total{cause="transaction"} 0"#);
    has(&text, r#"pointsman_pool_connections{server="db1",state="idle"} 0"#);
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
}

#[test]
fn error_codes_are_bounded() {
    let (registry, metrics) = registered();
    for code in 1000..2000 {
        metrics.error(code, Origin::Server);
    }
    metrics.error(1000, Origin::Server);
    let text = text(&registry);
    has(&text, r#"pointsman_errors_total{code="1000",origin="server"} 2"#);
    has(&text, r#"pointsman_errors_total{code="other",origin="server"} 800"#);
}

#[test]
fn every_kind_has_its_own_index() {
    let kinds = [
        StatementKind::Empty,
        StatementKind::Select,
        StatementKind::Show,
        StatementKind::Write,
        StatementKind::Ddl,
        StatementKind::Call,
        StatementKind::Do,
        StatementKind::Begin { read_only: false },
        StatementKind::Commit,
        StatementKind::Rollback,
        StatementKind::Savepoint,
        StatementKind::Set,
        StatementKind::SetTransaction,
        StatementKind::Use,
        StatementKind::Kill,
        StatementKind::LockTables,
        StatementKind::UnlockTables,
        StatementKind::Handler,
        StatementKind::Prepare,
        StatementKind::Xa,
        StatementKind::Multi,
        StatementKind::Opaque,
    ];
    let all = kinds.map(Kind::Statement).into_iter().chain(Command::ALL.iter().map(|command| Kind::Command(*command)));
    let (indexes, labels): (BTreeSet<_>, BTreeSet<_>) = all.map(|kind| (kind.index(), kind.as_str())).unzip();
    assert_eq!(indexes, (0..Kind::COUNT).collect());
    assert_eq!(labels.len(), Kind::COUNT);
}

#[test]
fn a_servers_state_is_shown() {
    let (registry, metrics) = registered();
    let mut state = ServerState {
        health: crate::cluster::Health::Up,
        read_only: Some(true),
        replication: Replication::Running,
        lag: Lag::Known(Duration::from_millis(1500)),
        ..ServerState::default()
    };
    metrics.server_observed(ServerId(1), &state);
    let running = text(&registry);
    has(&running, r#"pointsman_server_up{server="db2"} 1"#);
    has(&running, r#"pointsman_server_read_only{server="db2"} 1"#);
    has(&running, r#"pointsman_server_replication_running{server="db2"} 1"#);
    has(&running, r#"pointsman_server_lag_seconds{server="db2"} 1.5"#);
    state.replication = Replication::Stopped;
    state.lag = Lag::Stopped;
    metrics.server_observed(ServerId(1), &state);
    let stopped = text(&registry);
    has(&stopped, r#"pointsman_server_replication_running{server="db2"} 0"#);
    has(&stopped, r#"pointsman_server_lag_seconds{server="db2"} NaN"#);
}

#[test]
fn pools_are_asked_at_each_scrape_and_added_up() {
    struct Fixed;
    impl PoolStatus for Fixed {
        fn pools(&self) -> Vec<PoolSample> {
            let sample = PoolSample { server: "db1".into(), busy: 2, idle: 1, waiting: 3 };
            vec![sample.clone(), sample]
        }
    }
    let (registry, metrics) = registered();
    assert!(metrics.watch_pools(Arc::new(Fixed)));
    assert!(!metrics.watch_pools(Arc::new(Fixed)), "only the first counts");
    let text = text(&registry);
    has(&text, r#"pointsman_pool_connections{server="db1",state="busy"} 4"#);
    has(&text, r#"pointsman_pool_waiting{server="db1"} 6"#);
}

/// Headings of the form "### `name`" in the page are the list.
#[test]
fn the_page_and_the_registry_name_the_same_metrics() {
    let (registry, metrics) = registered();
    metrics.finish(&Record { error: Some((1064, Origin::Server)), ..record() });
    let registered: BTreeSet<String> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
    let page = include_str!("../../../docs/metrics.md");
    let documented: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).map(str::to_owned).collect();
    assert_eq!(documented, registered);
    for label in ClientRefusal::ALL
        .iter()
        .map(|label| label.as_str())
        .chain(LoginFailure::ALL.iter().map(|label| label.as_str()))
        .chain(ConnectResult::ALL.iter().map(|label| label.as_str()))
        .chain(RetryCause::ALL.iter().map(|label| label.as_str()))
    {
        assert!(page.contains(&format!("`{label}`")), "docs/metrics.md does not explain the label `{label}`");
    }
}

/// `cargo test --release --lib -- --ignored --nocapture cost_of_finish`
#[test]
#[ignore = "a measurement; say --release"]
fn cost_of_finish() {
    const ROUNDS: u32 = 2_000_000;
    let (_registry, metrics) = registered();
    let record = record();
    metrics.finish(&record);
    let start = clock::now();
    for _ in 0..ROUNDS {
        metrics.finish(std::hint::black_box(&record));
    }
    let each = start.elapsed() / ROUNDS;
    println!("finish: {} ns", each.as_nanos());
}
