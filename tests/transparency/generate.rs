//! Sections made by chance from a seed: expressions over the fixtures' columns, queries with random clauses, parameters of
//! every binary type, cursors fetched in random pieces.

use pointsman::cluster::Flavor;

use crate::corpus::{Act, Answer, Entry, Execute, Section, Value, value};
use crate::masks::Mask;
use crate::support::random::Random;

const TABLES: &[(&str, &[&str])] = &[
    ("numbers", &["id", "t", "tu", "s", "m", "i", "iu", "b", "bu", "f", "d", "n", "nz", "bt", "bo", "zf"]),
    ("strings", &["id", "c", "v", "l", "u", "bi", "vb", "tx", "e", "st", "j"]),
    ("dates", &["id", "da", "ti", "ti3", "dt", "dt6", "ts", "y"]),
    ("people", &["id", "name", "city", "boss", "salary", "born"]),
    ("orders", &["id", "person", "item", "amount", "price", "placed"]),
];

const LITERALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2.5",
    "1e3",
    "NULL",
    "''",
    "'a'",
    "'12x'",
    "'2024-02-29'",
    "x'41ff'",
    "TRUE",
    "9223372036854775807",
    "18446744073709551615",
    "DATE '2001-02-03'",
    "'é😀'",
    "b'101'",
    "0.0000001",
];

const ONE: &[&str] = &[
    "ABS",
    "LENGTH",
    "HEX",
    "UPPER",
    "REVERSE",
    "CEIL",
    "SIGN",
    "CHAR_LENGTH",
    "DATE",
    "YEAR",
    "QUOTE",
    "ISNULL",
    "BIT_COUNT",
    "ASCII",
    "TRIM",
    "LOWER",
    "CRC32",
    "SOUNDEX",
    "TO_DAYS",
    "TIME_TO_SEC",
    "JSON_QUOTE",
    "JSON_TYPE",
    "MD5",
    "FLOOR",
    "OCT",
];

const TWO: &[&str] = &[
    "CONCAT", "IFNULL", "NULLIF", "MOD", "ROUND", "LEFT", "GREATEST", "LEAST", "INSTR", "COALESCE", "POW", "DATEDIFF",
    "FORMAT",
];

const BINARY: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "DIV",
    "%",
    "=",
    "<",
    "<=>",
    "<>",
    "AND",
    "OR",
    "XOR",
    "|",
    "&",
    "<<",
    "LIKE",
    "COLLATE utf8mb4_bin =",
];

const CASTS: &[&str] =
    &["CHAR", "SIGNED", "UNSIGNED", "DECIMAL(12,3)", "DATE", "DATETIME(3)", "BINARY", "TIME", "DOUBLE", "JSON"];

fn expression(random: &mut Random, columns: &[&str], depth: usize) -> String {
    let (a, b) = (depth.saturating_sub(1), depth.saturating_sub(1));
    match if depth == 0 { random.below(2) } else { random.below(10) } {
        0 => random.of(columns).to_owned(),
        1 => random.of(LITERALS).to_owned(),
        2 | 3 => format!("{}({})", random.of(ONE), expression(random, columns, a)),
        4 => format!("{}({}, {})", random.of(TWO), expression(random, columns, a), expression(random, columns, b)),
        5 | 6 => {
            format!("({} {} {})", expression(random, columns, a), random.of(BINARY), expression(random, columns, b))
        }
        7 => format!("CAST({} AS {})", expression(random, columns, a), random.of(CASTS)),
        8 => format!(
            "CASE WHEN {} THEN {} ELSE {} END",
            expression(random, columns, a),
            expression(random, columns, b),
            expression(random, columns, a)
        ),
        _ => format!("IF({}, {}, NULL)", expression(random, columns, a), expression(random, columns, b)),
    }
}

fn query(random: &mut Random) -> String {
    let (table, columns) = TABLES[random.below(TABLES.len())];
    let items: Vec<String> = (0..=random.below(4)).map(|_| expression(random, columns, 3)).collect();
    let mut sql = format!("SELECT {}{} FROM {table}", random.of(&["", "", "DISTINCT "]), items.join(", "));
    if random.below(3) == 0 {
        let (other, theirs) = TABLES[random.below(TABLES.len())];
        let kind = random.of(&["JOIN", "LEFT JOIN", "RIGHT JOIN"]);
        sql = format!(
            "SELECT x.{}, y.{} FROM {table} x {kind} {other} y ON x.id = y.id",
            random.of(columns),
            random.of(theirs)
        );
        // Both tables' columns have the same names.
        return format!("{sql} ORDER BY x.id, y.id");
    }
    if random.below(2) == 0 {
        sql.push_str(&format!(" WHERE {}", expression(random, columns, 2)));
    }
    match random.below(5) {
        0 => {
            let by = random.of(columns);
            let sum = random.of(&["COUNT", "MIN", "MAX", "SUM", "GROUP_CONCAT"]);
            return format!("SELECT {by}, {sum}({}) FROM {table} GROUP BY {by} ORDER BY {by}", random.of(columns));
        }
        1 => {
            sql = format!("{sql} UNION SELECT {}{}", vec!["NULL"; items.len()].join(", "), order_by_all(items.len()));
        }
        2 => sql = format!("SELECT COUNT(*) FROM ({}) d", items_named(&sql, &items)),
        // Without DISTINCT the order of rows is that of the primary key.
        _ if !sql.contains("DISTINCT") => sql.push_str(" ORDER BY id"),
        _ => sql.push_str(&order_by_all(items.len())),
    }
    if random.below(3) == 0 {
        sql.push_str(&format!(" LIMIT {}", random.below(8)));
    }
    sql
}

fn order_by_all(columns: usize) -> String {
    let numbers: Vec<String> = (1..=columns).map(|number| number.to_string()).collect();
    format!(" ORDER BY {}", numbers.join(", "))
}

/// A derived table must not have two columns of one name.
fn items_named(sql: &str, items: &[String]) -> String {
    let named: Vec<String> = items.iter().enumerate().map(|(at, item)| format!("{item} AS c{at}")).collect();
    sql.replacen(&items.join(", "), &named.join(", "), 1)
}

const VALUES: &[&str] = &[
    "null",
    "nullstr",
    "tiny:-128",
    "utiny:255",
    "short:-32768",
    "ushort:65535",
    "int:-2147483648",
    "uint:4294967295",
    "long:-9223372036854775808",
    "ulong:18446744073709551615",
    "float:1.5",
    "double:-2.25e300",
    "decimal:12345.678",
    "str:",
    "str:text",
    "varchar:日本 😀",
    "blob:\\x00\\xff\\x27",
    "char:it's",
    "date:e8070219",
    "datetime:e807021d0c22380000000000",
    "datetime:e8070101",
    "timestamp:e807021d0c2238",
    "time:00000000000a0b0c",
    "time:0101000000170b0c40420f00",
    "time:",
    "json:{\"a\": 1}",
    "bit:\\x01\\x02",
    "year:2024",
    "int24:-70000",
];

pub fn values(random: &mut Random, n: usize) -> Vec<Value> {
    (0..n).map(|_| value(random.of(VALUES)).unwrap()).collect()
}

/// Statements with this many parameters.
const PREPARED: &[(&str, usize)] = &[
    ("SELECT ?", 1),
    ("SELECT ?, ?, ?", 3),
    ("SELECT ? + ?, CONCAT(?, ?)", 4),
    ("SELECT id, name FROM people WHERE id > ? ORDER BY id", 1),
    ("SELECT n FROM series WHERE n > ? AND n <> ? ORDER BY n", 2),
    ("SELECT * FROM strings WHERE id = ?", 1),
    ("SELECT * FROM numbers WHERE i > ? OR t = ? ORDER BY id", 2),
    ("SELECT COALESCE(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", 10),
    ("INSERT INTO made (a, b) VALUES (?, ?)", 2),
    ("UPDATE made SET b = ? WHERE a = ?", 2),
    ("DELETE FROM made WHERE b = ?", 1),
];

fn prepared(random: &mut Random, entries: &mut Vec<Entry>) {
    let name = "p".to_owned();
    let (sql, parameters) = PREPARED[random.below(PREPARED.len())];
    entries.push(Entry::new(Act::Prepare(name.clone(), sql.into())));
    let types = values(random, parameters);
    // MySQL 9.7 answers an EXECUTE without a cursor wrongly once the statement has had one.
    let cursor = sql.starts_with("SELECT") && sql.contains("FROM") && random.below(2) == 0;
    // The types of the first EXECUTE are kept by MySQL, and each connection has its own first.
    for _ in 0..=random.below(2) {
        let execute = Execute { flags: u8::from(cursor), again: false, values: types.clone() };
        entries.push(Entry::new(Act::Execute(name.clone(), execute)));
        if cursor {
            for _ in 0..=random.below(3) {
                entries.push(Entry::new(Act::Fetch(name.clone(), u32::try_from(random.below(200)).unwrap() + 1)));
            }
            entries.push(Entry::new(Act::ResetStatement(name.clone())));
        }
    }
    entries.push(Entry::new(Act::Close(name)));
}

fn command(random: &mut Random, entries: &mut Vec<Entry>) {
    let raw = |answer, bytes: &[u8]| Entry::new(Act::Raw(answer, bytes.to_vec()));
    match random.below(9) {
        0 | 2 => {
            let option = [0x1B, u8::try_from(random.below(2)).unwrap(), 0];
            let mut entry = raw(Answer::One, if random.below(2) == 0 { &[0x0E] } else { &option });
            entry.gap = Some(("warnings-behind-error".to_owned(), Some(Flavor::MySql)));
            entries.push(entry);
        }
        1 => entries.push(raw(Answer::Rows, b"\x04people\0%")),
        3 => {
            let mut asks = Entry::sql("SELECT @x");
            asks.gap = Some(("user-variable-types".to_owned(), Some(Flavor::MySql)));
            entries.extend([Entry::sql("SET @x = 5"), asks]);
        }
        4 => entries.extend([
            Entry::sql("BEGIN"),
            Entry::sql("INSERT INTO made VALUES (1, 'b')"),
            Entry::sql("ROLLBACK"),
        ]),
        5 => entries.push(Entry::sql("INSERT INTO made VALUES (2, 'c'), (3, NULL)")),
        6 => entries.push(Entry::sql(random.of(&["SELECT * FROM nowhere", "SELEKT", "SELECT nothing FROM people"]))),
        7 => entries.push(Entry::sql(random.of(&[
            "SET sql_mode = 'ANSI_QUOTES'",
            "SET sql_mode = DEFAULT",
            "SET NAMES latin1",
            "SET NAMES utf8mb4",
            "SET time_zone = '+03:00'",
        ]))),
        _ => entries.push(Entry::sql("SELECT * FROM made ORDER BY a, b")),
    }
}

/// So many sections from this seed, each of some thirty entries.
pub fn sections(seed: u64, count: usize) -> Vec<Section> {
    (0..count)
        .map(|number| {
            let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
            let mut entries = vec![Entry::sql("CREATE TABLE made (a INT, b VARCHAR(50))")];
            while entries.len() < 30 {
                match random.below(6) {
                    0..=2 => entries.push(Entry::sql(query(&mut random))),
                    3 => prepared(&mut random, &mut entries),
                    4 => command(&mut random, &mut entries),
                    // Whether an index was used hangs on estimates, which each server makes for itself.
                    _ => {
                        let mut entry = Entry::sql(format!("SELECT {}", expression(&mut random, &["1"], 4)));
                        entry.masks.push(Mask::Plan);
                        entries.push(entry);
                    }
                }
            }
            Section::generated(format!("generated: seed {seed}, {number}"), entries)
        })
        .collect()
}
