"""error, retry and discard, as qmgr would call them."""
import os, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_queue import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

QID = "4bcDFG123z456789"


class Agents(unittest.TestCase):
    def ask(self, program, service, nexthop, options=(), rcpts=("a@x.test", "b@x.test")):
        m = FakeMaster(self, program, listen=(f"queue:{service}",), options=options)
        m.name = service
        m.start()
        m.ready()
        c = m.client(f"queue:{service}")
        n = len(rcpts)
        with tempfile.TemporaryFile() as mail, tempfile.TemporaryFile() as log:
            c.send(DELIVER, 1, f_str(1, QID) + f_str(2, "active") + field(3, U64, (7).to_bytes(8, "little")) +
                   f_str(5, nexthop) + f_str(6, "from@x.test") + f_u64s(16, [300 + i for i in range(n)]) +
                   f_strs(17, rcpts) + f_strs(18, rcpts) + f_strs(19, [""] * n) + f_u32s(20, [0] * n) +
                   f_str(27, service), 9, [mail.fileno(), log.fileno()])
            f = c.recv()
            log.seek(0)
            self.records = log.read().count(b"MDL1")
        self.assertEqual((f.protocol, f.type, f.request), (DELIVER, 2, 9))
        self.assertEqual(f.fields[1], [300 + i for i in range(n)])
        self.log = m
        return f.fields[2], f.fields[3], f.fields[4]

    def test_error_bounces_with_the_reason(self):
        self.assertEqual(self.ask("error", "error", "5.7.1 closed\r\nfor ever"),
                         ([BOUNCED] * 2, [b"5.7.1"] * 2, [b"closed  for ever"] * 2))
        self.assertEqual(self.records, 2)
        self.log.wait_log(f"{QID}: to=<a@x.test>, relay=none")

    def test_error_without_a_code(self):
        self.assertEqual(self.ask("error", "error", "no such place")[:2], ([BOUNCED] * 2, [b"5.0.0"] * 2))

    def test_error_with_a_temporary_code(self):
        self.assertEqual(self.ask("error", "error", "4.2.1 later"), ([DEFERRED] * 2, [b"4.2.1"] * 2, [b"later"] * 2))

    def test_error_with_nothing(self):
        self.assertEqual(self.ask("error", "error", "")[0], [BOUNCED] * 2)

    def test_retry_defers(self):
        self.assertEqual(self.ask("error", "retry", "5.7.1 closed")[:2], ([DEFERRED] * 2, [b"4.7.1"] * 2))

    def test_any_other_name_defers(self):
        self.assertEqual(self.ask("error", "smtp", "far.test", ["error_defer_text=4.3.2 not yet"]),
                         ([DEFERRED] * 2, [b"4.3.2"] * 2, [b"not yet"] * 2))
        self.assertEqual(self.ask("error", "relay", "far.test")[0], [DEFERRED] * 2)

    def test_discard(self):
        self.assertEqual(self.ask("discard", "discard", "silently")[:2], ([DELIVERED] * 2, [b"2.0.0"] * 2))


if __name__ == "__main__":
    main()
