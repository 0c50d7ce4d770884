"""The fault hook at call sites of postman: commands, files and directories; a seeded fifth here, all with
tests/crash/sweep."""
import unittest
from fault_plans import check_share
from instance import main
from ways import Workers


class Faults(unittest.TestCase):
    def test_plans(self):
        check_share(self, Workers)


main()
