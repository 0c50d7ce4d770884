"""The clock of the machine was a month ahead and is set right again: mail passes, what waits is tried, UIDs stay."""
import os, re, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import faults  # noqa: E402
from fast import FAST  # noqa: E402
from instance import Instance, main, program  # noqa: E402


@unittest.skipUnless(faults(program("qmgr")), "needs a build whose clock can be set")
class ClockBack(unittest.TestCase):
    def state(self, box="INBOX"):
        """UIDVALIDITY and the UIDs with their subjects."""
        c = self.m.imap(self)
        c.select(box)
        validity = int(c.response("UIDVALIDITY")[1][0])
        data = c.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        c.logout()
        return validity, [(int(re.search(rb"UID (\d+)", x[0]).group(1)), x[1].strip()) for x in data
                          if isinstance(x, tuple)]

    def new_box(self):
        c = self.m.imap(self)
        c.delete("Box")
        self.assertEqual(c.create("Box")[0], "OK")
        c.append("Box", None, None, b"Subject: there\r\n\r\nx\r\n")
        c.logout()
        return self.state("Box")[0]

    def send(self, subject, rcpt="anna@example.test"):
        self.m.send("bert@example.test", [rcpt], f"Subject: {subject}\r\n\r\nx\r\n")

    def test_a_month(self):
        self.m = Instance(self, main_cf={**FAST, "maximal_backoff_time": "60s", "minimal_backoff_time": "60s"},
                          env={"MERPATI_CLOCK_SHIFT": str(30 * 86400)})
        for u in ("anna", "bert"):
            self.m.user(u)
        self.m.start()
        self.send("before")
        self.send("away", "x@elsewhere.example")
        self.m.wait_mails("anna", 1)
        self.m.wait("deferred", lambda: self.m.queue("deferred"))
        validity, before = self.state()
        box = self.new_box()
        self.m.stop()
        (path,) = self.m.queue("deferred")
        qid = os.path.basename(path)
        tried = lambda: len(re.findall(rf"{qid}: to=.* status=deferred", self.m.log()))
        n = tried()

        self.m.env["MERPATI_CLOCK_SHIFT"] = "0"
        self.m.start()
        self.m.wait("the mail that waited is tried", lambda: tried() > n)
        self.m.wait_log(r"deferred/: 1 mails were to wait longer than maximal_backoff_time")
        self.send("after")
        self.m.wait_mails("anna", 2)
        self.m.wait_idle()
        now, after = self.state()
        self.assertEqual(now, validity)
        self.assertEqual(after[:1], before)
        self.assertEqual([s for _, s in after], [b"Subject: before", b"Subject: after"])
        self.assertGreater(after[1][0], after[0][0])
        self.assertGreater(self.new_box(), box)


main()
