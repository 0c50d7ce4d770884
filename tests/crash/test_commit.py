"""cleanup's commit alone: a kill, or an error, at each of its calls; what is acknowledged is whole, what is not
leaves nothing that would be delivered by mistake."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fault_plans import Report  # noqa: E402
from fake_master import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402
from queue_peers import *  # noqa: E402,F403

SMALL = b"Subject: small\n\nbody\n"
LARGE = b"Subject: large\n\n" + b"0123456789abcde\n" * 20000


def files(m):
    return [os.path.join(top, f) for top, _, names in os.walk(os.path.join(m.dir, "incoming")) for f in names]


class Commit(unittest.TestCase):
    def start(self, fault):
        self.report = Report((fault,) if fault else (), once=False)
        self.addCleanup(self.report.close)
        m = FakeMaster(self, "cleanup", listen=("queue:cleanup",),
                       env=self.report.env)
        for d in ("incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace"):
            for h in "0123456789ABCDEF":            # there already: start-up makes and syncs nothing
                os.makedirs(os.path.join(m.dir, d, h))
        for d in ("maildrop", "done"):
            os.mkdir(os.path.join(m.dir, d))
        FakeRewrite(m), FakeQmgr(m)
        m.start()
        m.ready()
        return m, CleanupClient(m.client("queue:cleanup"))

    def one(self, fault, content):
        """The result's fields, or None when cleanup died; whether the fault fired."""
        m, c = self.start(fault)
        try:
            r = c.mail(content)
        except (BrokenPipeError, ConnectionResetError):
            r = None
        return m, r, self.report.fired()

    def sweep(self, call, action, content, most=8):
        n = 0
        for i in range(1, most + 1):
            with self.subTest(call=call, n=i, action=action, size=len(content)):
                m, r, fired = self.one(f"cleanup:{call}:*incoming*:{i}:{action}" if call == "open" else
                                       f"cleanup:{call}:{i}:{action}", content)
                if not fired:
                    self.assertEqual(r.get(1, 0), 0, r)
                    self.assertEqual(len(mails(m)), 1)
                    m.close()
                    break
                n += 1
                if r is None:
                    self.assertEqual(action, "KILL")
                    for path in files(m):           # not acknowledged: whole, or without a header
                        with open(path, "rb") as f:
                            if f.read(8) == b"MERPATIQ":
                                self.assertEqual(QueueFile(path).content, content)
                elif r.get(1, 0) == 0:
                    self.assertEqual([q.content for q in mails(m).values()], [content])
                else:
                    self.assertEqual((r[1], r[5]), (1, 452 if action == "ENOSPC" else 451), r)
                    wait_for("nothing is left", lambda: not files(m))
                m.close()
        return n

    def test_kill(self):
        self.assertGreaterEqual(sum(self.sweep(call, "KILL", SMALL) for call in ("open", "pwrite", "fsync")), 4)

    def test_kill_large(self):
        self.assertGreaterEqual(sum(self.sweep(call, "KILL", LARGE, 10) for call in ("pwrite", "fsync")), 5)

    def test_errors(self):
        for action in ("EIO", "ENOSPC"):
            self.assertGreaterEqual(sum(self.sweep(call, action, SMALL) for call in ("open", "pwrite", "fsync")), 3)

    def test_errors_large(self):
        self.assertGreaterEqual(self.sweep("pwrite", "ENOSPC", LARGE, 10), 4)

    def test_short_writes(self):
        m, r, fired = self.one("cleanup:pwrite:1:SHORT", SMALL)
        self.assertTrue(fired)
        self.assertEqual(r.get(1, 0), 0)
        self.assertEqual([q.content for q in mails(m).values()], [SMALL])

    def test_it_works_again_after_an_error(self):
        m, c = self.start("cleanup:fsync:1:EIO")
        self.assertEqual(c.mail(SMALL)[5], 451)
        self.assertEqual(c.mail(SMALL).get(1, 0), 0)
        self.assertEqual(len(mails(m)), 1)


main()
