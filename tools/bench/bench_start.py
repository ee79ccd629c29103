#!/usr/bin/env python3
"""Times `slipway up --detach` on fresh data directories, and weighs the idle suite.

Usage: bench_start.py [PROGRAMS_DIRECTORY]    (default build/bin)

Prints milliseconds until the command returns, which is when the suite is ready, and the memory of
all processes of the suite: the sum of Pss, in which a page that several share counts once.
"""

import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
COMMAND_SECONDS = 90
# Idle is what the suite is this long after it was ready: its agents are up by then.
SETTLE_SECONDS = 3


def main():
    programs = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/bin").resolve()
    times, weights = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="bench_start.") as parent:
            milliseconds, by_program = measure(programs / "slipway", pathlib.Path(parent) / "data")
        times.append(milliseconds)
        weights.append(by_program)
    weights.sort(key=total)
    print(f"cores: {os.cpu_count()}, mean load of the last minute: {os.getloadavg()[0]:.1f}")
    print(f"ready after: p50 {statistics.median(times):.0f} ms "
          f"of {', '.join(f'{value:.0f}' for value in times)}")
    middle = weights[ROUNDS // 2]
    print(f"idle memory (Pss): p50 {total(middle) / 1024:.1f} MiB in "
          f"{sum(len(kib) for kib in middle.values())} processes")
    for name, kib in sorted(middle.items()):
        print(f"  {name}: {len(kib)} x {sum(kib) / len(kib) / 1024:.1f} MiB")


def measure(slipway, data):
    """Milliseconds to ready, and KiB of each process by the program it runs."""
    begin = time.monotonic()
    try:
        up = run(slipway, data, "up", "--detach", "--port", "0", "-o", "json")
        milliseconds = (time.monotonic() - begin) * 1000
        time.sleep(SETTLE_SECONDS)
        by_program = collections.defaultdict(list)
        for pid in family(json.loads(up)["pid"]):
            name = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
            by_program[os.path.basename(name)].append(pss_kib(pid))
    finally:
        run(slipway, data, "down")
    return milliseconds, dict(by_program)


def run(slipway, data, *arguments):
    result = subprocess.run([slipway, "--data", data, *arguments], capture_output=True, text=True,
                            timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        sys.exit(f"slipway {arguments[0]} ended with {result.returncode}: "
                 f"{result.stdout}{result.stderr}")
    return result.stdout


def family(root):
    """The process `root` and all below it."""
    children = collections.defaultdict(list)
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue  # It has ended.
        # The second field, in brackets, may hold anything; the parent is the second after it.
        children[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"no Pss of process {pid}")


def total(by_program):
    return sum(sum(kib) for kib in by_program.values())


if __name__ == "__main__":
    main()
