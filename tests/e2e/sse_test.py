"""The stream of events across breaks: by HTTP with the last id, and merged across services that are
killed. Nothing is missing and nothing before the id comes again."""

import json
import pathlib
import subprocess
import sys
import unittest

import suite as e2e

programs = pathlib.Path()  # Where the programs of the suite are.


def place(event):
    return event["log"], int(event["sequence"])


class SseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tasks = ("one", "two", "three")
        cls.suite = suite = e2e.Suite(programs, [
            e2e.rule("plan", e2e.plan_reply(*([task] for task in tasks))),
            *(e2e.rule("write", e2e.edit_reply(f"{task}.txt", f"{task}\n"), task=task,
                       latency_ms=100) for task in tasks)])
        cls.addClassCleanup(suite.stop)
        suite.project("p")

    def read(self, last_id, until, query=""):
        """Frames from `last_id` on until `until` holds for the events."""
        reader = e2e.EventReader(self.suite, query, last_id)
        self.addCleanup(reader.close)
        e2e.wait_until(lambda: until(reader.events()), "the events that were waited for")
        e2e.wait_until(lambda: any(frame.id for frame in reader.frames), "an id")
        reader.close()
        return reader

    def everything(self):
        """Every event that any log has, by log and sequence."""
        found, token = {}, ""
        while True:
            _, page = self.suite.call("EventLog", "ListEvents",
                                      {"pageSize": 500, "pageToken": token})
            found.update({place(event): event for event in page.get("events", [])})
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def test_reconnecting_with_the_last_id_goes_on_exactly_there(self):
        plan = self.suite.approved("p", "# Count\n")
        run = self.suite.begin("run", plan)
        self.addCleanup(run.communicate)
        last_id, seen, ids = None, [], []
        ended = False
        while not ended:
            reader = self.read(last_id, lambda events: len(events) >= 5 or any(
                self.ends(event, plan) for event in events))
            # What came after the last id is sent again.
            taken = self.up_to_last_id(reader)
            seen += taken
            last_id = [frame.id for frame in reader.frames if frame.id][-1]
            ids.append(last_id)
            ended = any(self.ends(event, plan) for event in taken)
        self.assertEqual(run.wait(timeout=e2e.TIMEOUT_SECONDS), 0)
        self.assertGreater(len(ids), 2, "there was no reconnect")
        places = [place(event) for event in seen]
        self.assertEqual(len(places), len(set(places)), "an event came again")
        by_log = {}
        for log, sequence in places:
            by_log.setdefault(log, []).append(sequence)
        for log, sequences in by_log.items():
            self.assertEqual(sequences, list(range(1, len(sequences) + 1)), log)

    @staticmethod
    def ends(event, plan):
        return (event["kind"] == "plan.state_changed" and event["plan"] == plan
                and event["payload"]["planStateChanged"]["to"] == "COMPLETED")

    @staticmethod
    def up_to_last_id(reader):
        frames = list(reader.frames)
        while frames and not frames[-1].id:
            frames.pop()
        return [json.loads(frame.data) for frame in frames if frame.kind == ""]

    def test_the_filter_holds_for_the_stream(self):
        self.suite.plan("p", "# Filtered\n")
        reader = self.read(None, lambda events: len(events) >= 2, "?kinds=plan.&project=projects/p")
        self.assertEqual({event["kind"].split(".")[0] for event in reader.events()}, {"plan"})

    def test_only_new_events_come_when_only_those_are_asked_for(self):
        reader = e2e.EventReader(self.suite, "?only_new=true&kinds=token.")
        self.addCleanup(reader.close)
        e2e.wait_until(lambda: reader.frames, "the first bookmark")
        made = self.suite.ask("token", "create", "new event", "--role", "viewer")
        e2e.wait_until(reader.events, "the new event")
        self.assertEqual([event["payload"]["tokenChanged"]["token"] for event in reader.events()],
                         [made["token"]["name"]])

    def test_the_stream_needs_a_token(self):
        status, error = self.suite.http("/v1/events", token="")
        self.assertEqual((status, error["code"]), (401, "unauthenticated"))

    def test_streams_go_on_while_services_are_killed(self):
        path = pathlib.Path(self.suite.path("watched"))
        with open(path, "wb") as file:
            watch = subprocess.Popen(
                [programs / "slipway", "watch", "--everything", "-o", "json", "--data",
                 self.suite.data], stdout=file, stderr=subprocess.PIPE, text=True)
        self.addCleanup(watch.communicate)
        self.addCleanup(watch.kill)
        self.assertIn("watching", watch.stderr.readline())
        reader = e2e.EventReader(self.suite, "?only_new=true")
        self.addCleanup(reader.close)
        e2e.wait_until(lambda: reader.frames, "the first bookmark")
        self.wait_for_watcher(path)
        before = set(self.everything())
        for service in ("planner", "dispatcher", "ledger"):
            self.suite.kill(service)
            self.suite.plan("p", f"# After {service} was killed\n")
        made = self.plan_events(before)
        self.assertGreaterEqual(len(made), 9)
        e2e.wait_until(lambda: made <= {place(event) for event in reader.events()},
                       "every event of a plan in one stream")
        places = [place(event) for event in reader.events()]
        self.assertEqual(len(places), len(set(places)), "an event came again")
        # The command connects again when the gateway itself was away.
        self.suite.kill("gateway")
        self.suite.plan("p", "# After the gateway was killed\n")
        made = self.plan_events(before)
        e2e.wait_until(lambda: made <= set(self.watched(path)), "every event of a plan, watched")

    def plan_events(self, before):
        """Places of the events of plans that are not in `before`."""
        return {key for key, event in self.everything().items()
                if key not in before and event["kind"].startswith("plan.")}

    @staticmethod
    def watched(path):
        return [place(json.loads(line)) for line in path.read_text().splitlines(keepends=True)
                if line.endswith("\n")]

    def wait_for_watcher(self, path):
        """Returns when what happens from now on is watched."""
        def seen():
            self.suite.ask("token", "create", f"watched {len(tried)}", "--role", "viewer")
            tried.append(1)
            return self.watched(path)
        tried = []
        e2e.wait_until(seen, "the first event that is watched")

    def test_a_place_in_the_stream_outlives_the_gateway(self):
        self.suite.plan("p", "# Before\n")
        first = self.read(None, lambda events: len(events) >= 3)
        last_id = [frame.id for frame in first.frames if frame.id][-1]
        known = {place(event) for event in self.up_to_last_id(first)}
        self.suite.kill("gateway")
        self.suite.plan("p", "# After\n")
        missing = {key for key, event in self.everything().items()
                   if key not in known and event["kind"].startswith("plan.")}
        second = self.read(last_id, lambda events: missing <= {place(event) for event in events})
        self.assertEqual({place(event) for event in second.events()} & known, set())


if __name__ == "__main__":
    programs = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
