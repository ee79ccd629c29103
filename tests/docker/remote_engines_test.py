"""Agents on a Docker engine that is reached by TLS, with certificates of both sides. The engine is
real, and runs here."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import containers_test as containers
import engine
from suite import edit_reply, plan_reply, rule, wait_until

TLS_PORT = 2376  # In the engine's network namespace.


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates with the files in a directory of its own."""

    def __init__(self, directory, name):
        self.root = pathlib.Path(directory) / name
        self.root.mkdir()
        self.file = self.root / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.root / "ca.key", "-out", self.file, "-subj", f"/CN={name}",
                "-days", "2")

    def issue(self, name, extensions, days="1"):
        files = self.root / f"{name}.pem", self.root / f"{name}.key"
        request, section = self.root / f"{name}.csr", self.root / f"{name}.ext"
        section.write_text(extensions)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                files[1], "-out", request, "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.root / "ca.key",
                "-CAcreateserial", "-out", files[0], "-days", days, "-extfile", section)
        return files


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
        for program in ("openssl",):
            if lack is None and shutil.which(program) is None:
                lack = f"{program} (package openssl)"
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
