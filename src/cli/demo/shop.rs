//! The demo's shop: its tables, and what its import, its order page and its checkout ask of them.

use std::net::SocketAddr;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};

use crate::sandbox::{APP, Sandbox, SandboxServer};

pub(super) const ORDERS: u64 = 50_000;
pub(super) const CUSTOMERS: u64 = 500;
pub(super) const PRODUCTS: u64 = 200;
const STOCK: u64 = 100_000;

/// Rows in one INSERT of the first load: some 150 KB, well below every server's packet limit.
const LOAD_ROWS: u64 = 1_000;

/// Rows that one batch of the import inserts, and as many that it updates.
pub(super) const BATCH_ROWS: u64 = 20;

const STATUSES: [&str; 5] = ["open", "paid", "packed", "sent", "returned"];

/// Small, quick, and the same at every run: the two phases get the same load.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 1 to `most`.
    pub(super) fn upto(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1) + 1
    }

    fn status(&mut self) -> &'static str {
        let at = usize::try_from(self.upto(5) - 1).unwrap_or(0);
        STATUSES.get(at).copied().unwrap_or("open")
    }
}

/// A connection of the application.
pub(super) async fn connect(address: SocketAddr) -> Result<Conn, Error> {
    Conn::new(APP.opts(address)).await
}

/// Makes the tables and fills them.
pub(super) async fn load(address: SocketAddr) -> Result<(), Error> {
    let mut conn = connect(address).await?;
    for statement in [
        "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, city VARCHAR(40) NOT NULL)",
        "CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, price DECIMAL(10,2) NOT NULL, \
         stock INT NOT NULL)",
        "CREATE TABLE orders (id BIGINT PRIMARY KEY AUTO_INCREMENT, customer_id INT NOT NULL, product_id INT NOT NULL, \
         status VARCHAR(12) NOT NULL, total DECIMAL(10,2) NOT NULL, details JSON NOT NULL, \
         created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), INDEX (customer_id, created_at), INDEX (status))",
    ] {
        conn.query_drop(statement).await?;
    }
    let customers: Vec<_> = (1..=CUSTOMERS).map(|id| format!("({id}, 'Customer {id}', 'City {}')", id % 40)).collect();
    conn.query_drop(format!("INSERT INTO customers VALUES {}", customers.join(", "))).await?;
    let products: Vec<_> =
        (1..=PRODUCTS).map(|id| format!("({id}, 'Product {id}', {}.90, {STOCK})", id % 90 + 5)).collect();
    conn.query_drop(format!("INSERT INTO products VALUES {}", products.join(", "))).await?;
    let mut dice = Dice::new(1);
    for _ in 0..ORDERS / LOAD_ROWS {
        conn.query_drop(insert(&mut dice, LOAD_ROWS)).await?;
    }
    conn.disconnect().await
}

fn insert(dice: &mut Dice, rows: u64) -> String {
    let mut sql = String::with_capacity(usize::try_from(rows * 180).unwrap_or_default());
    sql.push_str("INSERT INTO orders (customer_id, product_id, status, total, details) VALUES ");
    for row in 0..rows {
        let (customer, product, status) = (dice.upto(CUSTOMERS), dice.upto(PRODUCTS), dice.status());
        let (total, parcel, note) = (dice.upto(900), dice.upto(1_000_000_000), dice.upto(9999));
        let comma = if row == 0 { "" } else { ", " };
        sql.push_str(&format!(
            "{comma}({customer}, {product}, '{status}', {total}.50, '{{\"source\": \"import\", \"parcel\": \"P{parcel:010}\", \
             \"gift\": {}, \"note\": \"leave at door {note}\", \"lines\": [{{\"sku\": \"S-{product}\", \"qty\": 1}}]}}')",
            note % 2 == 0,
        ));
    }
    sql
}

/// One transaction of the import: new orders, and old ones that change. `part` of `parts`: importers keep apart.
pub(super) async fn import(conn: &mut Conn, dice: &mut Dice, part: u64, parts: u64) -> Result<(), Error> {
    let share = ORDERS / parts.max(1);
    let first = part * share + dice.upto(share - BATCH_ROWS);
    let (last, status) = (first + BATCH_ROWS - 1, dice.status());
    conn.query_drop("BEGIN").await?;
    conn.query_drop(insert(dice, BATCH_ROWS)).await?;
    let update =
        format!("UPDATE orders SET status = '{status}', total = total + 0.01 WHERE id BETWEEN {first} AND {last}");
    conn.query_drop(update).await?;
    conn.query_drop("COMMIT").await
}

/// The statements of one order page; `?` is the customer, or the order.
const PAGE: [(&str, bool); 4] = [
    (
        "SELECT id, product_id, status, total, created_at, details FROM orders WHERE customer_id = ? \
         ORDER BY created_at DESC, id DESC LIMIT 20",
        true,
    ),
    ("SELECT status, COUNT(*), SUM(total) FROM orders WHERE customer_id = ? GROUP BY status", true),
    ("SELECT id, customer_id, status, total, details FROM orders WHERE id = ?", false),
    (
        "SELECT o.id, o.total, c.name, p.name, p.price FROM orders o JOIN customers c ON c.id = o.customer_id \
         JOIN products p ON p.id = o.product_id WHERE o.customer_id = ? ORDER BY o.total DESC LIMIT 10",
        true,
    ),
];

/// How many statements a page has.
pub(super) const PAGE_STATEMENTS: usize = PAGE.len();

/// One order page, with prepared statements or as text.
pub(super) async fn page(conn: &mut Conn, dice: &mut Dice, prepared: bool) -> Result<(), Error> {
    let (customer, order) = (dice.upto(CUSTOMERS), dice.upto(ORDERS));
    for (statement, by_customer) in PAGE {
        let id = if by_customer { customer } else { order };
        let rows: Vec<Row> = if prepared {
            conn.exec(statement, (id,)).await?
        } else {
            conn.query(statement.replace('?', &id.to_string())).await?
        };
        if rows.is_empty() && !by_customer {
            return Err(Error::Other(format!("order {order} is missing").into()));
        }
    }
    Ok(())
}

/// How a checkout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkout {
    /// Committed, and the session then saw its own write.
    Seen,
    /// Committed, but the session then read a state before its write.
    Stale,
}

/// Whether the fate of a failed checkout is known.
#[derive(Debug)]
pub(super) struct CheckoutError {
    pub(super) error: Error,
    /// It failed in COMMIT: it may have happened.
    pub(super) uncertain: bool,
}

impl From<Error> for CheckoutError {
    fn from(error: Error) -> Self {
        Self { error, uncertain: false }
    }
}

/// One checkout: takes one piece from the stock under a lock, writes the order, and reads both back afterwards.
pub(super) async fn checkout(conn: &mut Conn, dice: &mut Dice) -> Result<Checkout, CheckoutError> {
    let (product, customer) = (dice.upto(PRODUCTS), dice.upto(CUSTOMERS));
    conn.query_drop("BEGIN").await?;
    let locked: Option<(i64, String)> =
        conn.exec_first("SELECT stock, price FROM products WHERE id = ? FOR UPDATE", (product,)).await?;
    let Some((stock, price)) = locked else {
        return Err(Error::Other(format!("product {product} is missing").into()).into());
    };
    conn.exec_drop("UPDATE products SET stock = ? WHERE id = ?", (stock - 1, product)).await?;
    let order =
        "INSERT INTO orders (customer_id, product_id, status, total, details) VALUES (?, ?, 'checkout', ?, '{}')";
    conn.exec_drop(order, (customer, product, price)).await?;
    let id = conn.last_insert_id();
    if let Err(error) = conn.query_drop("COMMIT").await {
        return Err(CheckoutError { error, uncertain: true });
    }
    let query = "SELECT o.id, p.stock FROM products p LEFT JOIN orders o ON o.id = ? WHERE p.id = ?";
    // What follows cannot undo the commit: a failure here is told by the caller's next statement.
    let seen: Option<(Option<u64>, i64)> = match conn.exec_first(query, (id, product)).await {
        Ok(seen) => seen,
        Err(_) => return Ok(Checkout::Stale),
    };
    // Stock only falls, so that a higher one than was written is an older one.
    let fresh = seen.is_some_and(|(order, now)| order.is_some() && order == id && now < stock);
    Ok(if fresh { Checkout::Seen } else { Checkout::Stale })
}

/// What one server holds, for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Books {
    /// Pieces taken from the stock.
    pub(super) taken: u64,
    /// Orders that checkouts wrote.
    pub(super) ordered: u64,
    /// The checksums of the tables, as the server makes them.
    pub(super) checksums: Vec<String>,
}

/// Reads the books of one server, as root and past the proxy.
pub(super) async fn books(server: &SandboxServer) -> anyhow::Result<Books> {
    let mut root = server.root().await?;
    let stock: Option<u64> = root.query_first("SELECT CAST(SUM(stock) AS UNSIGNED) FROM app.products").await?;
    let ordered: Option<u64> = root.query_first("SELECT COUNT(*) FROM app.orders WHERE status = 'checkout'").await?;
    let sums: Vec<(String, Option<String>)> =
        root.query("CHECKSUM TABLE app.customers, app.products, app.orders").await?;
    root.disconnect().await?;
    Ok(Books {
        taken: (PRODUCTS * STOCK).saturating_sub(stock.unwrap_or_default()),
        ordered: ordered.unwrap_or_default(),
        checksums: sums.into_iter().map(|(table, sum)| format!("{table} {}", sum.unwrap_or_default())).collect(),
    })
}

/// The books of all servers, the primary's first.
pub(super) async fn all_books(sandbox: &Sandbox) -> anyhow::Result<Vec<Books>> {
    let mut all = Vec::new();
    for server in sandbox.servers() {
        all.push(books(server).await?);
    }
    Ok(all)
}
