"""The disk of one service is full in the middle of the demo's work, and then has room again: nothing
is lost, and the work goes on by itself. Needs root, to mount small file systems."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import invariants
import running_suite as suites
import story
import victims

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import sample_result  # noqa: E402

# Room for a whole demo.
DISK = "32m"
# Longer than it takes to write something down, and to be started again a few times.
FULL_SECONDS = 4
WORK_SECONDS = 180
JOBS = 2

programs = pathlib.Path()  # Where the programs of the suite are.


class SmallDisk:
    """A file system of its own for one directory."""

    def __init__(self, path):
        self.path = path
        path.mkdir(mode=0o711, parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0711", "slipway-disk",
                        str(path)], check=True)

    def fill(self):
        with open(self.path / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                if error.errno != 28:  # ENOSPC
                    raise

    def free(self):
        (self.path / "filler").unlink()

    def unmount(self):
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)


class Round:
    """The work of the demo, with one service whose disk is full for a while."""

    def __init__(self, service, expected_tree):
        self.service = service
        self.expected_tree = expected_tree

    def run(self):
        """What is wrong, a text; empty when all is well."""
        parent = pathlib.Path(tempfile.mkdtemp(prefix="slipway-disk-", dir="/tmp"))
        os.chmod(parent, 0o711)
        data = parent / "d"
        disk = None
        try:
            data.mkdir(mode=0o711)
            disk = SmallDisk(data / self.service)
            return "\n".join(self._work(data, disk))
        finally:
            if disk is not None:
                disk.unmount()
            shutil.rmtree(parent, ignore_errors=True)

    def _work(self, data, disk):
        story.prepare(data)
        suite = suites.Suite(programs, data)
        found = []
        begin = time.monotonic()
        full = 0
        try:
            suite.up()
            work = story.Story(suite)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                done = pool.submit(work.finish, WORK_SECONDS)
                self._await_work(data)
                disk.fill()
                full = time.monotonic() - begin
                time.sleep(FULL_SECONDS)
                if done.done():
                    found.append("the work was done before the disk was full")
                if not self._was_met(data):
                    found.append("nothing of the service met the full disk")
                disk.free()
                done.result()
            found += invariants.problems(suite, work.plan, self.expected_tree)
        except Exception as error:  # Whatever it is, it is what the round found.
            found.append(f"{error!r}\n{suite.log_tails()}")
        finally:
            suite.down()
        found += invariants.leftovers(data)
        for kind in ("up", *victims.SERVICES, "agent"):
            for pid in victims.find(kind, data):
                victims.kill(kind, data, pid)
        print(f"{self.service}: full after {full:.1f} s, the work took "
              f"{time.monotonic() - begin:.1f} s: {'FAILED' if found else 'ok'}", flush=True)
        return [f"{self.service}:", *found] if found else []

    def _was_met(self, data):
        """Whether the service, or who starts it, told of the full disk."""
        logs = "".join((data / "logs" / f"{name}.log").read_text(errors="replace")
                       for name in (self.service, "up")
                       if (data / "logs" / f"{name}.log").exists())
        return "DISK_FULL" in logs or "disk is full" in logs

    @staticmethod
    def _await_work(data):
        """Returns when the provider has billed the first calls."""
        end = time.monotonic() + WORK_SECONDS
        while time.monotonic() < end:
            log = story.call_log(data)
            if log.exists() and log.read_bytes().count(b"\n") >= 3:
                return
            time.sleep(0.01)
        raise AssertionError("nothing was billed")


class DiskFullTest(unittest.TestCase):
    def test_the_work_survives_a_full_disk_of_a_service(self):
        if os.geteuid() != 0:
            if os.environ.get("CI") == "true":
                self.fail("continuous integration needs root, to mount small file systems")
            self.skipTest("needs root, to mount small file systems")
        with tempfile.TemporaryDirectory() as directory:
            tree = sample_result.tree_id(sample_result.final_files(story.SAMPLE), directory)
        # Those that write while tasks are worked at. The provider's own books are with models: they
        # are not on trial.
        services = ("ledger", "reviewer", "dispatcher")
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            failures = [found for found in
                        pool.map(Round.run, [Round(service, tree) for service in services]) if found]
        self.assertEqual([], failures, "\n\n".join(failures))


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
