"""The wall clocks of the suite's programs jump while the demo's work is done, each by itself: an hour
ahead, two hours back, some seconds. Nothing ends or is charged because of it, nothing waits longer, and
a service that is killed and starts before what it has stored goes on.

CLOCK_SEED: what the jumps are drawn from (printed). CLOCK_KEEP=1: keeps the data of rounds that fail.
"""

import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import struct
import sys
import tempfile
import threading
import time
import traceback
import unittest

import invariants
import running_suite as suites
import story
import victims

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import sample_result  # noqa: E402

SEED = os.environ.get("CLOCK_SEED") or str(random.SystemRandom().randrange(10**9))
KEEP = os.environ.get("CLOCK_KEEP") == "1"
PROGRAMS = (*victims.SERVICES, "agent")
KILLED = ("dispatcher", "models", "ledger", "agent")
HOUR = 3600
AHEAD = HOUR
BACK = -2 * HOUR
SMALL = (30, -7, 0.4, -0.3)
# Each program jumps this often, beginning when work is under way.
PAUSE_SECONDS = 0.6
WORK_SECONDS = 120  # Far less than what the clocks jump by.
FIND_SECONDS = 0.02
# What the sample gets wrong by itself; a conflict is of those who were faster.
FAULTS = {"money": 1, "categories": 1, "csv-import": 1}

programs = pathlib.Path()  # Where the programs of the suite are.
library = pathlib.Path()  # What makes their clocks jump.


class Clocks:
    """How far each program's wall clock is ahead of the machine's: lib/testkit/stepped_clock.h."""

    def __init__(self, directory):
        self._directory = directory
        self._ahead = dict.fromkeys(PROGRAMS, 0)
        directory.mkdir(mode=0o711)
        for program in PROGRAMS:
            self._path(program).write_bytes(bytes(24))

    def environment(self):
        return {"LD_PRELOAD": str(library), "SLIPWAY_CLOCKS": str(self._directory)}

    def jump(self, program, seconds):
        self._ahead[program] += seconds
        with open(self._path(program), "r+b", buffering=0) as file:
            file.write(struct.pack("q", int(self._ahead[program] * 1e9)))

    def seen(self, program):
        """How far the program has found itself back, and how far ahead, in seconds."""
        return [nanos / 1e9 for nanos in struct.unpack("qqq", self._path(program).read_bytes())[1:]]

    def _path(self, program):
        return self._directory / f"slipway-{program}"


class Jumps(threading.Thread):
    """Sets the clocks of all programs, each in an order of its own; kills some right after their clock
    went back, when told to."""

    def __init__(self, suite, clocks, generator, kills):
        super().__init__(daemon=True)
        self._suite = suite
        self._clocks = clocks
        self._generator = generator
        self._kills = kills
        self._over = threading.Event()
        self.done = 0
        self.killed = []
        self.error = None

    def run(self):
        try:
            orders = {program: self._order() for program in PROGRAMS}
            self._await_work()
            for turn in range(min(map(len, orders.values()))):
                for program in self._generator.sample(PROGRAMS, len(PROGRAMS)):
                    if self._over.wait(PAUSE_SECONDS / len(PROGRAMS)):
                        return
                    step = orders[program][turn]
                    self._clocks.jump(program, step)
                    self.done += 1
                    if self._kills and program in KILLED and step == BACK:
                        self._kill(program)
        except Exception:  # Told by the round; a thread has nobody above it.
            self.error = traceback.format_exc()

    def end(self):
        self._over.set()
        self.join()

    def _order(self):
        """The hours are last where processes are killed: their successors stay back in time."""
        small = self._generator.sample(SMALL, len(SMALL))
        if self._kills:
            return [*small, AHEAD, BACK]
        return [AHEAD, BACK, *self._generator.sample((AHEAD, AHEAD, *small), 2 + len(small))]

    def _await_work(self):
        """Returns when the provider has billed the first calls of agents."""
        log = story.call_log(self._suite.data)
        while not self._over.wait(FIND_SECONDS):
            if log.exists() and log.read_bytes().count(b"\n") >= 2:
                return

    def _kill(self, program):
        while not self._over.wait(FIND_SECONDS):
            found = sorted(victims.find(program, self._suite.data))
            if found and victims.kill(program, self._suite.data, found[0]):
                self.killed.append(program)
                return


class Round:
    def __init__(self, name, seed, expected_tree, kills):
        self._name = name
        self._generator = random.Random(seed)
        self._expected_tree = expected_tree
        self._kills = kills

    def run(self):
        """What is wrong, a text; empty when all is well."""
        parent = pathlib.Path(tempfile.mkdtemp(prefix="slipway-clock-", dir="/tmp"))
        # Sandboxes of a suite that root runs belong to another user, who must get through.
        os.chmod(parent, 0o711)
        found = []
        try:
            found = self._run_in(parent)
            if found and KEEP:
                found.append(f"the data is in {parent}")
        finally:
            if not (found and KEEP):
                shutil.rmtree(parent, ignore_errors=True)
        return "\n".join([f"round {self._name}:", *found]) if found else ""

    def _run_in(self, parent):
        data = parent / "d"
        clocks = Clocks(parent / "clocks")
        suite = suites.Suite(programs, data, clocks.environment())
        work = story.Story(suite)
        jumps = Jumps(suite, clocks, self._generator, self._kills)
        found = []
        begin = time.monotonic()
        try:
            story.prepare(data)
            suite.up()
            begin = time.monotonic()
            jumps.start()
            work.finish(WORK_SECONDS)
            seconds = time.monotonic() - begin
            jumps.end()
            found += invariants.problems(suite, work.plan, self._expected_tree)
            found += self._charged(suite, work.plan)
        except Exception:  # Whatever it is, it is what the round found.
            seconds = time.monotonic() - begin
            found += [traceback.format_exc(), f"last seen: {work.seen}", suite.log_tails()]
        jumps.end()
        if jumps.error:
            found.append(jumps.error)
        found += self._stop(suite)
        found += self._unseen(clocks, jumps)
        print(f"round {self._name}: {jumps.done} jumps, killed {', '.join(jumps.killed) or 'nothing'}; "
              f"the plan took {seconds:.1f} s: {'FAILED' if found else 'ok'}", flush=True)
        return found

    def _charged(self, suite, plan):
        """What was lost or charged to agents, who did nothing wrong but what the sample has them do."""
        for task in suite.all_pages("dispatcher.v1.DispatcherService/ListTasks", "tasks", plan=plan):
            name = task["name"].rsplit("/", 1)[-1]
            charged = task.get("retries", {})
            if not self._kills and set(charged) - {"agent", "conflict"}:
                yield f"{name} was charged {charged}, and nothing was killed"
            if charged.get("agent", 0) > FAULTS.get(name, 0):
                yield f"{name} was charged {charged}"
            for attempt in suite.ask("dispatcher.v1.DispatcherService/ListAttempts",
                                     task=task["name"]).get("attempts", []):
                if not self._kills and attempt["state"] in (
                        "STATE_LOST", "STATE_FAILED", "STATE_REVOKED", "STATE_SALVAGED"):
                    yield f"an attempt ended: {json.dumps(attempt)[:500]}"

    def _unseen(self, clocks, jumps):
        """The test's own failures: jumps that a program did not see, kills that did not happen."""
        for program in PROGRAMS:
            back, ahead = clocks.seen(program)
            if back > -0.9 * HOUR or ahead < 0.9 * HOUR:
                yield f"the clock of {program} was seen {back:.0f} s back and {ahead:.0f} s ahead only"
        if self._kills and sorted(jumps.killed) != sorted(KILLED):
            yield f"killed {jumps.killed} only"

    @staticmethod
    def _stop(suite):
        try:
            suite.down()
            return invariants.leftovers(suite.data)
        except Exception:
            return [traceback.format_exc()]
        finally:
            for kind in ("up", *PROGRAMS):
                for pid in victims.find(kind, suite.data):
                    victims.kill(kind, suite.data, pid)


class ClockStepTest(unittest.TestCase):
    def test_the_work_survives_wall_clocks_that_jump(self):
        print(f"CLOCK_SEED={SEED}", flush=True)
        with tempfile.TemporaryDirectory() as directory:
            tree = sample_result.tree_id(sample_result.final_files(story.SAMPLE), directory)
        rounds = [Round("of jumps", f"{SEED} jumps", tree, kills=False),
                  Round("of jumps and kills", f"{SEED} kills", tree, kills=True)]
        with concurrent.futures.ThreadPoolExecutor(len(rounds)) as pool:
            failures = [found for found in pool.map(Round.run, rounds) if found]
        self.assertEqual([], failures, "\n\n".join(failures))


if __name__ == "__main__":
    library = pathlib.Path(sys.argv.pop(2)).resolve()
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
