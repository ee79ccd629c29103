#!/usr/bin/env python3
"""Checks the models of the protocol with Spin: each as it is, and with each part of it left out.

A model has to hold in every state that it can reach. A variant has to be refuted, by the assertion
that is named here: what is left out was there for that. `REACHES_THE_END` claims that the end is never
reached, so that a model that holds because nothing happens in it is found, too.

Usage: check_models.py [--keep DIRECTORY]; needs spin and gcc.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STATES_MAX_MB = 3000
PATIENCE_S = 600

# Variant -> a piece of the assertion that refutes it.
MODELS = {
    "lease": {
        "NO_EPOCH_CHECK": "work==epoch",
        "NO_SELF_FENCING": "attempt[held[a]]!=4",
        "LEASE_AS_BEFORE_RESTART": "attempt[held[a]]!=4",
        "ACK_BEFORE_COMMIT": "receipt[i]",
        "GRANT_BEFORE_COMMIT": "held[0]<=epoch",
        "KEY_NOT_REVOKED": "key_open[i]",
        "NO_MARK": "key_open[i]",
        "REACHES_THE_END": "key_known[1]",
    },
    "merge": {
        "NO_EPOCH_CHECK": "own<=1",
        "ANY_ANSWER": "own<=1",
        "NO_INTENT": "rows==",
        "NO_LOOK_AT_BRANCH": "rows==",
        "NO_COMPARE": "neighbour",
        "REACHES_THE_END": "reviewer_crashes>0",
    },
}


class Refusal(Exception):
    """A check that did not come out as it must."""


def run(command, directory):
    return subprocess.run(command, cwd=directory, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE_S, check=False)


def search(model, variant, directory):
    """Searches every state; returns what the verifier printed."""
    os.makedirs(directory)
    defines = [f"-D{variant}"] if variant else []
    made = run(["spin", *defines, "-a", os.path.join(HERE, f"{model}.pml")], directory)
    if made.returncode != 0 or not os.path.exists(os.path.join(directory, "pan.c")):
        raise Refusal(f"spin does not take it:\n{made.stdout}")
    compiled = run(["gcc", "-w", "-O2", "-DSAFETY", f"-DMEMLIM={STATES_MAX_MB}", "-o", "pan", "pan.c"],
                   directory)
    if compiled.returncode != 0:
        raise Refusal(f"the verifier does not compile:\n{compiled.stdout}")
    return run(["./pan", "-m1000000", "-w24"], directory).stdout


def states_of(report):
    found = re.search(r"(\d+) states, stored", report)
    return int(found.group(1)) if found else 0


def check(model, variant, wanted, directory):
    report = search(model, variant, directory)
    broken = re.search(r"assertion violated (.*?) \(at depth", report)
    errors = re.search(r"errors: (\d+)", report)
    if errors is None or "out of memory" in report or "max search depth too small" in report:
        raise Refusal(f"the search was not finished:\n{report}")
    if not variant:
        if errors.group(1) != "0" or "Search not completed" in report:
            raise Refusal(f"the model is refuted:\n{report}")
        return states_of(report), "holds"
    if broken is None:
        raise Refusal(f"nothing is found in the variant; an assertion about '{wanted}' should be:\n{report}")
    assertion = broken.group(1).replace(" ", "")
    if wanted not in assertion:
        raise Refusal(f"refuted by {assertion}, not by what is said about '{wanted}'")
    return states_of(report), f"refuted: {wanted}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--keep", help="leave the verifiers and their trails here")
    options = parser.parse_args()
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: tools/install_dependencies.sh")
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or scratch
        for model, variants in MODELS.items():
            for variant, wanted in [("", ""), *variants.items()]:
                name = f"{model} {variant}".strip()
                begin = time.monotonic()
                try:
                    states, verdict = check(model, variant, wanted,
                                            os.path.join(directory, name.replace(" ", "-")))
                    print(f"{name:32} {states:>10} states {time.monotonic() - begin:6.1f} s  {verdict}",
                          flush=True)
                except (Refusal, subprocess.TimeoutExpired) as problem:
                    failures += 1
                    print(f"{name:32} FAILED {problem}", flush=True)
    print(f"{failures} failed" if failures else "all as they must be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
