"""The rules of the house that can be read off the source: layers, sizes, banned names.

A test fails with one line for each breach: file, line, the rule. The layer table is docs/architecture.md's.
"""

import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = ("gateway", "planner", "dispatcher", "reviewer", "ledger", "models")

# Which sibling modules a module of lib/ may use besides base. testkit may be used by tests only.
LIB_DEPENDENCIES = {
    "base": set(),
    "testkit": {"base"},
    "log": set(),
    "metrics": set(),
    "config": set(),
    "sqlite": set(),
    "faultdisk": set(),
    "git": set(),
    "patch": set(),
    "policy": {"patch"},
    "inspection": {"git", "patch", "policy"},
    "sandbox": set(),
    "http": set(),
    "rpc": {"log", "metrics"},
    "events": {"sqlite", "rpc", "log"},
    "serving": {"http", "metrics", "rpc"},
    "simulation": set(),
}

# What a layer of a service may include: prefixes of quoted includes, {own} is services/<name>.
ALWAYS = ("absl/", "lib/base/")
LAYERS = {
    "domain": ALWAYS + ("{own}/domain/", "nlohmann/", "lib/events/event.h", "lib/log/", "lib/metrics/",
                        "lib/patch/", "lib/policy/"),
    "storage": ALWAYS + ("{own}/domain/", "{own}/storage/", "nlohmann/", "lib/sqlite/", "lib/git/",
                         "lib/events/event.h", "lib/events/event_log.h", "lib/log/", "lib/metrics/",
                         "yaml-cpp/"),
}
# What a layer must never include.
FORBIDDEN = {
    "domain": ("slipway/", "grpcpp/", "google/", "sqlite3.h", "git2.h", "curl/", "boost/"),
    "storage": ("slipway/", "grpcpp/", "google/", "lib/rpc/", "{own}/rpc/"),
    "rpc": ("{own}/storage/", "lib/sqlite/", "sqlite3.h", "git2.h"),
}

INCLUDE = re.compile(r'^\s*#include\s+(["<])([^">]+)[">]')
BANNED = (
    (re.compile(r"\bstd::string_view\b"), "absl::string_view instead of std::string_view", ()),
    (re.compile(r"\babsl::Now\(|\babsl::SleepFor\(|\bsleep_for\(|\busleep\(|\bsrand\(|[^\w.:>]rand\("),
     "time and randomness come by reference", ("lib/base/",)),
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "no unfinished work", ()),
    (re.compile(r"absl/log/"), "absl/log is not in Debian 12", ()),
)
LINES_MAX = 500


def sources():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.h", "*.cc"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return [path for path in listed if path and os.path.exists(os.path.join(ROOT, path))]


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().split("\n")


def is_test(path):
    stem = os.path.basename(path).rsplit(".", 1)[0]
    return (stem.endswith("_test") or path.startswith("tests/") or "fixture" in stem
            or "fake_" in stem or "/testing/" in path or "/fuzz/" in path or stem.endswith("_for_test")
            or stem == "git_sandbox" or path.startswith("lib/testkit/"))


def includes(path):
    for number, line in enumerate(lines_of(path), start=1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


class StructureTest(unittest.TestCase):
    maxDiff = None

    def assert_no(self, breaches):
        self.assertEqual([], breaches, "\n" + "\n".join(breaches))

    def test_there_are_sources_to_check(self):
        self.assertGreater(len(sources()), 100)

    def test_layers_include_only_what_they_may(self):
        breaches = []
        for path in sources():
            parts = path.split("/")
            if parts[0] != "services" or len(parts) < 4 or is_test(path):
                continue
            own, layer = "/".join(parts[:2]), parts[2]
            for number, quoted, name in includes(path):
                forbidden = [rule.format(own=own) for rule in FORBIDDEN.get(layer, ())]
                allowed = [rule.format(own=own) for rule in LAYERS.get(layer, ())]
                system = not quoted and not name.startswith(tuple(forbidden)) and (
                    "/" not in name or name.startswith(("sys/", "openssl/", "nlohmann/", "re2/")))
                if name.startswith(tuple(forbidden)) or (
                        allowed and not system and not name.startswith(tuple(allowed))):
                    breaches.append(f"{path}:{number}: {layer}/ must not include {name}")
        self.assert_no(breaches)

    def test_services_meet_only_in_proto(self):
        breaches = []
        for path in sources():
            parts = path.split("/")
            for number, _, name in includes(path):
                if not name.startswith(("services/", "agent/", "cli/")):
                    continue
                room = "/".join(name.split("/")[:2]) if name.startswith("services/") else name.split("/")[0]
                own = "/".join(parts[:2]) if parts[0] == "services" else parts[0]
                if room != own and parts[0] not in ("tests", "tools"):
                    breaches.append(f"{path}:{number}: {own} must not include {name}")
        self.assert_no(breaches)

    def test_libraries_use_only_the_siblings_they_may(self):
        breaches = []
        for path in sources():
            parts = path.split("/")
            if parts[0] != "lib" or is_test(path):
                continue
            module = parts[1]
            self.assertIn(module, LIB_DEPENDENCIES, f"{path}: add the module to the layer table")
            for number, _, name in includes(path):
                match = re.match(r"lib/(\w+)/", name)
                if match and match.group(1) not in LIB_DEPENDENCIES[module] | {"base", module}:
                    breaches.append(f"{path}:{number}: lib/{module} must not use lib/{match.group(1)}")
                if name.startswith("services/"):
                    breaches.append(f"{path}:{number}: lib/ must not use a service")
        self.assert_no(breaches)

    def test_banned_names_are_not_used(self):
        breaches = []
        for path in sources():
            for number, line in enumerate(lines_of(path), start=1):
                for pattern, rule, exempt in BANNED:
                    if pattern.search(line) and not path.startswith(exempt or ("\0",)):
                        breaches.append(f"{path}:{number}: {rule}")
        self.assert_no(breaches)

    def test_files_are_small_enough_to_read(self):
        self.assert_no([f"{path}: {len(lines_of(path))} lines, more than {LINES_MAX}"
                        for path in sources() if len(lines_of(path)) > LINES_MAX + 1])

    def test_headers_are_included_once_and_by_full_path(self):
        breaches = []
        for path in sources():
            if path.endswith(".h") and "#pragma once" not in lines_of(path):
                breaches.append(f"{path}: no #pragma once")
            for number, quoted, name in includes(path):
                if quoted and "/" not in name:
                    breaches.append(f"{path}:{number}: {name} is not a path from the root")
        self.assert_no(breaches)

    def test_names_say_what_a_file_holds(self):
        vague = re.compile(r"(^|_)(util|utils|helper|helpers|manager|impl|common|misc)(_|\.|$)")
        self.assert_no([f"{path}: a vague name" for path in sources()
                        if vague.search(os.path.basename(path))])

    def test_every_program_has_a_page_about_it(self):
        rooms = [f"services/{name}" for name in SERVICES] + ["agent", "cli"]
        self.assert_no([f"{room}: no README.md" for room in rooms
                        if not os.path.exists(os.path.join(ROOT, room, "README.md"))])

    def test_a_main_is_short(self):
        self.assert_no([f"{path}: {len(lines_of(path))} lines" for path in sources()
                        if os.path.basename(path) == "main.cc" and len(lines_of(path)) > 60])


if __name__ == "__main__":
    unittest.main()
