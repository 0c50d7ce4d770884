"""bounce and qmgr are killed around a report: the sender gets it once, whatever step was the last."""
import unittest
from fault_plans import check_share
from instance import main
from ways import Reports


class Faults(unittest.TestCase):
    def test_plans(self):
        check_share(self, Reports)


main()
