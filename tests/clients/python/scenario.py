"""The scenario with a Python driver: scenario.py DRIVER HOST PORT USER PASSWORD SCHEMA.

DRIVER is pymysql, connector (mysql-connector-python) or connector-prepared.
"""

import datetime
import decimal
import json
import os
import pathlib
import sys
import tempfile

driver, host, port, user, password, schema = sys.argv[1:]
statements = json.loads((pathlib.Path(__file__).parent / "../statements.json").read_text("utf-8"))
login = dict(host=host, port=int(port), user=user, password=password, database=schema, charset="utf8mb4")

if driver == "pymysql":
    import pymysql
    import pymysql.cursors

    Error = pymysql.MySQLError
    connect = lambda: pymysql.connect(**login, local_infile=True)
    cursor = lambda connection: connection.cursor()
    streaming = lambda connection: connection.cursor(pymysql.cursors.SSCursor)
else:
    import mysql.connector

    Error = mysql.connector.Error
    prepared = driver == "connector-prepared"
    # The wheel without the C part runs everywhere.
    pure = {"use_pure": True}
    connect = lambda: mysql.connector.connect(**login, **pure, allow_local_infile=True)
    cursor = lambda connection: connection.cursor(prepared=prepared)
    streaming = lambda connection: connection.cursor(buffered=False)


def plain(value):
    """A value with its type, as JSON can hold it."""
    if isinstance(value, decimal.Decimal):
        return f"decimal {value}"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.timedelta)):
        return f"{type(value).__name__} {value}"
    if isinstance(value, (bytes, bytearray)):
        return f"{type(value).__name__} {value.hex()}"
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def say(what, value):
    print(json.dumps({"what": what, "saw": plain(value)}, ensure_ascii=False))


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
    if driver == "pymysql":
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
if driver == "pymysql":
    connection.autocommit(True)
else:
    connection.autocommit = True
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
if driver == "pymysql":
    say("call", called.fetchall())
    while called.nextset():
        say("call", called.fetchall())
else:
    say("call", [result.fetchall() for result in called.stored_results()])
called.execute("DROP PROCEDURE two")
called.close()
connection.ping(reconnect=False)

for text in statements["errors"]:
    say("error", error(text))
say("alive", rows("SELECT 1 AS one"))

million = connect()
if driver == "pymysql":
    million.autocommit(True)
else:
    million.autocommit = True
stream = streaming(million)
# The other drivers without C parts take many seconds for a million.
stream.execute(statement("million") + ("" if driver == "pymysql" else " LIMIT 100000"))
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
off.autocommit(False) if driver == "pymysql" else setattr(off, "autocommit", False)
with_cursor = off.cursor()
with_cursor.execute("SELECT 'implicit' AS phase, COUNT(*) FROM orders")
say("implicit", with_cursor.fetchall())
with_cursor.execute("DELETE FROM orders WHERE customer_id = 9")
say("implicit deleted", with_cursor.rowcount)
off.rollback()
with_cursor.execute("SELECT 'implicit' AS phase, COUNT(*) FROM orders")
say("implicit after", with_cursor.fetchall())
off.close()
connection.close()
