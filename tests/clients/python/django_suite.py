"""Settings for Django's own tests, and a runner that prints one line for each test."""

import os

from django.test.runner import DiscoverRunner

import verdicts


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


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return verdicts.Result


TEST_RUNNER = "django_suite.Runner"
