"""A suite in a data directory of its own, driven as a program would: `slipway up` and JSON calls."""

import http.client
import json
import os
import pathlib
import subprocess
import time

# One call takes milliseconds; on a loaded machine some hundred of them.
CALL_SECONDS = 10
COMMAND_SECONDS = 90
POLL_SECONDS = 0.05


class Away(Exception):
    """The suite, or the service that a call is for, does not answer at the moment."""


class Refused(Exception):
    """The suite answered that a call is not possible."""


class Suite:
    def __init__(self, programs, data, environment=None):
        """`environment`: what its processes have besides the test's own."""
        self.data = pathlib.Path(data)
        self._environment = {**os.environ, **(environment or {})}
        self._slipway = programs / "slipway"
        self._connection = None
        self._port = None

    def up(self):
        """Starts the suite, or what is left of it, again. Raises AssertionError when it does not
        get ready. May be called while another thread makes calls: they find the new address."""
        self._command("up", "--detach", "--port", "0", "-o", "json")

    def down(self):
        self._disconnect()
        self._command("down")

    def _disconnect(self):
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _command(self, *arguments):
        result = subprocess.run([self._slipway, *arguments, "--data", self.data],
                                capture_output=True, text=True, timeout=COMMAND_SECONDS,
                                stdin=subprocess.DEVNULL, env=self._environment)
        if result.returncode != 0:
            raise AssertionError(f"slipway {arguments[0]} ended with {result.returncode}: "
                                 f"{result.stdout}{result.stderr}")

    def call(self, method, **request):
        """The answer of one unary method, "ledger.v1.LedgerService/Audit", as proto3 JSON has it.

        Raises Away or Refused."""
        try:
            status, body = self._post(f"/slipway.{method}", request)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self._disconnect()
            raise Away(f"{method}: {error!r}") from error
        answer = json.loads(body)
        if status == 200:
            return answer
        if answer.get("code") in ("unavailable", "deadline_exceeded"):
            raise Away(f"{method}: {body}")
        raise Refused(f"{method}: {status} {body}")

    def _post(self, path, request):
        if self._connection is None:
            record = json.loads((self.data / "up.json").read_text())
            host, port = record["http_address"].rsplit(":", 1)
            self._connection = http.client.HTTPConnection(host, int(port), timeout=CALL_SECONDS)
        token = (self.data / "local.token").read_text().strip()
        self._connection.request("POST", path, json.dumps(request), {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def ask(self, method, patience=60, **request):
        """As `call`, again and again while the suite is away. Only for calls that repeat well."""
        end = time.monotonic() + patience
        while True:
            try:
                return self.call(method, **request)
            except Away:
                if time.monotonic() >= end:
                    raise
            time.sleep(POLL_SECONDS)

    def all_pages(self, method, field, **request):
        """Every item of a list, over all its pages."""
        items = []
        token = ""
        while True:
            page = self.ask(method, pageToken=token, **request)
            items += page.get(field, [])
            token = page.get("nextPageToken", "")
            if not token:
                return items

    def log_tails(self, lines=12):
        """The ends of the services' logs, to print beside a failure."""
        text = []
        for path in sorted((self.data / "logs").glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            text += [f"--- {path.name}", *(line[:600] for line in tail)]
        return "\n".join(text)
