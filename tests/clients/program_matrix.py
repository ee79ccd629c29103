"""The coding programs themselves against the proxy: prints program, version, case, result.

Each case runs in a directory and a home of its own. Usage: program_matrix.py PROGRAMS NODE_DIRECTORY AIDER_ENVIRONMENT [PROGRAM...]
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from proxy_suite import ProxySuite

SECONDS = 90
SPENT = 1  # Nano-dollars: pays for no call.
MARK = "EDIT-DONE"
COMMAND = f"echo hi > made.txt; echo {MARK}"

# The first turn asks for a command, by the name that each program has for it; the turn that sees what
# it printed ends. A dropped stream and a rate limit go by the prompt.
RULES = [
    {"prompt_contains": ["case:limit"], "fault": {"kind": "rate_limit", "retry_after_ms": 1000}},
    {"prompt_contains": ["case:drop"], "reply": "0123456789" * 10, "chunk_bytes": 10,
     "fault": {"kind": "drop", "after_bytes": 20}},
] + [
    {"prompt_contains": [f"program:{program}"], "prompt_lacks": [MARK], "reply": "I will write it.",
     "tool_calls": [{"name": tool, "arguments": arguments}]}
    for program, tool, arguments in (
        ("claude", "Bash", {"command": COMMAND, "description": "write"}),
        ("codex", "exec_command", {"cmd": COMMAND}),
        ("opencode", "bash", {"command": COMMAND, "description": "write"}))
] + [{"prompt_contains": ["program:aider"], "reply": "Here it is.\n\nmade.txt\n```\nhi\n```\n"},
     {"reply": "all done"}]


def claude(url, key, home, work, prompt):
    environment = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": key, "CLAUDE_CODE_MAX_RETRIES": "2",
                   "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    return environment, ["claude", "-p", prompt, "--bare", "--model", "writer", "--permission-mode", "acceptEdits",
                         "--allowedTools", "Bash,Edit,Read", "--output-format", "stream-json", "--verbose"]


def codex(url, key, home, work, prompt):
    provider = f'{{name="p",base_url="{url}/v1",env_key="SLIPWAY_KEY",wire_api="responses"}}'
    return {"SLIPWAY_KEY": key, "CODEX_HOME": home}, [
        "codex", "exec", "--json", "--skip-git-repo-check", "--ephemeral", "-C", work, "-m", "writer",
        "-c", "model_provider=p", "-c", f"model_providers.p={provider}",
        "--dangerously-bypass-approvals-and-sandbox", "-c", "analytics.enabled=false",
        "-c", "features.plugins=false", "-c", "features.apps=false", prompt]


def opencode(url, key, home, work, prompt):
    model = {"tool_call": True, "limit": {"context": 100000, "output": 1000}}
    settings = {"provider": {"p": {"npm": "@ai-sdk/openai-compatible", "models": {"writer": model},
                                   "options": {"baseURL": url + "/v1", "apiKey": key}}},
                "model": "p/writer", "small_model": "p/writer", "permission": "allow", "autoupdate": False,
                "share": "disabled"}
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(settings), "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1"}, ["opencode", "run", "--format", "json", "-m", "p/writer",
                                                  "--title", "t", prompt]


def aider(url, key, home, work, prompt):
    return {"OPENAI_API_BASE": url + "/v1", "OPENAI_API_KEY": key}, [
        "aider", "--message", prompt, "--yes-always", "--no-pretty", "--no-check-update", "--analytics-disable",
        "--no-show-model-warnings", "--no-suggest-shell-commands", "--no-detect-urls", "--no-gitignore",
        "--map-tokens", "0", "--edit-format", "whole", "--model", "openai/writer", "made.txt"]


PROGRAMS = {"claude": (claude, "@anthropic-ai/claude-code"), "codex": (codex, "@openai/codex"),
            "opencode": (opencode, "opencode-ai"), "aider": (aider, None)}


class Matrix:
    def __init__(self, suite, node, aider_environment):
        self.suite = suite
        self.node = node
        self.aider = os.path.join(aider_environment, "bin")

    def version(self, program):
        package = PROGRAMS[program][1]
        if package is None:
            said = subprocess.run([os.path.join(self.aider, "pip"), "show", "aider-chat"], capture_output=True,
                                  text=True, check=True).stdout
            return said.split("Version: ")[1].split("\n")[0]
        with open(os.path.join(self.node, "node_modules", package, "package.json"), encoding="utf-8") as file:
            return json.load(file)["version"]

    def run(self, program, case, limit=0, seconds=SECONDS):
        """Runs a program on one task; returns its exit code, None when it had to be stopped, and whether
        the file was made."""
        key = self.suite.key(f"{program}-{case}", limit_usd_nanos=limit)
        work, home = tempfile.mkdtemp(prefix="slipway-work-"), tempfile.mkdtemp(prefix="slipway-home-")
        try:
            subprocess.run(["git", "init", "--quiet", work], check=True)
            prompt = f"program:{program} case:{case} please make the file made.txt"
            more, command = PROGRAMS[program][0](self.suite.url, key, home, work, prompt)
            programs = os.path.join(self.node, "node_modules/.bin") if PROGRAMS[program][1] else self.aider
            command[0] = os.path.join(programs, command[0])
            environment = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", **more}
            try:
                code = subprocess.run(command, cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                      capture_output=True, timeout=seconds, check=False).returncode
            except subprocess.TimeoutExpired:
                code = None
            return code, self._made(os.path.join(work, "made.txt"))
        finally:
            shutil.rmtree(work, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)

    @staticmethod
    def _made(path):
        """Whether the file says what it should; aider makes an empty one before it asks."""
        if not os.path.exists(path):
            return False
        with open(path, encoding="utf-8") as file:
            return file.read().strip() == "hi"

    def edit(self, program):
        _, made = self.run(program, "edit")
        assert made, "the file was not made"
        outcomes = [call.outcome for call in self.suite.calls(f"{program}-edit")]
        assert outcomes and set(outcomes) == {"OK"}, outcomes

    def budget(self, program):
        before = self.suite.denials()
        code, made = self.run(program, "budget", limit=SPENT)
        # aider ends with 0 whatever happened.
        assert (code != 0 or program == "aider") and not made, code
        assert self.suite.denials() - before == 1, f"{self.suite.denials() - before} requests"

    def drop(self, program):
        self.run(program, "drop", seconds=45)
        billed = self.suite.books()
        calls = self.suite.calls(f"{program}-drop")
        assert calls, "no call was made"
        for call in calls:
            line = billed[call.call_id]
            assert call.cost_usd_nanos >= line["input"] * 1000 + line["output"] * 4000, "below the bill"

    def limit(self, program):
        begun = time.monotonic()
        self.run(program, "limit", seconds=45)
        calls = self.suite.calls(f"{program}-limit")
        assert calls and all(call.reason == "HTTP_429" and call.cost_usd_nanos == 0 for call in calls), calls
        # Each was sent when the provider's second was over.
        assert len(calls) <= time.monotonic() - begun + 1, f"{len(calls)} calls"


def main():
    suite = ProxySuite(sys.argv[1], RULES)
    matrix = Matrix(suite, sys.argv[2], sys.argv[3])
    failed = 0
    try:
        for program in sys.argv[4:] or PROGRAMS:
            version = matrix.version(program)
            for case in (matrix.edit, matrix.budget, matrix.drop, matrix.limit):
                result = "ok"
                try:
                    case(program)
                except Exception as error:  # One case must not end the others.
                    failed += 1
                    result = f"FAILED: {type(error).__name__}: {error}"
                print(f"{program}\t{version}\t{case.__name__}\t{result}", flush=True)
            time.sleep(2)  # Until the gate that the limit closed has opened.
    finally:
        suite.close()
    if failed == 0:
        shutil.rmtree(suite.directory)
    print(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
