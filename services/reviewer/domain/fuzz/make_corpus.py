"""Writes the seeds of the fuzz target for the output of validators.

Usage: make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY.
"""

import os
import sys

OUTPUTS = (
    "FAILED tests/test_a.py::test_b[x y] - assert 1 == 2\nERROR tests/test_c.py\n1 failed\n",
    "The following tests FAILED:\n\t  3 - parser_test (Failed)\n\t  4 - slow (Timeout)\n",
    "<testsuite><testcase classname='a' name=\"b\"><failure message=\"1 &lt; 2\"><![CDATA[<x>]]>"
    "</failure></testcase></testsuite>",
    "TAP version 14\nnot ok 1 - a\n  ---\n  message: 'b'\n  ...\nnot ok 2 - c # todo\n",
    "--- FAIL: TestA (0.00s)\n    a_test.go:1: no\npanic: oh\nFAIL\tx [build failed]\n",
    "\x1b[31m✖ adds (1.2ms)\x1b[0m\n",
)


def main(_source, output):
    directory = os.path.join(output, "reviewer_validator_output")
    os.makedirs(directory, exist_ok=True)
    for kind, text in enumerate(OUTPUTS):
        with open(os.path.join(directory, str(kind)), "wb") as file:
            file.write(bytes([kind]) + text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
