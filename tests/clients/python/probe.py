"""probe.py DRIVER CA: for each line HOST PORT USER PASSWORD off|on|verified of its input one line: the account and the parameter, or why
not. `on`: only with TLS; `verified`: and with the server's certificate and name verified."""

import asyncio
import ssl
import sys

driver, authority = sys.argv[1:]
ASK = "SELECT CURRENT_USER(), %s"


def context(tls):
    if tls == "verified":
        return ssl.create_default_context(cafile=authority)
    # What matters is that all of the connection is inside TLS.
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    return anyone


def of_pymysql(tls):
    return {"ssl_disabled": True} if tls == "off" else {"ssl": context(tls)}


def of_mysqlclient(tls):
    if tls == "verified":
        return {"ssl": {"ca": authority}, "ssl_mode": "VERIFY_IDENTITY"}
    return {"ssl": {"cipher": "ALL"}, "ssl_mode": "REQUIRED"} if tls == "on" else {"ssl_mode": "DISABLED"}


def asked(connection):
    with connection.cursor() as cursor:
        cursor.execute(ASK, ("é",))
        return cursor.fetchone()


def pymysql_(login, tls):
    import pymysql

    with pymysql.connect(**login, **of_pymysql(tls)) as one:
        return asked(one)


def mysqlclient(login, tls):
    import MySQLdb

    one = MySQLdb.connect(**login, **of_mysqlclient(tls))
    row = asked(one)
    one.close()
    return row


def connector(login, tls):
    import mysql.connector

    how = {"off": {"ssl_disabled": True}, "on": {}, "verified": {"ssl_ca": authority, "ssl_verify_cert": True, "ssl_verify_identity": True}}
    with mysql.connector.connect(**login, **how[tls], use_pure=True) as one:
        assert tls == "off" or one.is_secure, "not in TLS"
        return asked(one)


def asyncmy_(login, tls):
    import asyncmy

    async def main():
        one = await asyncmy.connect(**login, **({"ssl": context(tls)} if tls != "off" else {}))
        async with one.cursor() as cursor:
            await cursor.execute(ASK, ("é",))
            row = await cursor.fetchone()
        await one.ensure_closed()
        return row

    return asyncio.run(main())


def sqlalchemy_(login, tls):
    import sqlalchemy as sa

    url = sa.URL.create("mysql+pymysql", login["user"], login["password"], login["host"], login["port"])
    engine = sa.create_engine(url, connect_args=of_pymysql(tls))
    with engine.connect() as one:
        row = one.execute(sa.text("SELECT CURRENT_USER(), :said"), {"said": "é"}).one()
    engine.dispose()
    return row


def django_(login, tls):
    import django
    from django.conf import settings
    from django.db import connections

    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.dummy"}}, LOGGING_CONFIG=None)
        django.setup()
    name = f"{login['port']} {login['user']} {tls}"
    options = {"charset": "utf8mb4", **of_mysqlclient(tls)}
    connections.settings[name] = connections.settings["default"] | {
        "ENGINE": "django.db.backends.mysql", "HOST": login["host"], "PORT": login["port"], "USER": login["user"],
        "PASSWORD": login["password"], "NAME": "information_schema", "OPTIONS": options,
    }
    try:
        return asked(connections[name])
    finally:
        connections[name].close()


drivers = {
    "pymysql": pymysql_, "mysqlclient": mysqlclient, "connector": connector, "asyncmy": asyncmy_, "sqlalchemy": sqlalchemy_, "django": django_,
}
for line in sys.stdin:
    host, port, user, password, tls = line.split()
    try:
        print(*drivers[driver](dict(host=host, port=int(port), user=user, password=password), tls), flush=True)
    except Exception as error:  # each driver has its own
        print("failed:", type(error).__name__, " ".join(str(error).split()), flush=True)
