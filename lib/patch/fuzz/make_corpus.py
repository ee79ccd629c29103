"""Writes the seeds of the patch library's fuzz target: diffs and edits as models write them.

Usage: make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY.
"""

import os
import sys

DIFF = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
SEEDS = {
    "change": DIFF,
    "new_file": "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n",
    "delete": "diff --git a/end b/end\ndeleted file mode 100644\n--- a/end\n+++ /dev/null\n@@ -1 +0,0 @@\n"
              "-no newline\n\\ No newline at end of file\n",
    "rename": "diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n",
    "mode": "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n",
    "quoted": 'diff --git "a/d\\303\\244" "b/d\\303\\244"\nnew file mode 100644\n--- /dev/null\n+++ "b/d\\303\\244"\n'
              "@@ -0,0 +1 @@\n+x\n",
    "binary": "diff --git a/b b/b\nnew file mode 100644\nindex 0000000..1111111\nGIT binary patch\nliteral 3\n"
              "KcmZQzU|?_j0RR91\n\nliteral 0\nHcmV?d00001\n\n",
    "loose": "Here is the change:\n```diff\n--- f\n+++ f\n@@\n 1\n-2\n+two\n```\nDone.\n",
    "search_replace": "f\n<<<<<<< SEARCH\n2\n=======\ntwo\n>>>>>>> REPLACE\n",
    "json": '{"edits":[{"path":"f","search":"2\\n","replace":"two\\n"},{"path":"new","content":"x\\n"}]}',
    "envelope": "*** Begin Patch\n*** Update File: f\n@@\n 1\n-2\n+two\n*** Add File: z\n+x\n*** End Patch\n",
    "crlf": DIFF.replace("a/f", "a/dir/x").replace("b/f", "b/dir/x").replace("\n", "\r\n"),
}


def main(_source, output):
    directory = os.path.join(output, "patch")
    os.makedirs(directory, exist_ok=True)
    for name, text in SEEDS.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
