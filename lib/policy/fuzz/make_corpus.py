"""Writes the seeds of the policy's fuzz target: a name and the content of a file.

Usage: make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY.
"""

import os
import sys

# Parts of credentials are put together here so that no scanner takes this file for a leak.
SEEDS = {
    "plain": "a.txt\nhello\n",
    "secret": "a.txt\n" + "ghp_" + "9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP\n",
    "split": "a.py\nkey = \"" + "ghp_" + "9aB3kLmN7qRsT2u\" +\n  \"VwX4yZ6cD8eF1gH5iJ0oP\"\n",
    "encoded": "a.txt\nZ2hwXzlhQjNrTG1ON3FSc1QydVZ3WDR5WjZjRDhlRjFnSDVpSjBvUA==\n",
    "bidi": "a.c\nif admin:\u202e x\n",
    "marker": "a.c\n<<<<<<< HEAD\n",
    "test": "test_a.py\n@pytest.mark.skip\ndef test():\n    pass\n",
    "lock": "package-lock.json\n\"resolved\": \"https://b.example/x\"\n",
    "workflow": ".github/workflows/ci.yml\non: push\n",
    "threshold": "setup.cfg\nfail_under = 10\n",
    "twin": "README\nx\n",
    "device": "aux.c\nx\n",
}


def main(_source, output):
    directory = os.path.join(output, "policy")
    os.makedirs(directory, exist_ok=True)
    for name, text in SEEDS.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
