"""Any one process of the suite ends by SIGKILL at a random moment of the demo, or is stopped for longer
than a lease and goes on, and nothing is lost.

CHAOS_ROUNDS: how many rounds (6). CHAOS_KILLS: how many processes end in a round, one after the
other (as many as it takes for every kind to come up). CHAOS_SEED: what both are drawn from
(printed). CHAOS_ONLY: the numbers of the rounds to run. CHAOS_JOBS: rounds at once (2).
CHAOS_KEEP=1: keeps the data of rounds that fail.
"""

import concurrent.futures
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
import traceback
import unittest

import invariants
import killer as killers
import running_suite as suites
import story
import victims

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import sample_result  # noqa: E402

ROUNDS = int(os.environ.get("CHAOS_ROUNDS") or 6)
KINDS = (*victims.KINDS, *victims.FROZEN)
KILLS = int(os.environ.get("CHAOS_KILLS") or -(-len(KINDS) // ROUNDS))
SEED = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
ONLY = {int(number) for number in os.environ.get("CHAOS_ONLY", "").split(",") if number}
JOBS = int(os.environ.get("CHAOS_JOBS") or 2)
KEEP = os.environ.get("CHAOS_KEEP") == "1"

# Some ten seconds on an idle machine, killed or not.
ROUND_SECONDS = 180
# How much of the time that the undisturbed demo takes is drawn from.
LAST_MOMENT = 0.9
# How often a round is begun again because the work was done before its moment.
TRIES_MAX = 4

programs = pathlib.Path()  # Where the programs of the suite are.


class Round:
    def __init__(self, number, kinds, generator, span, expected_tree):
        self._number = number
        self._kinds = kinds
        self._generator = generator
        self._span = span
        self._expected_tree = expected_tree

    def run(self):
        """What is wrong, a text; empty when all is well. Also the seconds that the story took."""
        span = self._span
        for _ in range(TRIES_MAX):
            parent = pathlib.Path(tempfile.mkdtemp(prefix="slipway-chaos-", dir="/tmp"))
            # Sandboxes of a suite that root runs belong to another user, who must get through.
            os.chmod(parent, 0o711)
            keep = False
            try:
                found, seconds, missed = self._run_in(parent / "d", span)
                keep = bool(found) and KEEP
                if found and keep:
                    found += f"\nthe data is in {parent}"
            finally:
                if not keep:
                    shutil.rmtree(parent, ignore_errors=True)
            if found or not missed:
                return found, seconds
            span /= 2
        return f"the work was done before {self._kinds} could be killed", seconds

    def _run_in(self, data, span):
        suite = suites.Suite(programs, data)
        work = story.Story(suite)
        killer = None
        found = []
        begin = time.monotonic()
        try:
            story.prepare(data)
            suite.up()
            begin = time.monotonic()
            killer = killers.Killer(suite, self._kinds, self._generator, span)
            killer.start()
            work.finish(ROUND_SECONDS)
            seconds = time.monotonic() - begin
            killer.end()
            if killer.error:
                found.append(killer.error)
            found += invariants.problems(suite, work.plan, self._expected_tree)
        except Exception:  # Whatever it is, it is what the round found.
            seconds = time.monotonic() - begin
            found.append(traceback.format_exc())
        finally:
            if killer is not None:
                killer.end()
        found += self._stop(suite)
        killed = killer.killed if killer else []
        missed = killer is None or killer.missed()
        outcome = "FAILED" if found else "done before its moment, so once more" if missed else "ok"
        print(f"round {self._number}: killed {', '.join(killed) or 'nothing'}; the plan took "
              f"{seconds:.1f} s: {outcome}", flush=True)
        if not found:
            return "", seconds, missed
        told = [f"round {self._number}, killed {killed}:", *found, f"last seen: {work.seen}",
                suite.log_tails()]
        text = "\n".join(told)
        print(text, flush=True)  # At once, and again at the end.
        return text, seconds, missed

    def _stop(self, suite):
        try:
            suite.down()
            return invariants.leftovers(suite.data)
        except Exception:
            return [traceback.format_exc()]
        finally:
            for kind in ("up", *victims.SERVICES, "agent"):
                for pid in victims.find(kind, suite.data):
                    victims.kill(kind, suite.data, pid)


def kinds_by_round():
    """For each round what it kills: every kind comes up, and all about equally often."""
    generator = random.Random(f"{SEED} kinds")
    dealt = []
    while len(dealt) < ROUNDS * KILLS:
        deck = list(KINDS)
        generator.shuffle(deck)
        dealt += deck
    return [dealt[number * KILLS:(number + 1) * KILLS] for number in range(ROUNDS)]


class ChaosTest(unittest.TestCase):
    def test_the_work_survives_the_end_of_any_process(self):
        print(f"CHAOS_SEED={SEED} CHAOS_ROUNDS={ROUNDS} CHAOS_KILLS={KILLS} CHAOS_JOBS={JOBS}",
              flush=True)
        with tempfile.TemporaryDirectory() as directory:
            tree = sample_result.tree_id(sample_result.final_files(story.SAMPLE), directory)
        # Undisturbed: says how long it takes here, and that a failure below is due to a kill.
        found, span = Round(0, [], random.Random(SEED), 0, tree).run()
        self.assertEqual(found, "", found)

        kinds = kinds_by_round()
        rounds = [Round(number, kinds[number - 1], random.Random(f"{SEED} {number}"),
                        span * LAST_MOMENT, tree)
                  for number in range(1, ROUNDS + 1) if not ONLY or number in ONLY]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            results = list(pool.map(Round.run, rounds))
        failures = [found for found, _ in results if found]
        if failures:
            self.fail(f"{len(failures)} of {len(results)} rounds failed; CHAOS_SEED={SEED}\n\n"
                      + "\n\n".join(failures))


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
