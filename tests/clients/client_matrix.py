"""The client matrix: prints client, version, case, result; ends with 1 when a case failed."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time

import anthropic
import openai

from proxy_suite import ProxySuite

_numbers = itertools.count(1)
# A call of the matrix costs 30,000 nano-dollars; this pays for none.
SPENT = 1


def attempt_name(case):
    return f"{case.replace('/', '-').replace('_', '-')}-{next(_numbers)}"


class Python:
    """One dialect of the SDKs for Python. Each method returns what the matrix compares."""

    def __init__(self, dialect, url, key):
        self.dialect = dialect
        if dialect == "messages":
            self.client = anthropic.Anthropic(base_url=url, api_key=key)
        else:
            self.client = openai.OpenAI(base_url=url + "/v1", api_key=key)

    def ask(self, prompt, role="writer"):
        if self.dialect == "chat":
            reply = self.client.chat.completions.create(
                model=role, messages=[{"role": "user", "content": prompt}])
            calls = [call.function.name for call in reply.choices[0].message.tool_calls or []]
            return reply.choices[0].message.content or "", reply.usage.completion_tokens, calls
        if self.dialect == "responses":
            reply = self.client.responses.create(model=role, input=prompt)
            calls = [item.name for item in reply.output if item.type == "function_call"]
            return reply.output_text, reply.usage.output_tokens, calls
        reply = self.client.messages.create(
            model=role, max_tokens=500, messages=[{"role": "user", "content": prompt}])
        text = "".join(block.text for block in reply.content if block.type == "text")
        return text, reply.usage.output_tokens, [b.name for b in reply.content if b.type == "tool_use"]

    def stream(self, prompt):
        if self.dialect == "chat":
            chunks = list(self.client.chat.completions.create(
                model="writer", messages=[{"role": "user", "content": prompt}], stream=True))
            if any(chunk.usage for chunk in chunks):
                raise AssertionError("usage that nobody asked for")
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        if self.dialect == "responses":
            text = ""
            completed = False
            for event in self.client.responses.create(model="writer", input=prompt, stream=True):
                text += event.delta if event.type == "response.output_text.delta" else ""
                completed = completed or event.type == "response.completed"
            if not completed:
                raise AssertionError("the stream had no end")
            return text
        with self.client.messages.stream(model="writer", max_tokens=500,
                                         messages=[{"role": "user", "content": prompt}]) as stream:
            text = "".join(stream.text_stream)
            assert stream.get_final_message().usage.output_tokens == 5
            return text


class Node:
    """One dialect of the SDKs for Node, each call a process."""

    def __init__(self, dialect, url, key):
        self.arguments = [dialect, url, key]

    def _run(self, action, prompt, role):
        directory = os.environ["SLIPWAY_CLIENTS_NODE"]
        done = subprocess.run(["node", os.path.join(directory, "node_client.mjs"), action, role, prompt]
                              + self.arguments, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip()[-300:])
        return json.loads(done.stdout)

    def ask(self, prompt, role="writer"):
        reply = self._run("ask", prompt, role)
        return reply["text"], reply["tokens"], reply["calls"]

    def stream(self, prompt):
        return self._run("stream", prompt, "writer")["text"]


def fails(action):
    try:
        action()
    except Exception as error:  # Whatever the client raises: what counts is that it does.
        return str(error)
    raise AssertionError("it did not fail")


def reply(suite, make):
    text, tokens, _ = make(suite.key(attempt_name("reply"))).ask("case:reply")
    assert (text, tokens) == ("Hello from the script", 5), (text, tokens)


def stream(suite, make):
    assert make(suite.key(attempt_name("stream"))).stream("case:reply") == "Hello from the script"


def tool_call(suite, make):
    _, _, calls = make(suite.key(attempt_name("tool"))).ask("case:tool")
    assert calls == ["edit"], calls


def budget_spent(suite, make):
    name = attempt_name("budget")
    begun = time.monotonic()
    before = suite.denials()
    fails(lambda: make(suite.key(name, limit_usd_nanos=SPENT)).ask("case:reply"))
    assert suite.denials() - before == 1, f"{suite.denials() - before} requests"
    assert time.monotonic() - begun < 20, "it did not stop at once"


def rate_limit(suite, make):
    name = attempt_name("limit")
    begun = time.monotonic()
    fails(lambda: make(suite.key(name)).ask("case:limit", role="limited"))
    assert time.monotonic() - begun >= 1, "it did not wait"


def dropped_stream(suite, make):
    name = attempt_name("drop")
    fails(lambda: make(suite.key(name)).stream("case:drop"))
    billed = suite.books()
    for call in suite.calls(name):
        line = billed[call.call_id]
        assert call.cost_usd_nanos >= line["input"] * 1000 + line["output"] * 4000, "below the bill"


CASES = [reply, stream, tool_call, budget_spent, dropped_stream, rate_limit]


def main():
    suite = ProxySuite(sys.argv[1])
    kinds = [("python", Python, {"chat": openai.__version__, "responses": openai.__version__,
                                 "messages": anthropic.__version__})]
    if shutil.which("node"):
        kinds.append(("node", Node, node_versions()))
    failed = 0
    try:
        for language, kind, versions in kinds:
            for dialect in ("chat", "responses", "messages"):
                library = "anthropic" if dialect == "messages" else "openai"
                for case in CASES:
                    result = "ok"
                    try:
                        case(suite, lambda key, k=kind, d=dialect: k(d, suite.url, key))
                    except Exception as error:  # One case must not end the others.
                        failed += 1
                        result = f"FAILED: {type(error).__name__}: {error}"
                    time.sleep(1.2 if case is rate_limit else 0)  # Until the gate has opened.
                    print(f"{library} ({language}, {dialect})\t{versions[dialect]}\t{case.__name__}\t{result}",
                          flush=True)
    finally:
        suite.close()
    if failed == 0:
        shutil.rmtree(suite.directory)
    print(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


def node_versions():
    versions = {}
    for dialect, package in (("chat", "openai"), ("responses", "openai"), ("messages", "@anthropic-ai/sdk")):
        path = os.path.join(os.environ["SLIPWAY_CLIENTS_NODE"], "node_modules", package, "package.json")
        with open(path, encoding="utf-8") as file:
            versions[dialect] = json.load(file)["version"]
    return versions


if __name__ == "__main__":
    sys.exit(main())
