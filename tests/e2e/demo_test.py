"""The demo, run as its users run it: every number of its summary, and what it leaves behind."""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import sample_result

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = SOURCE / "examples" / "tally"
# Some seconds on an idle machine; tests share theirs.
TIMEOUT_SECONDS = 120

programs = pathlib.Path()  # Where the programs of the suite are.


def slipway(*arguments):
    return subprocess.run([programs / "slipway", *arguments], capture_output=True, text=True,
                          timeout=TIMEOUT_SECONDS)


def processes_naming(text):
    """Command lines of running processes that have `text` in them."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.parent = tempfile.mkdtemp(prefix="slipway-e2e-", dir="/tmp")
        # Sandboxes of a suite that root runs belong to another user, who must get through.
        os.chmod(cls.parent, 0o711)
        cls.data = os.path.join(cls.parent, "d")
        cls.run_result = slipway("demo", "--data", cls.data, "-o", "json")
        if cls.run_result.returncode != 0:
            raise AssertionError(f"the demo failed: {cls.run_result.stdout}"
                                 f"{cls.run_result.stderr}")
        cls.summary = json.loads(cls.run_result.stdout)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.parent)

    def test_every_number_of_the_story_is_as_the_sample_has_it(self):
        expected = {
            "tasks": 7,
            "merged": 7,
            "retried": 4,  # A failed test, a refused patch, a gap, and a conflict.
            "refused": 1,
            "budget_denials": 1,
            "conflicts": 1,
            "validators_failed": 1,
            # Asked for by agents within an attempt: one helps, one gets the same change again.
            "agent_repairs": 2,
            "gaps_found": 1,
            "tests_passed": True,
            "held_reservations": 0,
            "problems": [],
        }
        self.assertEqual({key: self.summary[key] for key in expected}, expected)
        self.assertGreaterEqual(self.summary["parallel_max"], 2)
        self.assertRegex(self.summary["plan_branch"],
                         r"^plan/\d{4}-\d{2}-\d{2}-bank-statements-and-monthly-reports$")
        self.assertLess(self.summary["seconds"], 60)

    def test_the_summary_is_one_json_object_and_nothing_else(self):
        self.assertEqual(self.run_result.stdout.count("\n"), 1)
        for key in ("tasks", "merged", "retried", "refused", "budget_denials", "conflicts",
                    "cost_usd", "plan_branch", "seconds"):
            self.assertIn(key, self.summary)

    def test_the_target_branch_has_exactly_the_expected_files(self):
        with tempfile.TemporaryDirectory() as directory:
            expected = sample_result.tree_id(sample_result.final_files(SAMPLE), directory)
        tree = self.git("rev-parse", "main^{tree}")
        self.assertEqual(tree, expected, self.git("ls-tree", "-r", "main"))
        self.assertEqual(self.summary["tree"], expected)
        self.assertEqual(self.summary["integration_commit"], self.git("rev-parse", "main"))

    def test_every_task_landed_once_as_one_commit(self):
        subjects = self.git("log", "--first-parent", "--format=%s", "main^1..main^2").split("\n")
        plan = json.loads((SAMPLE / "plan.json").read_text())
        self.assertCountEqual(subjects, [task["title"] for task in plan["tasks"]])

    def test_no_process_is_left(self):
        self.assertEqual(processes_naming(self.data), [])

    def test_the_ledger_agrees_with_the_providers_own_books_call_by_call(self):
        with open(os.path.join(self.data, "models", "calls.jsonl"), encoding="utf-8") as file:
            calls = [json.loads(line) for line in file]
        billed = {call["call_id"]: (call["model"], call["input"], call["output"])
                  for call in calls}
        self.assertEqual(len(billed), len(calls), "a call was billed twice")
        up = slipway("up", "--detach", "--data", self.data, "--port", "0", "-o", "json")
        self.assertEqual(up.returncode, 0, up.stdout + up.stderr)
        self.addCleanup(self.stop)
        recorded = self.recorded_usage()
        self.assertEqual(recorded, billed)

        totals = collections.Counter()
        for model, tokens_in, tokens_out in billed.values():
            totals[model, "calls"] += 1
            totals[model, "input"] += tokens_in
            totals[model, "output"] += tokens_out
        rollups = self.query("usage", "--by", "model")["rollups"]
        sums = collections.Counter()
        for rollup in rollups:
            sums[rollup["model"], "calls"] += int(rollup["calls"])
            sums[rollup["model"], "input"] += int(rollup["tokens"]["input"])
            sums[rollup["model"], "output"] += int(rollup["tokens"]["output"])
        self.assertEqual(sums, totals)
        self.assertEqual(sum(int(rollup["cost_usd_nanos"]) for rollup in rollups),
                         self.summary["cost_usd_nanos"])
        for balance in self.query("budget", "list")["balances"]:
            self.assertEqual(int(balance["reserved"]), 0, balance)

    def recorded_usage(self):
        result = slipway("events", "--kinds", "usage.recorded", "--data", self.data, "--last",
                         "10000", "-o", "json")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        recorded = {}
        for line in result.stdout.splitlines():
            usage = json.loads(line)["payload"]["usage_recorded"]
            self.assertNotIn(usage["reservation"], recorded, "a call was charged twice")
            recorded[usage["reservation"]] = (usage["model"], int(usage["input_tokens"]),
                                              int(usage["output_tokens"]))
        return recorded

    def query(self, *arguments):
        result = slipway(*arguments, "--data", self.data, "-o", "json")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return json.loads(result.stdout)

    def stop(self):
        down = slipway("down", "--data", self.data)
        self.assertEqual(down.returncode, 0, down.stdout + down.stderr)
        self.assertEqual(processes_naming(self.data), [])

    def git(self, *arguments):
        return subprocess.run(["git", "-C", os.path.join(self.data, "tally.git"), *arguments],
                              check=True, capture_output=True, text=True).stdout.strip()


class DemoInputTest(unittest.TestCase):
    def test_a_directory_with_something_in_it_is_refused_and_left_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            kept = pathlib.Path(directory) / "mine"
            kept.write_text("text")
            result = slipway("demo", "--data", directory, "-o", "json")
            self.assertEqual(result.returncode, 4, result.stdout)
            self.assertIn("DATA_DIRECTORY_NOT_EMPTY", result.stdout)
            self.assertEqual(os.listdir(directory), ["mine"])

    def test_a_sample_that_is_not_there_is_named(self):
        result = slipway("demo", "--example", "/nonexistent", "-o", "json")
        self.assertEqual(result.returncode, 3, result.stdout)
        self.assertIn("/nonexistent/spec.md", result.stdout)

    def test_a_story_that_is_not_complete_fails_and_says_what_is_missing(self):
        with tempfile.TemporaryDirectory() as directory:
            sample = pathlib.Path(directory) / "tally"
            shutil.copytree(SAMPLE, sample)
            script = json.loads((sample / "script.json").read_text())
            script["rules"] = [rule for rule in script["rules"]
                               if rule.get("reply_file") != "replies/categories-hostile.txt"]
            for rule in script["rules"]:
                if rule.get("reply_file") == "replies/categories.txt":
                    del rule["prompt_contains"]
            (sample / "script.json").write_text(json.dumps(script))
            result = slipway("demo", "--example", sample, "-o", "json")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        summary = json.loads(result.stdout)
        self.assertEqual((summary["merged"], summary["refused"], summary["retried"]), (7, 0, 3))
        self.assertEqual(summary["problems"], ["no patch was refused"])


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
