"""What the code and the contracts must agree on: error reasons, event kinds, required roles."""

import glob
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Reasons of the shared libraries: any RPC may fail with them.
SHARED = {
    "QUEUE_FULL", "SHUTTING_DOWN", "DISK_FULL", "DATABASE_BUSY", "DATABASE_CORRUPT", "NAME_INVALID",
    "REQUEST_ID_REQUIRED", "PAGE_INVALID", "PAGE_SIZE_INVALID", "FILTER_INVALID", "COMMIT_FAILED",
}
# Reasons that end a program at its start: no RPC fails with them.
AT_START = {
    "PRICE_FILE_INVALID", "PRICE_FILE_UNREADABLE", "DECISIONS_CORRUPT", "DECISIONS_MISSING",
    "DECISIONS_FOREIGN",
}
# Reasons of what is stored: damage, on the wire INTERNAL without a text.
DAMAGE = {"STORED_FORM_INVALID"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def protos():
    return glob.glob(os.path.join(ROOT, "proto/slipway/**/*.proto"), recursive=True)


class ContractTest(unittest.TestCase):
    def test_every_method_declares_the_role_it_needs(self):
        methods = 0
        for path in protos():
            text = read(path)
            for match in re.finditer(r"\brpc (\w+)\([^)]*\) returns \([^)]*\)\s*(\{[^}]*\}|;)", text):
                methods += 1
                self.assertIn("required_role", match.group(2), f"{path}: {match.group(1)}")
        self.assertGreater(methods, 60)

    def test_every_error_of_a_service_is_named_in_its_contract(self):
        contracts = "\n".join(read(path) for path in protos())
        missing = []
        catalogues = glob.glob(os.path.join(ROOT, "services/*/domain/errors.cc"))
        self.assertEqual(6, len(catalogues), catalogues)
        for path in catalogues:
            reasons = set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', read(path)))
            self.assertTrue(reasons, f"{path}: no reasons")
            missing += [f"{os.path.relpath(path, ROOT)}: {reason}" for reason in sorted(reasons - SHARED - AT_START - DAMAGE)
                        if not re.search(rf"\b{reason}\b", contracts)]
        self.assertEqual([], missing, "\n" + "\n".join(missing))

    def test_every_event_kind_in_the_code_has_a_payload(self):
        payload = re.search(r"message EventPayload \{(.*?)\n\}", read(
            os.path.join(ROOT, "proto/slipway/events/v1/event.proto")), re.S).group(1)
        fields = set(re.findall(r"^\s+\w+ (\w+) = \d+;", payload, re.M))
        kinds = {field.replace("_", ".", 1) for field in fields}
        emitted = set()
        for path in glob.glob(os.path.join(ROOT, "services/**/*.cc"), recursive=True):
            if not path.endswith("_test.cc"):
                emitted |= set(re.findall(
                    r'"((?:project|plan|task|attempt|checkpoint|run|pause|stale|patch|candidate|evidence'
                    r'|verdict|change|integration|budget|usage|hold|call|gate|token|access)'
                    r'\.[a-z_]*(?:ed|progress|given))"',
                    read(path)))
        self.assertTrue(emitted)
        self.assertEqual(set(), emitted - kinds)


if __name__ == "__main__":
    unittest.main()
