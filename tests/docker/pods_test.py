"""Agents as pods: the kubernetes driver against a server of the protocol whose pods are containers of
a real engine, behind packet filters that do what the driver's network policy says."""

import os
import pathlib
import shutil
import tempfile
import unittest

import cluster
import containers_test as containers
import engine
from authority import Authority
from suite import edit_reply, plan_reply, rule, wait_until


class PodSuite(containers.ContainerSuite):
    """A suite whose agents run as pods of `made`, and nowhere else."""

    def __init__(self, made, rules, files, relays):
        self.cluster, self.files, self.relays = made, files, relays
        super().__init__([], rules)

    def _configure(self, rules, overrides):
        # Where the suite's own sockets are is known now.
        for name in ("agents", "models-proxy"):
            self.relays[name].path = f"{self.data}/run/{name}.sock"
        super()._configure(rules, {"dispatcher": (
            "lease_timeout: 20s\nbeat_interval: 1s\nbackoff_initial: 500ms\nhosts:\n"
            "  - name: pods\n    slots: 3\n    kubernetes:\n"
            f"      server: https://127.0.0.1:{self.cluster.port}\n"
            f"      ca_file: {self.files['ca']}\n      token_file: {self.files['token']}\n"
            f"      namespace: agents\n      image: {containers.IMAGE}\n"
            f"      agent_config: {self.data}/config/agent.yaml\n"
            f"      dispatcher: {{address: '{self.relays['agents'].address}'}}\n"
            f"      models: {{address: '{self.relays['models-proxy'].address}'}}\n"
            "      limits: {memory_bytes: 536870912, milli_cpus: 1000, workspace_bytes: 134217728,"
            " temporary_bytes: 33554432}\n"), **overrides})


class PodsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lack = engine.missing()
        for program in ("openssl", "ip", "nsenter", "iptables"):
            if lack is None and shutil.which(program) is None:
                lack = f"{program} (packages openssl, iproute2, util-linux, iptables)"
        if lack and os.environ.get("CI") == "true":
            raise AssertionError(f"continuous integration needs {lack}")
        if lack:
            raise unittest.SkipTest(f"needs {lack}")

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="slipway-pods-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory)
        os.chmod(self.directory, 0o711)
        self.engine = engine.Engine(self.directory, "nodes")
        self.addCleanup(self.engine.remove)
        self.engine.start()
        self.engine.load(containers.IMAGE,
                         engine.agent_image(containers.PROGRAMS / "slipway-agent"))
        cluster.connect_network(self.engine.process.pid)
        authority = Authority(self.directory, "cluster-ca")
        self.certificate = authority.issue(
            "api", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        token = pathlib.Path(self.directory, "token")
        token.write_text(cluster.TOKEN)
        self.files = {"ca": authority.file, "token": token}

    def suite(self, enforces=True):
        made = cluster.Cluster(self.engine, self.directory, self.certificate, enforces)
        self.addCleanup(made.stop)
        relays = {name: cluster.Relay("") for name in ("agents", "models-proxy")}
        for relay in relays.values():
            self.addCleanup(relay.close)
        suite = PodSuite(made, [
            rule("plan", plan_reply(("one",), ("two",), ("three",))),
            *(rule("write", edit_reply(f"{task}.txt", "x\n"), task=task, latency_ms=6000)
              for task in ("one", "two", "three"))], self.files, relays)
        self.addCleanup(suite.stop)
        return suite, made

    def begin(self, suite):
        suite.make_project("pods", {"a.txt": "a\n"})
        plan = suite.approved("pods", "Do three things.\n")
        suite.begin_run(plan)
        return plan

    def test_a_plan_is_done_in_pods_that_outlive_the_dispatcher(self):
        suite, made = self.suite()
        plan = self.begin(suite)
        wait_until(lambda: suite.run_of(plan) and suite.states(plan)["RUNNING"] == 3, "all run", 60)
        before = set(made.objects["jobs"])
        suite.kill("dispatcher")
        suite.await_success(plan)
        attempts = suite.attempts(plan)
        self.assertEqual({"STATE_ACCEPTED"}, {one["state"] for one in attempts}, attempts)
        self.assertLessEqual({one["agent"] for one in attempts if one["kind"] == "KIND_WORK"},
                             {job.removeprefix("slipway-") for job in before})
        wait_until(lambda: not made.objects["jobs"] and not made.objects["secrets"],
                   "jobs and secrets are gone", 60)
        wait_until(lambda: not self.engine.list("containers"), "pods are gone", 60)
        self.assertIn("kubernetes", suite.text("hosts"))

    def test_a_network_that_is_not_closed_is_no_sandbox(self):
        suite, _ = self.suite(enforces=False)
        self.begin(suite)

        def says():
            return "its network is open" in suite.host("pods").get("problem", "")
        try:
            wait_until(says, "the host tells of the open network", 90)
        except AssertionError:
            raise AssertionError(f"{suite.ask('hosts')} {suite.logs()}") from None
        self.assertIn("SANDBOX_BROKEN", suite.host("pods")["problem"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
