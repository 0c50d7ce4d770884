"""The fault hook at call sites of local that writes mailboxes of mbox form, also behind an IMAP server that is killed
in the middle of a change; a seeded share here, all with tests/crash/sweep."""
import unittest
from fault_plans import check_share
from instance import main
from more_ways import Boxes


class Faults(unittest.TestCase):
    def test_plans(self):
        check_share(self, Boxes)


main()
