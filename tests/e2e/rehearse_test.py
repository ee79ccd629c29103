"""Rehearsals through the programs as they are built: a repository made of odd commits, this
project's own history, and sources that cannot be rehearsed."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import odd_repository

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# Tests share their machine; a commit takes well under a second on an idle one.
TIMEOUT_SECONDS = 280
OWN_COMMITS = 15

programs = pathlib.Path()  # Where the programs of the suite are.


def rehearse(*arguments):
    return subprocess.run([programs / "slipway", "rehearse", "-o", "json", *arguments],
                          capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


def git(repository, *arguments):
    return subprocess.run(["git", "-c", f"safe.directory={repository}", *arguments],
                          cwd=repository, check=True, capture_output=True, text=True).stdout.strip()


def state_of(repository):
    """Everything of a repository that a reader must leave alone."""
    files = {}
    for path in sorted(pathlib.Path(repository).rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        files[os.fsencode(path)] = (status.st_mode, status.st_mtime_ns, content)
    return files


class RehearseTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="slipway-e2e-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory)
        # Sandboxes of a suite that root runs belong to another user, who must get through.
        os.chmod(self.directory, 0o711)

    def path(self, name):
        return os.path.join(self.directory, name)

    def report_of(self, *arguments, expected_code=0):
        result = rehearse(*arguments)
        self.assertEqual(result.returncode, expected_code, result.stdout + result.stderr)
        self.assertEqual(result.stdout.count("\n"), 1, result.stdout)
        return json.loads(result.stdout)

    def test_odd_commits_are_exact_or_refused_with_their_reason(self):
        repository = odd_repository.OddRepository(self.path("odd"))
        before = state_of(repository.path)
        report = self.report_of("--repo", str(repository.path), "--commits", "1000")

        subjects = {}
        for line in repository.git("log", "--format=%H %s").splitlines():
            commit, subject = line.split(" ", 1)
            subjects[commit] = subject
        refused = {subjects[entry["commit"]]: entry["reason"] for entry in report["refused"]}
        expected = {subject: code for subject, code in repository.expected.items()
                    if code != "exact"}
        self.assertEqual({subject: reason.split(":")[0].split(" ")[0]
                          for subject, reason in refused.items()}, expected, refused)
        self.assertEqual(report["different"], [])
        self.assertEqual(report["commits"], len(repository.expected))
        self.assertEqual(report["exact"], len(repository.expected) - len(expected))
        self.assertEqual(report["requested"], 1000)
        self.assertEqual(state_of(repository.path), before, "the source was touched")

    def test_one_chain_gives_what_many_give(self):
        repository = odd_repository.OddRepository(self.path("odd"))
        # Before the first refusal: one plan, in which each task stands on the one before.
        tip = repository.git("log", "--format=%H", "--grep=^change many files$")
        repository.git("branch", "sound", tip)
        report = self.report_of("--repo", str(repository.path), "--branch", "sound", "--commits",
                                "8", "--chain", "8")
        self.assertEqual((report["commits"], report["exact"], report["plans"]), (8, 8, 1))

    def test_validators_run_on_every_tree(self):
        repository = odd_repository.OddRepository(self.path("odd"))
        report = self.report_of("--repo", str(repository.path), "--commits", "3", "--validator",
                                "check=test ! -e side.txt", expected_code=1)
        # The last commit, after the merge, has the file; the two before it have not.
        self.assertEqual(report["exact"], 2)
        self.assertEqual([entry["commit"] for entry in report["different"]],
                         [repository.git("rev-parse", "main")])
        self.assertIn("RETRIES_SPENT", report["different"][0]["reason"])

    def test_own_history_is_exact(self):
        try:
            shallow = git(SOURCE, "rev-parse", "--is-shallow-repository")
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f"the source is no git checkout: {error}")
        if shallow == "true":
            self.skipTest("the checkout is shallow: its commits have no parents here")
        available = int(git(SOURCE, "rev-list", "--count", "--first-parent", "--min-parents=1",
                            "--max-parents=1", "HEAD"))
        if available == 0:
            self.skipTest("the checkout has no commit with a parent")
        report = self.report_of("--repo", str(SOURCE), "--commits", str(OWN_COMMITS),
                                "--allow-dirty")
        self.assertEqual(report["commits"], min(OWN_COMMITS, available))
        self.assertEqual(report["different"], [])
        self.assertEqual(report["exact"] + len(report["refused"]), report["commits"])
        self.assertGreaterEqual(report["exact"], report["commits"] - 1, report["refused"])

    def test_sources_that_cannot_be_rehearsed_are_named(self):
        empty = self.path("empty")
        git("/", "init", "-q", "-b", "main", empty)
        plain = self.path("plain")
        os.mkdir(plain)
        dirty = odd_repository.OddRepository(self.path("dirty"))
        dirty.write("run.sh", b"changed\n")
        shallow = self.path("shallow")
        git("/", "clone", "-q", "--depth", "1", f"file://{dirty.path}", shallow)
        for arguments, reason in (
                (("--repo", plain), "NOT_A_REPOSITORY"),
                (("--repo", self.path("missing")), "NOT_A_REPOSITORY"),
                (("--repo", empty), "REPOSITORY_EMPTY"),
                (("--repo", str(dirty.path)), "REPOSITORY_DIRTY"),
                (("--repo", str(dirty.path), "--allow-dirty", "--branch", "gone"),
                 "BRANCH_MISSING"),
                (("--repo", shallow), "REPOSITORY_SHALLOW")):
            with self.subTest(reason=reason):
                result = rehearse(*arguments)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(reason, result.stdout)


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
