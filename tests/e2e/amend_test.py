"""A plan that runs is changed: the change waits for approval, is taken as a whole or not at all, and
is dropped without a trace."""

import os
import pathlib
import signal
import sys
import unittest

import suite as e2e

REFUSED = 4

programs = pathlib.Path()  # Where the programs of the suite are.
suite = None

FOREVER = 600_000
# `first` ends at once, `slow` when it is let go, and `last` waits for both.
RULES = [
    e2e.rule("plan", e2e.plan_reply(["first"], ["slow", "first"], ["last", "slow"],
                                    ["extra", "slow"])),
    e2e.rule("write", e2e.edit_reply("slow.txt", "slow\n"), task="slow",
             prompt_contains=["GO ON"]),
    e2e.rule("write", e2e.edit_reply("slow.txt", "slow\n"), task="slow", latency_ms=FOREVER),
    e2e.rule("write", e2e.edit_reply("last.txt", "as amended\n"), task="last",
             prompt_contains=["AS AMENDED"]),
    *(e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task}\n"), task=task)
      for task in ("first", "last", "extra", "new")),
]


def setUpModule():
    global suite
    suite = e2e.Suite(programs, RULES)
    unittest.addModuleCleanup(suite.stop)


def states(plan):
    return {task["name"].rsplit("/", 1)[1]: task["state"].removeprefix("STATE_")
            for task in suite.ask("show", plan)["tasks"]}


def shown(plan):
    return suite.ask("show", plan)["plan"]


class AmendTest(unittest.TestCase):
    def started(self):
        """A plan of which `first` is merged and `slow` is worked on, its repository, and the command
        that follows it."""
        project = self.id().rsplit(".", 1)[1].removeprefix("test_").replace("_", "-")[:30].strip("-")
        repository = suite.project(project)
        plan = suite.approved(project, "# Amended\n")
        run = suite.begin("run", plan, "--keep-waiting")
        self.addCleanup(run.communicate)
        e2e.wait_until(lambda: states(plan).get("slow") == "RUNNING", "slow is worked on")
        self.assertEqual(states(plan)["first"], "MERGED")
        return plan, repository, run

    def finish(self, plan, run):
        """Lets the slow task end, and the plan with it."""
        suite.ask("pause", f"{plan}/tasks/slow", "--stop-agents", "--reason", "held")
        e2e.wait_until(lambda: states(plan)["slow"] == "PAUSED", "slow is held")
        # It has no change under review: a person may still say more about it.
        if not shown(plan).get("amendment"):
            suite.ask("edit", plan, "--task", "slow", "--description", "Write slow.txt. GO ON")
            suite.ask("approve", plan)
        suite.ask("resume", f"{plan}/tasks/slow")
        self.assertEqual(run.wait(timeout=e2e.TIMEOUT_SECONDS), 0)

    def amend(self, plan):
        """Changes `last`, removes `extra` and adds `new`: three edits of one amendment."""
        suite.ask("edit", plan, "--task", "last", "--description", "Write it AS AMENDED",
                  "--priority", "7")
        suite.ask("edit", plan, "--task", "extra", "--remove")
        return suite.ask("edit", plan, "--add", "--task", "new", "--title", "Something new",
                         "--description", "Write new.txt.", "--paths", "new.txt", "--depends",
                         "slow")

    def test_an_amendment_waits_for_approval_and_is_then_carried_out(self):
        plan, repository, run = self.started()
        edited = self.amend(plan)
        self.assertEqual((edited["state"], edited["version"], edited["approved_version"]),
                         ("STATE_RUNNING", 4, 1))
        amendment = shown(plan)["amendment"]
        self.assertEqual((amendment["state"], amendment["version"], amendment["base_version"]),
                         ("STATE_PROPOSED", 4, 1))
        self.assertEqual((amendment["added_tasks"], amendment["changed_tasks"],
                          amendment["removed_tasks"]), (["new"], ["last"], ["extra"]))
        self.assertIn("task new: added", amendment["changes"])
        # What runs is what was approved.
        self.assertEqual(set(states(plan)), {"first", "slow", "last", "extra"})
        text = suite.text("show", plan)
        for words in ("version 4 waits for approval; version 1 runs on", "task last: priority 0 -> 7",
                      "task extra: removed", "at most"):
            self.assertIn(words, text)
        self.assertIn("version 4 waits for approval", suite.text("status"))
        self.assertEqual(suite.ask("diff", plan, "--from", "1")["changes"], amendment["changes"])

        approved = suite.ask("approve", plan)

        self.assertEqual((approved["state"], approved["approved_version"]), ("STATE_RUNNING", 4))
        self.assertNotIn("amendment", {key for key, value in approved.items() if value})
        self.assertEqual(states(plan), {"first": "MERGED", "slow": "RUNNING", "last": "BLOCKED",
                                        "extra": "SKIPPED", "new": "BLOCKED"})
        self.assertEqual(suite.ask("approve", plan)["approved_version"], 4)
        self.finish(plan, run)
        self.assertEqual(states(plan), {"first": "MERGED", "slow": "MERGED", "last": "MERGED",
                                        "extra": "SKIPPED", "new": "MERGED",
                                        "integration": "MERGED"})
        tree = set(e2e.git(repository, "ls-tree", "--name-only", "main").split())
        self.assertEqual(tree, {"a.txt", "first.txt", "slow.txt", "last.txt", "new.txt"})
        self.assertEqual(e2e.git(repository, "show", "main:last.txt"), "as amended")
        told = [(event["payload"]["planAmendmentChanged"]["to"],
                 event["payload"]["planAmendmentChanged"]["version"])
                for event in suite.events(plan=plan, kinds=["plan.amendment_changed"])]
        self.assertEqual(told[:5], [("PROPOSED", 2), ("PROPOSED", 3), ("PROPOSED", 4),
                                    ("APPROVED", 4), ("APPLIED", 4)])
        amended = suite.events(plan=plan, kinds=["run.amended"])[0]["payload"]["runAmended"]
        self.assertEqual((amended["version"], amended["added"], amended["changed"],
                          amended["removed"]), (4, ["new"], ["last"], ["extra"]))

    def test_a_rejected_amendment_leaves_the_run_alone(self):
        plan, repository, run = self.started()
        before = states(plan)
        self.amend(plan)

        rejected = suite.ask("reject", plan, "--reason", "not now")

        self.assertEqual((rejected["state"], rejected["version"], rejected["approved_version"]),
                         ("STATE_RUNNING", 1, 1))
        self.assertEqual(states(plan), before)
        self.assertNotIn("waits for approval", suite.text("show", plan))
        self.assertEqual(suite.refusal("reject", plan).reason, "PLAN_STATE")
        self.assertEqual(suite.events(plan=plan, kinds=["run.amended"]), [])
        # The rejected version stays to be looked at, and its number is not used again.
        self.assertTrue(suite.ask("diff", plan, "--from", "1", "--to", "4")["changes"])
        self.finish(plan, run)
        self.assertEqual(shown(plan)["approved_version"], 5)
        self.assertEqual(e2e.git(repository, "show", "main:last.txt"), "last")
        tree = set(e2e.git(repository, "ls-tree", "--name-only", "main").split())
        self.assertEqual(tree, {"a.txt", "first.txt", "slow.txt", "last.txt", "extra.txt"})

    def test_what_has_begun_is_not_changed_and_is_named(self):
        plan, _, _ = self.started()
        for task, state in (("first", "MERGED"), ("slow", "RUNNING")):
            refusal = suite.refusal("edit", plan, "--task", task, "--priority", "3")
            self.assertEqual((refusal.code, refusal.reason), (REFUSED, "TASKS_BEGUN"))
            self.assertIn(f"'{task}' is {state}", refusal.message)
            self.assertTrue(refusal.hint)
        cycle = suite.refusal("edit", plan, "--task", "last", "--depends", "last")
        self.assertEqual(cycle.reason, "PLAN_CYCLE")
        self.assertIn("last -> last", cycle.message)
        self.assertEqual(suite.refusal("edit", plan, "--add", "--task", "first", "--paths", "x").reason,
                         "TASK_DUPLICATE")
        self.assertEqual(shown(plan)["version"], 1)
        suite.ask("cancel", plan)
        self.assertEqual(suite.refusal("edit", plan, "--task", "last", "--priority", "1").reason,
                         "PLAN_STATE")

    def test_the_end_of_the_run_overtakes_what_was_not_approved(self):
        plan, _, run = self.started()
        suite.ask("edit", plan, "--task", "last", "--priority", "2")
        suite.ask("cancel", plan)
        run.wait(timeout=e2e.TIMEOUT_SECONDS)
        self.assertEqual((shown(plan)["state"], shown(plan)["version"]), ("STATE_CANCELLED", 1))
        self.assertEqual([event["payload"]["planAmendmentChanged"]["to"] for event in
                          suite.events(plan=plan, kinds=["plan.amendment_changed"])],
                         ["PROPOSED", "OVERTAKEN"])

    def test_a_planner_killed_after_the_approval_amends_exactly_once(self):
        plan, repository, run = self.started()
        self.amend(plan)
        # The dispatcher stands still, so that the approval is stored and not handed over.
        dispatcher = suite.process("dispatcher")
        os.kill(dispatcher, signal.SIGSTOP)
        try:
            approval = suite.begin("approve", plan)
            self.addCleanup(approval.communicate)
            e2e.wait_until(lambda: [event for event in suite.events(
                plan=plan, kinds=["plan.amendment_changed"], logs=["planner"])
                if event["payload"]["planAmendmentChanged"]["to"] == "APPROVED"],
                "the approval is stored")
            before = suite.process("planner")
            os.kill(before, signal.SIGKILL)
        finally:
            os.kill(dispatcher, signal.SIGCONT)
        approval.wait(timeout=e2e.TIMEOUT_SECONDS)
        e2e.wait_until(lambda: suite.process("planner") not in (None, before), "the planner is back")
        e2e.wait_until(suite.serves, "every service serves")
        e2e.wait_until(lambda: shown(plan)["approved_version"] == 4, "the amendment runs")
        self.finish(plan, run)
        self.assertEqual(states(plan)["new"], "MERGED")
        versions = [event["payload"]["runAmended"]["version"]
                    for event in suite.events(plan=plan, kinds=["run.amended"])]
        self.assertEqual(versions, [4, 5])
        applied = [event["payload"]["planAmendmentChanged"]["version"] for event in
                   suite.events(plan=plan, kinds=["plan.amendment_changed"])
                   if event["payload"]["planAmendmentChanged"]["to"] == "APPLIED"]
        self.assertEqual(applied, [4, 5])
        self.assertEqual(e2e.git(repository, "show", "main:new.txt"), "new")


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
