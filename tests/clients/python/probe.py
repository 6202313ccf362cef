"""Logs in, asks with a parameter, and prints the account: probe.py DRIVER HOST PORT USER PASSWORD off|on. `on`: only with TLS."""

import asyncio
import ssl
import sys

driver, host, port, user, password, tls = sys.argv[1:]
login = dict(host=host, port=int(port), user=user, password=password)
# No authority is known here: what matters is that all of the connection is inside TLS.
anyone = ssl.create_default_context()
anyone.check_hostname = False
anyone.verify_mode = ssl.CERT_NONE
ask = "SELECT CURRENT_USER(), %s"

if driver == "pymysql":
    import pymysql

    connection = pymysql.connect(**login, **({"ssl": anyone} if tls == "on" else {"ssl_disabled": True}))
elif driver == "mysqlclient":
    import MySQLdb

    connection = MySQLdb.connect(**login, **({"ssl": {"cipher": "ALL"}, "ssl_mode": "REQUIRED"} if tls == "on" else {"ssl_mode": "DISABLED"}))
elif driver == "connector":
    import mysql.connector

    connection = mysql.connector.connect(**login, use_pure=True, ssl_disabled=tls == "off")
    if tls == "on":
        assert connection._ssl_active or connection.is_secure
elif driver == "asyncmy":
    import asyncmy

    async def main():
        one = await asyncmy.connect(**login, **({"ssl": anyone} if tls == "on" else {}))
        async with one.cursor() as cursor:
            await cursor.execute(ask, ("é",))
            print(*await cursor.fetchone())
        await one.ensure_closed()

    asyncio.run(main())
    sys.exit()
cursor = connection.cursor()
cursor.execute(ask, ("é",))
print(*cursor.fetchone())
