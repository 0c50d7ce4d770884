"""The fault hook at call sites of imapd and pop3d: what was answered OK is there afterwards, what was expunged
stays away, UIDs never change their mail. A seeded fifth here, all with tests/crash/sweep."""
import unittest
from fault_plans import check_share
from instance import main
from ways import Readers


class Faults(unittest.TestCase):
    def test_plans(self):
        check_share(self, Readers)


main()
