"""A plugin of pytest: PyMySQL's tests of version 0.9.3, the last whose package has them, on the driver that is installed."""

import os
import sys
import unittest

import pymysql

# What the tests need of that version besides themselves is found there, too.
pymysql.__path__.append(os.path.join(os.environ["SUITE_FOLDER"], "pymysql"))
sys.modules["unittest2"] = unittest
