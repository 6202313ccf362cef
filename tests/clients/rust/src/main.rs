//! sqlx: clients sqlx HOST PORT USER PASSWORD SCHEMA; a login of sqlx or mysql_async: clients probe-sqlx|probe-mysql_async CA.

mod probe;

use std::fmt::Debug;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow, MySqlSslMode};
use sqlx::types::chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use sqlx::types::{BigDecimal, Json};
use sqlx::{Column as _, Connection as _, Executor as _, MySqlConnection, Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _};

#[derive(Debug, sqlx::FromRow)]
#[allow(dead_code, reason = "printed")]
struct Order {
    id: u32,
    customer_id: i32,
    total: BigDecimal,
    placed_at: NaiveDateTime,
    paid_on: Option<NaiveDate>,
    attributes: Option<Json<serde_json_value::Value>>,
    note: Option<String>,
}

/// JSON as sqlx reads it, without a crate more: its own re-export.
mod serde_json_value {
    pub type Value = sqlx::types::JsonValue;
}

fn say(what: &str, saw: impl Debug) {
    println!("{what} {saw:?}");
}

fn failure(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => format!("{:?} {} unique {}", error.code(), error.message(), error.is_unique_violation()),
        None => format!("{error}"),
    }
}

fn big(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 257) as u8).collect()
}

fn described(row: &MySqlRow) -> Vec<String> {
    row.columns().iter().map(|column| format!("{} {}", column.name(), column.type_info().name())).collect()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), sqlx::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, authority] = &arguments[..] {
        probe::all(mode, authority).await;
        return Ok(());
    }
    let [_, host, port, user, password, schema] = &arguments[..] else { panic!("six arguments") };
    let options = MySqlConnectOptions::new()
        .host(host)
        .port(port.parse().expect("a port"))
        .username(user)
        .password(password)
        .database(schema)
        .ssl_mode(MySqlSslMode::Disabled);
    let mut one = MySqlConnection::connect_with(&options).await?;

    let orders: Vec<Order> =
        sqlx::query_as("SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = ? ORDER BY id DESC LIMIT 3")
            .bind(7)
            .fetch_all(&mut one)
            .await?;
    say("before", orders);
    let count: (String, i64) = sqlx::query_as("SELECT 'before' AS phase, COUNT(*) FROM orders").fetch_one(&mut one).await?;
    say("count", count);
    let statement = one.prepare(sqlx::AssertSqlSafe("SELECT * FROM kinds WHERE id = ?").into_sql_str()).await?;
    let shown: Vec<_> = statement.columns().iter().map(|c| format!("{} {}", c.name(), c.type_info().name())).collect();
    say("prepared", (statement.parameters().map(|_| ()), shown));
    for id in 1..=3 {
        let row = sqlx::query("SELECT * FROM kinds WHERE id = ?").bind(id).fetch_one(&mut one).await?;
        say("columns", described(&row));
        say("integers", (row.get::<Option<i8>, _>("tiny"), row.get::<Option<u8>, _>("tiny_u"), row.get::<Option<i16>, _>("small"), row.get::<Option<i32>, _>("medium")));
        say("integers", (row.get::<Option<i32>, _>("whole"), row.get::<Option<u32>, _>("whole_u"), row.get::<Option<i64>, _>("big"), row.get::<Option<u64>, _>("big_u")));
        say("numbers", (row.get::<Option<BigDecimal>, _>("exact"), row.get::<Option<f32>, _>("single"), row.get::<Option<f64>, _>("twice"), row.get::<Option<bool>, _>("yes")));
        say("times", (row.get::<Option<NaiveDate>, _>("day"), row.get::<Option<NaiveDateTime>, _>("moment"), row.get::<Option<DateTime<Utc>>, _>("stamp"), row.get::<Option<u16>, _>("anno")));
        say("clock", row.try_get::<Option<NaiveTime>, _>("clock").map_err(|_| "not of a day"));
        say("texts", (row.get::<Option<String>, _>("few"), row.get::<Option<String>, _>("some"), row.get::<Option<String>, _>("many"), row.get::<Option<String>, _>("words"), row.get::<Option<String>, _>("one")));
        say("bytes", (row.get::<Option<Vec<u8>>, _>("raw"), row.get::<Option<Vec<u8>>, _>("fixed"), row.get::<Option<Vec<u8>>, _>("body"), row.try_get::<Option<sqlx::types::JsonValue>, _>("doc").map_err(|error| error.to_string())));
    }
    let text = one.fetch_one(sqlx::raw_sql("SELECT * FROM kinds WHERE id = 1")).await?;
    say("text", (described(&text), text.get::<i64, _>("big"), text.get::<String, _>("many")));

    let mut transaction = one.begin().await?;
    let stock: u32 = sqlx::query_scalar("SELECT stock FROM products WHERE id = ? FOR UPDATE").bind(3).fetch_one(&mut *transaction).await?;
    say("lock", stock);
    say("take", sqlx::query("UPDATE products SET stock = stock - ? WHERE id = ?").bind(2).bind(3).execute(&mut *transaction).await?.rows_affected());
    let made = sqlx::query("INSERT INTO orders (customer_id, total, placed_at, attributes, note) VALUES (?, ?, ?, ?, ?)")
        .bind(7)
        .bind("39.98".parse::<BigDecimal>().expect("a number"))
        .bind(NaiveDate::from_ymd_opt(2024, 12, 24).and_then(|day| day.and_hms_milli_opt(18, 0, 0, 500)))
        .bind(Json(vec!["🎁"]))
        .bind(None::<String>)
        .execute(&mut *transaction)
        .await?;
    say("order", (made.last_insert_id(), made.rows_affected()));
    let mut nested = transaction.begin().await?;
    nested.execute("DELETE FROM items").await?;
    nested.rollback().await?;
    transaction.commit().await?;
    let mut dropped = one.begin().await?;
    dropped.execute("DELETE FROM items").await?;
    // Rolled back before the next command.
    drop(dropped);
    say("items", sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM items").fetch_one(&mut one).await?);

    for size in [1 << 20, 17 << 20] {
        let body = big(size);
        say("upload", sqlx::query("INSERT INTO uploads (name, body) VALUES (?, ?)").bind(size.to_string()).bind(&body).execute(&mut one).await?.last_insert_id());
        let (sum, back): (String, Vec<u8>) = sqlx::query_as("SELECT SHA2(body, 256), body FROM uploads WHERE name = ?").bind(size.to_string()).fetch_one(&mut one).await?;
        say("uploaded", (sum, back.len(), back == body));
    }
    let mut many: sqlx::QueryBuilder<sqlx::MySql> = sqlx::QueryBuilder::new("INSERT INTO imports (id, name, amount) ");
    many.push_values(0..3000, |mut row, id| {
        row.push_bind(id).push_bind(format!("é {id} 🎁")).push_bind((id % 5 != 0).then_some(f64::from(id) / 4.0));
    });
    say("many", many.build().execute(&mut one).await?.rows_affected());
    let imported: (i64, Option<BigDecimal>) = sqlx::query_as("SELECT COUNT(*), SUM(amount) FROM imports").fetch_one(&mut one).await?;
    say("imported", imported);
    for wrong in [
        "INSERT INTO customers (id, name) VALUES (1, 'again')",
        "SELEC 1 FROM customers",
        "SELECT * FROM no_such_table",
        "SELECT no_such_column FROM customers",
        "SELECT * FROM vault.secrets",
        "UPDATE products SET stock = -1 WHERE id = 1",
        "SELECT 1 FROM customers WHERE id = (SELECT id FROM customers)",
    ] {
        say("error", sqlx::query(wrong).fetch_all(&mut one).await.map(|rows| rows.len()).map_err(|error| failure(&error)));
        say("error", one.fetch_all(sqlx::raw_sql(wrong)).await.map(|rows| rows.len()).map_err(|error| failure(&error)));
    }
    let mut results = sqlx::raw_sql("SELECT 1 AS a; DO 0; INSERT INTO uploads (name) VALUES ('a'), ('b'); SELECT 2 AS b, 'x' AS c").fetch_many(&mut one);
    while let Some(saw) = results.try_next().await? {
        match saw {
            sqlx::Either::Left(done) => say("done", (done.rows_affected(), done.last_insert_id())),
            sqlx::Either::Right(row) => say("row", described(&row)),
        }
    }
    drop(results);
    let (mut rows, mut sum) = (0, 0);
    let mut stream = sqlx::query_scalar::<_, i64>("SELECT a.d * 10000 + b.d * 1000 + c.d * 100 + d.d * 10 + e.d FROM digits a, digits b, digits c, digits d, digits e").fetch(&mut one);
    while let Some(n) = stream.try_next().await? {
        (rows, sum) = (rows + 1, sum + n);
    }
    drop(stream);
    say("streamed", (rows, sum));
    // A stream that is dropped in its middle: the rest is read away before the next command.
    let first = sqlx::query_scalar::<_, i32>("SELECT d FROM digits ORDER BY d").fetch(&mut one).try_next().await?;
    say("first", (first, sqlx::query_scalar::<_, i32>("SELECT 5").fetch_one(&mut one).await?));
    // More statements than its cache holds: closed and prepared again.
    let mut total = 0_i64;
    for round in 0..2 {
        for n in 0..120 {
            let text = format!("SELECT ? + {n} + {round} - {round}");
            total += sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(text)).bind(n).fetch_one(&mut one).await?;
        }
    }
    say("statements", (total, one.cached_statements_size()));
    one.ping().await?;
    one.close().await?;

    let pool = MySqlPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(20)).test_before_acquire(true).connect_with(options.clone()).await?;
    let tasks: Vec<_> = (0..30)
        .map(|n: i64| {
            let pool = pool.clone();
            tokio::spawn(async move { sqlx::query_scalar::<_, i64>("SELECT ? * 2").bind(n).fetch_one(&pool).await })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("a task")?;
    }
    say("pool", (sum, pool.size() <= 4));
    pool.close().await;
    for wrong in [options.clone().password("wrong"), options.clone().database("no_such_schema")] {
        let refused = MySqlConnection::connect_with(&wrong).await.map(|_| ());
        say("refused", refused.map_err(|error| error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()))));
    }
    Ok(())
}
