"""Runs the tests of Connector/Python against a server that is there, as its unittests.py does, with one line for each test.

connector_suite.py [MODULE...], in the folder of its source; without a module all that need nothing but a server.
"""

import logging
import os
import re
import sys
import unittest

import mysql.connector
import verdicts

sys.path.insert(0, os.getcwd())
import tests  # noqa: E402  # behind the path
from tests import mysqld  # noqa: E402

# These need services, or servers of their own, besides the server.
BESIDES = re.compile(r"\.(ai|otel)\.|test_django|test_examples|qa_timeout|qa_aio_timeout|qa_ciphers")

host, port = os.environ["SUITE_HOST"], int(os.environ["SUITE_PORT"])
login = dict(host=host, port=port, user=os.environ["SUITE_USER"], password=os.environ["SUITE_PASSWORD"])
logging.getLogger(tests.LOGGER_NAME).addHandler(logging.NullHandler())

server = mysqld.MySQLExternalServer("my.cnf", "server1")
server.client_config = dict(login, database="myconnpy", connection_timeout=60, unix_socket=None)
server.xplugin_config = dict(login, schema="myconnpy", socket=None)
with mysql.connector.connect(**login) as one, one.cursor() as cursor:
    cursor.execute("SELECT VERSION(), @@license, @@socket")
    version, server.license, server.unix_socket = cursor.fetchone()
server.version = tuple(int(part) for part in re.match(r"(\d+)\.(\d+)\.(\d+)", version).groups())
tests.MYSQL_SERVERS.append(server)
tests.MYSQL_EXTERNAL_SERVER = True
tests.MYSQL_VERSION = server.version
tests.MYSQL_VERSION_TXT = ".".join(map(str, server.version))
tests.MYSQL_LICENSE = server.license

modules = sys.argv[1:] or [module for _, module, _ in tests.get_test_modules() if not BESIDES.search(module)]
unittest.TextTestRunner(resultclass=verdicts.Result, verbosity=0).run(unittest.defaultTestLoader.loadTestsFromNames(modules))
