"""asyncmy: connection, prepared by the client, streaming cursor, pool of tasks."""

import asyncio
import logging

import asyncmy
from asyncmy.cursors import DictCursor, SSCursor
from asyncmy.errors import MySQLError

from common import big, host, password, port, say, schema, user

# It logs warnings of the server.
logging.disable(logging.WARNING)
login = dict(host=host, port=port, user=user, password=password, db=schema, charset="utf8mb4")


async def main():
    connection = await asyncmy.connect(**login, autocommit=True)
    say("server", [connection.get_server_info(), connection.get_proto_info()])

    async def rows(text, values=None, kind=None):
        async with connection.cursor(kind) as cursor:
            await cursor.execute(text, values)
            return [cursor.rowcount, cursor.description, await cursor.fetchall()]

    async def write(text, values=None):
        async with connection.cursor() as cursor:
            await cursor.execute(text, values)
            return [cursor.rowcount, cursor.lastrowid]

    say("before", await rows("SELECT 'before' AS phase, o.id, o.total, o.placed_at, o.note FROM orders o WHERE customer_id = %s ORDER BY id DESC LIMIT 5", (7,)))
    say("count", await rows("SELECT 'before' AS phase, COUNT(*) FROM orders"))
    say("one", await rows("SELECT 'before' AS phase, orders.* FROM orders WHERE id = %s", (107,), DictCursor))
    say("kinds", await rows("SELECT * FROM kinds ORDER BY id"))
    await connection.begin()
    say("lock", await rows("SELECT stock FROM products WHERE id = 3 FOR UPDATE"))
    say("take", await write("UPDATE products SET stock = stock - 2 WHERE id = 3"))
    say("order", await write("INSERT INTO orders (customer_id, total, placed_at, note) VALUES (7, 1.5, '2024-12-24', %s)", ("🎁",)))
    say("id", connection.insert_id())
    await connection.commit()
    await connection.begin()
    await write("DELETE FROM items")
    await connection.rollback()
    say("items", await rows("SELECT COUNT(*) FROM items"))
    async with connection.cursor() as cursor:
        say("many", await cursor.executemany("INSERT INTO imports (id, name, amount) VALUES (%s, %s, %s)", [(i, f"é {i}", i / 4) for i in range(3000)]))
        say("found rows", await cursor.execute("UPDATE imports SET seen = 1 WHERE id < 10"))
        await cursor.execute("CREATE PROCEDURE two(IN a INT) BEGIN SELECT a AS a; SELECT name FROM customers LIMIT 2; END")
        await cursor.callproc("two", (7,))
        say("call", await cursor.fetchall())
        while await cursor.nextset():
            say("call", await cursor.fetchall())
        await cursor.execute("DROP PROCEDURE two")
        say("warning", await cursor.execute("INSERT IGNORE INTO imports (id, name) VALUES (1, 'again')"))
        await cursor.execute("SHOW WARNINGS")
        say("warnings", await cursor.fetchall())
    # It cannot read back what takes more than one packet.
    for size in [1 << 20, (16 << 20) - 100]:
        await write("INSERT INTO uploads (name, body) VALUES (%s, %s)", (str(size), big(size)))
        say("big", await rows("SELECT name, LENGTH(body), SHA2(body, 256) FROM uploads WHERE name = %s", (str(size),)))
        say("big", await rows("SELECT body FROM uploads WHERE name = %s", (str(size),)))
    for text in ["SELEC 1", "SELECT * FROM nowhere", "INSERT INTO customers (id, name) VALUES (1, 'x')", "SELECT * FROM vault.secrets"]:
        try:
            say("none", await rows(text))
        except MySQLError as error:
            say("error", [type(error).__name__, list(error.args)])
    async with connection.cursor(SSCursor) as cursor:
        await cursor.execute("SELECT a.d * 10000 + b.d * 1000 + c.d * 100 + d.d * 10 + e.d FROM digits a, digits b, digits c, digits d, digits e")
        total = 0
        while row := await cursor.fetchone():
            total += row[0]
        say("streamed", total)
    await connection.ping()
    await connection.select_db("information_schema")
    say("schema", await rows("SELECT DATABASE()"))
    await connection.ensure_closed()

    pool = await asyncmy.create_pool(**login, minsize=1, maxsize=4, autocommit=True)

    async def work(number):
        async with pool.acquire() as one, one.cursor() as cursor:
            await cursor.execute("SELECT %s * 2, SLEEP(0.01)", (number,))
            return (await cursor.fetchone())[0]

    say("pool", await asyncio.gather(*[work(number) for number in range(20)]))
    pool.close()
    await pool.wait_closed()
    try:
        await asyncmy.connect(**{**login, "password": "wrong"})
    except MySQLError as error:
        say("refused", error.args[0])


asyncio.run(main())
