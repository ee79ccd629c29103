"""Kills or freezes processes of a suite at random moments, half of them aimed at steps that must be
atomic."""

import os
import random
import threading
import time
import traceback

import story
import victims

# How long a process that comes and goes may live before it is killed.
SHORT_LIFE_SECONDS = 0.25
# After a step shows in a file, what belongs to it is written within about this time.
AIM_SECONDS = 0.03
POLL_SECONDS = 0.002
FIND_SECONDS = 0.01
# Longer than a lease.
FROZEN_SECONDS = story.LEASE_SECONDS + 2


def _billed(data):
    """Changes when the provider bills a call: it is not settled yet."""
    return [os.stat(story.call_log(data)).st_size]


def _moved(data):
    """Changes when a branch of a plan moves: the merge is not recorded yet."""
    heads = data / "reviewer" / "repositories" / "tally.git" / "refs" / "heads"
    return [path.stat().st_mtime_ns for path in heads.rglob("*") if path.is_file()]


def _noted(data):
    """Changes when the dispatcher writes a step down: it has not told anybody yet."""
    return [os.stat(f"{data}/dispatcher/dispatcher.db-wal").st_mtime_ns]


def _integrated(data):
    """Changes when the user's branch moves: the run has not ended yet."""
    return [os.stat(story.repository(data) / "refs" / "heads" / "main").st_mtime_ns]


# Steps in which a kind of process has a part.
AIMS = {
    "ledger": (_billed, _noted),
    "models": (_billed,),
    "reviewer": (_moved, _integrated),
    "dispatcher": (_noted, _moved, _billed),
    "planner": (_integrated, _moved),
    "gateway": (_noted,),
    "up": (_billed, _moved, _noted, _integrated),
    "agent": (_billed, _noted),
    "runner": (_billed,),
    "validator": (),
    "frozen agent": (_billed,),
    "frozen dispatcher": (_noted, _moved),
    "frozen models": (_billed,),
    "frozen ledger": (_billed,),
    "frozen reviewer": (_moved,),
}


class Killer(threading.Thread):
    """Kills one process of each of `kinds`, each at its moment within `span` seconds or, when it is
    aimed, at the next step after that."""

    def __init__(self, suite, kinds, generator, span):
        super().__init__(daemon=True)
        self._suite = suite
        moments = [(generator.uniform(0, span), kind, self._aim(kind, generator))
                   for kind in kinds]
        self._moments = sorted(moments, key=lambda moment: moment[0])
        # Its own: how often it is asked depends on what runs when.
        self._generator = random.Random(generator.random())
        self._over = threading.Event()
        self._begin = time.monotonic()
        self.killed = []  # What, and when.
        self.error = None

    def run(self):
        try:
            for moment, kind, aim in self._moments:
                self._over.wait(max(0, self._begin + moment - time.monotonic()))
                self._wait_for(aim)
                self._kill(kind, aim)
        except Exception:  # Told by the round; a thread has nobody above it.
            self.error = traceback.format_exc()

    def end(self):
        """Waits until the process that is being killed has its successor; kills no more."""
        self._over.set()
        self.join()

    def missed(self):
        return len(self.killed) < len(self._moments)

    @staticmethod
    def _aim(kind, generator):
        """A step, or None for any moment."""
        aims = AIMS[kind]
        return generator.choice(aims) if aims and generator.random() < 0.5 else None

    def _wait_for(self, aim):
        if aim is None:
            return
        before = self._look(aim)
        while self._look(aim) == before:
            if self._over.wait(POLL_SECONDS):
                return
        time.sleep(self._generator.uniform(0, AIM_SECONDS))

    def _look(self, step):
        try:
            return step(self._suite.data)
        except OSError:  # Not there yet, or just replaced.
            return None

    def _kill(self, kind, aim):
        of_kind = victims.FROZEN.get(kind, kind)
        while not self._over.is_set():
            found = victims.find(of_kind, self._suite.data)
            if found:
                victim = self._generator.choice(sorted(found))
                if kind in victims.SHORT_LIVED and aim is None:
                    time.sleep(self._generator.uniform(0, SHORT_LIFE_SECONDS))
                if self._strike(kind, of_kind, victim):
                    why = f"{aim.__name__[1:]} " if aim else ""
                    self.killed.append(f"{kind} {why}after {time.monotonic() - self._begin:.2f} s")
                    if kind == "up":
                        self._suite.up()
                    return
            self._over.wait(FIND_SECONDS)

    def _strike(self, kind, of_kind, victim):
        if kind == of_kind:
            return victims.kill(kind, self._suite.data, victim)
        return victims.freeze(of_kind, self._suite.data, victim,
                              lambda: time.sleep(FROZEN_SECONDS))
