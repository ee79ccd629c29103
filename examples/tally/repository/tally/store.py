"""Keeps entries in a JSON file."""

import json
import os
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Entry:
    date: str  # YYYY-MM-DD
    cents: int
    category: str
    note: str = ""


class Store:
    def __init__(self, path):
        self.path = path

    def entries(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            return [Entry(**record) for record in json.load(file)]

    def add(self, entry):
        records = [asdict(known) for known in self.entries()]
        records.append(asdict(entry))
        temporary = self.path + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(records, file, indent=1)
        os.replace(temporary, self.path)
