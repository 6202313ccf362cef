"""A result of unittest that prints one line for each test, as tests/suites reads it."""

import unittest


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
