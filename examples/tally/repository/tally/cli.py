"""The command line."""

import datetime
import os

from tally.store import Entry, Store


def add(store, arguments):
    amount, category = arguments[0], arguments[1]
    note = arguments[2] if len(arguments) > 2 else ""
    cents = round(float(amount) * 100)
    store.add(Entry(datetime.date.today().isoformat(), cents, category, note))
    return 0


def show(store, arguments):
    for entry in store.entries():
        print(f"{entry.date} {entry.cents / 100:10.2f} {entry.category} {entry.note}".rstrip())
    return 0


COMMANDS = {"add": add, "list": show}


def main(arguments):
    if not arguments or arguments[0] not in COMMANDS:
        print("usage: tally " + "|".join(COMMANDS))
        return 2
    store = Store(os.environ.get("TALLY_FILE", "tally.json"))
    return COMMANDS[arguments[0]](store, arguments[1:])
