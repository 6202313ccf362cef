"""The scenario with a Python driver: scenario.py DRIVER HOST PORT USER PASSWORD SCHEMA.

DRIVER is pymysql, mysqlclient, connector (mysql-connector-python), connector-c (its C extension) or connector-prepared.
"""

import sys

if sys.argv[1] == "connector-c":
    # First: it brings a newer OpenSSL than the system's, which other modules load.
    import _mysql_connector  # noqa: F401

import decimal
import json
import os
import pathlib
import tempfile

from common import BIG, big, host, mode as driver, password, port, say, schema, user

statements = json.loads((pathlib.Path(__file__).parent / "../statements.json").read_text("utf-8"))
login = dict(host=host, port=port, user=user, password=password, database=schema, charset="utf8mb4")

if driver == "pymysql":
    import pymysql
    import pymysql.cursors

    Error = pymysql.MySQLError
    connect = lambda **more: pymysql.connect(**{**login, "local_infile": True, **more})
    cursor = lambda connection: connection.cursor()
    streaming = lambda connection: connection.cursor(pymysql.cursors.SSCursor)
elif driver == "mysqlclient":
    import MySQLdb
    import MySQLdb.cursors

    Error = MySQLdb.Error
    connect = lambda **more: MySQLdb.connect(**{**login, "local_infile": True, **more})
    cursor = lambda connection: connection.cursor()
    streaming = lambda connection: connection.cursor(MySQLdb.cursors.SSCursor)
else:
    import mysql.connector

    Error = mysql.connector.Error
    prepared = driver == "connector-prepared"
    c_part = {"use_pure": driver != "connector-c"}
    connect = lambda **more: mysql.connector.connect(**{**login, **c_part, "allow_local_infile": True, **more})
    cursor = lambda connection: connection.cursor(prepared=prepared)
    streaming = lambda connection: connection.cursor(buffered=False)

dbapi = driver in ("pymysql", "mysqlclient")


def autocommit(connection, on):
    if dbapi:
        connection.autocommit(on)
    else:
        connection.autocommit = on


def statement(name, **fill):
    text = statements[name]
    for key, value in fill.items():
        text = text.replace("{" + key + "}", value)
    return text.replace("?", "%s")


def import_rows(begin, end):
    return ", ".join(f"({i}, 'name {i} é', {i % 100}.25)" for i in range(begin, end))


connection = connect()


def run(text, *values):
    with_cursor = cursor(connection)
    with_cursor.execute(text, values)
    return with_cursor


def rows(text, *values):
    done = run(text, *values)
    found = done.fetchall()
    done.close()
    return found


def write(text, *values):
    # Long texts and LOAD DATA are not prepared.
    done = connection.cursor() if not values else cursor(connection)
    done.execute(text, values)
    saw = [done.rowcount, done.lastrowid]
    done.close()
    return saw


def page(phase):
    say(f"{phase} latest", rows(statement("latest", phase=phase), 7))
    say(f"{phase} count", rows(statement("count", phase=phase), 7))
    say(f"{phase} one", rows(statement("one", phase=phase), 107))
    say(f"{phase} one again", rows(statement("one", phase=phase), 108))
    say(f"{phase} none", rows(statement("one", phase=phase), 4000000))
    say(f"{phase} join", rows(statement("join", phase=phase), 7, decimal.Decimal("1000.50")))
    done = run(statement("latest", phase=phase), 7)
    done.fetchall()
    say(f"{phase} metadata", done.description)
    done.close()


def checkout(commit):
    if dbapi:
        connection.begin()
    else:
        connection.start_transaction()
    say("lock", rows(statement("lock"), 3))
    say("take", write(statement("take"), 2, 3))
    order = write(statement("order"), 7, decimal.Decimal("39.98"), '{"gift": "🎁"}', None)
    say("order", order)
    say("item", write(statement("last_item"), 1, 3, 2))
    say("item", write(statement("item"), order[1], 2, 4, 1))
    say("last id", rows(statement("last_id")))
    if commit:
        connection.commit()
    else:
        connection.rollback()


def error(text):
    try:
        return ["none", rows(text)]
    except Error as problem:
        return list(problem.args) + [getattr(problem, "sqlstate", None)]


# Python drivers switch autocommit off when they connect, and every read would open a transaction.
autocommit(connection, True)
page("before")
checkout(True)
page("bought")
checkout(False)
page("returned")

for begin in range(0, 4000, 1000):
    say("import", write(statement("import", rows=import_rows(begin, begin + 1000))))
say("upsert", write(statement("upsert", rows=import_rows(3500, 5000))))
with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
    file.writelines(f"{i}\tloaded {i}\t{i % 7}.50\n" for i in range(10000, 13000))
say("load", write(f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE imports (id, name, amount)"))
os.unlink(file.name)
say("imported", rows(statement("imported")))

many = cursor(connection)
many.executemany("INSERT INTO imports (id, name, amount) VALUES (%s, %s, %s)", [(i, f"many {i} 🎁", i / 4) for i in range(60000, 60500)])
say("many", many.rowcount)
many.close()
called = connection.cursor()
called.execute("CREATE PROCEDURE two(IN a INT) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; END")
called.callproc("two", (7,))
if dbapi:
    say("call", called.fetchall())
    while called.nextset():
        say("call", called.fetchall())
else:
    say("call", [result.fetchall() for result in called.stored_results()])
called.execute("DROP PROCEDURE two")
called.close()
connection.ping(*([] if driver == "mysqlclient" else [False]))

for text in statements["errors"]:
    say("error", error(text))
say("alive", rows("SELECT 1 AS one"))

million = connect()
autocommit(million, True)
stream = streaming(million)
# Drivers without C parts take many seconds for a million.
stream.execute(statement("million") + ("" if driver == "mysqlclient" else " WHERE a.d < 1"))
count = total = size = 0
for number, text in stream:
    count += 1
    total += int(number)
    size += len(text)
stream.close()
million.close()
say("million", [count, total, size])

# With autocommit off, a read opens a transaction, and the write is in it.
off = connect()
autocommit(off, False)
with_cursor = off.cursor()
with_cursor.execute("SELECT 'implicit' AS phase, COUNT(*) FROM orders")
say("implicit", with_cursor.fetchall())
with_cursor.execute("DELETE FROM orders WHERE customer_id = 9")
say("implicit deleted", with_cursor.rowcount)
off.rollback()
with_cursor.execute("SELECT 'implicit' AS phase, COUNT(*) FROM orders")
say("implicit after", with_cursor.fetchall())
off.close()

# Types, values of 1 and 17 MiB, warnings, states of the session.
# Its prepared cursor cannot read a binary row with a YEAR or a POINT.
say("kinds", rows("SELECT * FROM kinds ORDER BY id" if driver != "connector-prepared" else "SELECT tiny, tiny_u, small, medium, whole, whole_u, big, big_u, exact, single, twice, yes, day, moment, stamp, few, some, many, words, raw, body, one, several FROM kinds ORDER BY id"))
for size in BIG:
    say("upload", write("INSERT INTO uploads (name, body) VALUES (?, ?)".replace("?", "%s"), str(size), big(size)))
    say("uploaded", rows("SELECT LENGTH(body), SHA2(body, 256), body FROM uploads WHERE name = %s", str(size)))
say("ignored", write("INSERT IGNORE INTO customers (id, name) VALUES (1, 'again')"))
done = connection.cursor()
done.execute("SHOW WARNINGS")
say("warnings", done.fetchall())
done.execute("SELECT CAST('12 apples' AS SIGNED)")
say("truncated", done.fetchall())
done.execute("SHOW WARNINGS")
say("warnings", done.fetchall())
done.close()
say("same", write("UPDATE customers SET name = name"))
found = connect(client_flag=2) if dbapi else connect(client_flags=[2])
done = found.cursor()
done.execute("UPDATE customers SET name = name")
say("same, found rows", done.rowcount)
for level in ("READ UNCOMMITTED", "SERIALIZABLE"):
    done.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
    done.execute("SELECT @@transaction_isolation" if rows("SELECT VERSION()")[0][0].find("Maria") < 0 else "SELECT @@tx_isolation")
    say("isolation", done.fetchall())
done.execute("SET @kept = 5, SESSION sql_mode = 'ANSI_QUOTES'")
done.execute("CREATE TEMPORARY TABLE scratch (id INT)")
if not dbapi:
    found.cmd_change_user(user, password, schema)
    found.cmd_reset_connection()
if driver == "mysqlclient":
    found.change_user(user, password, schema)
done.execute("SELECT @kept, @@sql_mode, DATABASE()")
say("changed user", done.fetchall())
found.close()
for wrong in [{"password": "wrong"}, {"user": "nobody"}, {"database": "no_such_schema"}]:
    try:
        connect(**wrong)
        say("refused", "not")
    except Error as problem:
        # The text names the host that the server saw, and for a user that is not there the proxy must not tell.
        say("refused", problem.args[0])
if driver == "pymysql":
    import pymysql.constants.CLIENT as flags

    multi = connect(client_flag=flags.MULTI_STATEMENTS)
    done = multi.cursor()
    done.execute("SELECT 1 AS a; DO 0; SELECT 2 AS b, 'x' AS c")
    say("multi", done.fetchall())
    while done.nextset():
        say("multi", [done.rowcount, done.fetchall()])
    # What the connection lost, ping finds again.
    multi._sock.close()
    multi.ping(reconnect=True)
    done.execute("SELECT 'again'")
    say("reconnected", done.fetchall())
elif driver.startswith("connector"):
    connection.cmd_query("SELECT 1")
    connection.get_rows()
    say("ping", connection.is_connected())
    connection.reconnect()
    say("reconnected", rows("SELECT 'again'"))
    import mysql.connector.pooling

    pool = mysql.connector.pooling.MySQLConnectionPool(pool_size=2, **login, **c_part)
    for number in range(5):
        one = pool.get_connection()
        done = one.cursor()
        done.execute(f"SELECT {number}, @seen")
        say("pooled", done.fetchall())
        done.execute("SET @seen = 1")
        one.close()
else:
    multi = connect(client_flag=1 << 16)
    multi.query("SELECT 1 AS a; DO 0; SELECT 2 AS b, 'x' AS c")
    while True:
        result = multi.store_result()
        say("multi", result and result.fetch_row(0))
        if multi.next_result() != 0:
            break
    say("info", [multi.get_character_set_info()["name"], multi.thread_id() > 0, multi.get_proto_info()])
connection.close()
