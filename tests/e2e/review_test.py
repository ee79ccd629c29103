"""slipway review, which needs no suite: the verdict on a patch, its exit code, and explanations."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ACCEPT, REJECT, QUARANTINE, WRONG_USAGE, NOT_FOUND, REFUSED = 0, 1, 6, 2, 3, 4
programs = pathlib.Path()  # Where the programs of the suite are.


class ReviewTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.repository = pathlib.Path(self.directory.name, "repository")
        self.repository.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write("src/a.txt", "one\ntwo\nthree\n")
        self.commit()

    def git(self, *arguments):
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
                       "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
                       "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com"}
        return subprocess.run(["git", *arguments], cwd=self.repository, env=environment, check=True,
                              capture_output=True, text=True).stdout

    def write(self, path, text):
        file = self.repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def patch(self):
        return self.git("diff", "--binary", "--full-index", "--no-renames", "HEAD~1", "HEAD")

    def run_review(self, *arguments, text=""):
        done = subprocess.run([programs / "slipway", "review", *arguments, "-o", "json"], input=text,
                              capture_output=True, text=True, timeout=60)
        return done.returncode, json.loads(done.stdout)

    def check(self, text, *arguments, base="HEAD~1"):
        return self.run_review("check", "--repo", str(self.repository), "--base", base, "--patch", "-",
                               *arguments, text=text)

    def test_the_tree_of_an_accepted_patch_is_the_one_that_git_makes(self):
        self.write("src/a.txt", "one\nTWO\nthree\n")
        self.write("src/new.txt", "")
        self.commit()
        code, verdict = self.check(self.patch())
        self.assertEqual((ACCEPT, "accept", []), (code, verdict["verdict"], verdict["reasons"]))
        self.assertEqual(self.git("rev-parse", "HEAD^{tree}").strip(), verdict["tree"])
        self.assertEqual("", self.git("status", "--porcelain"))

    def test_what_nobody_may_waive_is_rejected_with_its_code(self):
        self.write(".gitattributes", "* filter=x\n")
        self.commit()
        code, verdict = self.check(self.patch())
        self.assertEqual((REJECT, "reject"), (code, verdict["verdict"]))
        self.assertEqual([("PROTECTED", ".gitattributes")],
                         [(reason["code"], reason["path"]) for reason in verdict["reasons"]])

    def test_what_a_person_may_waive_waits_for_one_unless_the_policy_opens_it(self):
        self.write(".github/workflows/ci.yml", "on: push\n")
        self.commit()
        code, verdict = self.check(self.patch())
        self.assertEqual((QUARANTINE, "quarantine"), (code, verdict["verdict"]))
        policy = pathlib.Path(self.directory.name, "policy.yaml")
        for text in ("paths:\n  unprotected: ['.github/**']\n", "unprotected: ['.github/**']\n"):
            policy.write_text(text, encoding="utf-8")
            self.assertEqual(ACCEPT, self.check(self.patch(), "--policy", str(policy))[0])

    def test_typed_edits_are_read_in_tolerant_mode_only(self):
        typed = "```diff\n--- a/src/a.txt\n+++ b/src/a.txt\n@@ -9,9 +9,9 @@\n one\n-two\n+TWO\n```\n"
        code, verdict = self.check(typed, base="HEAD")
        self.assertEqual((REJECT, ["GARBAGE"]), (code, [reason["code"] for reason in verdict["reasons"]]))
        code, verdict = self.check(typed, "--mode", "tolerant", base="HEAD")
        self.assertEqual((ACCEPT, True), (code, verdict["normalised"]))
        self.write("src/a.txt", "one\nTWO\nthree\n")
        self.commit()
        self.assertEqual(self.git("rev-parse", "HEAD^{tree}").strip(), verdict["tree"])

    def test_wrong_questions_have_other_exit_codes(self):
        self.assertEqual(NOT_FOUND, self.check("x\n", base="none")[0])
        self.assertEqual(REFUSED, self.run_review("check", "--repo", self.directory.name, "--patch", "-")[0])
        self.assertEqual(WRONG_USAGE, self.check("x\n", "--mode", "loose", base="HEAD")[0])
        self.assertEqual(NOT_FOUND, self.run_review("check", "--repo", str(self.repository), "--patch",
                                                    "/nonexistent/patch")[0])

    def test_every_code_is_explained(self):
        code, listed = self.run_review("explain")
        self.assertEqual(ACCEPT, code)
        self.assertGreater(len(listed["rules"]), 70)
        for rule in listed["rules"][::20]:
            code, explained = self.run_review("explain", rule["code"])
            self.assertEqual((ACCEPT, rule), (code, explained))
            for text in ("meaning", "why", "remedy"):
                self.assertTrue(explained[text])
        self.assertEqual((NOT_FOUND, "CODE_UNKNOWN"), (
            self.run_review("explain", "NO_SUCH_CODE")[0],
            self.run_review("explain", "NO_SUCH_CODE")[1]["error"]["reason"]))


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
