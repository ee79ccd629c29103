"""Limits, freezes, prices, usage and the audit, as a person types them, against a suite that works."""

import pathlib
import sys
import unittest

import suite as e2e

WRONG_USAGE, NOT_FOUND, WAITS_FOR_PERSON = 2, 3, 6
INT64_MAX = "9223372036854775807"
PRICES = """version: 1
prices:
  - provider: acme
    model: {model}
    effective: {date}
    usd_per_mtok: {{input: {dollars}, output: {dollars}}}
    source: a test
"""

programs = pathlib.Path()  # Where the programs of the suite are.
suite = None

RULES = [e2e.rule("plan", e2e.plan_reply(["a"])),
         e2e.rule("write", e2e.edit_reply("a.txt", "b\n"), task="a")]


def setUpModule():
    global suite
    suite = e2e.Suite(programs, RULES)
    unittest.addModuleCleanup(suite.stop)


def balances(*scope):
    return {(balance["budget"]["scope"], balance["budget"]["metric"], balance["budget"]["window"]):
            balance for balance in suite.ask("budget", "list", *scope)["balances"]}


class BudgetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        suite.project("limits")

    def assert_refused(self, code, reason, *arguments):
        refusal = suite.refusal(*arguments)
        self.assertEqual((refusal.code, refusal.reason), (code, reason), refusal.message)
        self.assertTrue(refusal.hint, arguments)

    def tearDown(self):
        audit = suite.ask("audit", "ledger")
        self.assertGreaterEqual(len(audit["checks"]), 15)
        for check in audit["checks"]:
            self.assertEqual(check["breaches"], [], check["invariant"])

    def test_a_limit_is_set_listed_shown_changed_and_deleted(self):
        made = suite.ask("budget", "set", "limits", "2.50", "--window", "day", "--time-zone",
                         "Europe/Berlin", "--warn", "50,80")["budget"]
        self.assertEqual((made["scope"], made["limit"], made["time_zone"], made["warn_percents"]),
                         ("projects/limits", "2500000000", "Europe/Berlin", [50, 80]))
        changed = suite.ask("budget", "set", "limits", "3", "--window", "day")["budget"]
        self.assertEqual((changed["name"], changed["version"]), (made["name"], "2"))
        self.assertEqual(changed["time_zone"], "Europe/Berlin")
        listed = balances("limits")[("projects/limits", "METRIC_USD_NANOS", "WINDOW_DAY")]
        self.assertEqual((listed["budget"]["name"], listed["remaining"]),
                         (made["name"], "3000000000"))
        self.assertIn("$3.00", suite.text("budget", "list"))
        self.assertIn("$3.00", suite.text("budget", "show", made["name"].split("/")[1]))
        self.assert_refused(WRONG_USAGE, "TIME_ZONE_FIXED", "budget", "set", "limits", "3", "--window", "day",
                            "--time-zone", "America/New_York")
        self.assertEqual(suite.ask("budget", "delete", made["name"]), {})
        self.assertNotIn(made["name"], suite.text("budget", "list", "-o", "json"))
        self.assert_refused(NOT_FOUND, "BUDGET_UNKNOWN", "budget", "delete", made["name"])
        self.assert_refused(NOT_FOUND, "BUDGET_UNKNOWN", "budget", "show", made["name"])

    def test_amounts_and_scopes_that_cannot_be_are_refused_by_name(self):
        before = {name: balance["budget"] for name, balance in balances().items()}
        for amount in ("-1", "x", "", INT64_MAX, "9223372036.854775808", "1.0000000001"):
            self.assert_refused(WRONG_USAGE, "AMOUNT_INVALID", "budget", "set", "limits", amount)
        for amount in ("-5", "1.5", "9223372036854775808"):
            self.assert_refused(WRONG_USAGE, "ARGUMENT_INVALID", "budget", "set", "limits", amount,
                                "--metric", "requests")
        self.assert_refused(WRONG_USAGE, "ARGUMENT_INVALID", "budget", "set", "limits", "1",
                            "--warn", "101")
        self.assert_refused(WRONG_USAGE, "TIME_ZONE_UNKNOWN", "budget", "set", "limits", "1",
                            "--window", "month", "--time-zone", "Mars/Base")
        for command in (["set", "projects/limits/nonsense/x", "1"],
                        ["freeze", "projects/limits/nonsense/x"]):
            self.assert_refused(WRONG_USAGE, "SCOPE_INVALID", "budget", *command)
        self.assertEqual({name: balance["budget"] for name, balance in balances().items()}, before)

    def test_the_smallest_and_the_largest_limit_are_limits(self):
        none = suite.ask("budget", "set", "limits", "0", "--window", "month")
        self.assertEqual((none["budget"]["limit"], none["remaining"]), ("0", "0"))
        most = suite.ask("budget", "set", "limits", INT64_MAX, "--metric", "tokens")
        self.assertEqual((most["budget"]["limit"], most["remaining"]), (INT64_MAX, INT64_MAX))
        for made in (none, most):
            suite.text("budget", "delete", made["budget"]["name"])

    def test_a_limit_below_what_is_spent_admits_nothing_and_keeps_the_spend(self):
        suite.project("spent")
        plan = suite.plan("spent", "# Spend\n")["name"]
        spent = sum(int(row["calls"]) for row in suite.ask("usage", "spent")["rollups"])
        self.assertGreater(spent, 0)
        low = suite.ask("budget", "set", "spent", "0", "--metric", "requests")
        self.assertEqual((low["posted"], low["reserved"]), (str(spent), "0"))
        self.assertLessEqual(int(low["remaining"]), 0)
        suite.plan("spent", "# Refused\n", code=WAITS_FOR_PERSON)
        self.assertEqual(balances("spent")[("projects/spent", "METRIC_REQUESTS", "WINDOW_TOTAL")]
                         ["posted"], str(spent))
        by_plan = suite.ask("usage", "spent", "--by", "plan,role")["rollups"]
        self.assertEqual({row["scopes"]["plan"] for row in by_plan}, {plan})
        for groups in ("day", "task", "attempt", "project,provider,model"):
            rows = suite.ask("usage", "spent", "--by", groups)["rollups"]
            self.assertEqual(sum(int(row["calls"]) for row in rows), spent, groups)
        # What waited for it goes on from here.
        raised = suite.ask("budget", "set", "spent", str(spent + 100), "--metric", "requests")
        self.assertEqual(raised["remaining"], "100")

    def test_a_frozen_scope_spends_nothing_until_it_goes_on(self):
        suite.project("ice")
        frozen = suite.ask("budget", "freeze", "ice", "--reason", "look first")["scope"]
        self.assertEqual((frozen["scope"], frozen["reason"]), ("projects/ice", "look first"))
        self.assertIn("look first", suite.text("budget", "frozen"))
        suite.plan("ice", "# Frozen\n", code=WAITS_FOR_PERSON)
        self.assertEqual(suite.ask("usage", "ice")["rollups"], [])
        suite.ask("budget", "unfreeze", "ice")
        suite.ask("budget", "unfreeze", "ice")  # Is as it should be.
        self.assertIn("nothing is frozen", suite.text("budget", "frozen"))
        suite.plan("ice", "# Free\n")

    def test_questions_about_usage_that_cannot_be_are_refused(self):
        self.assert_refused(WRONG_USAGE, "GROUP_INVALID", "usage", "--by", "colour")
        self.assert_refused(WRONG_USAGE, "ARGUMENT_INVALID", "usage", "--since", "yesterday-ish")
        self.assert_refused(WRONG_USAGE, "SCOPE_INVALID", "usage",
                            "projects/limits/nonsense/x")

    def test_prices_are_imported_once_and_listed_and_odd_ones_refused(self):
        def price_file(**fields):
            path = pathlib.Path(suite.path("prices.yaml"))
            path.write_text(PRICES.format(**fields))
            return str(path)

        first = price_file(model="large", date="2026-01-01", dollars=2)
        suite.text("budget", "prices", "import", first)
        suite.text("budget", "prices", "import", first)
        rows = suite.ask("budget", "prices", "list", "--provider", "acme")["prices"]
        self.assertEqual([row["input_pico_usd"] for row in rows], ["2000000"])
        odd = price_file(model="large", date="2026-02-01", dollars=2000)
        refusal = suite.refusal("budget", "prices", "import", odd)
        self.assertEqual(refusal.reason, "PRICE_SUSPICIOUS")
        self.assertNotEqual(refusal.code, 0)
        suite.text("budget", "prices", "import", odd, "--accept", "acme/large")
        self.assertEqual(len(suite.ask("budget", "prices", "list", "--model", "large")["prices"]), 2)
        self.assert_refused(WRONG_USAGE, "PRICE_FILE_INVALID", "budget", "prices", "import",
                            price_file(model="large", date="2026-03-01", dollars=-2))
        self.assertEqual(
            suite.refusal("budget", "prices", "import", suite.path("missing.yaml")).code, WRONG_USAGE)


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
