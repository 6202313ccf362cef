//! How each suite is run, in the folder that scripts/get-suites.sh gave it. Compares nothing.

use std::net::SocketAddr;

use tokio::process::Command;

use crate::support::clients::{command, python, scripts, target};
use crate::{Suite, read};

/// The account of the suites, and its password.
pub(crate) const USER: &str = "suite";

const COUNTERS: &str = "SHOW SESSION STATUS counts for the connection to the server";

pub(crate) const MYSQLCLIENT: Suite = Suite {
    name: "mysqlclient",
    folder: "mysqlclient",
    schemas: &["test"],
    setup: &[],
    run: run_mysqlclient,
    read: read::words,
    labels: "tests",
    known: &[],
};
/// The tests that came with version 0.9.3, the last whose package has them, on the driver that is installed.
pub(crate) const PYMYSQL: Suite = Suite {
    name: "PyMySQL",
    folder: "PyMySQL-0.9.3",
    schemas: &["test1", "test2"],
    setup: &[],
    run: run_pymysql,
    read: read::words,
    labels: "pymysql.tests",
    known: &[],
};
pub(crate) const CONNECTOR_PYTHON: Suite = Suite {
    name: "Connector/Python",
    folder: "mysql-connector-python",
    schemas: &["myconnpy"],
    setup: &[],
    run: run_connector_python,
    read: read::words,
    labels: "",
    known: &[
        (
            "test_connection_attributes_",
            "performance_schema has the servers' ids: a client's own, as a number, is another's there",
        ),
        ("MySQLCursorPreparedTests.test_execute", "statement ids are the proxy's own"),
        (
            "test_cursor_prepared",
            "a VECTOR of bytes as a parameter of a statement prepared anew gets error 6136: not understood yet",
        ),
    ],
};
pub(crate) const DJANGO: Suite = Suite {
    name: "Django",
    folder: "Django",
    schemas: &[],
    setup: &[],
    run: run_django,
    read: read::words,
    labels: "backends basic transactions select_for_update bulk_create introspection inspectdb queries aggregation migrations \
             schema raw_query get_or_create update delete expressions annotations \
             aggregation_regress basic bulk_create constraints composite_pk custom_columns custom_lookups custom_managers custom_pk \
             datatypes dates datetimes db_functions db_typecasts db_utils defer defer_regress delete_regress distinct_on_fields empty \
             expressions_case expressions_window extra_regress field_deconstruction field_subclassing fixtures fixtures_model_package \
             force_insert_update foreign_object from_db_value generic_relations get_earliest_or_latest get_object_or_404 indexes \
             known_related_objects lookup m2m_and_m2o m2m_intermediary m2m_multiple m2m_recursive m2m_regress m2m_signals m2m_through \
             m2m_through_regress m2o_recursive managers_regress many_to_many many_to_one many_to_one_null max_lengths migrate_signals \
             migration_test_data_persistence model_enums model_fields model_formsets model_indexes model_inheritance \
             model_inheritance_regress model_meta model_options model_regress model_utils multiple_database mutually_referential \
             nested_foreign_keys no_models null_fk null_fk_ordering null_queries one_to_one or_lookups order_with_respect_to ordering \
             pagination prefetch_related properties proxy_model_inheritance proxy_models reserved_names reverse_lookup save_delete_hooks \
             select_related select_related_onetoone select_related_regress serializers sessions_tests string_lookup swappable_models \
             test_utils timezones transaction_hooks unmanaged_models update_only_fields validation xor_lookups",
    known: &[],
};
pub(crate) const SQLALCHEMY: Suite = Suite {
    name: "SQLAlchemy on mysqlclient",
    folder: "SQLAlchemy",
    schemas: &["test", "test_schema"],
    setup: &[],
    run: |suite, address| run_sqlalchemy(suite, address, "mysqldb"),
    read: read::words,
    labels: "test/dialect/mysql test/dialect/test_suite.py",
    known: &[],
};
pub(crate) const DBD: Suite = Suite {
    name: "DBD::mysql",
    folder: "dbd-mysql",
    schemas: &["test"],
    setup: &[],
    run: |suite, address| run_dbd(suite, address, "mysql"),
    read: read::tap,
    labels: "t/",
    known: &[],
};
pub(crate) const PHP: Suite = Suite {
    name: "PHP's mysqli",
    folder: "php",
    schemas: &["test"],
    setup: &[],
    run: run_php,
    read: read::phpt,
    labels: "ext/mysqli/tests",
    known: &[(
        "mysqli_pam_sha256_public_key_option_invalid.phpt",
        "a password that is known is not sent again, so that no key is needed, and a wrong one hurts nobody",
    )],
};
/// The unit tests of libmariadb, built against the installed library. Without those that need parts of it which it does not export.
pub(crate) const CONNECTOR_C: Suite = Suite {
    name: "Connector/C",
    folder: "libmariadb",
    schemas: &["test"],
    setup: &[],
    run: run_connector_c,
    read: read::tap,
    labels: "programs/*",
    known: &[(
        "t/ps_bugs test_bug36004",
        "MariaDB keeps warnings while later statements name no table (kept-warnings)",
    )],
};
pub(crate) const MYSQL_ASYNC: Suite = Suite {
    name: "mysql_async",
    folder: "mysql_async",
    schemas: &["test"],
    setup: &[],
    run: run_mysql_async,
    read: read::cargo,
    labels: "",
    known: &[],
};
/// ActiveRecord's own tests, on the version that is installed.
pub(crate) const ACTIVE_RECORD: Suite = Suite {
    name: "ActiveRecord",
    folder: "rails",
    schemas: &["activerecord_unittest", "activerecord_unittest2"],
    setup: &[],
    run: run_active_record,
    read: read::words,
    labels: "test/cases",
    known: &[],
};
/// Without the tests that need servers of Aurora or Galera, several hosts, or gigabytes.
pub(crate) const CONNECTOR_J: Suite = Suite {
    name: "Connector/J (MariaDB)",
    folder: "connector-j",
    schemas: &["testj"],
    setup: &[],
    run: run_connector_j,
    read: read::words,
    labels: "",
    known: &[
        ("MultiTest.rewrite", COUNTERS),
        (
            "DriverTest.parameterMetaDataPreparable",
            "Prepared_stmt_count is the server's: connections keep what clients closed",
        ),
        ("MariaDbPoolDataSourceTest.ensureClosed", "Threads_connected is the server's: clients share connections"),
    ],
};
/// On our own stand-in for the package of helpers that is not published with them.
pub(crate) const SQLX: Suite = Suite {
    name: "sqlx",
    folder: "sqlx",
    schemas: &["test"],
    setup: &[
        "CREATE TABLE test.tweet (id BIGINT PRIMARY KEY AUTO_INCREMENT, created_at TIMESTAMP NOT NULL DEFAULT NOW(), \
         text TEXT NOT NULL, owner_id BIGINT)",
        "CREATE TABLE test.tweet_reply (id BIGINT PRIMARY KEY AUTO_INCREMENT, tweet_id BIGINT NOT NULL, \
         created_at TIMESTAMP NOT NULL DEFAULT NOW(), text TEXT NOT NULL, owner_id BIGINT, \
         CONSTRAINT tweet_id_fk FOREIGN KEY (tweet_id) REFERENCES tweet(id))",
        "CREATE TABLE test.products (product_no INTEGER, name TEXT, price NUMERIC CHECK (price > 0))",
    ],
    run: run_sqlx,
    read: read::cargo,
    labels: "",
    known: &[],
};

fn pytest() -> Command {
    let mut run = command(python());
    run.args(["-m", "pytest", "-q", "-rpfE", "--tb=short", "-p", "no:cacheprovider"]);
    run.env("PYTHONPATH", scripts().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    run
}

fn address_for_python(run: &mut Command, address: SocketAddr) {
    run.env("PYTHONPATH", scripts().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    run.env("SUITE_HOST", address.ip().to_string()).env("SUITE_PORT", address.port().to_string());
    run.env("SUITE_USER", USER).env("SUITE_PASSWORD", USER);
}

fn run_mysqlclient(suite: &mut Suite, address: SocketAddr) -> Command {
    let login = format!(
        "[MySQLdb-tests]\nhost={}\nport={}\nuser={USER}\npassword={USER}\ndatabase=test\ndefault-character-set=utf8mb4\n",
        address.ip(),
        address.port()
    );
    let file = format!("pointsman-{}.cnf", address.port());
    std::fs::write(suite.folder().join("tests").join(&file), login).unwrap();
    let mut run = pytest();
    run.args(suite.labels.split_whitespace()).env("TESTDB", file);
    run
}

fn run_pymysql(suite: &mut Suite, address: SocketAddr) -> Command {
    let login =
        format!(r#""host": "{}", "port": {}, "user": "{USER}", "password": "{USER}""#, address.ip(), address.port());
    let first = r#""database": "test1", "use_unicode": true, "local_infile": true"#;
    let databases = format!(r#"[{{{login}, {first}}}, {{{login}, "database": "test2"}}]"#);
    std::fs::write(suite.folder().join("pymysql/tests/databases.json"), databases).unwrap();
    let mut run = pytest();
    run.args(["-p", "pymysql_suite", "--pyargs"])
        .args(suite.labels.split_whitespace())
        .env("SUITE_FOLDER", suite.folder());
    run
}

fn run_connector_python(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command(python());
    run.arg(scripts().join("python/connector_suite.py")).args(suite.labels.split_whitespace());
    address_for_python(&mut run, address);
    run
}

fn run_django(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command(python());
    run.arg("tests/runtests.py").args(["--settings=django_suite", "--parallel=1", "--noinput"]);
    run.args(suite.labels.split_whitespace());
    address_for_python(&mut run, address);
    run
}

fn run_sqlalchemy(suite: &Suite, address: SocketAddr, driver: &str) -> Command {
    let mut run = pytest();
    run.args(suite.labels.split_whitespace());
    run.arg("--dburi").arg(format!("mysql+{driver}://{USER}:{USER}@{address}/test?charset=utf8mb4"));
    run
}

pub(crate) fn sqlalchemy_on_pymysql(suite: &mut Suite, address: SocketAddr) -> Command {
    run_sqlalchemy(suite, address, "pymysql")
}

pub(crate) fn sqlalchemy_on_asyncmy(suite: &mut Suite, address: SocketAddr) -> Command {
    run_sqlalchemy(suite, address, "asyncmy")
}

fn run_dbd(suite: &Suite, address: SocketAddr, driver: &str) -> Command {
    let login = format!("DBI:{driver}:database=test;host={};port={}", address.ip(), address.port());
    let mut run = command("prove");
    run.arg("-v").args(suite.labels.split_whitespace());
    run.env("DBI_DSN", login).env("DBI_USER", USER).env("DBI_PASS", USER);
    run
}

pub(crate) fn dbd_mariadb(suite: &mut Suite, address: SocketAddr) -> Command {
    run_dbd(suite, address, "MariaDB")
}

fn run_php(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command("php");
    run.args(["run-tests.php", "-q", "-p", "/usr/bin/php", "--no-color", "--set-timeout", "60"]);
    run.args(suite.labels.split_whitespace()).args(["-d", "mysqli.allow_local_infile=1"]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    run.env("MYSQL_TEST_HOST", &host).env("MYSQL_TEST_PORT", &port).env("MYSQL_TEST_DB", "test");
    run.env("MYSQL_TEST_USER", USER).env("MYSQL_TEST_PASSWD", USER);
    run.env("PDO_MYSQL_TEST_DSN", format!("mysql:host={host};port={port};dbname=test"));
    run.env("PDO_MYSQL_TEST_USER", USER).env("PDO_MYSQL_TEST_PASS", USER);
    run.env("NO_INTERACTION", "1");
    run
}

fn run_connector_c(suite: &mut Suite, address: SocketAddr) -> Command {
    let mut run = command("sh");
    // As `prove` names them, which does not know what they print on stderr.
    let run_all = r#"for program; do echo "t/${program##*/} .."; timeout 300 "$program"; done"#;
    run.args(["-c", &format!("set -- {}; {run_all}", suite.labels)]);
    run.env("MARIADB_CC_TEST", "1").env("MYSQL_TEST_HOST", address.ip().to_string());
    run.env("MYSQL_TEST_PORT", address.port().to_string()).env("MYSQL_TEST_DB", "test");
    run.env("MYSQL_TEST_USER", USER).env("MYSQL_TEST_PASSWD", USER);
    run
}

fn run_active_record(suite: &mut Suite, address: SocketAddr) -> Command {
    let script = scripts().join("ruby/active_record_suite.rb");
    let mut run = command("sh");
    run.args(["-c", r#"cd activerecord && exec ruby -W0 "$@""#, "sh"])
        .arg(script)
        .args(suite.labels.split_whitespace());
    run.env("ARCONN", "mysql2").env("ARCONFIG", scripts().join("ruby/active_record.yml"));
    run.env("SUITE_HOST", address.ip().to_string()).env("SUITE_PORT", address.port().to_string());
    run.env("SUITE_USER", USER).env("SUITE_PASSWORD", USER);
    run
}

fn run_connector_j(suite: &mut Suite, address: SocketAddr) -> Command {
    let jars = ["mariadb-java-client", "junit4", "hamcrest", "slf4j-api", "jna", "jna-platform"];
    let mut classes = vec!["built".to_owned(), "src/test/resources".to_owned()];
    classes.extend(jars.map(|jar| format!("/usr/share/java/{jar}.jar")));
    let mut run = command("java");
    run.args(["-Dfile.encoding=UTF-8", "-Xmx2g", "-cp", &classes.join(":")]);
    run.arg(scripts().join("java/Suite.java")).arg("built").args(suite.labels.split_whitespace());
    run.env("TEST_DB_HOST", address.ip().to_string()).env("TEST_DB_PORT", address.port().to_string());
    run.env("TEST_DB_USER", USER).env("TEST_DB_PASSWORD", USER);
    run
}

/// `cargo test` in a package of its own, whose build stays from run to run.
fn cargo_test(address: SocketAddr, parameters: &str, arguments: &str) -> Command {
    let mut run = command("sh");
    run.args(["-c", &format!("cargo test --locked --no-fail-fast --color never {arguments} 2>&1")]);
    run.env("CARGO_TARGET_DIR", target().join("suites/rust"));
    run.env("DATABASE_URL", format!("mysql://{USER}:{USER}@{address}/test{parameters}"));
    run
}

/// It would ask for @@socket and connect there, around the proxy.
fn run_mysql_async(_: &mut Suite, address: SocketAddr) -> Command {
    cargo_test(address, "?prefer_socket=false", "--lib --no-default-features --features minimal-rust,derive,binlog")
}

fn run_sqlx(_: &mut Suite, address: SocketAddr) -> Command {
    cargo_test(address, "", "--tests")
}
