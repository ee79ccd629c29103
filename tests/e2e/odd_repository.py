"""A repository whose commits hold everything that patches trip over."""

import os
import pathlib
import subprocess

IDENTITY = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0130",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "1700000000 +0130",
}
# What a submodule of the repository would be at.
GITLINK = "160000,1234567890123456789012345678901234567890,module"
BINARY = bytes(range(256)) * 8


class OddRepository:
    """Made at `path`; `expected` says for each subject "exact" or the code of the refusal."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.expected = {}
        self.path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.make_base()
        self.make_contents()
        self.make_names()
        self.make_shapes()
        self.make_refused()
        self.make_merge()

    def git(self, *arguments):
        result = subprocess.run(["git", *arguments], cwd=self.path, env=IDENTITY, check=True,
                                capture_output=True)
        return result.stdout.decode(errors="replace").strip()

    def write(self, name, content):
        file = self.path / os.fsdecode(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def commit(self, subject, expected="exact"):
        self.git("add", "-A")
        self.commit_index(subject, expected)

    def commit_index(self, subject, expected):
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        self.expected[subject] = expected

    def make_base(self):
        for number in range(30):
            self.write(f"library/part_{number}.txt", f"part {number}\n".encode() * 20)
        self.write("run.sh", b"#!/bin/sh\nexit 0\n")
        self.write("swap", b"a file\n")
        self.commit("base")
        del self.expected["base"]  # It has no parent, so it is not replayed.

    def make_contents(self):
        self.write("data.bin", BINARY)
        self.commit("add binary")
        self.write("data.bin", BINARY[:900] + b"\0changed\0" + BINARY[900:])
        self.commit("change binary")
        self.write("windows.txt", b"one\r\ntwo\r\nthree\r\n")
        self.commit("add file with CRLF")
        self.write("windows.txt", b"one\r\n2\nthree\r\n")
        self.commit("mix line ends")
        self.write("open.txt", b"first\nlast without newline")
        self.commit("add file without newline at end")
        self.write("open.txt", b"first\nlast without newline\n")
        self.commit("close the last line")
        self.write("open.txt", b"first\nlast again")
        self.commit("open the last line")
        self.write("latin1.txt", "na\u00efve caf\u00e9\n".encode("latin-1") * 3)
        self.commit("add content that is not UTF-8")
        self.write("empty.txt", b"")
        self.write("zz.txt", b"after the empty one\n")
        self.commit("add empty file")
        (self.path / "empty.txt").unlink()
        self.commit("delete empty file")
        self.write("late_nul.txt", b"x" * 9_000 + b"\n\0\n")
        self.commit("add text with a late NUL", "NUL_IN_TEXT")
        self.write("form.txt", b"line\rreturn\x0cfeed\x1b[0m\n-- \n--- a/x\n+++ b/x\n@@ -1 +1 @@\n")
        self.commit("add lines that look like a patch")

    def make_names(self):
        self.write("with space/c  d.txt", b"spaces\n")
        self.write("with space/empty file", b"")
        self.commit("add names with spaces")
        self.write("a b/empty file", b"")
        self.commit("add empty file whose header can be read twice")
        self.write("\u00fcml\u00e4ut/\u6587.txt", b"letters\n")
        self.commit("add names beyond ASCII")
        self.git("mv", "library/part_1.txt", "library/renamed.txt")
        self.commit("rename file")
        self.write("library/renamed.txt", b"renamed and changed\n" * 20)
        self.git("mv", "library/renamed.txt", "library/again.txt")
        self.commit("rename and change file")
        (self.path / "library/part_2.txt").unlink()
        self.commit("delete file")

    def make_shapes(self):
        os.chmod(self.path / "run.sh", 0o755)
        self.commit("set the executable bit")
        self.write("run.sh", b"#!/bin/sh\nexit 1\n")
        os.chmod(self.path / "run.sh", 0o644)
        self.commit("clear the executable bit and change")
        os.symlink("library/part_3.txt", self.path / "link")
        self.commit("add symbolic link")
        (self.path / "link").unlink()
        os.symlink("library/part_4.txt", self.path / "link")
        self.commit("point symbolic link elsewhere")
        (self.path / "swap").unlink()
        self.write("swap/inside.txt", b"now a directory\n")
        self.commit("file becomes directory")
        (self.path / "swap/inside.txt").unlink()
        (self.path / "swap").rmdir()
        self.write("swap", b"a file again\n")
        self.commit("directory becomes file")
        for number in range(5, 25):
            self.write(f"library/part_{number}.txt", f"changed {number}\n".encode())
        self.commit("change many files")

    def make_refused(self):
        self.git("update-index", "--add", "--cacheinfo", GITLINK)
        self.commit_index("add submodule", "SUBMODULE")
        self.write("after.txt", b"beside a submodule\n")
        self.git("add", "after.txt")
        self.commit_index("change beside a submodule", "exact")
        self.git("update-index", "--force-remove", "module")
        self.commit_index("delete submodule", "SUBMODULE")
        self.write(".gitmodules", b"[submodule]\n")
        self.commit("add submodule settings", "PROTECTED")
        (self.path / "zz.txt").unlink()
        os.symlink("open.txt", self.path / "zz.txt")
        self.commit("file becomes symbolic link", "TYPE_CHANGE")
        os.symlink("/etc/passwd", self.path / "outside")
        self.commit("add symbolic link to outside", "SYMLINK_TARGET")
        self.write(b"latin1-\xe9.txt", b"name\n")
        self.commit("add name that is not UTF-8", "UTF8")
        self.write("tab\there.txt", b"name\n")
        self.commit("add name with a tab", "CONTROL_CHAR")
        self.commit("change nothing", "EMPTY_CHANGE")
        self.write("after.txt", b"after all that\n")
        self.commit("change after refusals")

    def make_merge(self):
        self.git("checkout", "-q", "-b", "side")
        self.write("side.txt", b"side\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "work on the side")
        self.git("checkout", "-q", "main")
        self.write("after.txt", b"before the merge\n")
        self.commit("change before merge")
        self.git("merge", "-q", "--no-ff", "-m", "merge the side", "side")
        self.write("side.txt", b"side, changed on main\n")
        self.commit("change after merge")
