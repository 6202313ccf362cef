//! Rules and hints on real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use mysql_async::prelude::Queryable as _;
use pointsman::cli::explain::{Assumptions, Explainer};
use pointsman::config::{NoVariables, Source, parse};

/// What `explain` prints as a fingerprint is what a rule matches in a running proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_by_fingerprint_matches_in_another_process() {
    let Some(servers) = support::servers(1).await else { return };
    let config = parse(Some(Source { name: "test", text: &support::configuration(&servers, "") }), &NoVariables);
    let explainer = Explainer::new(config.unwrap().config, Assumptions::default());
    let explained = explainer.explain("SELECT v FROM t WHERE id = 1", &[] as &[&str], false);
    let fingerprint = explained.json()["fingerprint"].as_str().unwrap().to_owned();

    let rule = format!("[[rules]]\nname='hot'\nfingerprint='{fingerprint}'\ntarget='primary'\n");
    let proxy = support::proxy(&servers, &rule).await;
    let stage = support::Stage { servers, proxy };
    stage.prepare(&["CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 10), (2, 20)"]).await;
    let mut client = stage.client().await;
    let ruled: Option<i32> = client.query_first("SELECT v FROM t WHERE id = 2").await.unwrap();
    let other: Option<i32> = client.query_first("SELECT v FROM t WHERE id > 1").await.unwrap();
    assert_eq!((ruled, other), (Some(20), Some(20)));
    assert_eq!(stage.ran_on("SELECT v FROM t WHERE id = 2"), ["primary"]);
    assert_eq!(stage.ran_on("SELECT v FROM t WHERE id > 1"), ["replica1"]);
    stage.end().await;
}
