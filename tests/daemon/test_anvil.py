"""anvil, one process with fake clients: counts, a client process that dies, statistics, hostile frames."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

KEY = "net:anvil"
CONNECT, DISCONNECT, MESSAGE, RECIPIENT, NEWTLS, AUTH_EVENT = range(1, 7)


def event(c, kind, address="192.0.2.7"):
    f = c.call(ANVIL, 1, f_u32(1, kind) + f_str(2, "smtp") + f_str(3, address))
    return None if f is None else (f.fields.get(1, 0), f.fields.get(2, 0))


class Anvil(unittest.TestCase):
    def daemon(self, **kw):
        return FakeMaster(self, "anvil", listen=[KEY], **kw)

    def test_counts(self):
        with self.daemon() as m:
            m.ready()
            a, b = m.client(KEY), m.client(KEY)
            self.assertEqual(event(a, CONNECT), (1, 1))
            self.assertEqual(event(b, CONNECT), (2, 2))
            self.assertEqual(event(a, MESSAGE), (2, 1))
            self.assertEqual(event(a, MESSAGE, "192.0.2.8"), (0, 1))
            self.assertEqual(event(a, DISCONNECT), (1, 1))
            a.close()
            self.assertEqual(event(b, DISCONNECT), (0, 2))

    def test_client_process_dies(self):
        with self.daemon() as m:
            m.ready()
            a, b = m.client(KEY), m.client(KEY)
            for _ in range(3):
                event(a, CONNECT)
            self.assertEqual(event(b, MESSAGE), (3, 1))
            a.close()
            wait_for("the counts of the dead", lambda: event(b, MESSAGE)[0] == 0)

    def test_statistics(self):
        with self.daemon() as m:
            m.ready()
            c = m.client(KEY)
            event(c, CONNECT), event(c, CONNECT), event(c, RECIPIENT)
            m.stop()
            self.assertEqual(m.wait(), 0)
            text = "".join(m.poll_log())
            self.assertIn("statistics: max connection rate 2/60s for (smtp:192.0.2.7) at ", text)
            self.assertIn("statistics: max connection count 2 for (smtp:192.0.2.7) at ", text)
            self.assertIn("statistics: max recipient rate 1/60s for (smtp:192.0.2.7) at ", text)
            self.assertIn("statistics: max cache size 1 at ", text)
            self.assertNotIn("max message rate", text)

    def test_window_runs_out(self):
        with self.daemon(options=["anvil_rate_time_unit=1s"]) as m:
            m.ready()
            c = m.client(KEY)
            event(c, MESSAGE), event(c, MESSAGE)
            wait_for("a new window", lambda: event(c, MESSAGE)[1] == 1)

    def test_hostile_client(self):
        with self.daemon() as m:
            m.ready()
            good = m.client(KEY)
            self.assertEqual(event(good, CONNECT), (1, 1))
            for body in (f_u32(1, 0), f_u32(1, 7), f_u32(1, 2 ** 32 - 1), f_str(1, "x"), b"\1\0\1\0"):
                c = m.client(KEY)
                c.send(ANVIL, 1, body + f_str(2, "smtp"))
                self.assertIsNone(c.recv())
            c = m.client(KEY)
            c.send(REWRITE, 1, b"")
            self.assertIsNone(c.recv())
            self.assertEqual(event(m.client(KEY), CONNECT, "x" * 5000)[0], 1)
            self.assertEqual(event(good, CONNECT), (2, 2))


main()
