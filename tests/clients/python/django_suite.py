"""Settings for Django's own tests, and a runner that prints one line for each test."""

import os
import unittest

from django.test.runner import DiscoverRunner


def database(name):
    return {
        "ENGINE": "django.db.backends.mysql", "HOST": os.environ["SUITE_HOST"], "PORT": os.environ["SUITE_PORT"],
        "USER": os.environ["SUITE_USER"], "PASSWORD": os.environ["SUITE_PASSWORD"], "NAME": name,
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"},
    }


DATABASES = {"default": database("django_one"), "other": database("django_two")}
SECRET_KEY = "tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"


class Result(unittest.TextTestResult):
    def tell(self, what, test):
        print(what, test.id() if hasattr(test, "id") else test, flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.tell("PASSED", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell("FAILED", test)

    def addError(self, test, error):
        super().addError(test, error)
        self.tell("ERROR", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.tell("SKIPPED", test)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.tell("FAILED", test)


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Result


TEST_RUNNER = "django_suite.Runner"
