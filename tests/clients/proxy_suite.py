"""The ledger and the models service as processes, with a scripted provider, for clients to talk to."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 30

# By what the prompt says: every case of the matrix asks for its own.
RULES = [
    {"prompt_contains": ["case:reply"], "reply": "Hello from the script", "usage": {"input": 10, "output": 5}},
    {"prompt_contains": ["case:tool"], "reply": "", "tool_calls": [{"name": "edit", "arguments": {"path": "a.txt"}}],
     "usage": {"input": 10, "output": 5}},
    {"prompt_contains": ["case:drop"], "reply": "0123456789" * 10, "chunk_bytes": 10,
     "fault": {"kind": "drop", "after_bytes": 20}},
    {"prompt_contains": ["case:limit"], "fault": {"kind": "rate_limit", "retry_after_ms": 1000}},
]
PRICES = """version: 1
prices:
  - provider: scripted
    model: script-1
    effective: 2026-01-01
    usd_per_mtok: {input: 1, output: 4}
    source: "this test"
"""


class ProxySuite:
    def __init__(self, programs, rules=None):
        self.directory = tempfile.mkdtemp(prefix="slipway-clients-")
        self.programs = programs
        self._write("prices.yaml", PRICES)
        self._write("script.json", json.dumps({"version": 1, "rules": rules or RULES}))
        self._write("ledger.yaml", f"""listen: {{address: "unix:{self.directory}/ledger.sock"}}
database: {self.directory}/ledger.db
price_files: ["{self.directory}/prices.yaml"]
""")
        self._write("models.yaml", f"""listen:
  address: "unix:{self.directory}/models.sock"
  admin_address: "unix:{self.directory}/admin.sock"
database: {self.directory}/models.db
ledger_address: "unix:{self.directory}/ledger.sock"
proxy_address: "127.0.0.1:0"
providers:
  - name: scripted
    scripted: {{script: "{self.directory}/script.json", call_log: "{self.directory}/calls.jsonl"}}
routes:
  - {{role: writer, provider: scripted, model: script-1, output_tokens_max: 1000}}
  - {{role: limited, provider: scripted, model: script-1, output_tokens_max: 1000}}
""")
        self.processes = [self._start("ledger")]
        self._wait_for("ledger.sock")
        self.processes.append(self._start("models"))
        self.url = self._proxy_url()
        self._load_stubs()

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)

    def key(self, attempt, limit_usd_nanos=0):
        """A key of an attempt of its own."""
        request = self.pb.IssueAttemptKeyRequest(epoch=1, roles=["writer", "limited"],
                                                 limit_usd_nanos=limit_usd_nanos)
        request.scopes.attempt = f"projects/p/plans/n/tasks/{attempt}/attempts/1"
        request.lifetime.seconds = 3600
        return self.stub.IssueAttemptKey(request).key

    def calls(self, attempt):
        request = self.pb.ListCallsRequest(scope=f"projects/p/plans/n/tasks/{attempt}")
        return list(self.stub.ListCalls(request).calls)

    def denials(self):
        """How many requests were refused for money."""
        connection = http.client.HTTPConnection("admin")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(os.path.join(self.directory, "admin.sock"))
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        counts = re.findall(r'^slipway_models_refusals_total\{[^}]*reason="BUDGET_DENIED"[^}]*\} (\d+)', text, re.M)
        return sum(map(int, counts))

    def books(self):
        """What the provider billed, in tokens by call."""
        path = os.path.join(self.directory, "calls.jsonl")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            return {entry["call_id"]: entry for entry in map(json.loads, file)}

    def _write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _start(self, name):
        log = open(os.path.join(self.directory, name + ".log"), "wb")
        return subprocess.Popen([os.path.join(self.programs, "slipway-" + name), "--config",
                                 os.path.join(self.directory, name + ".yaml")], stderr=log)

    def _wait_for(self, name):
        deadline = time.monotonic() + START_SECONDS
        while not os.path.exists(os.path.join(self.directory, name)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {name} in {self.directory}; its log says why")
            time.sleep(0.05)

    def _proxy_url(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with open(os.path.join(self.directory, "models.log"), encoding="utf-8") as log:
                for line in log:
                    entry = json.loads(line) if line.endswith("\n") else {}
                    if entry.get("message") == "models serves":
                        return entry["proxy_address"]
            time.sleep(0.05)
        raise RuntimeError("the models service did not start; see " + self.directory)

    def _load_stubs(self):
        import grpc  # From the environment that run.sh makes.
        from grpc_tools import protoc
        out = os.path.join(self.directory, "stubs")
        os.mkdir(out)
        protos = [str(path) for path in (SOURCE / "proto/slipway").glob("*/v1/*.proto")]
        include = os.path.join(os.path.dirname(protoc.__file__), "_proto")
        if protoc.main(["protoc", f"-I{SOURCE / 'proto'}", f"-I{include}", f"--python_out={out}",
                        f"--grpc_python_out={out}"] + protos) != 0:
            raise RuntimeError("the contracts could not be compiled")
        sys.path.insert(0, out)
        from slipway.models.v1 import models_service_pb2, models_service_pb2_grpc
        self.pb = models_service_pb2
        channel = grpc.insecure_channel(f"unix:{self.directory}/models.sock")
        self.stub = models_service_pb2_grpc.ModelsServiceStub(channel)
