"""The commands that a person types between a plan and its end, each against a suite that works."""

import json
import pathlib
import subprocess
import sys
import unittest

import suite as e2e

WAITS_FOR_PERSON = 6

programs = pathlib.Path()  # Where the programs of the suite are.
suite = None

FOREVER = 600_000
RULES = [
    e2e.rule("plan", e2e.plan_reply(["slow"], ["after", "slow"]), prompt_contains=["SPEC-SLOW"]),
    e2e.rule("plan", e2e.plan_reply(["wrong"], ["later", "wrong"]), prompt_contains=["SPEC-WRONG"]),
    e2e.rule("plan", e2e.plan_reply(["quick"], ["next", "quick"])),
    e2e.rule("write", e2e.edit_reply("slow.txt", "slow, with advice\n"), task="slow",
             prompt_contains=["ADVICE"]),
    e2e.rule("write", e2e.edit_reply("slow.txt", "slow\n"), task="slow", latency_ms=FOREVER),
    e2e.rule("write", e2e.edit_reply("wrong.txt", "good\n"), task="wrong",
             prompt_contains=["ADVICE"]),
    e2e.rule("write", e2e.edit_reply("wrong.txt", "bad\n"), task="wrong"),
    *(e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task}\n"), task=task)
      for task in ("after", "later", "quick", "next")),
]


def setUpModule():
    global suite
    suite = e2e.Suite(programs, RULES)
    unittest.addModuleCleanup(suite.stop)


def states(plan):
    return {task["name"].rsplit("/", 1)[1]: task["state"].removeprefix("STATE_")
            for task in suite.ask("show", plan)["tasks"]}


def wait_for_state(plan, task, state):
    e2e.wait_until(lambda: states(plan).get(task) == state, f"{task} is {state}")


class ProjectTest(unittest.TestCase):
    def test_projects_are_listed_shown_and_changed(self):
        suite.project("changing")
        names = [project["name"] for project in suite.ask("project", "list")["projects"]]
        self.assertIn("projects/changing", names)
        changed = suite.ask("project", "update", "changing", "--title", "New title", "--retries",
                            "7", "--parallel", "2", "--validator", "a=true --fast", "--validator",
                            "b=python3 -c 'print(1)'", "--critic", "frontier_reviewer",
                            "--integration", "none")
        self.assertEqual(changed["title"], "New title")
        policy = suite.ask("project", "show", "changing")["policy"]
        self.assertEqual([validator["command"] for validator in policy["validators"]],
                         [["true", "--fast"], ["python3", "-c", "print(1)"]])
        self.assertEqual(policy["attempts"]["retries_max"], 7)
        self.assertEqual(policy["parallel_max"], 2)
        self.assertEqual(policy["review"]["critic_role"], "frontier_reviewer")
        self.assertEqual(policy["integration"]["mode"], "MODE_NONE")
        cleared = suite.ask("project", "update", "changing", "--no-validators", "--critic", "none",
                            "--no-agent-checks")
        self.assertEqual(cleared["policy"]["validators"], [])
        self.assertTrue(cleared["policy"]["attempts"]["skip_agent_checks"])
        self.assertEqual(cleared["policy"]["review"]["critic_role"], "")
        self.assertIn("New title", suite.text("project", "list"))
        self.assertIn("New title", suite.text("project", "show", "changing"))


class PlanTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        suite.project("plans")

    def test_a_task_is_shown_before_and_after_its_start(self):
        plan = suite.plan("plans", "# Shown\n")["name"]
        before = suite.ask("show", f"{plan}/tasks/next")
        self.assertEqual(before["task"]["name"], f"{plan}/tasks/next")
        self.assertEqual(before["attempts"], [])
        self.assertIn("Write next.txt.", suite.text("show", f"{plan}/tasks/next"))
        suite.ask("approve", plan)
        suite.text("run", plan)
        after = suite.ask("show", f"{plan}/tasks/next")
        self.assertEqual(after["task"]["state"], "STATE_MERGED")
        self.assertEqual(len(after["attempts"]), 1)
        self.assertEqual(set(before), set(after))
        text = suite.text("show", f"{plan}/tasks/next")
        self.assertIn("next@1", text)
        self.assertIn(after["task"]["merged_commit"], text)

    def test_a_rejected_plan_stays_rejected(self):
        plan = suite.plan("plans", "# Rejected\n")["name"]
        rejected = suite.ask("reject", plan, "--reason", "not now")
        self.assertEqual(rejected["state"], "STATE_REJECTED")
        self.assertIn("not now", rejected["failure"])
        for command in ("approve", "run"):
            self.assertEqual(suite.refusal(command, plan).reason, "PLAN_STATE")
        self.assertEqual(suite.run("watch", plan).returncode, 1)

    def test_an_edit_makes_a_version_that_must_be_approved(self):
        plan = suite.plan("plans", "# Edited\n")["name"]
        self.assertEqual(suite.run("watch", plan).returncode, WAITS_FOR_PERSON)
        edited = suite.ask("edit", plan, "--task", "next", "--title", "Last", "--priority", "9",
                           "--budget", "1.5", "--depends", "", "--acceptance", "it is there")
        self.assertEqual(edited["version"], 2)
        task = {task["id"]: task for task in edited["tasks"]}["next"]
        self.assertEqual((task["title"], task["priority"], task["limit_usd_nanos"],
                          task["depends_on"], task["acceptance"]),
                         ("Last", 9, "1500000000", [], ["it is there"]))
        self.assertEqual(suite.ask("approve", plan)["approved_version"], 2)
        text = suite.text("show", plan, "--spec")
        self.assertIn("# Edited", text)

    def test_what_was_done_is_told_by_every_reading_command(self):
        suite.project("read")
        plan = suite.approved("read", "# Read\n")
        lines = suite.text("run", plan)
        self.assertIn("merged", lines)
        self.assertIn("done:", lines)
        self.assertEqual(suite.run("watch", plan).returncode, 0)
        kinds = {event["kind"] for event in suite.lines("events", plan, "--last", "500")}
        self.assertLessEqual({"plan.state_changed", "task.state_changed", "change.merged",
                              "call.finished", "usage.recorded"}, kinds)
        self.assertEqual({event["kind"].split(".")[0] for event in suite.lines(
            "events", plan, "--kinds", "task.,plan.state_changed")}, {"task", "plan"})
        for name in (plan, f"{plan}/tasks/quick", "quick@1"):
            diff = suite.ask("diff", name if name != "quick@1" else
                             f"{plan}/tasks/quick/attempts/1")
            self.assertIn("+quick", diff["text"])
            self.assertFalse(diff["truncated"])
        self.assertIn("+++ b/quick.txt", suite.text("diff", plan))
        log = "".join(line["data"] for line in suite.lines("logs", f"{plan}/tasks/quick"))
        self.assertTrue(log)
        self.assertTrue(suite.text("logs", f"{plan}/tasks/quick", "-f"))
        usage = suite.ask("usage", plan, "--by", "task")["rollups"]
        # The draft is charged to the plan and to no task.
        self.assertEqual({rollup["scopes"]["task"] for rollup in usage},
                         {"", f"{plan}/tasks/quick", f"{plan}/tasks/next"})
        for group in ("day", "project", "plan", "attempt", "role", "provider", "model"):
            self.assertTrue(suite.ask("usage", "--by", group)["rollups"], group)
        self.assertIn("scripted-small", suite.text("usage", "--by", "model"))


class ControlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        suite.project("control")

    def started(self, title):
        """A plan whose first task is under way, and the command that follows it."""
        plan = suite.approved("control", f"# {title} SPEC-SLOW\n")
        run = suite.begin("run", plan)
        self.addCleanup(run.communicate)
        wait_for_state(plan, "slow", "RUNNING")
        return plan, run

    def ends(self, run, code):
        self.assertEqual(run.wait(timeout=e2e.TIMEOUT_SECONDS), code)

    def test_a_cancelled_plan_ends_and_its_agent_is_stopped(self):
        plan, run = self.started("Cancelled")
        self.assertEqual(suite.ask("cancel", plan, "--reason", "enough")["state"],
                         "STATE_CANCELLED")
        self.ends(run, 1)
        self.assertEqual(suite.ask("show", plan)["plan"]["state"], "STATE_CANCELLED")
        self.assertEqual(set(states(plan).values()), {"CANCELLED"})
        e2e.wait_until(lambda: all(host["busy"] == 0 for host in suite.ask("hosts")["hosts"]),
                       "no agent works")
        self.assertEqual(suite.refusal("cancel", plan).code, 0)

    def test_a_paused_task_goes_on_when_it_is_resumed(self):
        plan, run = self.started("Paused")
        task = f"{plan}/tasks/slow"
        self.assertEqual(suite.ask("pause", task, "--stop-agents", "--reason", "look first")
                         ["stopped"], 1)
        wait_for_state(plan, "slow", "PAUSED")
        self.ends(run, WAITS_FOR_PERSON)
        self.assertEqual(suite.ask("resume", task)["resumed"], 1)
        wait_for_state(plan, "slow", "RUNNING")
        suite.ask("cancel", plan)

    def test_a_pause_lets_work_that_is_under_way_end(self):
        plan, run = self.started("Lenient")
        self.assertEqual(suite.ask("pause", plan)["stopped"], 0)
        self.ends(run, WAITS_FOR_PERSON)
        self.assertEqual(states(plan)["slow"], "RUNNING")
        suite.ask("cancel", plan)

    def test_the_log_of_an_attempt_is_followed_to_its_end(self):
        plan, run = self.started("Logged")
        log = suite.begin("logs", f"{plan}/tasks/slow@1", "--follow")
        with self.assertRaises(subprocess.TimeoutExpired, msg="it ended before the attempt"):
            log.wait(timeout=1)
        suite.ask("cancel", plan)
        self.assertEqual(log.wait(timeout=e2e.TIMEOUT_SECONDS), 0)
        log.communicate()
        self.ends(run, 1)

    def test_a_paused_plan_goes_on_when_it_is_resumed(self):
        plan, run = self.started("Held")
        suite.ask("pause", plan, "--stop-agents")
        self.ends(run, WAITS_FOR_PERSON)
        suite.ask("resume", plan)
        wait_for_state(plan, "slow", "RUNNING")
        suite.ask("cancel", plan)

    def test_kill_stops_everything_until_it_is_resumed(self):
        plan, run = self.started("Killed")
        killed = suite.ask("kill", "--reason", "fire")
        self.assertGreaterEqual(killed["stopped"], 1)
        e2e.wait_until(lambda: all(host["busy"] == 0 for host in suite.ask("hosts")["hosts"]),
                       "no agent works")
        self.ends(run, WAITS_FOR_PERSON)
        waiting = suite.approved("control", "# Waits for the fire to end\n")
        self.assertEqual(suite.run("run", waiting).returncode, WAITS_FOR_PERSON)
        self.assertNotIn("MERGED", states(waiting).values())
        suite.ask("resume", "--all")
        self.assertEqual(suite.run("watch", waiting, "--keep-waiting").returncode, 0)
        suite.ask("cancel", plan)


class CheckpointTest(unittest.TestCase):
    def setUp(self):
        # Of its own: a change that the branch has already is none.
        self.project = self.id().rsplit("_", 1)[1].lower()
        self.repository = suite.project(self.project)
        suite.ask("project", "update", self.project, "--retries", "1", "--validator",
                  "check=python3 -c \"import os,sys; sys.exit(os.path.exists('wrong.txt') and "
                  "open('wrong.txt').read() != 'good\\n')\"")

    def asked(self):
        """A plan that waits for a person since an agent's retries are spent."""
        plan = suite.approved(self.project, "# Ask SPEC-WRONG\n")
        run = suite.run("run", plan)
        self.assertEqual(run.returncode, WAITS_FOR_PERSON, run)
        self.assertIn("slipway resolve", run.stderr)
        open_questions = suite.ask("checkpoints", plan)["checkpoints"]
        self.assertEqual([question["reason"] for question in open_questions], ["RETRIES_SPENT"])
        attempts = [attempt for attempt in suite.ask("show", f"{plan}/tasks/wrong")["attempts"]
                    if attempt["kind"] == "KIND_WORK"]
        self.assertEqual(len(attempts), 2)
        return plan, open_questions[0]

    def test_guidance_lets_the_work_go_on(self):
        plan, question = self.asked()
        text = suite.text("checkpoints")
        self.assertIn("RETRIES_SPENT", text)
        self.assertIn("--decision", text)
        answer = suite.ask("resolve", question["name"], "--decision", "retry", "--guidance",
                           "ADVICE: write good")
        self.assertEqual(answer["checkpoint"]["decision"], "DECISION_RETRY")
        self.assertEqual(suite.run("watch", plan).returncode, 0)
        self.assertEqual(states(plan), {"wrong": "MERGED", "later": "MERGED",
                                        "integration": "MERGED"})
        refusal = suite.refusal("resolve", question["name"], "--decision", "skip")
        self.assertEqual((refusal.code, refusal.reason), (4, "CHECKPOINT_RESOLVED"))
        self.assertEqual(suite.ask("checkpoints", plan)["checkpoints"], [])
        self.assertEqual(len(suite.ask("checkpoints", plan, "--all")["checkpoints"]), 1)
        self.assertEqual(e2e.git(self.repository, "show", "main:wrong.txt"), "good")

    def test_a_skipped_task_does_not_hold_the_others_up(self):
        plan, _ = self.asked()
        suite.ask("resolve", "wrong", "--decision", "skip")
        self.assertEqual(suite.run("watch", plan).returncode, 0)
        self.assertEqual(states(plan), {"wrong": "SKIPPED", "later": "MERGED",
                                        "integration": "MERGED"})

    def test_a_failed_task_fails_the_plan(self):
        plan, question = self.asked()
        suite.ask("resolve", question["name"].rsplit("/", 1)[1], "--decision", "fail")
        self.assertEqual(suite.run("watch", plan).returncode, 1)
        self.assertEqual(suite.ask("show", plan)["plan"]["state"], "STATE_FAILED")

    def test_a_retry_answers_the_question_too(self):
        plan, _ = self.asked()
        suite.ask("retry", f"{plan}/tasks/wrong", "--guidance", "ADVICE: write good")
        self.assertEqual(suite.run("watch", plan).returncode, 0)
        self.assertEqual(suite.ask("checkpoints", plan)["checkpoints"], [])


class MoneyTest(unittest.TestCase):
    def test_budgets_are_set_listed_and_removed(self):
        suite.project("money")
        made = suite.ask("budget", "set", "money", "12.5", "--window", "month")["budget"]
        self.assertEqual((made["scope"], made["limit"], made["window"]),
                         ("projects/money", "12500000000", "WINDOW_MONTH"))
        suite.ask("budget", "set", "projects/money/roles/simple_builder", "100000", "--metric",
                  "tokens")
        listed = suite.ask("budget", "list", "money")["balances"]
        self.assertEqual({balance["budget"]["metric"] for balance in listed},
                         {"METRIC_USD_NANOS", "METRIC_TOKENS"})
        shown = suite.text("budget", "list", "money")
        self.assertIn("$12.50", shown)
        for balance in listed:
            identifier = balance["budget"]["name"].rsplit("/", 1)[1]
            self.assertIn(identifier, shown)
            suite.text("budget", "delete", identifier)
        self.assertEqual(suite.ask("budget", "list", "money")["balances"], [])


class TokenTest(unittest.TestCase):
    def test_tokens_are_made_listed_and_revoked(self):
        made = suite.ask("token", "create", "laptop", "--role", "operator", "--days", "3")
        name = made["token"]["name"]
        self.assertEqual(made["token"]["role"], "ROLE_OPERATOR")
        self.assertIn("expire_time", made["token"])
        self.assertIn("laptop", suite.text("token", "list"))
        path = pathlib.Path(suite.path("laptop.token"))
        path.write_text(made["secret"])
        self.assertEqual(suite.run("status", "--token-file", path).returncode, 0)
        suite.text("token", "revoke", name.rsplit("/", 1)[1])
        listed = {token["name"]: token for token in suite.ask("token", "list")["tokens"]}
        self.assertTrue(name not in listed or listed[name]["revoked"])
        self.assertEqual(suite.run("status", "--token-file", path).returncode, 4)


class SuiteTest(unittest.TestCase):
    def test_models_and_their_calls_are_told(self):
        suite.project("models")
        suite.plan("models", "# Called\n")
        routes = suite.ask("models", "routes")["routes"]
        self.assertEqual([(route["role"], route["model"]) for route in routes],
                         [("*", "scripted-small")])
        self.assertEqual([provider["name"].rsplit("/", 1)[-1] for provider in
                          suite.ask("models", "providers")["providers"]], ["scripted"])
        calls = suite.ask("models", "calls")["calls"]
        self.assertTrue(calls)
        for command in ("routes", "providers", "calls"):
            self.assertIn("scripted", suite.text("models", command))

    def test_hosts_and_status_and_doctor_say_how_it_stands(self):
        hosts = suite.ask("hosts")["hosts"]
        self.assertEqual([host["name"] for host in hosts], ["hosts/local"])
        self.assertIn("local", suite.text("hosts"))
        status = suite.ask("status")
        self.assertEqual(set(status), {"status", "plans", "next_page_token", "checkpoints", "waiting_runs"})
        self.assertTrue(all(service["serving"] for service in status["status"]["services"]))
        self.assertIn("gateway", suite.text("status"))
        doctor = json.loads(suite.run("doctor", "-o", "json").stdout)
        grades = {check["check"]: check["grade"] for check in doctor["checks"]}
        for check in ("programs", "sandbox", "git", "data directory", "planner", "gateway",
                      "provider scripted"):
            self.assertIn(grades[check], ("OK", "WARN"), doctor)

    def test_help_and_completion_name_every_command(self):
        text = suite.text("--help")
        for command in ("up", "down", "init", "plan", "show", "edit", "approve", "run", "watch",
                        "status", "logs", "diff", "retry", "resolve", "pause", "resume", "kill",
                        "budget", "usage", "doctor", "cancel", "reject", "events", "hosts", "demo",
                        "rehearse", "token", "models", "project", "checkpoints", "salvage"):
            self.assertRegex(text, rf"(?m)^  {command} ")
            self.assertIn("Usage:", suite.text("help", command))
        script = suite.text("completion", "bash")
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        self.assertRegex(suite.text("--version"), r"^slipway \d+\.\d+")

    def test_results_keep_their_shape_for_programs(self):
        suite.project("shapes")
        plan = suite.plan("shapes", "# Shape\n")
        self.assertLessEqual({"name", "title", "state", "version", "approved_version", "tasks",
                              "estimate_usd_nanos", "failure", "branch", "base_commit"}, set(plan))
        shown = suite.ask("show", plan["name"])
        self.assertEqual(list(shown), ["plan", "run", "tasks", "cost_usd_nanos"])
        self.assertIsNone(shown["run"])
        self.assertEqual(list(suite.ask("budget", "list")), ["balances", "next_page_token"])
        self.assertEqual(list(suite.ask("checkpoints")), ["checkpoints", "next_page_token"])
        event = suite.lines("events", "--last", "1")[0]
        self.assertEqual(list(event), ["log", "sequence", "kind", "project", "plan", "task",
                                       "attempt", "payload", "append_time"])
        failed = suite.run("show", "ghost", "-o", "json")
        error = json.loads(failed.stdout)["error"]
        self.assertEqual(list(error), ["code", "reason", "message", "metadata"])
        self.assertEqual(failed.stderr, "")


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
