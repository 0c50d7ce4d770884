"""bounce and qmgr are killed around a report: the sender gets it once, whatever step was the last."""
import os, tempfile, unittest
from instance import Instance, main, program, wait_for
from fast import FAST
import subprocess

# who dies, at which call on which path
PLANS = [
    "bounce:open:*/spool/bounce/*:1:KILL", "bounce:write:*/spool/bounce/*:1:KILL", "bounce:fsync:*/spool/bounce/*:1:KILL",
    "bounce:unlink:*/spool/bounce/*:1:KILL", "bounce:unlink:*/spool/bounce/*:1:EIO", "bounce:fsync:*/spool/bounce/*:1:ENOSPC",
    "bounce:sendmsg:1:KILL", "bounce:recvmsg:2:KILL",
    "qmgr:unlink:*/spool/active/*:1:KILL", "qmgr:unlink:*/spool/active/*:1:EROFS", "qmgr:rename:*/spool/active/*:1:KILL",
    "qmgr:sendmsg:3:KILL", "qmgr:sendmsg:5:KILL", "qmgr:recvmsg:6:KILL",
]


def has_faults():
    out = subprocess.run([program("qmgr"), "--fault-sites"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"}).stdout
    return b"unlink" in out


@unittest.skipUnless(has_faults(), "needs a build with fault hooks")
class Reports(unittest.TestCase):
    def one(self, plan):
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o777)
            once, report = os.path.join(d, "once"), os.path.join(d, "report")
            for path, text in ((once, "x"), (report, "")):
                with open(path, "w") as f:
                    f.write(text)
                os.chmod(path, 0o666)
            m = Instance(None, main_cf=FAST, env={"MERPATI_FAULT": plan, "MERPATI_FAULT_ONCE": once,
                                                  "MERPATI_FAULT_REPORT": report})
            try:
                self.way(m)
                with open(report) as f:
                    self.assertTrue(any("FIRED" in line for line in f), "the fault did not fire")
            finally:
                m.close()

    def way(self, m):
        for u in ("anna", "bert"):
            m.user(u)
        m.start()
        m.run("sendmail", "-f", "anna@example.test", "nobody@example.test", "bert@example.test",
              input=b"Subject: x\n\nhello\n")
        m.wait_mails("anna", 1)
        m.wait_mails("bert", 1)
        m.wait("nothing is left in any queue",
               lambda: not m.queue("maildrop", "incoming", "active", "deferred", "bounce"), 60)
        self.assertEqual((len(m.mails("anna")), len(m.mails("bert"))), (1, 1), m.log_tail(60))

    def test_plans(self):
        for plan in PLANS:
            with self.subTest(plan):
                self.one(plan)


main()
