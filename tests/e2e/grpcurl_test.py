"""The gateway as grpcurl sees it: every public service is listed, described and called by both
versions of reflection, and what is not for people is refused."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import suite as e2e

VERSION = "v1.9.1"
INSTALL_TIMEOUT_SECONDS = 300

programs = pathlib.Path()  # Where the programs of the suite are.
suite = None
grpcurl = None  # Path of the program.

SERVICES = {
    "slipway.dispatcher.v1.DispatcherService",
    "slipway.events.v1.EventLogService",
    "slipway.gateway.v1.GatewayService",
    "slipway.ledger.v1.LedgerService",
    "slipway.models.v1.ModelsService",
    "slipway.planner.v1.PlannerService",
    "slipway.repository.v1.RepositoryService",
    "slipway.reviewer.v1.ReviewerService",
}


def find_grpcurl():
    """The program, built once beside those of the suite."""
    found = shutil.which("grpcurl")
    if found:
        return found
    tools = programs.parent / "tools"
    if (tools / "grpcurl").exists():
        return tools / "grpcurl"
    if shutil.which("go") is None:
        raise unittest.SkipTest("neither grpcurl nor go is installed")
    built = e2e.run_program("go", "install",
                            f"github.com/fullstorydev/grpcurl/cmd/grpcurl@{VERSION}",
                            timeout=INSTALL_TIMEOUT_SECONDS,
                            env={**os.environ, "GOBIN": str(tools)})
    if built.returncode != 0:
        raise unittest.SkipTest(f"grpcurl cannot be built: {built.stderr[-500:]}")
    return tools / "grpcurl"


def setUpModule():
    global grpcurl, suite
    try:
        grpcurl = find_grpcurl()
    except (unittest.SkipTest, subprocess.TimeoutExpired) as reason:
        if os.environ.get("CI") == "true":
            raise AssertionError(str(reason)) from reason
        raise unittest.SkipTest(str(reason)) from reason
    suite = e2e.Suite(programs, [e2e.rule("plan", e2e.plan_reply(["first"]))])
    unittest.addModuleCleanup(suite.stop)
    suite.project("p")


def curl(*arguments, data=None, token=True, address=None):
    command = ["-plaintext", "-max-time", "30"]
    if token:
        command += ["-H", f"authorization: Bearer {suite.token}"]
    if data is not None:
        command += ["-d", json.dumps(data)]
    return e2e.run_program(grpcurl, *command, address or suite.up["grpc_address"], *arguments)


class ReflectionTest(unittest.TestCase):
    def lines(self, *arguments):
        result = curl(*arguments, token=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.splitlines()

    def public_services(self):
        return {name for name in self.lines("list") if name.startswith("slipway.")}

    def test_every_public_service_is_listed_and_no_other(self):
        self.assertEqual(self.public_services(), SERVICES)

    def test_both_versions_of_reflection_answer(self):
        listed = set(self.lines("list"))
        self.assertLessEqual({"grpc.reflection.v1.ServerReflection",
                              "grpc.reflection.v1alpha.ServerReflection"}, listed)
        for version in ("v1", "v1alpha"):
            with self.subTest(version=version):
                result = curl(f"grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                              data={"listServices": "*"}, token=False)
                self.assertEqual(result.returncode, 0, result.stderr)
                names = {service["name"] for service in
                         json.loads(result.stdout)["listServicesResponse"]["service"]}
                self.assertLessEqual(SERVICES, names)

    def test_every_method_and_its_messages_are_described(self):
        methods = 0
        for service in sorted(SERVICES):
            text = "\n".join(self.lines("describe", service))
            found = re.findall(r"rpc (\w+) \( (?:stream )?\.([\w.]+) \) returns "
                               r"\( (?:stream )?\.([\w.]+) \)", text)
            self.assertEqual({f"{service}.{name}" for name, _, _ in found},
                             set(self.lines("list", service)))
            methods += len(found)
            self.assertIn("message ", "\n".join(self.lines("describe", found[0][1])))
            self.assertIn("message ", "\n".join(self.lines("describe", found[0][2])))
        self.assertGreater(methods, 40)


class CallTest(unittest.TestCase):
    def ask(self, method, data):
        result = curl(method, data=data)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout or "{}")

    def test_every_public_service_answers(self):
        created = self.ask("slipway.planner.v1.PlannerService/ImportPlan", {
            "parent": "projects/p", "plan": {"title": "By hand", "tasks": [{"id": "a"}]}})
        self.assertEqual(created["plan"]["state"], "STATE_PROPOSED")
        for method, data, field in (
                ("planner.v1.PlannerService/ListPlans", {"parent": "projects/-"}, "plans"),
                ("dispatcher.v1.DispatcherService/ListHosts", {}, "hosts"),
                ("ledger.v1.LedgerService/ListPrices", {"pageSize": 5}, "prices"),
                ("models.v1.ModelsService/ListRoutes", {}, "routes"),
                ("gateway.v1.GatewayService/GetStatus", {}, "services"),
                ("events.v1.EventLogService/ListEvents", {"pageSize": 5}, "events"),
                ("repository.v1.RepositoryService/CheckRepository",
                 {"location": suite.path("p.git"), "branch": "main"}, None)):
            with self.subTest(method=method):
                answer = self.ask(f"slipway.{method}", data)
                if field is not None:
                    self.assertTrue(answer[field], answer)
                if method.endswith("CheckRepository"):
                    self.assertIn(e2e.git(suite.path("p.git"), "rev-parse", "main"),
                                  json.dumps(answer))

    def test_a_service_that_has_nothing_to_tell_says_so(self):
        result = curl("slipway.reviewer.v1.ReviewerService/GetReview", data={
            "task": "projects/p/plans/2026-01-01-ghost/tasks/a"})
        self.assertIn("Code: NotFound", result.stderr)

    def test_events_are_streamed(self):
        result = e2e.run_program(
            grpcurl, "-plaintext", "-max-time", "3", "-H", f"authorization: Bearer {suite.token}",
            "-d", "{}", suite.up["grpc_address"], "slipway.events.v1.EventLogService/Watch")
        self.assertIn("DeadlineExceeded", result.stderr)
        self.assertIn('"project.changed"', result.stdout)
        self.assertIn('"resumeToken"', result.stdout)

    def test_health_needs_no_token(self):
        result = curl("grpc.health.v1.Health/Check", data={}, token=False)
        self.assertEqual(json.loads(result.stdout), {"status": "SERVING"}, result.stderr)

    def test_the_socket_answers_too(self):
        result = e2e.run_program(
            grpcurl, "-plaintext", "-unix", "-H", f"authorization: Bearer {suite.token}",
            suite.up["gateway_address"].removeprefix("unix:"),
            "slipway.gateway.v1.GatewayService/GetCaller")
        self.assertEqual(json.loads(result.stdout or "{}").get("role"), "ROLE_ADMIN", result.stderr)


class DenialTest(unittest.TestCase):
    def test_a_call_without_a_token_is_denied_and_says_why(self):
        result = curl("slipway.planner.v1.PlannerService/ListPlans", data={"parent": "projects/-"},
                      token=False)
        self.assertEqual(result.returncode, 64 + 16, result.stderr)
        self.assertIn("Code: Unauthenticated", result.stderr)
        self.assertIn('"@type": "type.googleapis.com/google.rpc.ErrorInfo"', result.stderr)
        self.assertIn('"reason": "TOKEN_MISSING"', result.stderr)

    def test_an_error_of_a_service_comes_with_its_details(self):
        result = curl("slipway.planner.v1.PlannerService/GetPlan",
                      data={"name": "projects/p/plans/2026-01-01-ghost"})
        self.assertIn("Code: NotFound", result.stderr)
        self.assertIn('"reason": "PLAN_UNKNOWN"', result.stderr)

    def test_methods_of_services_are_denied(self):
        denied = 0
        for service in sorted(SERVICES):
            text = curl("describe", service, token=False).stdout
            for name, block in re.findall(r"rpc (\w+) \(.*?\{(.*?)\}", text, re.DOTALL):
                if "ROLE_SERVICE" not in block:
                    continue
                with self.subTest(method=f"{service}/{name}"):
                    result = curl(f"{service}/{name}", data={})
                    self.assertEqual(result.returncode, 64 + 7, result.stderr)
                    self.assertIn('"reason": "METHOD_INTERNAL"', result.stderr)
                    denied += 1
        self.assertGreaterEqual(denied, 15)


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
