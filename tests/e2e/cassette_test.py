"""A plan whose calls are recorded, and the same plan again from the cassette alone: the same tree and
the same cost, roles that are raised after a failure, and nothing secret in the file."""

import json
import pathlib
import sys
import unittest

import suite as e2e

programs = pathlib.Path()  # Where the programs of the suite are.

# Put together here so that no scanner takes this file for a leak.
CREDENTIAL = "ghp" + "_9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP"
SPEC = f"# Make soup\n\nThe token of the kitchen is {CREDENTIAL}.\n"

RULES = [
    e2e.rule("plan", e2e.plan_reply(["broth"], ["salt"], ["soup", "broth", "salt"])),
    e2e.rule("write", e2e.edit_reply("broth.txt", "broth\n"), task="broth"),
    # The first try at it is refused, the second knows why.
    e2e.rule("write", e2e.edit_reply("elsewhere.txt", "salt\n"), task="salt",
             prompt_lacks=["was refused"]),
    e2e.rule("write", e2e.edit_reply("salt.txt", "salt\n"), task="salt"),
    e2e.rule("write", e2e.edit_reply("soup.txt", "soup\n"), task="soup", latency_ms=40),
]

REPLAYER = """providers:
  - name: scripted
    scripted: {{cassette: {cassette}, call_log: {call_log}}}
routes:
  - {{role: '*', provider: scripted, model: scripted-small, output_tokens_max: 4000}}
"""


def carry_out(suite):
    """The plan from its spec to its end, and what it left."""
    repository = suite.project("kitchen", {"a.txt": "a\n"})
    if suite.records:
        suite.text("models", "record", "kitchen")
    plan = suite.approved("kitchen", SPEC)
    run = suite.run("run", plan)
    if run.returncode != 0:
        raise AssertionError(run)
    return {"plan": plan, "tree": e2e.git(repository, "rev-parse", "main^{tree}"),
            "rollup": suite.ask("usage", "--by", "plan")["rollups"][0]}


class CassetteTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = e2e.Suite(programs, RULES)
        cls.addClassCleanup(cls.suite.stop)
        cls.suite.records = True
        cls.recorded = carry_out(cls.suite)
        cls.file = cls.suite.path("cassette.jsonl")
        cls.suite.text("models", "cassette", "export", cls.recorded["plan"], "--out", cls.file)
        cls.entries = [json.loads(line)
                       for line in pathlib.Path(cls.file).read_text().splitlines()][1:]

    def replayer(self, text=None):
        cassette = self.suite.path("played.jsonl")
        pathlib.Path(cassette).write_text(text or pathlib.Path(self.file).read_text())
        suite = e2e.Suite(programs, overrides={"models": REPLAYER.format(
            cassette=cassette, call_log=self.suite.path("played.log"))})
        self.addCleanup(suite.stop)
        suite.records = False
        return suite

    def test_the_plan_is_carried_out_again_from_the_cassette_alone(self):
        played = carry_out(self.replayer())
        self.assertEqual(played["tree"], self.recorded["tree"])
        for field in ("calls", "cost_usd_nanos", "tokens"):
            self.assertEqual(played["rollup"][field], self.recorded["rollup"][field], field)
        self.assertGreater(int(played["rollup"]["cost_usd_nanos"]), 0)

    def test_every_call_is_in_it_with_what_it_took_and_cost(self):
        self.assertEqual([(entry["intent"], entry["task"].rsplit("/", 1)[-1])
                          for entry in self.entries].count(("write", "salt")), 2)
        self.assertEqual(len(self.entries), int(self.recorded["rollup"]["calls"]))
        for entry in self.entries:
            self.assertEqual(entry["end"]["kind"], "complete")
            self.assertGreater(entry["end"]["tokens"]["output"], 0)
            self.assertGreaterEqual(entry["latency_us"], 0)
        self.assertEqual(sum(entry["cost_usd_nanos"] for entry in self.entries),
                         int(self.recorded["rollup"]["cost_usd_nanos"]))
        soup = next(entry for entry in self.entries if entry["task"].endswith("/soup"))
        self.assertGreaterEqual(soup["latency_us"], 40_000)

    def test_nothing_secret_is_in_it(self):
        text = pathlib.Path(self.file).read_text()
        self.assertNotIn(CREDENTIAL, text)
        self.assertIn("[redacted: github-token]", text)
        self.assertNotIn("slpk_", text)
        self.assertEqual(pathlib.Path(self.file).stat().st_mode & 0o077, 0)

    def test_a_call_that_was_not_recorded_is_refused_by_name(self):
        lines = pathlib.Path(self.file).read_text().splitlines()
        header = json.loads(lines[0])
        left = [line for line in lines[1:] if json.loads(line)["intent"] != "plan"]
        text = "\n".join([json.dumps({**header, "entries": len(left)}), *left]) + "\n"
        suite = self.replayer(text)
        suite.project("kitchen", {"a.txt": "a\n"})
        refusal = suite.refusal("plan", "-", "--project", "kitchen", "--wait", input=SPEC)
        self.assertNotEqual(refusal.code, 0)
        calls = suite.ask("models", "calls")["calls"]
        self.assertEqual({call["reason"] for call in calls}, {"CASSETTE_NO_MATCH"})

    def test_it_is_listed_shown_and_forgotten(self):
        listed = self.suite.ask("models", "cassette", "list")
        self.assertEqual([recording["scope"] for recording in listed["recordings"]],
                         ["projects/kitchen"])
        self.assertEqual(listed["cassettes"][0]["plan"], self.recorded["plan"])
        self.assertIn("kitchen", self.suite.text("models", "cassette", "list"))
        shown = self.suite.text("models", "cassette", "show", self.file)
        self.assertIn("scripted-small", shown)
        refusal = self.suite.refusal("models", "cassette", "show", __file__)
        self.assertEqual(refusal.reason, "CASSETTE_INVALID")
        self.assertTrue(refusal.hint)

    def test_a_failed_attempt_is_followed_by_one_of_a_stronger_role_and_says_why(self):
        decisions = self.suite.ask("models", "explain", "--task",
                                   f"{self.recorded['plan']}/tasks/salt")["decisions"]
        self.assertEqual([(decision["role"], decision["named_role"]) for decision in decisions],
                         [("general_builder", "simple_builder"),
                          ("simple_builder", "simple_builder")])
        self.assertIn("it has failed 1 time: as many steps stronger", decisions[0]["reasons"])
        self.assertEqual(decisions[0]["traits"]["escalation_depth"], 1)
        text = self.suite.text("models", "explain", "--attempt", decisions[0]["attempt"])
        self.assertIn("general_builder in place of simple_builder", text)
        self.assertIn("first that can serve", text)
        plan = self.suite.ask("models", "explain", "--plan", self.recorded["plan"])["decisions"]
        self.assertEqual(len(plan), 4)
        roles = {entry["role"] for entry in self.entries if entry["task"].endswith("/salt")}
        self.assertEqual(roles, {"simple_builder", "general_builder"})
        refusal = self.suite.refusal("models", "explain", "--plan", "projects/kitchen/plans/none")
        self.assertEqual(refusal.reason, "DECISION_UNKNOWN")


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
