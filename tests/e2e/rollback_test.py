"""A plan's branch is taken back while its plan runs, the plan goes on from there, and what was taken
back is brought in again."""

import pathlib
import sys
import unittest

import suite as e2e

REFUSED = 4
NOT_FOUND = 3

programs = pathlib.Path()  # Where the programs of the suite are.
suite = None

# `last` waits for both others, and is held by a pause until the branch was looked at.
RULES = [
    e2e.rule("plan", e2e.plan_reply(["first"], ["second", "first"], ["last", "second"])),
    *(e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task}\n"), task=task, latency_ms=300)
      for task in ("first", "second", "last")),
]


def setUpModule():
    global suite
    suite = e2e.Suite(programs, RULES)
    unittest.addModuleCleanup(suite.stop)


def state(plan, task):
    return {entry["name"].rsplit("/", 1)[1]: entry["state"].removeprefix("STATE_")
            for entry in suite.ask("show", plan)["tasks"]}.get(task)


class RollbackTest(unittest.TestCase):
    def test_a_branch_goes_back_and_forth_while_its_plan_runs(self):
        repository = suite.project("back")
        plan = suite.approved("back", "# Back\n")
        run = suite.begin("run", plan, "--keep-waiting")
        self.addCleanup(run.communicate)
        e2e.wait_until(
            lambda: suite.run("pause", f"{plan}/tasks/last", "--stop-agents").returncode == 0,
            "the run has begun and its last task is paused")
        e2e.wait_until(lambda: state(plan, "second") == "MERGED", "second is merged")

        back = suite.ask("rollback", plan, "--to", "first", "--reason", "second was wrong")
        self.assertEqual(back["undone_tasks"], [f"{plan}/tasks/second"])
        self.assertNotEqual(back["commit"], back["from"])
        self.assertEqual(state(plan, "second"), "MERGED")
        events = suite.events(plan=plan, kinds=["branch.returned"])
        self.assertEqual([event["payload"]["branchReturned"]["reason"] for event in events],
                         ["second was wrong"])
        self.assertIn("already", suite.text("rollback", plan, "--to", "first"))
        unknown = suite.refusal("rollback", plan, "--to", "0123456789")
        self.assertEqual((unknown.code, unknown.reason), (NOT_FOUND, "COMMIT_UNKNOWN"))

        # What runs goes on from there: without second, with last.
        suite.ask("resume", f"{plan}/tasks/last")
        self.assertEqual(run.wait(timeout=e2e.TIMEOUT_SECONDS), 0)
        files = e2e.git(repository, "ls-tree", "-r", "--name-only", "main").split()
        self.assertIn("first.txt", files)
        self.assertIn("last.txt", files)
        self.assertNotIn("second.txt", files)
        late = suite.refusal("rollback", plan, "--to", "base")
        self.assertEqual((late.code, late.reason), (REFUSED, "PLAN_INTEGRATED"))
        self.assertIn("git revert", late.hint)


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
