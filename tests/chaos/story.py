"""The work of the demo, driven call by call by a client that starts over whenever it is cut off."""

import json
import os
import pathlib
import subprocess
import time

import running_suite as suites

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = SOURCE / "examples" / "tally"
PROJECT = "projects/tally"
# The dates make the first commit the same in every round.
GIT_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}
MODELS = """\
providers:
  - name: scripted
    scripted: {{script: "{script}", call_log: "{call_log}"}}
routes:
  - {{role: frontier_reviewer, provider: scripted, model: scripted-large, output_tokens_max: 4000}}
  - {{role: general_builder, provider: scripted, model: scripted-large, output_tokens_max: 4000}}
  - {{role: "*", provider: scripted, model: scripted-small, output_tokens_max: 4000}}
"""
LEASE_SECONDS = 3
DISPATCHER = f"""\
lease_timeout: {LEASE_SECONDS}s
beat_interval: 0.5s
"""
LEDGER = """\
price_files: ["{prices}"]
"""
PROJECT_LIMIT = 2_000_000_000
DOCS_LIMIT_SMALL = 1_000  # Less than its first call needs.
DOCS_LIMIT_RAISED = 100_000_000


class Stuck(Exception):
    """The work has stopped short of its end, or takes far too long."""


def repository(data):
    return data / "tally.git"


def call_log(data):
    return data / "models" / "calls.jsonl"


def git(directory, *arguments):
    return subprocess.run(["git", *arguments], cwd=directory, env=GIT_ENVIRONMENT, check=True,
                          capture_output=True, text=True).stdout.strip()


def prepare(data):
    """A repository with the sample's files, and a suite that its scripted provider serves."""
    (data / "overrides").mkdir(parents=True)
    (data / "overrides" / "models.yaml").write_text(
        MODELS.format(script=SAMPLE / "script.json", call_log=call_log(data)))
    (data / "overrides" / "ledger.yaml").write_text(
        LEDGER.format(prices=SOURCE / "data" / "prices" / "default.yaml"))
    (data / "overrides" / "dispatcher.yaml").write_text(DISPATCHER)
    os.chmod(data, 0o711)
    os.chmod(data / "overrides", 0o700)
    bare = repository(data)
    git(data, "init", "--quiet", "--bare", "--initial-branch=main", bare)
    here = (f"--git-dir={bare}", f"--work-tree={SAMPLE / 'repository'}")
    git(SAMPLE / "repository", *here, "add", "--all")
    git(SAMPLE / "repository", *here, "commit", "--quiet", "-m", "Keep expenses in a file")


class Story:
    """Steps that can be taken again: each looks at what there is, and does what comes next."""

    def __init__(self, suite):
        self._suite = suite
        self._plan = None
        self._budgeted = False
        self.seen = ""  # What the last look saw.

    @property
    def plan(self):
        return self._plan

    def finish(self, patience):
        """Returns when the plan has completed; raises Stuck or Refused."""
        end = time.monotonic() + patience
        while True:
            try:
                if self._step():
                    return
            except suites.Away as error:
                self.seen = str(error)
            if time.monotonic() >= end:
                raise Stuck(f"not at its end after {patience} s: {self.seen}")
            time.sleep(suites.POLL_SECONDS)

    def _step(self):
        if self._plan is None:
            self._create()
        plan = self._suite.call("planner.v1.PlannerService/GetPlan", name=self._plan)["plan"]
        state = plan["state"].removeprefix("STATE_")
        self.seen = f"{state} {plan.get('failure', '')}"
        if state == "PROPOSED":
            self._limit(f"{self._plan}/tasks/docs", DOCS_LIMIT_SMALL)
            self._suite.call("planner.v1.PlannerService/ApprovePlan", name=self._plan,
                             version=plan["version"])
        elif state == "APPROVED":
            self._suite.call("planner.v1.PlannerService/StartPlan", name=self._plan)
        elif state == "RUNNING":
            self._tend()
        elif state not in ("DRAFTING", "COMPLETED"):
            raise Stuck(f"the plan is {self.seen}")
        return state == "COMPLETED"

    def _create(self):
        self._suite.call("planner.v1.PlannerService/CreateProject", requestId="chaos-project",
                         project={
                             "name": PROJECT, "title": "Tally",
                             "repository": str(repository(self._suite.data)),
                             "targetBranch": "main", "planTier": "scripted",
                             "policy": {
                                 "validators": [{"name": "unit-tests",
                                                 "command": ["python3", "-m", "unittest"]}],
                                 "review": {"criticRole": "frontier_reviewer"},
                                 "integration": {"mode": "MODE_MERGE"}}})
        self._limit(PROJECT, PROJECT_LIMIT)
        self._plan = self._suite.call("planner.v1.PlannerService/CreatePlan", parent=PROJECT,
                                      requestId="chaos-plan",
                                      spec=(SAMPLE / "spec.md").read_text())["plan"]["name"]

    def _limit(self, scope, nanos):
        self._suite.call("ledger.v1.LedgerService/SetBudget", requestId=f"chaos-{scope}-{nanos}",
                         budget={"scope": scope, "metric": "METRIC_USD_NANOS",
                                 "window": "WINDOW_TOTAL", "limit": nanos})

    def _tend(self):
        tasks = self._suite.call("dispatcher.v1.DispatcherService/ListTasks",
                                 plan=self._plan).get("tasks", [])
        self.seen = "; ".join(
            f"{task['name'].rsplit('/', 1)[1]} {task['state'].removeprefix('STATE_')} "
            f"{task.get('reason', '')} {task.get('detail', '')}".strip() for task in tasks)
        asked = self._suite.call("dispatcher.v1.DispatcherService/ListCheckpoints",
                                 plan=self._plan).get("checkpoints", [])
        if asked:
            raise Stuck(f"a person is asked: {json.dumps(asked)[:2000]}")
        for task in tasks:
            if task["state"] == "STATE_PAUSED" and task.get("reason") == "budget":
                self._limit(task["name"], DOCS_LIMIT_RAISED)
