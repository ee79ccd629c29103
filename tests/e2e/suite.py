"""A suite of its own for a test: its data directory, its repositories, its script of replies, and
ways to ask it."""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# Some seconds on an idle machine; tests share theirs.
TIMEOUT_SECONDS = 90

# What a failed command said: `code` is the exit code.
Refusal = collections.namedtuple("Refusal", "code reason message hint")

_GIT_ENVIRONMENT = {
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Author",
    "GIT_AUTHOR_EMAIL": "author@example.org",
    "GIT_COMMITTER_NAME": "Author",
    "GIT_COMMITTER_EMAIL": "author@example.org",
}


def temporary_directory():
    path = tempfile.mkdtemp(prefix="slipway-e2e-", dir="/tmp")
    # Sandboxes of a suite that root runs belong to another user, who must get through.
    os.chmod(path, 0o711)
    return path


def git(directory, *arguments):
    return subprocess.run(["git", "-C", directory, *arguments], check=True, capture_output=True,
                          text=True, env={**os.environ, **_GIT_ENVIRONMENT}).stdout.strip()


def repository(path, files, bare=False):
    """A repository with one commit of `files` (content by path) on main."""
    work = f"{path}-files" if bare else path
    os.makedirs(work)
    git(work, "init", "--quiet", "--initial-branch=main")
    for name, content in files.items():
        target = pathlib.Path(work) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Begin")
    if bare:
        git("/", "clone", "--quiet", "--bare", work, path)
        shutil.rmtree(work)
    return path


def plan_reply(*tasks):
    """The reply of a model that plans: each task is an id, or an id and those before it."""
    return {"summary": "What the spec asks for.",
            "tasks": [{"id": task[0], "title": f"Do {task[0]}",
                       "description": f"Write {task[0]}.txt.", "depends_on": list(task[1:]),
                       "intent": "code", "complexity": "low", "acceptance": [],
                       "allowed_paths": [f"{task[0]}.txt"]} for task in tasks]}


def edit_reply(path, content):
    """The reply of a model that writes one file."""
    return {"edits": [{"path": path, "op": "write", "content": content}]}


def rule(intent, reply, **conditions):
    key = "reply" if isinstance(reply, str) else "reply_json"
    return {"intent": intent, key: reply, **conditions}


def run_program(program, *arguments, **options):
    options.setdefault("timeout", TIMEOUT_SECONDS)
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True,
                          **options)


def refusal_of(result):
    """What a command that failed said to a person."""
    found = re.search(r"^error: (.*?)(?: \[([A-Z_]+)\])?$", result.stderr, re.MULTILINE)
    hint = re.search(r"^hint: (.*)$", result.stderr, re.MULTILINE)
    return Refusal(result.returncode, found.group(2) if found else None,
                   found.group(1) if found else result.stdout + result.stderr,
                   hint.group(1) if hint else None)


def wait_until(condition, what, seconds=TIMEOUT_SECONDS):
    """The first true result of `condition`."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)


class Suite:
    """`slipway up` in a new directory; stop() ends it and removes everything."""

    def __init__(self, programs, rules=(), overrides=None):
        self.programs = pathlib.Path(programs)
        self.directory = temporary_directory()
        self.data = os.path.join(self.directory, "d")
        self.call_log = self.path("calls.jsonl")
        try:
            self._configure(rules, overrides or {})
            self.start()
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def _configure(self, rules, overrides):
        pathlib.Path(self.path("script.json")).write_text(
            json.dumps({"version": 1, "rules": list(rules)}))
        texts = {
            "models": "providers:\n"
                      "  - name: scripted\n"
                      "    scripted:\n"
                      f"      script: {self.path('script.json')}\n"
                      f"      call_log: {self.call_log}\n"
                      "routes:\n"
                      "  - {role: '*', provider: scripted, model: scripted-small,"
                      " output_tokens_max: 4000}\n",
            "ledger": f"price_files: [{SOURCE / 'data' / 'prices' / 'default.yaml'}]\n",
            **overrides,
        }
        os.makedirs(os.path.join(self.data, "overrides"), mode=0o700)
        os.chmod(self.data, 0o711)
        for name, text in texts.items():
            pathlib.Path(self.data, "overrides", f"{name}.yaml").write_text(text)

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self):
        self.up = self.ask("up", "--detach", "--port", "0")
        self.token = pathlib.Path(self.data, "local.token").read_text().strip()

    def stop(self):
        self.run("down")
        shutil.rmtree(self.directory)

    def run(self, *arguments, **options):
        return run_program(self.programs / "slipway", *arguments, "--data", self.data, **options)

    def begin(self, *arguments):
        """A command that goes on beside the test."""
        return subprocess.Popen([str(self.programs / "slipway"), *arguments, "--data", self.data],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def text(self, *arguments, code=0):
        """What a command prints for people."""
        result = self.run(*arguments)
        if result.returncode != code:
            raise AssertionError(f"{arguments} gave {result.returncode}: "
                                 f"{result.stdout}{result.stderr}")
        return result.stdout + result.stderr

    def lines(self, *arguments, code=0):
        """The JSON lines of a command."""
        result = self.run(*arguments, "-o", "json")
        if result.returncode != code:
            raise AssertionError(f"{arguments} gave {result.returncode}: "
                                 f"{result.stdout}{result.stderr}")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def ask(self, *arguments, code=0):
        """The one JSON object of a command."""
        found = self.lines(*arguments, code=code)
        if len(found) != 1:
            raise AssertionError(f"{arguments} gave {len(found)} lines")
        return found[0]

    def refusal(self, *arguments, **options):
        return refusal_of(self.run(*arguments, **options))

    def http(self, path, body=None, token=None, headers=None):
        """Status and JSON of an HTTP request to the gateway; POST when there is a body."""
        request = urllib.request.Request(
            self.up["url"] + path, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})})
        token = self.token if token is None else token
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def call(self, service, method, body, token=None):
        """A method of the contracts by JSON over HTTP."""
        area = {"Planner": "planner", "Dispatcher": "dispatcher", "Reviewer": "reviewer",
                "Repository": "repository", "Ledger": "ledger", "Models": "models",
                "Gateway": "gateway", "EventLog": "events"}[service]
        return self.http(f"/slipway.{area}.v1.{service}Service/{method}", body, token)

    def project(self, name, files=None, *arguments, bare=True):
        """A project of a new repository."""
        path = repository(self.path(f"{name}.git" if bare else name), files or {"a.txt": "a\n"},
                          bare=bare)
        self.ask("init", "--yes", "--id", name, "--repository", path, "--plan-tier", "scripted",
                 "--validators", "none", "--budget", "none", "--integration", "merge", *arguments)
        return path

    def plan(self, project, spec, *arguments, code=0):
        """The plan of a spec when it is drafted."""
        path = pathlib.Path(self.path("spec.md"))
        path.write_text(spec)
        return self.ask("plan", path, "--project", project, "--wait", *arguments, code=code)

    def approved(self, project, spec):
        """Name of a plan that is ready to run."""
        name = self.plan(project, spec)["name"]
        self.ask("approve", name)
        return name

    def listing(self):
        """Everything that can be listed, and all that happened but for the asking itself."""
        tables = []
        for service, method, body in (
                ("Planner", "ListProjects", {}), ("Planner", "ListPlans", {"parent": "projects/-"}),
                ("Dispatcher", "ListRuns", {}), ("Dispatcher", "ListCheckpoints", {}),
                ("Ledger", "ListBalances", {}), ("Ledger", "ListReservations", {}),
                ("Models", "ListCalls", {}), ("Gateway", "ListTokens", {})):
            status, table = self.call(service, method, {**body, "pageSize": 1000})
            if status != 200:
                raise AssertionError(f"{method} gave {status}: {table}")
            tables.append(table)
        return tables, self.events()

    def events(self, **event_filter):
        """Every event that passes the filter, but for those that tell of asking."""
        events, body = [], {"pageSize": 500, "filter": event_filter}
        while True:
            status, page = self.call("EventLog", "ListEvents", body)
            if status != 200:
                raise AssertionError(f"ListEvents gave {status}: {page}")
            events += page.get("events", [])
            body["pageToken"] = page.get("nextPageToken", "")
            if not body["pageToken"]:
                return [event for event in events
                        if event["kind"] not in ("access.denied", "method.called")]

    def task_state(self, name):
        return self.ask("show", name)["task"]["state"]

    def process(self, service):
        """Id of the process of a service."""
        wanted = f"--config\0{self.data}/config/{service}.yaml\0".encode()
        for entry in pathlib.Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if line.endswith(wanted) and f"slipway-{service}".encode() in line:
                return int(entry.name)
        return None

    def kill(self, service):
        """Kills a service and returns when another process stands in for it and serves."""
        before = self.process(service)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: self.process(service) not in (None, before), f"{service} is back")
        wait_until(self.serves, f"{service} serves")

    def serves(self):
        result = self.run("status", "-o", "json")
        return result.returncode == 0 and all(
            service["serving"] for service in json.loads(result.stdout)["status"]["services"])


class Frame:
    """A server-sent event."""

    def __init__(self):
        self.kind, self.data, self.id = "", "", None


class EventReader:
    """Server-sent events of a suite, read in a thread of their own until close()."""

    def __init__(self, suite, query="", last_id=None):
        request = urllib.request.Request(f"{suite.up['url']}/v1/events{query}", headers={
            "Authorization": f"Bearer {suite.token}", "Accept": "text/event-stream"})
        if last_id:
            request.add_header("Last-Event-ID", last_id)
        self.response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        self.frames = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        frame = Frame()
        try:
            for raw in self.response:
                line = raw.decode().rstrip("\r\n")
                if not line:
                    self.frames.append(frame)
                    frame = Frame()
                    continue
                field, _, value = line.partition(": ")
                if field == "event":
                    frame.kind = value
                elif field == "data":
                    frame.data += value
                elif field == "id":
                    frame.id = value
        except (OSError, ValueError):
            pass  # Closed by this side or the other: what came is there.

    def events(self):
        """The events so far, without bookmarks."""
        return [json.loads(frame.data) for frame in list(self.frames) if frame.kind == ""]

    def close(self):
        try:
            self.response.fp.raw._sock.shutdown(2)
        except (OSError, AttributeError):
            pass
        self._thread.join(timeout=10)
        self.response.close()
