import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

from tally.cli import main


def run(arguments, file):
    output = io.StringIO()
    with mock.patch.dict(os.environ, {"TALLY_FILE": file}), contextlib.redirect_stdout(output):
        code = main(arguments)
    return code, output.getvalue()


class CliTest(unittest.TestCase):
    def test_an_unknown_command_prints_the_usage(self):
        code, output = run(["fly"], "/nonexistent/tally.json")
        self.assertEqual(code, 2)
        self.assertTrue(output.startswith("usage: tally add|"))

    def test_an_added_entry_is_listed(self):
        with tempfile.TemporaryDirectory() as directory:
            file = os.path.join(directory, "tally.json")
            self.assertEqual(run(["add", "12.50", "groceries"], file)[0], 0)
            self.assertIn("12.50 groceries", run(["list"], file)[1])
