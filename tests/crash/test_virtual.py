"""The fault hook at call sites of virtual: Maildirs and mbox files; a seeded share here, all with
tests/crash/sweep."""
import unittest
from fault_plans import check_share
from instance import main
from ways import Virtual


class Faults(unittest.TestCase):
    def test_plans(self):
        check_share(self, Virtual)


main()
