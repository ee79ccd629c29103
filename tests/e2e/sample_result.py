"""The files that the sample project ends with, worked out without any of the suite's code.

Each task's last good reply is applied to the files that the work starts from, in the order of the
plan, by the few rules of the formats that the replies use.
"""

import json
import pathlib
import subprocess

# What the script replies in the end, by task, in an order that the plan allows. The other order of
# the two commands gives the same files.
GOOD_REPLIES = [
    "money-exact.txt",
    "categories.txt",
    "csv-import.txt",
    "monthly-report.txt",
    "cli-import.json",
    "cli-report.json",
    "docs.txt",
]


def _apply_envelope(text, files):
    """Files that a "*** Begin Patch" envelope adds."""
    path = None
    for line in text.split("*** Begin Patch\n")[1].split("\n"):
        if line.startswith("*** Add File: "):
            path = line.removeprefix("*** Add File: ")
            files[path] = ""
        elif line.startswith("*** End Patch"):
            return
        elif line.startswith("+"):
            files[path] += line[1:] + "\n"
        else:
            raise ValueError(f"a line that the test does not know: {line!r}")
    raise ValueError("the envelope has no end")


def _apply_edits(text, files):
    """Replacements and whole files of a JSON reply."""
    for edit in json.loads(text)["edits"]:
        if edit["op"] == "write":
            files[edit["path"]] = edit["content"]
            continue
        content = files[edit["path"]]
        if content.count(edit["old"]) != 1:
            raise ValueError(f"not exactly once in {edit['path']}: {edit['old']!r}")
        files[edit["path"]] = content.replace(edit["old"], edit["new"])


def _apply_search_replace(text, files):
    """One SEARCH/REPLACE block below the name of its file."""
    path, block = text.split("\n<<<<<<< SEARCH\n")
    old, block = block.split("=======\n")
    new = block.split(">>>>>>> REPLACE")[0]
    if files[path].count(old) != 1:
        raise ValueError(f"not exactly once in {path}: {old!r}")
    files[path] = files[path].replace(old, new)


def final_files(sample):
    """Content by path."""
    root = pathlib.Path(sample) / "repository"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=root, check=True, capture_output=True, text=True).stdout.split("\n")
    files = {path: (root / path).read_text() for path in listed if path}
    for name in GOOD_REPLIES:
        text = (pathlib.Path(sample) / "replies" / name).read_text()
        if name.endswith(".json"):
            _apply_edits(text, files)
        elif "*** Begin Patch" in text:
            _apply_envelope(text, files)
        else:
            _apply_search_replace(text, files)
    return files


def tree_id(files, directory):
    """The id of the tree with these files, by git itself in the empty `directory`."""
    def git(*arguments, text=None):
        return subprocess.run(["git", *arguments], cwd=directory, check=True, input=text,
                              capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--bare", ".")
    for path, content in files.items():
        blob = git("hash-object", "-w", "--stdin", text=content)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    return git("write-tree")
