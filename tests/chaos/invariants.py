"""What must be true of a suite when the sample's plan has completed, whatever was killed."""

import collections
import json
import time

import story as stories
import victims

# What settles by itself after the end: holds of calls that were cut off, processes that end.
SETTLE_SECONDS = 30


def problems(suite, plan, expected_tree):
    """Everything that is wrong while the suite still runs, a line each."""
    return [*_merged(suite, plan, expected_tree), *_tasks(suite, plan), *_money(suite),
            *_events(suite), *_walked(suite)]


def leftovers(data):
    """What a suite that was stopped left behind, a line each."""
    found = []
    if not _eventually(lambda: not victims.naming(str(data))):
        found += [f"still runs: {line[:300]}" for line in victims.naming(str(data))]
    found += [f"left in the workspaces: {path.name}" for path in (data / "agents").iterdir()
              if path.name != ".snapshots"]  # What the next attempts begin with stays.
    return found


def _eventually(condition):
    end = time.monotonic() + SETTLE_SECONDS
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)
    return True


def _task_ids():
    return [task["id"] for task in json.loads((stories.SAMPLE / "plan.json").read_text())["tasks"]]


def _merged(suite, plan, expected_tree):
    bare = stories.repository(suite.data)
    tree = stories.git(bare, "rev-parse", "main^{tree}")
    if tree != expected_tree:
        yield (f"the target branch has the tree {tree}, not {expected_tree}: "
               + stories.git(bare, "ls-tree", "-r", "main"))
    commits = suite.all_pages("repository.v1.RepositoryService/ListCommits", "commits", plan=plan)
    merged = collections.Counter(commit.get("task", "").rsplit("/", 1)[-1] for commit in commits)
    if merged != collections.Counter(_task_ids()):
        yield f"commits by task: {dict(merged)}"
    bodies = stories.git(bare, "log", "--format=%(trailers:key=Slipway-Task,valueonly)", "main")
    landed = collections.Counter(line.rsplit("/", 1)[-1] for line in bodies.split() if line)
    if landed != collections.Counter(_task_ids()):
        yield f"tasks that landed on the target branch: {dict(landed)}"


def _tasks(suite, plan):
    tasks = suite.all_pages("dispatcher.v1.DispatcherService/ListTasks", "tasks", plan=plan)
    states = {task["name"].rsplit("/", 1)[-1]: task["state"] for task in tasks}
    states.pop("integration", None)
    if states != {task: "STATE_MERGED" for task in _task_ids()}:
        yield f"tasks: {states}"
    for task in tasks:
        attempts = suite.ask("dispatcher.v1.DispatcherService/ListAttempts",
                             task=task["name"]).get("attempts", [])
        yield from (f"an attempt has not ended: {json.dumps(attempt)[:500]}"
                    for attempt in attempts
                    if attempt["state"] in ("STATE_OFFERED", "STATE_ACTIVE"))
    plans = suite.all_pages("planner.v1.PlannerService/ListPlans", "plans", parent="projects/-")
    if [made["name"] for made in plans] != [plan]:
        yield f"plans: {[made['name'] for made in plans]}"


def _held(suite):
    return suite.all_pages("ledger.v1.LedgerService/ListReservations", "reservations",
                           state="STATE_HELD")


def _money(suite):
    if not _eventually(lambda: not _held(suite)):
        yield from (f"still held: {json.dumps(held)}" for held in _held(suite))
    for check in suite.ask("ledger.v1.LedgerService/Audit").get("checks", []):
        yield from (f"audit, {check['invariant']}: {breach}"
                    for breach in check.get("breaches", []))
    for balance in suite.all_pages("ledger.v1.LedgerService/ListBalances", "balances"):
        if int(balance.get("reserved", 0)) != 0:
            yield f"a balance has a reserve: {json.dumps(balance)}"

    with open(stories.call_log(suite.data), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    billed = {line["call_id"]: (line["model"], line["input"], line["output"]) for line in lines}
    if len(billed) != len(lines):
        yield "the provider billed a call twice"
    records = suite.all_pages("ledger.v1.LedgerService/ListUsage", "records")
    recorded = {record["reservation"]: (record["model"],
                                        int(record.get("tokens", {}).get("input", 0)),
                                        int(record.get("tokens", {}).get("output", 0)))
                for record in records}
    if len(recorded) != len(records):
        yield "the ledger has two records of one call"
    for call in sorted(billed.keys() | recorded.keys()):
        if billed.get(call) != recorded.get(call):
            yield (f"call {call}: the provider billed {billed.get(call)}, the ledger has "
                   f"{recorded.get(call)}")


def _walked(suite):
    """The dispatcher's log against its tables: what was stale is refused in it."""
    for check in suite.ask("dispatcher.v1.DispatcherService/Audit").get("checks", []):
        yield from (f"audit of the dispatcher, {check['invariant']}: {breach}"
                    for breach in check.get("breaches", []))


def _events(suite):
    events = suite.all_pages("events.v1.EventLogService/ListEvents", "events", pageSize=500)
    sequences = collections.defaultdict(list)
    for event in events:
        sequences[event["log"]].append(int(event["sequence"]))
    for log, numbers in sequences.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield f"the log {log} has gaps or repeats: {sorted(numbers)}"
    for log in ("planner", "dispatcher", "reviewer", "ledger", "models"):
        if log not in sequences:
            yield f"no event of {log}; there are {sorted(sequences)}"
