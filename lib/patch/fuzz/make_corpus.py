"""Writes the seeds of the patch library's fuzz targets: exact diffs, edits as models write them,
deltas and paths.

Usage: make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY.
"""

import hashlib
import os
import sys
import zlib

NULL = "0" * 40
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"


def oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def index(before, after, mode=""):
    return f"index {oid(before)}..{oid(after)}{mode and ' ' + mode}\n"


def binary_half(kind, data, size):
    deflated = zlib.compress(data)
    text = f"{kind} {size}\n"
    for at in range(0, len(deflated), 52):
        piece = deflated[at:at + 52]
        text += chr(ord("A") + len(piece) - 1 if len(piece) <= 26 else ord("a") + len(piece) - 27)
        for i in range(0, len(piece), 4):
            value = int.from_bytes(piece[i:i + 4].ljust(4, b"\0"), "big")
            group = ""
            for _ in range(5):
                group = ALPHABET[value % 85] + group
                value //= 85
            text += group
    return text + "\n\n"


OLD, NEW = b"1\n2\n3\n", b"1\ntwo\n3\n"
HUNK = "@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
DIFF = "diff --git a/f b/f\n" + index(OLD, NEW, "100644") + "--- a/f\n+++ b/f\n" + HUNK
BINARY = b"\0b"
DELTA = b"\x02\x03\x90\x02\x01c"  # Base 2, result 3: copy 2, insert "c".
PATCHES = {
    "change": DIFF,
    "two": DIFF + f"diff --git a/n b/n\nnew file mode 100755\nindex {NULL}..{oid(b'x' + bytes([10]))}\n"
                  "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n",
    "delete": f"diff --git a/end b/end\ndeleted file mode 100644\nindex {oid(b'no newline')}..{NULL}\n--- a/end\n"
              "+++ /dev/null\n@@ -1 +0,0 @@\n-no newline\n\\ No newline at end of file\n",
    "empty": f"diff --git a/e b/e\nnew file mode 100644\nindex {NULL}..{oid(b'')}\n",
    "rename": "diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n",
    "rename_edit": "diff --git a/f b/g\nsimilarity index 60%\nrename from f\nrename to g\n"
                   + index(OLD, NEW, "100644") + "--- a/f\n+++ b/g\n" + HUNK,
    "copy": "diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n",
    "mode": "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n",
    "link": f"diff --git a/l b/l\nnew file mode 120000\nindex {NULL}..{oid(b'f')}\n--- /dev/null\n+++ b/l\n"
            "@@ -0,0 +1 @@\n+f\n\\ No newline at end of file\n",
    "quoted": f'diff --git "a/d\\303\\244" "b/d\\303\\244"\nnew file mode 100644\nindex {NULL}..{oid(b"")}\n',
    "binary": "diff --git a/b b/b\n" + index(BINARY, b"\0c", "100644") + "GIT binary patch\n"
              + binary_half("literal", b"\0c", 2) + binary_half("literal", BINARY, 2),
    "delta": "diff --git a/b b/b\n" + index(BINARY, b"\0bc", "100644") + "GIT binary patch\n"
             + binary_half("delta", DELTA, len(DELTA)) + binary_half("literal", BINARY, 2),
    "loose": "Here is the change:\n```diff\n--- f\n+++ f\n@@\n 1\n-2\n+two\n```\nDone.\n",
    "loose_git": "diff --git i/f w/f\n--- i/f\n+++ w/f\n@@ -1,9 +1 @@\n 1\n-2\n+two\n",
    "blank_marker": "--- a/f\n+++ b/f\n@@ -1 +1 @@\n\n\\ No newline at end of file\n",
    "search_replace": "f\n<<<<<<< SEARCH\n2\n=======\ntwo\n>>>>>>> REPLACE\n",
    "json": '{"edits":[{"path":"f","op":"replace","old":"2\\n","new":"two\\n"},'
            '{"path":"new","op":"write","content":"x\\n"},{"path":"end","op":"delete"}]}',
    "envelope": "*** Begin Patch\n*** Update File: f\n@@\n 1\n-2\n+two\n*** Add File: z\n+x\n*** End Patch\n",
    "crlf": DIFF.replace("\n", "\r\n"),
}
DELTAS = {
    "copy": b"\2\0b" + DELTA,
    "insert": b"\0\0\x03\x03abc",
    "large": b"\0\xff\xff\xff\xff\x7f\x01",
    "outside": b"\2\0b\x02\x02\x91\x01\x02",
    "deflated": b"\1" + b"x" + zlib.compress(b"\0" * 16),
    "line": b"\0KcmZQzU|?_j0RR91",
}
PATHS = {
    "plain": b"src/a b.txt",
    "dotgit": b"d/.GIT/config",
    "hidden": b".gi\xe2\x80\x8ct/x",
    "short": b"git~1/x",
    "modules": b".gitmodules::$DATA",
    "traversal": b"a/../b",
    "composed": b"caf\xc3\xa9",
    "decomposed": b"cafe\xcc\x81",
    "device": b"aux.c",
    "quoted": b'"d\\303\\244\\n"',
}


def main(_source, output):
    for target, seeds in {"patch": PATCHES, "patch_delta": DELTAS, "patch_path": PATHS}.items():
        directory = os.path.join(output, target)
        os.makedirs(directory, exist_ok=True)
        for name, seed in seeds.items():
            with open(os.path.join(directory, name), "wb") as file:
                file.write(seed if isinstance(seed, bytes) else seed.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
