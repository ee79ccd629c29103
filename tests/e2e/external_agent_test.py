"""Agents that dial in by themselves, as from another machine: by TLS with certificates of both sides.
Who shows no certificate, another token or the id of a living agent is told so."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import unittest

import suite as e2e
from authority import Authority

programs = pathlib.Path()  # Where the programs of the suite are.

TOKEN = "token-of-the-host"
TASKS = ("bread", "butter")
# Of a reply: time in which another agent can come, and the dispatcher can be killed.
LATENCY_MS = 3000


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class RemoteAgent:
    """The agent as its machine would start it; it ends with the test."""

    def __init__(self, test, name, certificate, token=TOKEN, attempts=1):
        self.log = pathlib.Path(test.suite.path(f"{name}-{len(test.agents)}.log"))
        config = self.log.with_suffix(".yaml")
        tls = {"ca_file": test.authority.file, "certificate_file": certificate[0],
               "key_file": certificate[1]} if certificate else {"ca_file": test.authority.file}
        work = self.log.with_suffix(".work")
        work.mkdir(mode=0o711)
        config.write_text(
            f"dispatcher_address: 127.0.0.1:{test.port}\nworkspace_directory: {work}\n"
            f"attempts_max: {attempts}\ndispatcher_tls:\n"
            + "".join(f"  {key}: {value}\n" for key, value in tls.items()))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [programs / "slipway-agent", "--config", config], stdout=log, stderr=log,
                env={**os.environ, "SLIPWAY_AGENT_ID": name, "SLIPWAY_AGENT_HOST": "cloud",
                     "SLIPWAY_AGENT_TOKEN": token})
        test.agents.append(self)

    def text(self):
        return self.log.read_text(errors="replace")

    def says(self, words):
        try:
            e2e.wait_until(lambda: words in self.text(), words, 30)
        except AssertionError:
            raise AssertionError(f"never: {words} in {self.text()}") from None

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=e2e.TIMEOUT_SECONDS)


class ExternalAgentTest(unittest.TestCase):
    def setUp(self):
        directory = e2e.temporary_directory()
        self.addCleanup(subprocess.run, ["rm", "-r", directory], check=True)
        self.authority = Authority(directory, "ours")
        server = self.authority.issue(
            "dispatcher", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        self.certificate = self.authority.issue("agent", "extendedKeyUsage=clientAuth\n")
        self.port = free_port()
        token = pathlib.Path(directory, "token")
        token.write_text(TOKEN)
        token.chmod(0o600)
        self.agents = []
        rules = [e2e.rule("plan", e2e.plan_reply([TASKS[0]], [TASKS[1], TASKS[0]]))]
        rules += [e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task}\n"), task=task,
                           latency_ms=LATENCY_MS) for task in TASKS]
        self.suite = e2e.Suite(programs, rules, {"dispatcher": (
            "lease_timeout: 20s\nbeat_interval: 1s\n"
            f"agent_listen: {{address: '127.0.0.1:{self.port}', certificate_file: {server[0]},"
            f" key_file: {server[1]}, client_ca_file: {self.authority.file}}}\n"
            f"hosts:\n  - {{name: cloud, slots: 2, external: {{token_file: {token}}}}}\n")})
        self.addCleanup(self.suite.stop)

        def end_agents():
            for agent in self.agents:
                agent.end()
        self.addCleanup(end_agents)

    def test_a_plan_is_done_by_an_agent_that_dialled_in_and_outlives_the_dispatcher(self):
        repository = self.suite.project("shop")
        plan = self.suite.approved("shop", "# Breakfast\n")
        running = self.suite.begin("run", plan)
        RemoteAgent(self, "cloud-1", self.certificate, attempts=10).says("attempt taken")
        self.suite.kill("dispatcher")
        output, errors = running.communicate(timeout=e2e.TIMEOUT_SECONDS)
        self.assertEqual(0, running.returncode, f"{output}{errors}{self.agents[0].text()}")
        self.assertEqual("bread", e2e.git(repository, "show", "main:bread.txt"))
        self.assertEqual("butter", e2e.git(repository, "show", "main:butter.txt"))

    def test_who_may_not_dial_in_is_told_why(self):
        RemoteAgent(self, "cloud-1", self.certificate, token="another").says("TOKEN_INVALID")
        RemoteAgent(self, "cloud-1", None).says("certificate")
        strange = Authority(self.suite.directory, "theirs").issue(
            "agent", "extendedKeyUsage=clientAuth\n")
        RemoteAgent(self, "cloud-1", strange).says("certificate")

        def living():
            (host,) = self.suite.ask("hosts")["hosts"]
            return host["agents"] == 1
        RemoteAgent(self, "cloud-1", self.certificate)
        e2e.wait_until(living, "the agent is there")
        RemoteAgent(self, "cloud-1", self.certificate).says("AGENT_CONNECTED")
        self.assertTrue(living())


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
