"""The fault hook at call sites of the way in and through: a seeded fifth here, all with tests/crash/sweep."""
import unittest
import fault_sites
from fault_plans import check_share
from instance import main
from ways import Mails


class Faults(unittest.TestCase):
    def test_plans(self):
        check_share(self, Mails)

    def test_list(self):
        """Every line of unreached.tsv speaks of a site that there is."""
        self.assertEqual(fault_sites.Exceptions().stale(fault_sites.known(fault_sites.WAY)), [])


main()
