"""Two tasks on one host: the second one's snapshot is the difference from the first one's, the
landed trees are what was asked for, and the sandboxes' neighbour, the cache, stays in bounds."""

import json
import pathlib
import random
import re
import subprocess
import sys
import unittest

import suite as e2e

programs = pathlib.Path()  # Where the programs of the suite are.

TASKS = ("bread", "butter")


def files():
    """A repository whose complete snapshot is much more than any change to it."""
    numbers = random.Random(1)
    return {f"src/{name}.txt": "".join(f"{numbers.randrange(10 ** 9)}\n" for _ in range(2000))
            for name in range(30)}


class SnapshotTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rules = [e2e.rule("plan", e2e.plan_reply([TASKS[0]], [TASKS[1], TASKS[0]]))]
        rules += [e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task}\n"), task=task)
                  for task in TASKS]
        cls.suite = suite = e2e.Suite(programs, rules)
        cls.addClassCleanup(suite.stop)
        cls.repository = suite.project("shop", files())
        suite.text("run", suite.approved("shop", "# Breakfast\n"))
        log = pathlib.Path(suite.data, "logs", "reviewer.log").read_text()
        lines = [json.loads(line) for line in log.splitlines() if '"snapshot sent"' in line]
        cls.complete = [line for line in lines if line["base"] == ""]
        cls.incremental = [line for line in lines if line["base"] != ""]

    def test_only_the_first_snapshot_of_a_host_is_complete(self):
        self.assertEqual(len(self.complete), 1, self.complete)
        self.assertGreaterEqual(len(self.incremental), 1)
        for line in self.incremental:
            self.assertLess(line["bytes"] * 20, self.complete[0]["bytes"], line)

    def test_the_landed_tree_is_what_was_asked_for(self):
        names = e2e.git(self.repository, "ls-tree", "-r", "--name-only", "main").split()
        self.assertEqual(sorted(names), sorted([*files(), *(f"{task}.txt" for task in TASKS)]))
        for name, text in files().items():
            self.assertEqual(e2e.git(self.repository, "show", f"main:{name}"), text.strip())

    def test_the_services_count_the_bytes_by_kind(self):
        metrics = subprocess.run(
            ["curl", "--silent", "--fail", "--unix-socket",
             f"{self.suite.data}/run/reviewer-admin.sock", "http://localhost/metrics"],
            check=True, capture_output=True, text=True).stdout
        counted = dict(re.findall(r'^slipway_reviewer_snapshot_bytes_total\{kind="(\w+)"\} (\d+)$',
                                  metrics, re.MULTILINE))
        self.assertEqual(int(counted["complete"]), sum(line["bytes"] for line in self.complete))
        self.assertEqual(int(counted["incremental"]),
                         sum(line["bytes"] for line in self.incremental))


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
