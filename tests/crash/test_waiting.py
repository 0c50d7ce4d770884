"""The fault hook while mail waits, is held, requeued and spread to lists, and where users have .forward files and
damaged mailboxes. A small seeded share here, all with tests/crash/sweep."""
import unittest
from fault_plans import check_share
from instance import main
from more_ways import Homes, Waiting


class Faults(unittest.TestCase):
    def test_waiting(self):
        check_share(self, Waiting, share=25)

    def test_homes(self):
        check_share(self, Homes, share=30)


main()
