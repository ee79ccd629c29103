"""Two plans in two projects at once: each ends with its own tree, money that is short in one holds
nothing up in the other, and nobody sees the other's events."""

import pathlib
import sys
import unittest

import suite as e2e

programs = pathlib.Path()  # Where the programs of the suite are.

TASKS = {"rich": ("bread", "butter", "jam"), "poor": ("bread", "salt", "water")}


def rules():
    """The same ids of tasks in both projects, with other replies."""
    found = []
    for project, (first, second, third) in TASKS.items():
        found.append(e2e.rule("plan", e2e.plan_reply([first], [second], [third, first, second]),
                              project=project))
        for task in TASKS[project]:
            found.append(e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task} of {project}\n"),
                                  project=project, task=task, latency_ms=150))
    return found


class TwoProjectsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = suite = e2e.Suite(programs, rules())
        cls.addClassCleanup(suite.stop)
        cls.repositories = {name: suite.project(name, {"name.txt": f"{name}\n"}) for name in TASKS}
        cls.plans = {name: suite.approved(name, f"# Breakfast of {name}\n") for name in TASKS}
        cls.starved = f"{cls.plans['poor']}/tasks/salt"
        suite.ask("budget", "set", cls.starved, "0.000001")
        runs = {name: suite.begin("run", plan, "-o", "json") for name, plan in cls.plans.items()}
        cls.codes = {}
        for name, run in runs.items():
            cls.codes[name] = (run.wait(timeout=e2e.TIMEOUT_SECONDS), *run.communicate())
        cls.poor_before = suite.task_state(cls.starved)
        suite.ask("budget", "set", cls.starved, "5")
        cls.finished = suite.run("watch", cls.plans["poor"], "--keep-waiting")

    def tree(self, project):
        names = e2e.git(self.repositories[project], "ls-tree", "--name-only", "main").split()
        return {name: e2e.git(self.repositories[project], "show", f"main:{name}")
                for name in names}

    def test_money_that_is_short_in_one_stops_only_that_one(self):
        self.assertEqual(self.codes["rich"][0], 0, self.codes["rich"])
        self.assertEqual(self.codes["poor"][0], 6, self.codes["poor"])
        self.assertEqual(self.poor_before, "STATE_PAUSED")
        self.assertEqual(self.finished.returncode, 0, self.finished)
        for name in TASKS:
            denied = self.suite.events(project=f"projects/{name}", kinds=["budget.denied"])
            self.assertEqual(bool(denied), name == "poor", denied)

    def test_each_ends_with_its_own_tree(self):
        for name, tasks in TASKS.items():
            expected = {f"{task}.txt": f"{task} of {name}" for task in tasks}
            self.assertEqual(self.tree(name), {"name.txt": name, **expected})

    def test_events_of_a_project_are_its_own(self):
        everything = self.suite.events()
        for name in TASKS:
            own = self.suite.events(project=f"projects/{name}")
            self.assertEqual({event["project"] for event in own}, {f"projects/{name}"})
            self.assertEqual(len(own), len([event for event in everything
                                            if event.get("project") == f"projects/{name}"]))
            self.assertEqual(len([event for event in own
                                  if event["kind"] == "task.state_changed"
                                  and event["payload"]["taskStateChanged"]["to"] == "MERGED"]), 4)
            for line in self.suite.lines("events", self.plans[name], "--last", "10000"):
                self.assertEqual(line["plan"], self.plans[name])

    def test_each_pays_for_itself(self):
        rollups = self.suite.ask("usage", "--by", "project")["rollups"]
        self.assertEqual({rollup["scopes"]["project"] for rollup in rollups},
                         {f"projects/{name}" for name in TASKS})
        for rollup in rollups:
            self.assertEqual(int(rollup["calls"]), 4, rollup)
        for balance in self.suite.ask("budget", "list")["balances"]:
            self.assertEqual(int(balance["reserved"]), 0, balance)

    def test_pausing_one_leaves_the_other(self):
        again = {name: self.suite.approved(name, f"# Breakfast of {name} again\n")
                 for name in TASKS}
        self.suite.ask("pause", "poor")
        poor = self.suite.begin("run", again["poor"])
        rich = self.suite.run("run", again["rich"])
        # The same replies change nothing more, which is no change that can be merged.
        self.assertIn(rich.returncode, (0, 6), rich)
        self.assertEqual(poor.wait(timeout=e2e.TIMEOUT_SECONDS), 6, poor.communicate())
        self.assertEqual({task["state"] for task in
                          self.suite.ask("show", again["poor"])["tasks"]} & {"STATE_RUNNING"},
                         set())
        poor.communicate()


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
