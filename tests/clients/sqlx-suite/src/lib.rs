//! What the tests of sqlx ask of the package `sqlx_test`, which is not published: a connection, and tests of a type.

use std::fmt::Write as _;

use sqlx::{Connection, Database};

/// Other suites read a file of settings here.
pub fn setup_if_needed() {}

/// A connection to `DATABASE_URL`.
pub async fn new<Db: Database>() -> anyhow::Result<Db::Connection> {
    Ok(<Db::Connection as Connection>::connect(&std::env::var("DATABASE_URL")?).await?)
}

/// The question of a test: `{0}` is where its literal stands.
pub fn question(form: &str, literal: &str) -> String {
    form.replace("{0}", literal)
}


/// All differences of a test in one message.
#[derive(Default)]
pub struct Differences(String);

impl Differences {
    pub fn add(&mut self, literal: &str, saw: impl std::fmt::Debug) {
        let _ = writeln!(self.0, "{literal}: {saw:?}");
    }

    pub fn end(self) {
        assert!(self.0.is_empty(), "{}", self.0);
    }
}

/// Values that go as a parameter and come back, in the binary protocol.
#[macro_export]
macro_rules! test_prepared_type {
    ($name:ident<$type:ty>($db:ident, $form:literal, $($literal:literal == $value:expr),+ $(,)?)) => {
        $crate::paste::paste! {
            #[tokio::test]
            async fn [<prepared_ $name>]() -> anyhow::Result<()> {
                use sqlx::Row as _;
                let mut one = $crate::new::<$db>().await?;
                let mut differences = $crate::Differences::default();
                $(
                    let sql = $crate::question($form, $literal);
                    let value = Into::<$type>::into($value);
                    let other = Into::<$type>::into($value);
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(value).bind(other).fetch_one(&mut one).await?;
                    let (same, literal, parameter) = (row.try_get::<i32, _>(0)?, row.try_get::<$type, _>(1)?, row.try_get::<$type, _>(2)?);
                    let wanted = Into::<$type>::into($value);
                    if same == 0 || literal != wanted || parameter != wanted {
                        differences.add($literal, (same, literal, parameter));
                    }
                )+
                differences.end();
                Ok(())
            }
        }
    };
    ($name:ident<$type:ty>($db:ident, $($literal:literal == $value:expr),+ $(,)?)) => {
        $crate::test_prepared_type!($name<$type>($db, "SELECT CAST({0} <=> ? AS SIGNED INTEGER), {0}, ?", $($literal == $value),+));
    };
}

/// Values that come back, in the text protocol.
#[macro_export]
macro_rules! test_unprepared_type {
    ($name:ident<$type:ty>($db:ident, $($literal:literal == $value:expr),+ $(,)?)) => {
        $crate::paste::paste! {
            #[tokio::test]
            async fn [<unprepared_ $name>]() -> anyhow::Result<()> {
                use sqlx::Row as _;
                let mut one = $crate::new::<$db>().await?;
                let mut differences = $crate::Differences::default();
                $(
                    let sql = $crate::question("SELECT {0}", $literal);
                    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(&mut one).await?;
                    let literal = row.try_get::<$type, _>(0)?;
                    let wanted = Into::<$type>::into($value);
                    if literal != wanted {
                        differences.add($literal, literal);
                    }
                )+
                differences.end();
                Ok(())
            }
        }
    };
}

/// Both.
#[macro_export]
macro_rules! test_type {
    ($name:ident<$type:ty>($db:ident, $form:literal, $($literal:literal == $value:expr),+ $(,)?)) => {
        $crate::test_prepared_type!($name<$type>($db, $form, $($literal == $value),+));
        $crate::test_unprepared_type!($name<$type>($db, $($literal == $value),+));
    };
    ($name:ident<$type:ty>($db:ident, $($literal:literal == $value:expr),+ $(,)?)) => {
        $crate::test_prepared_type!($name<$type>($db, $($literal == $value),+));
        $crate::test_unprepared_type!($name<$type>($db, $($literal == $value),+));
    };
    ($name:ident($db:ident, $($literal:literal == $value:expr),+ $(,)?)) => {
        $crate::test_type!($name<$name>($db, $($literal == $value),+));
    };
}

pub use paste;
