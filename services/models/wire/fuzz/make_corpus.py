"""Writes the seeds of the fuzz targets of the dialects: requests as agents send them, and the replies
of the golden set.

Usage: make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY.
"""

import json
import os
import sys

DIALECTS = ("chat", "responses", "messages")
REQUESTS = {
    "chat": {
        "model": "r", "stream": True, "stream_options": {"include_usage": False}, "max_tokens": 9,
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "\u00e9"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}],
        "tools": [{"type": "function", "function": {"name": "f"}}], "service_tier": "priority"},
    "responses": {
        "model": "r", "instructions": "i", "max_output_tokens": 5, "reasoning": {"effort": "high"},
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]},
                  {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                  {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "y"},
                  {"type": "function_call_output", "call_id": "c", "output": "o"}],
        "tools": [{"type": "custom", "name": "p"}, {"type": "web_search"}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}},
    "messages": {
        "model": "r", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2048},
        "messages": [{"role": "user", "content": "x"},
                     {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}],
        "tools": [{"name": "n", "input_schema": {}}, {"type": "web_search_20250305", "name": "w"}],
        "speed": "fast", "output_config": {"effort": "max"}},
}


def stream_of(golden):
    if "reply" in golden:
        return json.dumps(golden["reply"])
    frames = ""
    for event in golden["events"]:
        name = event.get("type", "") if isinstance(event, dict) else ""
        data = event if isinstance(event, str) else json.dumps(event)
        frames += (f"event: {name}\n" if name else "") + f"data: {data}\n\n"
    return frames


def write(directory, name, data):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def main():
    source, output = sys.argv[1:]
    for dialect, request in REQUESTS.items():
        write(os.path.join(output, f"models_{dialect}_request"), "seed", json.dumps(request).encode())
    with open(os.path.join(source, "services/models/testing/golden_usage.json"), encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for golden in cases:
        # The first byte chooses the dialect.
        data = bytes([DIALECTS.index(golden["dialect"])]) + stream_of(golden).encode()
        write(os.path.join(output, "models_reply_stream"), golden["name"], data)


if __name__ == "__main__":
    main()
