"""Agents on Docker engines of other machines: by TLS with certificates of both sides, and by SSH. The
engine and the SSH server are real, and run here."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import containers_test as containers
import engine
from authority import Authority
from suite import edit_reply, plan_reply, rule, wait_until

TLS_PORT = 2376  # In the engine's network namespace.


class SshServer:
    """An sshd for the user of this process."""

    def __init__(self, directory):
        self.root = pathlib.Path(directory) / "ssh"
        self.root.mkdir(mode=0o700)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        for name in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.root / name],
                           check=True)
        shutil.copy(self.root / "user.pub", self.root / "authorized")
        for name, key in (("known", "host"), ("unknown", "stranger")):
            words = (self.root / f"{key}.pub").read_text().split()
            (self.root / name).write_text(f"[127.0.0.1]:{self.port} {words[0]} {words[1]}\n")
        (self.root / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.root}/host\n"
            f"AuthorizedKeysFile {self.root}/authorized\nPidFile {self.root}/pid\n"
            "UsePAM no\nStrictModes no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\n")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.process = None
        self.start()

    def start(self):
        with open(self.root / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/sshd", "-D", "-e", "-f", self.root / "config"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        wait_until(answers, "the SSH server answers")

    def stop(self):
        """With its connections."""
        group = os.getpgid(self.process.pid)
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True,
                                  text=True, check=False).stdout.split()
        os.killpg(group, signal.SIGKILL)
        for child in children:
            subprocess.run(["kill", "-KILL", child], check=False, capture_output=True)
        self.process.wait()

    def log(self):
        return (self.root / "log").read_text(errors="replace")[-2000:]


class RemoteSuite(containers.ContainerSuite):
    """A suite that reaches each of its engines as `ways` says."""

    def __init__(self, engines, rules, ways):
        self.ways = ways
        super().__init__(engines, rules)

    def way_to(self, one):
        return "".join(f"      {key}: {value}\n" for key, value in self.ways[one.name].items())


class OtherWay:
    """A host by the same engine, reached in another way."""

    def __init__(self, name):
        self.name = name


class RemoteEnginesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lack = engine.missing()
        for program in ("openssl", "ssh", "/usr/sbin/sshd"):
            if lack is None and shutil.which(program) is None:
                lack = f"{program} (packages openssl, openssh-client, openssh-server)"
        if lack and os.environ.get("CI") == "true":
            raise AssertionError(f"continuous integration needs {lack}")
        if lack:
            raise unittest.SkipTest(f"needs {lack}")
        cls.directory = tempfile.mkdtemp(prefix="slipway-remote-", dir="/tmp")
        os.chmod(cls.directory, 0o711)
        cls.authority = Authority(cls.directory, "ours")
        cls.server = cls.authority.issue(
            "engine", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        cls.client = cls.authority.issue("client", "extendedKeyUsage=clientAuth\n")
        cls.engine = engine.Engine(cls.directory, "east", (
            "--host", f"tcp://127.0.0.1:{TLS_PORT}", "--tlsverify",
            "--tlscacert", cls.authority.file,
            "--tlscert", cls.server[0], "--tlskey", cls.server[1]))
        try:
            cls.engine.start()
            cls.engine.load(containers.IMAGE,
                            engine.agent_image(containers.PROGRAMS / "slipway-agent"))
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.engine.remove()
        shutil.rmtree(cls.directory)

    def suite(self, engines, rules, ways):
        made = RemoteSuite(engines, rules, ways)
        self.addCleanup(made.stop)
        return made

    @staticmethod
    def rules():
        return [rule("plan", plan_reply(("one",), ("two",))),
                rule("write", edit_reply("one.txt", "1\n"), task="one"),
                rule("write", edit_reply("two.txt", "2\n"), task="two")]

    def run_plan(self, suite, name):
        suite.make_project(name, {"a.txt": "a\n"})
        plan = suite.approved(name, "Do two things.\n")
        suite.begin_run(plan)
        suite.await_success(plan)
        wait_until(lambda: not self.engine.list("containers"), "containers are gone", 60)

    def expect_problem(self, suite, host, reason):
        def says():
            return reason in suite.host(host).get("problem", "")
        try:
            wait_until(says, f"{host} says {reason}", 60)
        except AssertionError:
            raise AssertionError(f"{suite.ask('hosts')} {suite.logs()}") from None

    def test_an_engine_is_used_by_tls_and_what_is_wrong_with_a_certificate_is_named(self):
        door = engine.Door(self.engine.process.pid, TLS_PORT)
        self.addCleanup(door.close)
        other = Authority(self.directory, "other")
        strange = other.issue("client", "extendedKeyUsage=clientAuth\n")
        # It was over before it began.
        expired = self.authority.issue("expired", "extendedKeyUsage=clientAuth\n", days="-1")

        def way(address="127.0.0.1", authority=self.authority.file, client=self.client):
            return {"engine": f"https://{address}:{door.port}", "ca_file": authority,
                    "certificate_file": client[0], "key_file": client[1]}
        ways = {"east": way(), "untrusted": way(authority=other.file),
                "strange": way(client=strange), "expired": way(client=expired)}
        others = [OtherWay(name) for name in ways if name != "east"]
        suite = self.suite([self.engine, *others], self.rules(), ways)
        self.expect_problem(suite, "untrusted", "CERTIFICATE_UNTRUSTED")
        self.expect_problem(suite, "strange", "CLIENT_CERTIFICATE_REFUSED")
        self.expect_problem(suite, "expired", "CLIENT_CERTIFICATE_REFUSED")
        self.assertEqual("", suite.host("east").get("problem", ""))
        self.run_plan(suite, "tls")

    def test_an_engine_is_used_by_ssh_and_found_again_when_the_way_was_cut(self):
        server = SshServer(self.directory)
        self.addCleanup(server.stop)

        def way(user="user", known="known"):
            return {"engine": f"ssh://root@127.0.0.1:{server.port}{self.engine.socket}",
                    "ssh_identity_file": server.root / user,
                    "ssh_known_hosts_file": server.root / known}
        ways = {"east": way(), "untrusted": way(known="unknown"), "stranger": way(user="stranger")}
        others = [OtherWay(name) for name in ways if name != "east"]
        suite = self.suite([self.engine, *others], self.rules(), ways)
        self.expect_problem(suite, "untrusted", "SSH_HOST_UNTRUSTED")
        self.expect_problem(suite, "stranger", "SSH_LOGIN_REFUSED")
        self.run_plan(suite, "ssh")
        server.stop()
        self.expect_problem(suite, "east", "SSH_UNREACHABLE")
        server.start()
        wait_until(lambda: not suite.host("east").get("problem"), "the way is there again", 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
