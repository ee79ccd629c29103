"""Bad input, as people and programs give it: each is refused with a reason that has a name, an exit
code that scripts can rely on and a hint, and nothing has changed afterwards."""

import base64
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

import suite as e2e

WRONG_USAGE, NOT_FOUND, REFUSED, UNREACHABLE = 2, 3, 4, 5
SPEC_BYTES_MAX = 256 << 10

programs = pathlib.Path()  # Where the programs of the suite are.
suite = None  # One for all tests that ask a suite that runs; they change nothing.
good_plan = ""  # Name of a plan that waits for approval.

GOOD_PLAN = e2e.plan_reply(["first"], ["second", "first"])
RULES = [
    e2e.rule("plan", "I would rather talk about it.", prompt_contains=["SPEC-NOT-JSON"]),
    e2e.rule("plan", json.dumps(GOOD_PLAN)[:-30], prompt_contains=["SPEC-TRUNCATED"]),
    e2e.rule("plan", {**GOOD_PLAN, "tasks": [
        {**GOOD_PLAN["tasks"][0], "allowed_paths": ["../outside/**"]}]},
             prompt_contains=["SPEC-OUTSIDE"]),
    e2e.rule("plan", e2e.plan_reply(["first", "second"], ["second", "first"]),
             prompt_contains=["SPEC-CYCLE"]),
    e2e.rule("plan", GOOD_PLAN),
]


def setUpModule():
    global suite, good_plan
    suite = e2e.Suite(programs, RULES)
    unittest.addModuleCleanup(suite.stop)
    suite.project("p")
    good_plan = suite.plan("p", "# A good spec\n")["name"]


class SuiteTest(unittest.TestCase):
    """What a running suite is asked."""

    def refused(self, arguments, code, reason, **options):
        """Runs a command that is refused, with nothing changed, and returns what it said."""
        before = suite.listing()
        refusal = suite.refusal(*arguments, **options)
        self.assertEqual((refusal.code, refusal.reason), (code, reason), refusal.message)
        self.assertTrue(refusal.hint, refusal)
        self.assertEqual(suite.listing(), before, "something changed")
        return refusal

    def denied(self, service, method, body, status, reason, token=None):
        """Makes a call that is refused, with nothing changed, and returns what it said."""
        before = suite.listing()
        answer, error = suite.call(service, method, body, token)
        self.assertEqual((answer, reason_of(error)), (status, reason), error)
        self.assertEqual(suite.listing(), before, "something changed")
        return error

    def spec_file(self, content):
        path = pathlib.Path(suite.path("bad-spec.md"))
        path.write_bytes(content)
        return path


def reason_of(error):
    for detail in error.get("details", []):
        if detail["type"] == "google.rpc.ErrorInfo":
            return error_info(detail)["reason"]
    return None


def error_info(detail):
    return detail["debug"] if "debug" in detail else json.loads(base64.b64decode(detail["value"]))


class SpecTest(SuiteTest):
    def test_a_spec_that_says_nothing_is_refused(self):
        for content in (b"", b" \n\t\n  "):
            self.refused(("plan", self.spec_file(content), "--project", "p"), WRONG_USAGE,
                         "SPEC_EMPTY")

    def test_a_spec_that_is_too_large_is_refused(self):
        for size in (SPEC_BYTES_MAX + 1, 5 << 20):
            self.refused(("plan", self.spec_file(b"x" * size), "--project", "p"), WRONG_USAGE,
                         "SPEC_TOO_LARGE")

    def test_a_spec_that_is_no_text_is_refused(self):
        for content in (b"\xff\xfe\x00\x01 binary", b"text \x00 and more", os.urandom(4096)):
            self.refused(("plan", self.spec_file(content), "--project", "p"), WRONG_USAGE,
                         "SPEC_NOT_TEXT")

    def test_words_that_are_no_text_are_refused(self):
        self.refused(("plan", self.spec_file(b"# Good\n"), "--project", "p", "--title",
                      b"\xff".decode(errors="surrogateescape")), WRONG_USAGE, "ARGUMENT_INVALID")

    def test_a_spec_that_is_not_there_is_named(self):
        refusal = self.refused(("plan", "/nonexistent/spec.md"), WRONG_USAGE, "FILE_UNREADABLE")
        self.assertIn("/nonexistent/spec.md", refusal.message)


class PlanTest(SuiteTest):
    def imported(self, tasks):
        return {"parent": "projects/p", "plan": {"title": "Imported", "tasks": tasks}}

    def test_an_imported_plan_with_a_cycle_is_refused_and_the_cycle_named(self):
        error = self.denied("Planner", "ImportPlan", self.imported([
            {"id": "a", "dependsOn": ["c"]}, {"id": "b", "dependsOn": ["a"]},
            {"id": "c", "dependsOn": ["b"]}, {"id": "d"}]), 400, "PLAN_CYCLE")
        self.assertRegex(error["message"], r"(a -> [bc] -> [bc] -> a|b -> .* -> b|c -> .* -> c)")
        self.assertNotIn("-> d", error["message"])

    def test_an_imported_plan_with_an_unknown_dependency_is_refused(self):
        error = self.denied("Planner", "ImportPlan", self.imported([
            {"id": "a", "dependsOn": ["ghost"]}]), 400, "DEPENDENCY_UNKNOWN")
        self.assertIn("ghost", error["message"])

    def test_an_imported_plan_with_an_id_twice_is_refused(self):
        error = self.denied("Planner", "ImportPlan", self.imported([
            {"id": "twin"}, {"id": "twin"}]), 400, "TASK_DUPLICATE")
        self.assertIn("twin", error["message"])

    def test_an_imported_plan_that_leaves_the_repository_is_refused(self):
        self.denied("Planner", "ImportPlan", self.imported([
            {"id": "a", "allowedPaths": ["/etc/**"]}]), 400, "PATH_OUTSIDE")

    def test_an_imported_plan_without_tasks_is_refused(self):
        self.denied("Planner", "ImportPlan", self.imported([]), 400, "PLAN_EMPTY")

    def test_an_edit_that_makes_a_cycle_is_refused_and_the_cycle_named(self):
        refusal = self.refused(("edit", good_plan, "--task", "first", "--depends", "second"),
                               WRONG_USAGE, "PLAN_CYCLE")
        self.assertRegex(refusal.message, r"first -> second -> first|second -> first -> second")

    def test_an_edit_that_depends_on_nothing_known_is_refused(self):
        refusal = self.refused(("edit", good_plan, "--task", "first", "--depends", "ghost"),
                               WRONG_USAGE, "DEPENDENCY_UNKNOWN")
        self.assertIn("ghost", refusal.message)

    def test_an_edit_that_removes_what_others_need_is_refused(self):
        self.refused(("edit", good_plan, "--task", "first", "--remove"), WRONG_USAGE,
                     "DEPENDENCY_UNKNOWN")

    def test_an_edit_that_adds_an_id_again_is_refused(self):
        self.denied("Planner", "EditPlan", {"name": good_plan, "version": 1,
                                            "addedTasks": [{"id": "first"}]},
                    400, "TASK_DUPLICATE")

    def test_an_edit_of_an_older_version_is_refused(self):
        self.denied("Planner", "EditPlan", {"name": good_plan, "version": 7, "edits": [
            {"task": "first", "title": "Other"}]}, 409, "VERSION_MISMATCH")

    def test_an_edit_that_changes_nothing_is_refused(self):
        self.refused(("edit", good_plan, "--task", "first"), WRONG_USAGE, "NOTHING_TO_CHANGE")

    def test_a_plan_that_nobody_approved_does_not_start(self):
        self.refused(("run", good_plan), REFUSED, "PLAN_STATE")


class ReplyTest(SuiteTest):
    def drafted(self, spec):
        """The failed plan, the reasons of the refused replies, and how many calls were made."""
        calls = len(pathlib.Path(suite.call_log).read_text().splitlines())
        plan = suite.plan("p", f"# {spec}\n", code=1)
        calls = len(pathlib.Path(suite.call_log).read_text().splitlines()) - calls
        self.assertEqual(plan["state"], "STATE_FAILED")
        self.assertEqual(plan["tasks"], [])
        refused = [event["payload"]["planReplyRejected"]["reason"]
                   for event in suite.events(plan=plan["name"], kinds=["plan.reply_rejected"])]
        self.assertEqual(calls, len(refused), "a reply was not told of")
        self.assertGreaterEqual(len(refused), 2, "no other reply was asked for")
        return plan, set(refused)

    def test_a_reply_that_is_not_json_fails_the_plan(self):
        plan, refused = self.drafted("SPEC-NOT-JSON")
        self.assertEqual(refused, {"REPLY_NOT_JSON"})
        self.assertTrue(plan["failure"].startswith("REPLY_NOT_JSON: "), plan["failure"])

    def test_a_reply_that_is_truncated_fails_the_plan(self):
        plan, refused = self.drafted("SPEC-TRUNCATED")
        self.assertEqual(refused, {"REPLY_TRUNCATED"})
        self.assertTrue(plan["failure"].startswith("REPLY_TRUNCATED: "), plan["failure"])

    def test_a_reply_that_leaves_the_repository_fails_the_plan(self):
        plan, refused = self.drafted("SPEC-OUTSIDE")
        self.assertEqual(refused, {"PATH_OUTSIDE"})
        self.assertIn("../outside/**", plan["failure"])

    def test_a_reply_with_a_cycle_fails_the_plan(self):
        plan, refused = self.drafted("SPEC-CYCLE")
        self.assertEqual(refused, {"PLAN_CYCLE"})
        self.assertRegex(plan["failure"], "first -> second|second -> first")

    def test_a_plan_that_failed_is_told_to_people_with_a_hint(self):
        path = pathlib.Path(suite.path("spec-for-people.md"))
        path.write_text("# SPEC-NOT-JSON for people\n")
        refusal = suite.refusal("plan", path, "--project", "p", "--wait")
        self.assertEqual(refusal.code, 1)
        self.assertIn("REPLY_NOT_JSON", refusal.message)
        self.assertTrue(refusal.hint, refusal)


class RepositoryTest(SuiteTest):
    def init(self, path, *arguments):
        return ("init", "--yes", "--id", "q", "--repository", path, "--plan-tier", "scripted",
                "--budget", "none", *arguments)

    def test_a_directory_that_is_no_repository_is_refused(self):
        plain = suite.path("plain")
        os.makedirs(plain, exist_ok=True)
        for path in (plain, suite.path("missing")):
            refusal = self.refused(self.init(path), REFUSED, "NOT_A_REPOSITORY")
            self.assertIn(path, refusal.message)

    def test_a_repository_without_a_commit_is_refused(self):
        empty = suite.path("empty")
        os.makedirs(empty, exist_ok=True)
        e2e.git(empty, "init", "--quiet", "--initial-branch=main")
        self.refused(self.init(empty), REFUSED, "REPOSITORY_EMPTY")

    def test_a_branch_that_is_not_there_is_refused(self):
        refusal = self.refused(self.init(suite.path("p.git"), "--branch", "gone"), REFUSED,
                               "BRANCH_MISSING")
        self.assertIn("gone", refusal.message)

    def test_a_repository_with_changes_that_are_not_committed_is_refused(self):
        path = suite.project("dirty", bare=False)
        spec = self.spec_file(b"# A good spec\n")
        changed = pathlib.Path(path, "a.txt")
        changed.write_text("changed\n")
        self.refused(("plan", spec, "--project", "dirty"), REFUSED, "REPOSITORY_DIRTY")
        self.assertEqual(changed.read_text(), "changed\n")
        changed.write_text("a\n")
        suite.ask("plan", spec, "--project", "dirty", "--wait")

    def test_answers_that_make_no_project_are_refused(self):
        path = suite.path("p.git")
        self.refused(self.init(path, "--integration", "somewhere"), WRONG_USAGE, "ARGUMENT_INVALID")
        self.refused(self.init(path, "--validators", "a=true; a=false"), WRONG_USAGE,
                     "POLICY_INVALID")
        self.refused(("init", "--yes", "--id", "q", "--repository", path), WRONG_USAGE,
                     "ANSWER_MISSING")
        self.refused(("init", "--yes", "--id", "p", "--repository", path, "--plan-tier",
                      "scripted"), REFUSED, "PROJECT_EXISTS")


class NameTest(SuiteTest):
    def test_what_does_not_exist_is_named(self):
        plan = "projects/p/plans/2026-01-01-ghost"
        for arguments, reason in (
                (("project", "show", "ghost"), "PROJECT_UNKNOWN"),
                (("project", "update", "ghost", "--title", "G"), "PROJECT_UNKNOWN"),
                (("plan", self.spec_file(b"# Good\n"), "--project", "ghost"), "PROJECT_UNKNOWN"),
                (("show", "ghost"), "PLAN_UNKNOWN"),
                (("show", plan), "PLAN_UNKNOWN"),
                (("approve", plan), "PLAN_UNKNOWN"),
                (("reject", plan), "PLAN_UNKNOWN"),
                (("run", plan), "PLAN_UNKNOWN"),
                (("edit", plan, "--task", "a", "--title", "b"), "PLAN_UNKNOWN"),
                (("edit", good_plan, "--task", "ghost", "--title", "b"), "TASK_UNKNOWN"),
                (("cancel", plan), "RUN_UNKNOWN"),
                (("watch", plan), "PLAN_UNKNOWN"),
                (("show", f"{plan}/tasks/a"), "TASK_UNKNOWN"),
                (("retry", f"{plan}/tasks/a"), "TASK_UNKNOWN"),
                (("logs", f"{plan}/tasks/a/attempts/1"), "ATTEMPT_UNKNOWN"),
                (("diff", plan), "PLAN_UNKNOWN"),
                (("pause", plan), "SCOPE_UNKNOWN"),
                (("resume", plan), "SCOPE_UNKNOWN"),
                (("resolve", "c999", "--decision", "retry"), "CHECKPOINT_UNKNOWN"),
                (("resolve", f"{plan}/tasks/a/checkpoints/c1", "--decision", "retry"),
                 "CHECKPOINT_UNKNOWN"),
                (("budget", "delete", "ghost"), "BUDGET_UNKNOWN"),
                (("token", "revoke", "ghost"), "TOKEN_UNKNOWN")):
            with self.subTest(arguments=arguments):
                self.refused(arguments, NOT_FOUND, reason)

    def test_names_that_are_none_are_refused(self):
        for arguments, reason in (
                (("show", "projects/p/plans/"), "NAME_INVALID"),
                (("show", "projects/p/plans/../x"), "NAME_INVALID"),
                (("project", "show", "No Such"), "NAME_INVALID"),
                (("pause",), "USAGE"),
                (("budget", "set", "organisation", "-5"), "AMOUNT_INVALID"),
                (("budget", "set", "organisation", "much"), "AMOUNT_INVALID"),
                (("usage", "--by", "moon"), "GROUP_INVALID")):
            with self.subTest(arguments=arguments):
                self.refused(arguments, WRONG_USAGE, reason)


class TokenTest(SuiteTest):
    def token(self, role):
        made = suite.ask("token", "create", f"{role} {self.id()}", "--role", role)
        path = pathlib.Path(suite.path(f"{role}.token"))
        path.write_text(made["secret"] + "\n")
        return made["secret"], path

    def test_a_viewer_changes_nothing(self):
        secret, path = self.token("viewer")
        for arguments in (("approve", good_plan), ("budget", "set", "organisation", "1"),
                          ("pause", "--all"), ("token", "create", "x", "--role", "admin"),
                          ("plan", self.spec_file(b"# Good\n"), "--project", "p")):
            with self.subTest(arguments=arguments):
                refusal = self.refused((*arguments, "--token-file", path), REFUSED,
                                       "ROLE_REQUIRED")
                self.assertIn("VIEWER", refusal.message)
        self.denied("Planner", "ApprovePlan", {"name": good_plan, "version": 1}, 403,
                    "ROLE_REQUIRED", secret)
        self.assertEqual(suite.ask("show", good_plan, "--token-file", path)["plan"]["state"],
                         "STATE_PROPOSED")

    def test_an_operator_approves_nothing(self):
        _, path = self.token("operator")
        self.refused(("approve", good_plan, "--token-file", path), REFUSED, "ROLE_REQUIRED")

    def test_calls_without_a_good_token_are_refused(self):
        for token, reason in (("", "TOKEN_MISSING"), ("slipway_wrong", "TOKEN_INVALID")):
            self.denied("Planner", "ListPlans", {"parent": "projects/-"}, 401, reason, token)
            path = pathlib.Path(suite.path("bad.token"))
            path.write_text(token + "\n")
            self.refused(("status", "--token-file", path), REFUSED, reason)

    def test_a_token_that_was_revoked_is_refused(self):
        made = suite.ask("token", "create", "short lived", "--role", "admin")
        suite.text("token", "revoke", made["token"]["name"])
        self.denied("Planner", "ListPlans", {"parent": "projects/-"}, 401, "TOKEN_INVALID",
                    made["secret"])

    def test_methods_of_services_are_for_nobody(self):
        for service, method in (("Dispatcher", "SubmitPlan"), ("Ledger", "Reserve"),
                                ("Models", "IssueAttemptKey"), ("Reviewer", "Merge"),
                                ("Repository", "OpenPlan")):
            self.denied(service, method, {}, 403, "METHOD_INTERNAL")


class ResumeTokenTest(SuiteTest):
    def page_of(self, asked):
        _, page = asked.call("EventLog", "ListEvents", {"pageSize": 1})
        return page["nextPageToken"]

    def test_a_place_in_another_suites_log_is_refused(self):
        other = e2e.Suite(programs)
        self.addCleanup(other.stop)
        other.project("other")
        self.denied("EventLog", "ListEvents", {"pageToken": self.page_of(other)}, 400,
                    "RESUME_TOKEN_FOREIGN")
        reader = e2e.EventReader(other)
        e2e.wait_until(lambda: reader.frames and reader.frames[-1].id, "a place in the log")
        reader.close()
        foreign = reader.frames[-1].id
        status, error = suite.http("/v1/events", headers={"Last-Event-ID": foreign})
        self.assertEqual((status, reason_of(error)), (400, "RESUME_TOKEN_FOREIGN"))

    def test_a_place_that_is_none_is_refused(self):
        good = self.page_of(suite)
        for garbage in ("garbage", good[:-3], good + "x", "AAAA", "%00", "a" * 5000):
            with self.subTest(garbage=garbage[:20]):
                self.denied("EventLog", "ListEvents", {"pageToken": garbage}, 400,
                            "RESUME_TOKEN_INVALID")


class HttpTest(SuiteTest):
    def test_bodies_that_are_not_the_request_are_refused(self):
        self.denied("Planner", "ListPlans", {"ghost": 1}, 400, "BODY_INVALID")
        self.denied("Planner", "ListPlans", ["list"], 400, "BODY_INVALID")
        self.denied("Planner", "Ghost", {}, 501, "METHOD_UNKNOWN")

    def test_pages_of_other_sites_are_kept_out(self):
        for header, reason in (("Host", "HOST_FORBIDDEN"), ("Origin", "ORIGIN_FORBIDDEN")):
            status, error = suite.http(
                "/slipway.planner.v1.PlannerService/ListPlans", {"parent": "projects/-"},
                headers={header: "http://evil.example" if header == "Origin" else "evil.example"})
            self.assertEqual((status, reason_of(error)), (403, reason))


class UpTest(unittest.TestCase):
    def setUp(self):
        self.directory = e2e.temporary_directory()
        self.addCleanup(subprocess.run, ["rm", "-rf", self.directory], check=True)

    def refused(self, arguments, code, reason, data=None):
        data = data or os.path.join(self.directory, "d")
        result = e2e.run_program(programs / "slipway", *arguments, "--data", data)
        refusal = e2e.refusal_of(result)
        self.assertEqual((refusal.code, refusal.reason), (code, reason), result)
        self.assertTrue(refusal.hint, refusal)
        return refusal

    def test_a_second_suite_in_one_directory_is_refused(self):
        before = suite.listing()
        pid = suite.up["pid"]
        for arguments in (("up", "--detach"), ("up",), ("up", "--detach", "--port", "0")):
            refusal = self.refused(arguments, REFUSED, "RUNNING_ALREADY", suite.data)
            self.assertIn(str(pid), refusal.message)
        self.assertEqual(suite.listing(), before)
        os.kill(pid, 0)

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            refusal = self.refused(("up", "--detach", "--port", port), REFUSED, "PORT_TAKEN")
            self.assertIn(str(port), refusal.message)
        self.refused(("status",), UNREACHABLE, "NOT_RUNNING")

    def test_a_data_directory_that_cannot_be_is_refused(self):
        file = pathlib.Path(self.directory, "file")
        file.write_text("mine")
        for path in (file, file / "below", "/proc/nothing-may-be-made-here"):
            refusal = self.refused(("up", "--detach"), REFUSED, "DATA_DIRECTORY_UNUSABLE",
                                   str(path))
            self.assertIn(str(path), refusal.message)
        self.assertEqual(file.read_text(), "mine")

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_data_directory_without_permission_is_refused(self):
        os.chmod(self.directory, 0o500)
        self.addCleanup(os.chmod, self.directory, 0o700)
        self.refused(("up", "--detach"), REFUSED, "DATA_DIRECTORY_UNUSABLE")

    def test_a_data_directory_with_too_long_a_path_is_refused(self):
        path = os.path.join(self.directory, "x" * 100)
        refusal = self.refused(("up", "--detach"), REFUSED, "DATA_DIRECTORY_UNUSABLE", path)
        self.assertIn("too long", refusal.message)
        self.assertFalse(os.path.exists(path))

    def test_a_setting_that_nobody_knows_is_named_with_its_line(self):
        data = pathlib.Path(self.directory, "d")
        (data / "overrides").mkdir(parents=True)
        override = data / "overrides" / "ledger.yaml"
        override.write_text("require_budget: true\nrequire_bugdet: true\n")
        refusal = self.refused(("up", "--detach"), WRONG_USAGE, "CONFIG_INVALID")
        self.assertIn(f"{override}:2:", refusal.message)
        self.assertIn("require_bugdet", refusal.message)

    def test_without_a_suite_commands_say_how_to_start_one(self):
        for arguments in (("status",), ("plan", os.devnull), ("events",)):
            refusal = self.refused(arguments, UNREACHABLE, "NOT_RUNNING")
            self.assertIn("slipway up", refusal.hint)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "d")))

    def test_commands_and_options_that_are_none_are_named(self):
        for arguments, word in ((("fly",), "fly"), (("status", "--fast"), "--fast"),
                                (("budget", "burn"), "burn"), (("plan",), "SPEC"),
                                (("token", "create", "x", "--role", "king"), "king"),
                                (("events", "--last", "many"), "many"),
                                (("status", "-o", "xml"), "xml")):
            with self.subTest(arguments=arguments):
                refusal = self.refused(arguments, WRONG_USAGE, "USAGE")
                self.assertIn(word, refusal.message)


class ConfigTest(unittest.TestCase):
    """The services themselves, started with configuration that is wrong."""

    def started(self, service, text):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "config.yaml"
            path.write_text(text)
            result = e2e.run_program(programs / f"slipway-{service}", "--config", path,
                                     cwd=directory)
            self.assertEqual(os.listdir(directory), ["config.yaml"])
            return result, path

    def test_a_field_that_nobody_knows_is_named_with_its_line(self):
        for service in ("ledger", "models", "planner", "dispatcher", "reviewer", "gateway",
                        "agent"):
            with self.subTest(service=service):
                result, path = self.started(service, "log:\n  level: info\n  colour: red\n")
                self.assertEqual(result.returncode, WRONG_USAGE, result.stderr)
                self.assertIn(f"{path}:3:", result.stderr)
                self.assertIn("colour", result.stderr)

    def test_values_that_are_wrong_are_named_with_their_line(self):
        for text in ("expiry_interval: soon\n", "require_budget: 7\n", "listen: [1]\n",
                     "database: a\ndatabase: b\n", "a: [\n"):
            with self.subTest(text=text):
                result, path = self.started("ledger", text)
                self.assertEqual(result.returncode, WRONG_USAGE, result.stderr)
                self.assertRegex(result.stderr, rf"{path}:\d+:")

    def test_a_file_that_is_not_there_is_named(self):
        result = e2e.run_program(programs / "slipway-ledger", "--config", "/nonexistent.yaml")
        self.assertEqual(result.returncode, WRONG_USAGE, result.stderr)
        self.assertIn("/nonexistent.yaml", result.stderr)


del SuiteTest  # Has no tests of its own.

if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
