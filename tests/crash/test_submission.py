"""The fault hook at call sites of sendmail, postdrop and pickup: no mail or one, never a part of one; and at those of
pipe, error and discard. A seeded share here, all with tests/crash/sweep."""
import unittest
from fault_plans import check_share
from instance import main
from more_ways import Dropped, Programs


class Faults(unittest.TestCase):
    def test_dropped(self):
        check_share(self, Dropped, share=8)

    def test_programs(self):
        check_share(self, Programs, share=8)


main()
