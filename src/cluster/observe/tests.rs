use super::*;
use crate::cluster::{Role, Warning};

const RULES: Rules = Rules { failures: 2, stale_after: Duration::from_secs(2) };

fn server(id: u16, role: Role) -> Server {
    Server {
        id: ServerId(id),
        name: format!("s{id}").into(),
        address: "h:3306".into(),
        role,
        weight: 1,
        pools: vec!["default".into()],
        state: ServerState::default(),
    }
}

fn healthy(role: Role) -> Seen {
    Seen {
        version: "8.4.0".into(),
        flavor: Flavor::MySql,
        idle: None,
        read_only: role == Role::Replica,
        replication: if role == Role::Replica { Replication::Running } else { Replication::None },
        detail: None,
        lag: if role == Role::Replica { Lag::Known(Duration::ZERO) } else { Lag::Unknown },
        missing_grant: None,
        account: "monitor@%".into(),
        took: Duration::from_millis(1),
    }
}

fn replica(edit: impl FnOnce(&mut Seen)) -> Result<Seen, Arc<str>> {
    let mut seen = healthy(Role::Replica);
    edit(&mut seen);
    Ok(seen)
}

fn stopped() -> Result<Seen, Arc<str>> {
    replica(|seen| {
        seen.replication = Replication::Stopped;
        seen.lag = Lag::Stopped;
        seen.detail = Some("SQL thread: No (error 1062)".into());
    })
}

fn refused() -> Result<Seen, Arc<str>> {
    Err("connection refused".into())
}

/// What is told at each of a row of observations, one second apart, in short words.
fn told(role: Role, row: Vec<Result<Seen, Arc<str>>>) -> Vec<String> {
    let start = crate::clock::now();
    let mut cluster = Cluster::new(vec![server(0, role)]);
    let mut all = Vec::new();
    for (second, seen) in (0..).zip(row) {
        let now = start + Duration::from_secs(second);
        let (next, changes) = cluster.observe(&Observation { server: ServerId(0), seen }, &RULES, now);
        let words: Vec<String> = changes.iter().map(word).collect();
        all.push(words.join(" "));
        cluster = next;
    }
    all
}

fn word(change: &Change) -> String {
    match change {
        Change::Up { was_down: None } => "up".to_owned(),
        Change::Up { was_down: Some(time) } => format!("up({time:?})"),
        Change::Down { failures, .. } => format!("down({failures})"),
        Change::Version { version } => version.to_string(),
        Change::ReadOnly { read_only } => format!("read_only={read_only}"),
        Change::Replication { now, detail } => format!("{now:?}({})", detail.as_deref().unwrap_or("")),
        Change::Warned(warning) => format!("+{warning:?}"),
        Change::Cleared(warning) => format!("-{warning:?}"),
    }
}

#[test]
fn each_change_is_told_once() {
    let ok = || Ok(healthy(Role::Replica));
    let table = [
        ("quiet when nothing changes", Role::Replica, vec![ok(), ok(), ok()], vec!["8.4.0 up", "", ""]),
        ("one failure is not down", Role::Replica, vec![ok(), refused(), ok()], vec!["8.4.0 up", "", ""]),
        (
            "down after two failures, up after one success",
            Role::Replica,
            vec![ok(), refused(), refused(), refused(), ok()],
            vec!["8.4.0 up", "", "down(2)", "", "up(2s)"],
        ),
        (
            "failures must be in a row",
            Role::Replica,
            vec![ok(), refused(), ok(), refused(), ok()],
            vec!["8.4.0 up", "", "", "", ""],
        ),
        ("never seen, then down", Role::Primary, vec![refused(), refused()], vec!["", "down(2)"]),
        (
            "a stopped replica is told with its cause, and across a restart only once",
            Role::Replica,
            vec![ok(), stopped(), stopped(), refused(), refused(), stopped(), ok()],
            vec!["8.4.0 up", "Stopped(SQL thread: No (error 1062))", "", "", "down(2)", "up(1s)", "Running()"],
        ),
        (
            "NULL lag while running",
            Role::Replica,
            vec![ok(), replica(|seen| seen.lag = Lag::Unknown), replica(|seen| seen.lag = Lag::Unknown), ok()],
            vec!["8.4.0 up", "+LagUnknown", "", "-LagUnknown"],
        ),
        (
            "a replica that is not one",
            Role::Replica,
            vec![Ok(healthy(Role::Primary)), Ok(healthy(Role::Primary)), ok()],
            vec![
                "8.4.0 up +ReplicaWritable +ReplicaWithoutSource",
                "",
                "read_only=true Running() -ReplicaWritable -ReplicaWithoutSource",
            ],
        ),
        (
            "a demoted primary",
            Role::Primary,
            vec![Ok(healthy(Role::Primary)), replica(|seen| seen.replication = Replication::None)],
            vec!["8.4.0 up", "read_only=true +PrimaryReadOnly"],
        ),
        (
            "an upgrade",
            Role::Replica,
            vec![ok(), replica(|seen| seen.version = "9.0.0".into())],
            vec!["8.4.0 up", "9.0.0"],
        ),
        (
            "a missing grant",
            Role::Replica,
            vec![
                replica(|seen| {
                    seen.replication = Replication::Unknown;
                    seen.lag = Lag::Unknown;
                    seen.missing_grant = Some("REPLICATION CLIENT");
                }),
                ok(),
            ],
            vec!["8.4.0 up +MissingGrant(\"REPLICATION CLIENT\")", "-MissingGrant(\"REPLICATION CLIENT\")"],
        ),
    ];
    for (what, role, row, expected) in table {
        assert_eq!(told(role, row), expected, "{what}");
    }
}

#[test]
fn an_old_observation_is_not_trusted() {
    let start = crate::clock::now();
    let observe =
        |cluster: &Cluster, seen, now| cluster.observe(&Observation { server: ServerId(0), seen }, &RULES, now).0;
    let cluster = Cluster::new(vec![server(0, Role::Replica)]);
    let lag = |cluster: &Cluster, now| cluster.servers()[0].state.lag_at(now, RULES.stale_after);
    assert_eq!(lag(&cluster, start), Lag::Unknown, "never observed");

    let cluster = observe(&cluster, Ok(healthy(Role::Replica)), start);
    assert_eq!(lag(&cluster, start + Duration::from_secs(2)), Lag::Known(Duration::ZERO));
    assert_eq!(lag(&cluster, start + Duration::from_millis(2001)), Lag::Unknown, "stale");

    // A failed observation does not make the lag of the one before it any younger.
    let cluster = observe(&cluster, refused(), start + Duration::from_millis(1500));
    assert!(cluster.servers()[0].state.is_up());
    assert_eq!(lag(&cluster, start + Duration::from_secs(2)), Lag::Known(Duration::ZERO));
    assert_eq!(lag(&cluster, start + Duration::from_millis(2001)), Lag::Unknown, "stale after a failure");

    let cluster = observe(&cluster, refused(), start + Duration::from_millis(1600));
    assert!(!cluster.servers()[0].state.is_up());
    assert_eq!(lag(&cluster, start + Duration::from_millis(1600)), Lag::Unknown, "down");
}

#[test]
fn a_stopped_replica_is_not_an_idle_one() {
    let start = crate::clock::now();
    let cluster = Cluster::new(vec![server(0, Role::Replica)]);
    let (cluster, _) = cluster.observe(&Observation { server: ServerId(0), seen: stopped() }, &RULES, start);
    assert_eq!(cluster.servers()[0].state.lag_at(start, RULES.stale_after), Lag::Stopped);
}

#[test]
fn only_the_observed_server_changes() {
    let start = crate::clock::now();
    let cluster = Cluster::new(vec![server(0, Role::Primary), server(1, Role::Replica)]);
    let (next, _) = cluster.observe(&Observation { server: ServerId(1), seen: stopped() }, &RULES, start);
    assert!(Arc::ptr_eq(&cluster.servers()[0], &next.servers()[0]));
    assert!(next.servers()[1].state.is_up());
    let (same, told) = next.observe(&Observation { server: ServerId(7), seen: stopped() }, &RULES, start);
    assert!(told.is_empty());
    assert!(next.servers().iter().zip(same.servers()).all(|(old, new)| Arc::ptr_eq(old, new)));
}

#[test]
fn the_newest_reason_of_a_server_that_is_down_is_kept() {
    let start = crate::clock::now();
    let mut cluster = Cluster::new(vec![server(0, Role::Primary)]);
    for (second, reason) in (0..).zip(["refused", "refused", "timed out"]) {
        let observation = Observation { server: ServerId(0), seen: Err(reason.into()) };
        cluster = cluster.observe(&observation, &RULES, start + Duration::from_secs(second)).0;
    }
    let expected = Health::Down { since: start + Duration::from_secs(1), reason: "timed out".into() };
    assert_eq!(cluster.servers()[0].state.health, expected);
}

#[test]
fn a_warning_says_what_to_do() {
    let text = Warning::MissingGrant("SLAVE MONITOR").to_string();
    assert!(text.contains("GRANT SLAVE MONITOR ON *.*"), "{text}");
}

#[test]
fn flavors_by_version() {
    let table = [
        ("", Flavor::Unknown),
        ("10.11.6-MariaDB-0+deb12u1", Flavor::MariaDb),
        ("5.5.5-10.6.14-MariaDB-log", Flavor::MariaDb),
        ("8.0.36", Flavor::MySql),
        ("9.7.4-1", Flavor::MySql),
        ("8.0.mysql_aurora.3.04.0", Flavor::MySql),
    ];
    for (version, flavor) in table {
        assert_eq!(Flavor::from_version(version), flavor, "{version}");
    }
}
