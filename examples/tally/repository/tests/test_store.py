import os
import tempfile
import unittest

from tally.store import Entry, Store


class StoreTest(unittest.TestCase):
    def test_a_missing_file_has_no_entries(self):
        self.assertEqual(Store("/nonexistent/tally.json").entries(), [])

    def test_an_added_entry_is_read_back(self):
        with tempfile.TemporaryDirectory() as directory:
            store = Store(os.path.join(directory, "tally.json"))
            entry = Entry("2026-01-31", 1250, "groceries", "weekly shop")
            store.add(entry)
            self.assertEqual(store.entries(), [entry])
