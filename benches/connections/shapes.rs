//! What applications do: PHP's queries and requests, and the rows that they ask for.

use std::cell::Cell;
use std::net::SocketAddr;

use mysql_async::prelude::Queryable as _;
use pointsman::sandbox::{APP, Sandbox};

use super::client::Client;

/// Rows of the tables.
const ROWS: u64 = 10_000;

/// What Laravel says on each new connection.
const OPENING: &str = "set names 'utf8mb4' collate 'utf8mb4_unicode_ci', session sql_mode='ONLY_FULL_GROUP_BY,\
    STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'";

/// The queries of a page, as an object mapper writes them.
const PAGE: [&str; 5] = [
    "select * from `users` where `id` = ? limit 1",
    "select `id`, `name` from `orders` where `orders`.`user_id` = ? order by `id` desc limit 10",
    "select count(*) as aggregate from `orders` where `user_id` = ?",
    "select `orders`.`id`, `users`.`name` from `orders` inner join `users` on `users`.`id` = `orders`.`user_id` \
     where `orders`.`id` = ? limit 1",
    "select `name` from `orders` where `id` = ? and `name` is not null limit 1",
];

/// Makes the tables.
pub(crate) async fn prepare(servers: &Sandbox) -> anyhow::Result<()> {
    let mut direct = servers.primary().connect(APP).await?;
    let digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let numbers = format!(
        "(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n FROM {digits} a, {digits} b, {digits} c, {digits} d)"
    );
    for statement in [
        "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(60), email VARCHAR(120))".to_owned(),
        "CREATE TABLE orders (id INT PRIMARY KEY, user_id INT, name VARCHAR(120), KEY (user_id))".to_owned(),
        format!("INSERT INTO users SELECT n, CONCAT('user ', n), CONCAT('user', n, '@example.org') FROM {numbers} q"),
        format!("INSERT INTO orders SELECT n, n DIV 10, CONCAT('order ', n, REPEAT('.', 80)) FROM {numbers} q"),
    ] {
        direct.query_drop(statement).await?;
    }
    direct.disconnect().await?;
    Ok(())
}

/// Numbers that differ, without more.
fn next(number: &Cell<u64>) -> u64 {
    // Knuth's multiplier for 64 bits; the upper bits are good.
    number.set(number.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    (number.get() >> 33) % ROWS
}

/// A session that sends a text query by its key again and again.
pub(crate) fn point_select(client: &mut Client, number: &Cell<u64>) -> anyhow::Result<()> {
    client.query(&format!("SELECT name FROM orders WHERE id = {}", next(number)))
}

/// A connection that stays, and prepares each query.
pub(crate) struct Pdo {
    client: Client,
    number: Cell<u64>,
    at: usize,
}

impl Pdo {
    pub(crate) fn new(address: SocketAddr, seed: usize) -> anyhow::Result<Self> {
        Ok(Self { client: Client::login(address, APP)?, number: Cell::new(seed as u64), at: seed })
    }

    /// One query.
    pub(crate) fn query(&mut self) -> anyhow::Result<()> {
        self.at += 1;
        let sql = PAGE.get(self.at % PAGE.len()).copied().unwrap_or_default();
        self.client.prepared(sql, next(&self.number))
    }
}

/// A whole request of PHP: it connects, says the opening, asks five queries and leaves.
pub(crate) fn request(address: SocketAddr, number: &Cell<u64>) -> anyhow::Result<()> {
    let mut client = Client::login(address, APP)?;
    client.query(OPENING)?;
    for sql in PAGE {
        client.prepared(sql, next(number))?;
    }
    client.quit()
}
