"""Agents in containers of two real Docker engines, which stand for two hosts: a plan of 40 tasks over
both while one of them is stopped, a probe from inside, a dispatcher that is killed, drains."""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "e2e"))

import engine  # noqa: E402
from suite import Suite, edit_reply, git, plan_reply, repository, rule, wait_until  # noqa: E402

PROGRAMS = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/bin").resolve()
IMAGE = "slipway-agent:test"
PROBE = pathlib.Path(__file__).with_name("probe.sh")
TASKS = 40
# Of one task, so that there is something to stop in the middle of.
LATENCY_MS = 400
HOSTS = ("east", "west")


class ContainerSuite(Suite):
    """A suite whose agents run in containers of `engines`, and nowhere else."""

    def __init__(self, engines, rules):
        self.engines = engines
        super().__init__(PROGRAMS, rules)

    def way_to(self, one):
        """The lines of configuration that say how an engine is reached."""
        return f"      engine: unix:{one.socket}\n"

    def _configure(self, rules, overrides):
        hosts = ""
        for one in self.engines:
            hosts += (f"  - name: {one.name}\n    slots: 4\n    docker:\n"
                      f"      image: {IMAGE}\n{self.way_to(one)}"
                      f"      agent_config: {self.data}/config/agent.yaml\n"
                      f"      socket_directory: {self.directory}/s-{one.name}\n"
                      "      limits: {memory_bytes: 536870912, workspace_bytes: 134217728,"
                      " temporary_bytes: 33554432}\n")
        super()._configure(rules, {
            "dispatcher": f"lease_timeout: 8s\nbeat_interval: 1s\nbackoff_initial: 500ms\n"
                          f"hosts:\n{hosts}",
            "agent": "validator_programs: ['*']\n",
            "reviewer": "validator_programs: ['*']\n",
            **overrides})

    def start(self):
        os.chmod(self.directory, 0o711)
        super().start()

    def host(self, name):
        return next(host for host in self.ask("hosts")["hosts"] if host["name"] == f"hosts/{name}")

    def make_project(self, name, files, validators="none"):
        path = repository(self.path(f"{name}.git"), files, bare=True)
        self.ask("init", "--yes", "--id", name, "--repository", path, "--plan-tier", "scripted",
                 "--validators", validators, "--budget", "none", "--integration", "merge")
        return path

    def begin_run(self, plan):
        status, answer = self.call("Planner", "StartPlan", {"name": plan})
        assert status == 200, answer

    def run_of(self, plan):
        status, answer = self.call("Dispatcher", "GetRun", {"plan": plan})
        return answer["run"] if status == 200 else {}

    def tasks(self, plan):
        status, answer = self.call("Dispatcher", "ListTasks", {"plan": plan, "pageSize": 1000})
        assert status == 200, answer
        return answer["tasks"]

    def attempts(self, plan):
        found = []
        for task in self.tasks(plan):
            status, answer = self.call("Dispatcher", "ListAttempts", {"task": task["name"]})
            assert status == 200, answer
            found += answer.get("attempts", [])
        return found

    def states(self, plan):
        return collections.Counter(task["state"].removeprefix("STATE_") for task in self.tasks(plan))

    def await_success(self, plan, seconds=240):
        def ended():
            state = self.run_of(plan).get("state", "")
            return state in ("STATE_SUCCEEDED", "STATE_FAILED", "STATE_CANCELLED") and state
        try:
            state = wait_until(ended, f"the end of {plan}", seconds)
        except AssertionError:
            raise AssertionError(f"{self.states(plan)} {self.ask('hosts')} {self.logs()}") from None
        if state != "STATE_SUCCEEDED":
            raise AssertionError(f"{plan} ended {state}: {self.states(plan)} {self.logs()}")

    def logs(self):
        return pathlib.Path(self.data, "logs", "dispatcher.log").read_text(errors="replace")[-6000:]


class ContainersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lack = engine.missing()
        if lack and os.environ.get("CI") == "true":
            raise AssertionError(f"continuous integration needs {lack}")
        if lack:
            raise unittest.SkipTest(f"needs {lack}")
        cls.directory = tempfile.mkdtemp(prefix="slipway-engines-", dir="/tmp")
        os.chmod(cls.directory, 0o711)
        cls.engines = []
        try:
            tar = engine.agent_image(PROGRAMS / "slipway-agent")
            for name in HOSTS:
                one = engine.Engine(cls.directory, name)
                cls.engines.append(one)
                one.start()
                one.load(IMAGE, tar)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for one in cls.engines:
            one.remove()
        shutil.rmtree(cls.directory)

    def suite(self, rules, engines=None):
        made = ContainerSuite(engines or self.engines, rules)
        self.addCleanup(made.stop)
        return made

    def expect_nothing_left(self, suite):
        """No container on any engine, no network but those that an engine always has."""
        def empty():
            return not any(one.list("containers") for one in self.engines)
        wait_until(empty, "containers are gone", 60)
        for one in self.engines:
            self.assertLessEqual({network["Name"] for network in one.list("networks")},
                                 {"none", "host"}, one.name)
        for name in HOSTS:
            left = [entry for entry in os.listdir(suite.path(f"s-{name}"))]
            self.assertEqual([], left, "socket directories")

    def test_a_plan_merges_once_while_an_engine_is_stopped(self):
        ids = [f"t{number:02}" for number in range(TASKS)]
        # The last ten each wait for one of the first.
        rules = [rule("plan", plan_reply(*((task, ids[index - 30]) if index >= 30 else (task,)
                                           for index, task in enumerate(ids))))]
        rules += [rule("write", edit_reply(f"{task}.txt", f"{task}\n"), task=task,
                       latency_ms=LATENCY_MS) for task in ids]
        suite = self.suite(rules)
        path = suite.make_project("forty", {"a.txt": "a\n"})
        plan = suite.approved("forty", "Do forty things.\n")
        suite.begin_run(plan)

        def half_way():
            return (suite.run_of(plan) and suite.states(plan)["MERGED"] >= 8
                    and int(suite.host("west").get("busy", 0)) > 0)
        wait_until(half_way, "both engines work", 120)
        west = self.engines[1]
        west.stop()
        wait_until(lambda: suite.host("west").get("problem"), "the lost host shows", 30)
        suite.await_success(plan)

        self.assertEqual({"MERGED"}, set(suite.states(plan)))
        merged = [event for event in suite.events(plan=plan, kinds=["task.state_changed"])
                  if (event["payload"].get("taskStateChanged") or event["payload"].get(
                      "task_state_changed", {})).get("to", "").endswith("MERGED")]
        names = collections.Counter(event["task"] for event in merged)
        self.assertEqual([], [name for name, times in names.items() if times != 1])
        self.assertGreaterEqual(len(names), TASKS)
        for task in ids:
            self.assertEqual(f"{task}\n", git(path, "show", f"main:{task}.txt") + "\n")
            writes = git(path, "log", "--format=%H", "main", "--", f"{task}.txt").split()
            self.assertEqual(1, len(writes), task)
        by_host = collections.Counter(attempt["host"] for attempt in suite.attempts(plan)
                                      if attempt["state"] == "STATE_ACCEPTED")
        print("accepted attempts by host:", dict(by_host), flush=True)
        self.assertGreater(by_host["hosts/east"], 0)
        self.assertGreater(by_host["hosts/west"], 0)
        # The engine comes back with what it had when it was stopped: the sweep finds that.
        west.start()
        wait_until(lambda: not suite.host("west").get("problem"), "the host is there again", 60)
        self.expect_nothing_left(suite)

    def test_a_container_reaches_its_two_endpoints_and_nothing_else(self):
        # What finds nothing on a machine with a network and root proves nothing.
        outside = subprocess.run(["sh", PROBE], capture_output=True, text=True, check=False)
        self.assertEqual(1, outside.returncode, outside.stdout)
        self.assertIn("BREACH has a network", outside.stdout)
        suite = self.suite([rule("plan", plan_reply(("one",))),
                            rule("write", edit_reply("one.txt", "one\n"))])
        suite.make_project("probe", {"probe.sh": PROBE.read_text()}, "probe=sh probe.sh")
        plan = suite.approved("probe", "Look around.\n")
        suite.begin_run(plan)
        suite.await_success(plan)
        # Of the grant that validates, in a container of its own.
        checked = [attempt for attempt in suite.attempts(plan)
                   if attempt["kind"] == "KIND_VALIDATE" and attempt["state"] == "STATE_ACCEPTED"]
        self.assertTrue(checked)
        log = suite.text("logs", checked[0]["name"])
        for line in ("refused network", "refused an address", "refused a name", "refused the engine",
                     "sees two sockets", "reaches models, which refuses it",
                     "reaches the dispatcher, which refuses it", "refused the agent's environment",
                     "the agent lives on", "probe: 0 breaches"):
            self.assertIn(line, log)
        self.expect_nothing_left(suite)

    def test_containers_outlive_a_dispatcher_that_is_killed(self):
        suite = self.suite([rule("plan", plan_reply(("one",), ("two",))),
                            rule("write", edit_reply("one.txt", "1\n"), task="one", latency_ms=6000),
                            rule("write", edit_reply("two.txt", "2\n"), task="two",
                                 latency_ms=6000)])
        suite.make_project("restart", {"a.txt": "a\n"})
        plan = suite.approved("restart", "Do two things.\n")
        suite.begin_run(plan)
        wait_until(lambda: suite.run_of(plan) and suite.states(plan)["RUNNING"] == 2, "both run")
        before = {c["Id"] for one in self.engines for c in one.list("containers")}
        suite.kill("dispatcher")
        after = {c["Id"] for one in self.engines for c in one.list("containers")}
        self.assertLessEqual(before, after)
        suite.await_success(plan)
        # Not one attempt was lost: those that ran when it was killed are those that were merged.
        work = [attempt for attempt in suite.attempts(plan) if attempt["kind"] == "KIND_WORK"]
        self.assertEqual({"STATE_ACCEPTED"}, {attempt["state"] for attempt in work}, work)
        self.assertEqual(2, len(work))
        self.expect_nothing_left(suite)

    def test_what_an_engine_did_without_telling_is_done_once(self):
        ids = [f"t{number}" for number in range(6)]
        door = engine.UntoldEngine(self.engines[0], pathlib.Path(self.directory, "untold.sock"), 4)
        self.addCleanup(door.close)
        suite = self.suite([rule("plan", plan_reply(*((task,) for task in ids)))] + [
            rule("write", edit_reply(f"{task}.txt", f"{task}\n"), task=task,
                 latency_ms=LATENCY_MS) for task in ids], [door])
        path = suite.make_project("untold", {"a.txt": "a\n"})
        plan = suite.approved("untold", "Do six things.\n")
        suite.begin_run(plan)
        suite.await_success(plan)

        self.assertEqual({"MERGED"}, set(suite.states(plan)))
        for task in ids:
            self.assertEqual(1, len(git(path, "log", "--format=%H", "main", "--",
                                        f"{task}.txt").split()), task)
        # One that the engine said not to have started is removed, whatever it took meanwhile.
        charged = {task["name"]: task["retries"] for task in suite.tasks(plan)
                   if set(task.get("retries", {})) - {"conflict", "infrastructure"}}
        self.assertEqual({}, charged, "an engine's faults are no agent's")
        wait_until(lambda: not self.engines[0].list("containers"), "containers are gone", 60)
        wait_until(lambda: not os.listdir(suite.path("s-east")), "socket directories are gone")
        print("changes without an answer:", dict(door.untold), flush=True)
        for kind in ("create", "start", "remove"):
            self.assertGreaterEqual(door.untold[kind], 2, kind)

    def test_a_host_is_cordoned_and_drained(self):
        ids = [f"t{number}" for number in range(6)]
        suite = self.suite([rule("plan", plan_reply(*((task,) for task in ids)))] +
                           [rule("write", edit_reply(f"{task}.txt", "x\n"), task=task,
                                 latency_ms=3000) for task in ids])
        suite.make_project("drain", {"a.txt": "a\n"})
        suite.ask("hosts", "cordon", "west", "--reason", "new kernel")
        self.assertEqual("HOST_UNKNOWN", suite.refusal("hosts", "cordon", "north").reason)
        plan = suite.approved("drain", "Do six things.\n")
        suite.begin_run(plan)
        wait_until(lambda: int(suite.host("east").get("busy", 0)) > 0, "east works")
        self.assertEqual([], self.engines[1].list("containers"))
        # An order outlives the dispatcher.
        suite.kill("dispatcher")
        self.assertTrue(suite.host("west").get("cordoned"))
        self.assertEqual("new kernel", suite.host("west")["reason"])
        suite.ask("hosts", "uncordon", "west")
        suite.ask("hosts", "drain", "east", "--minutes", "0")
        wait_until(lambda: not self.engines[0].list("containers"), "east is empty", 60)
        suite.await_success(plan)
        self.assertIn("drained", suite.text("hosts"))
        spent = [attempt for attempt in suite.attempts(plan)
                 if attempt["state"] == "STATE_FAILED"]
        self.assertEqual([], spent, "a drain costs no retry")
        self.expect_nothing_left(suite)


if __name__ == "__main__":
    unittest.main(verbosity=2)
