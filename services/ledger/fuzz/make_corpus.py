"""Writes the seeds of the ledger's fuzz targets: sessions of requests, and price files.

Usage: make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY. Needs protoc.
"""

import os
import subprocess
import sys

METHODS = ["Reserve", "Settle", "Release", "Extend", "TopUp", "Adjust", "CloseOwner", "FreezeScope", "Quote",
           "SetBudget", "DeleteBudget", "ImportPrices", "ListReservations", "ListBalances", "QueryUsage",
           "GetBudget", "ListPrices"]
WAIT = len(METHODS)

CALL = ('key: "%s" kind: KIND_CALL scopes { plan: "projects/p/plans/a" role: "r" } '
        'amounts { usd_nanos: %d tokens: 5 } lifetime { seconds: 600 } owner: "o" owner_epoch: 1')
LIMIT = 'budget { scope: "%s" metric: %s window: %s limit: %d warn_percents: 80 time_zone: "%s" }'

SESSIONS = {
    "settled": [("SetBudget", LIMIT % ("projects/p", "METRIC_USD_NANOS", "WINDOW_DAY", 1000, "Europe/Berlin")),
                ("Reserve", CALL % ("k", 100)), ("TopUp", 'key: "t" reservation: "k" amounts { usd_nanos: 9 }'),
                ("Settle", 'key: "k" tokens { input: 3 output: 2 } cost_usd_nanos: 50'),
                ("Adjust", 'key: "a" reservation: "k" delta_usd_nanos: -5 evidence: "e"'),
                ("QueryUsage", 'group_by: "plan" group_by: "day"'), ("ListBalances", ""),
                ("ListReservations", "page_size: 1")],
    "denied": [("SetBudget", LIMIT % ("organisation", "METRIC_REQUESTS", "WINDOW_TOTAL", 1, "")),
               ("Reserve", CALL % ("k1", 1)), ("Reserve", CALL % ("k2", 1)), ("Release", 'key: "k1" proof: PROOF_NOT_SENT'),
               ("FreezeScope", 'scope: "projects/p" frozen: true reason: "r"'), ("Reserve", CALL % ("k3", 1)),
               ("FreezeScope", 'scope: "projects/p"')],
    "expired": [("Reserve", CALL % ("k", 40)), WAIT, ("Settle", 'key: "k" outcome_unknown: true'),
                ("SetBudget", LIMIT % ("projects/p/roles/r", "METRIC_TOKENS", "WINDOW_MONTH", 99, "")),
                ("CloseOwner", 'owner: "o" epoch_before: 2'), ("Reserve", CALL % ("late", 1))],
    "envelope": [("Reserve", 'key: "e" kind: KIND_ENVELOPE scopes { plan: "projects/p/plans/a" } '
                             'amounts { usd_nanos: 500 } lifetime { seconds: 9 }'),
                 ("SetBudget", LIMIT % ("projects/p", "METRIC_USD_NANOS", "WINDOW_TOTAL", 900, "")),
                 ("Reserve", CALL % ("c", 200) + ' envelope: "e"'), ("Extend", 'key: "e" lifetime { seconds: 99 }'),
                 ("Release", 'key: "e" proof: PROOF_NOT_SENT'), ("Settle", 'key: "c" tokens { input: 1 } cost_usd_nanos: 700'),
                 ("DeleteBudget", 'name: "budgets/b"')],
    "prices": [("ImportPrices", 'prices { provider: "x" model: "m" effective_time { seconds: 1700000000 } '
                                'input_pico_usd: 10 output_pico_usd: 20 }'),
               ("ImportPrices", 'file: "version: 1\\nprices: []\\n" file_name: "f"'),
               ("Quote", 'provider: "x" model: "m" input_tokens: 1000 output_tokens: 10 searches: 1'),
               ("Reserve", CALL % ("k", 100) + ' provider: "x" model: "m" service_tier: "flex"'),
               ("Settle", 'key: "k" tokens { input: 900 output: 5 }'), ("ListPrices", 'provider: "x"')],
}

PRICES = {
    "tiers.yaml": "version: 1\nprices:\n"
                  "  - {provider: a, model: m, effective: 2026-01-02, usd_per_mtok: {input: 0.1, output: 0.5},"
                  " usd_per_1k_searches: 10, source: s}\n"
                  "  - {provider: a, model: m, service_tier: flex, effective: 2026-01-02T03:04:05Z,"
                  " above_input_tokens: 200000, usd_per_mtok: {input: 1, cache_read: 0.01, cache_write: 1.25,"
                  " cache_write_long: 2, output: 5}}\n",
    "anchors.yaml": "version: 1\nprices:\n  - &a {provider: a, model: m, effective: 2026-01-02,"
                    " usd_per_mtok: &r {input: 1, output: 2}}\n  - {provider: b, model: m, effective: 2026-01-02,"
                    " usd_per_mtok: *r}\n  - *a\n",
    "json.yaml": '{"version": 1, "prices": [{"provider": "a", "model": "m", "effective": "2026-01-02",'
                 ' "usd_per_mtok": {"input": 1, "output": 2}}]}',
    "wrong.yaml": "version: 1\nprices:\n  - {provider: a, modle: m}\n",
}


def encoded(source, method, text):
    message = f"slipway.ledger.v1.{method}Request"
    return subprocess.run(
        ["protoc", f"--encode={message}", f"-I{source}/proto", "slipway/ledger/v1/ledger_service.proto"],
        input=text.encode(), capture_output=True, check=True).stdout


def frame(method, payload):
    return bytes([method, len(payload) % 256, len(payload) // 256]) + payload


def write(directory, name, data):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def main(source, output):
    for name, steps in SESSIONS.items():
        data = b""
        for step in steps:
            if step == WAIT:
                data += frame(WAIT, b"." * 700)
            else:
                data += frame(METHODS.index(step[0]), encoded(source, *step))
        write(os.path.join(output, "ledger_requests"), name, data)
    for name, text in PRICES.items():
        write(os.path.join(output, "ledger_prices"), name, text.encode())
    with open(os.path.join(source, "data/prices/default.yaml"), "rb") as file:
        write(os.path.join(output, "ledger_prices"), "default.yaml", file.read()[:4_000])


if __name__ == "__main__":
    main(*sys.argv[1:])
