"""bounce between a fake qmgr and a fake cleanup: who is told what, and when a log goes."""
import os, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_queue import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

MAIL = b"Subject: about the boat\nTo: bert@here.test\n\nIt floats.\n" + b"Very well.\n" * 200
QID, NONCE = "4bcDFG123z456789", 77


class Cleanup:
    """The part of cleanup that bounce sees."""

    def __init__(self, status=0):
        self.mails, self.status, self.open = [], status, None

    def __call__(self, conn, f):
        x = f.fields
        if f.type == 1:
            self.open = {"sender": x.get(1, b"").decode(), "rcpts": [], "data": b"", "fields": x}
            conn.send(CLEANUP, 2, f_bool(1, True) + f_str(2, f"4newID{len(self.mails):09d}"), f.request)
        elif f.type == 3:
            self.open["rcpts"].append(x[1].decode())
        elif f.type == 4:
            self.open["data"] += x[1]
        elif f.type == 5:
            if self.status == 0:
                self.mails.append(self.open)
            conn.send(CLEANUP, 6, f_u32(1, self.status) + f_str(2, "2.0.0" if self.status == 0 else "4.3.0") +
                      f_str(3, "text") + f_str(4, f"4newID{len(self.mails):09d}") + f_u32(5, 250), f.request)
        return True


class BounceWorld:
    def __init__(self, test, main_cf="", status=0, template=None):
        self.test, self.cleanup = test, Cleanup(status)
        self.m = FakeMaster(test, "bounce", listen=("queue:bounce",),
                            main_cf="myorigin = here.test\nmydomain = here.test\n" + main_cf)
        for d in ("bounce", "defer", "trace"):
            for h in "0123456789ABCDEF":
                os.makedirs(os.path.join(self.m.dir, d, h))
        if template is not None:
            with open(os.path.join(self.m.dir, "bounce.cf"), "w", encoding="utf-8") as f:
                f.write(template)
            with open(os.path.join(self.m.dir, "main.cf"), "a") as f:
                f.write(f"bounce_template_file = {self.m.dir}/bounce.cf\n")
        self.service = Service(self, "cleanup", self.cleanup)
        test.addCleanup(self.service.close)
        self.m.start()
        self.m.ready()
        self.conn = self.m.client("queue:bounce")
        path = os.path.join(self.m.dir, "queue-file")
        with open(path, "wb") as f:
            f.write(b"\0" * 256 + MAIL)
        self.file = os.open(path, os.O_RDONLY)
        test.addCleanup(os.close, self.file)

    def append(self, log, rcpts, offset=1000, notify=0, text="no such user", action="failed"):
        n = len(rcpts)
        f = self.conn.call(BOUNCE, 1, f_str(1, log) + f_str(2, QID) + field(3, U64, NONCE.to_bytes(8, "little")) +
                           f_u64s(4, [offset + i for i in range(n)]) + f_strs(5, rcpts) + f_strs(6, rcpts) +
                           f_strs(7, [""] * n) + f_u32s(8, [notify] * n) + f_strs(9, [action] * n) +
                           f_strs(10, ["5.1.1"] * n) + f_strs(11, [text] * n) + f_strs(12, [""] * n) +
                           f_strs(13, [""] * n) + field(14, I64, int(time.time()).to_bytes(8, "little")))
        self.test.assertTrue(f.fields.get(1), f)

    def flush(self, kind="bounce", sender="anna@far.test", ret=0, ok=True, nonce=NONCE):
        self.conn.send(BOUNCE, 2, f_str(1, kind) + f_str(2, QID) + field(3, U64, nonce.to_bytes(8, "little")) +
                       f_str(4, sender) + f_u32(6, ret) + field(9, U64, (256).to_bytes(8, "little")) +
                       field(10, U64, len(MAIL).to_bytes(8, "little")) +
                       field(11, I64, int(time.time() * 1e6).to_bytes(8, "little")), 1, [self.file])
        f = self.conn.recv()
        self.test.assertEqual(bool(f.fields.get(1)), ok, f)

    def logs(self, name):
        return [f for _, _, fs in os.walk(os.path.join(self.m.dir, name)) for f in fs]


class Notify(unittest.TestCase):
    def test_failure_to_the_sender(self):
        w = BounceWorld(self)
        w.append("bounce", ["bert@here.test"])
        w.append("bounce", ["carl@here.test"], offset=2000, text="x\r\nBcc: all@far.test\r\n\r\n--")
        w.append("bounce", ["bert@here.test"], text="told twice")
        self.assertEqual(w.logs("bounce"), [QID])
        w.flush()
        self.assertEqual(w.logs("bounce"), [])
        self.assertEqual(len(w.cleanup.mails), 1)
        m = w.cleanup.mails[0]
        self.assertEqual((m["sender"], m["rcpts"]), ("", ["anna@far.test"]))
        self.assertIn(b"Auto-Submitted: auto-replied\n", m["data"])
        self.assertEqual(m["data"].count(b"Final-Recipient: rfc822; bert@here.test\n"), 1)
        self.assertIn(MAIL, m["data"])
        self.assertNotIn(b"\nBcc:", m["data"])
        w.m.wait_log(f"{QID}: sender non-delivery notification: 4newID")
        # a report that is made again after a crash has the same parent and expansion
        self.assertEqual(m["fields"][14], NONCE)
        self.assertTrue(m["fields"][16])

    def test_header_only(self):
        for main_cf, ret in (("", 2), ("bounce_size_limit = 100\n", 0)):
            w = BounceWorld(self, main_cf)
            w.append("bounce", ["bert@here.test"])
            w.flush(ret=ret)
            data = w.cleanup.mails[0]["data"]
            self.assertIn(b"Content-Type: text/rfc822-headers\n", data)
            self.assertIn(b"Subject: about the boat\n", data)
            self.assertNotIn(b"It floats", data)

    def test_cleanup_cannot_now(self):
        w = BounceWorld(self, status=1)
        w.append("bounce", ["bert@here.test"])
        w.flush(ok=False)
        self.assertEqual(w.logs("bounce"), [QID])
        w.cleanup.status = 0
        w.flush()
        self.assertEqual((w.logs("bounce"), len(w.cleanup.mails)), ([], 1))

    def test_cleanup_refuses_for_good(self):
        w = BounceWorld(self, status=2)
        w.append("bounce", ["bert@here.test"])
        w.flush()
        self.assertEqual(w.logs("bounce"), [])
        w.m.wait_log("refused")

    def test_null_sender_is_never_answered(self):
        w = BounceWorld(self)
        w.append("bounce", ["bert@here.test"])
        w.flush(sender="")
        self.assertEqual((w.logs("bounce"), w.cleanup.mails), ([], []))
        w.m.wait_log("undeliverable notification discarded")

    def test_double_bounce(self):
        w = BounceWorld(self, "notify_classes = 2bounce\n2bounce_notice_recipient = pm@here.test\n")
        w.append("bounce", ["bert@here.test"])
        w.flush(sender="")
        m = w.cleanup.mails[0]
        self.assertEqual((m["sender"], m["rcpts"]), ("double-bounce@here.test", ["pm@here.test"]))
        self.assertNotIn(b"It floats", m["data"])
        w.append("bounce", ["pm@here.test"])
        w.flush(sender="double-bounce@here.test")
        self.assertEqual((w.logs("bounce"), len(w.cleanup.mails)), ([], 1))
        w.m.wait_log("undeliverable postmaster notification discarded")

    def test_postmaster_copy(self):
        w = BounceWorld(self, "notify_classes = bounce\n")
        w.append("bounce", ["bert@here.test"])
        w.flush()
        self.assertEqual([m["rcpts"] for m in w.cleanup.mails], [["anna@far.test"], ["postmaster"]])

    def test_postmaster_copy_of_a_delay(self):
        w = BounceWorld(self, "notify_classes = delay\ndelay_notice_recipient = pm@here.test\n")
        w.append("defer", ["bert@here.test"], action="delayed")
        w.flush("delay")
        warning, copy = w.cleanup.mails
        self.assertEqual([m["rcpts"] for m in (warning, copy)], [["anna@far.test"], ["pm@here.test"]])
        self.assertEqual(copy["sender"], "double-bounce@here.test")
        self.assertIn(b"Subject: Postmaster notice: delayed mail\n", copy["data"])
        self.assertIn(b"Will-Retry-Until: ", copy["data"])
        self.assertNotIn(b"could not be delivered", copy["data"])
        self.assertNotIn(b"It floats", copy["data"])
        w.append("bounce", ["bert@here.test"])
        w.flush()       # a failure is not of this class
        self.assertEqual(len(w.cleanup.mails), 3)

    def test_delay_keeps_the_log(self):
        w = BounceWorld(self)
        w.append("defer", ["bert@here.test"], action="delayed")
        w.append("defer", ["carl@here.test"], offset=2000, action="delayed", notify=4)
        w.flush("delay")
        self.assertEqual(w.logs("defer"), [QID])
        data = w.cleanup.mails[0]["data"]
        self.assertIn(b"Will-Retry-Until: ", data)
        self.assertIn(b"bert@here.test", data)
        self.assertNotIn(b"carl@here.test", data)
        self.assertTrue(w.conn.call(BOUNCE, 3, f_str(1, "defer") + f_str(2, QID)).fields.get(1))
        self.assertEqual(w.logs("defer"), [])

    def test_templates(self):
        w = BounceWorld(self, "notify_classes = bounce\nmail_name = Taubenpost\n", template=
                        "failure_template = <<END\nCharset: utf-8\nFrom: Die Post <post@here.test>\n"
                        "Subject: Zur\xfcck\nEND\nfailure_template = <<END\nCharset: utf-8\n"
                        "From: Die Post <post@here.test>\nSubject: Zurueck\nPostmaster-Subject: Sieh da\n\n"
                        "$mail_name bei $myhostname:\nunm\xf6glich.\nEND\n"
                        "success_template = <<END\n\nAngekommen.\nEND\nverify_template = <<END\n\nProbe.\nEND\n")
        w.m.wait_log(f"{w.m.dir}/bounce.cf, line 4: non-ASCII or control octet in header \"Subject\" of failure template; "
                     "the built-in template is used")
        w.append("bounce", ["bert@here.test"])
        w.flush()
        for kind, action in (("trace", "delivered"), ("verify", "deliverable")):
            w.append("trace", ["bert@here.test"], action=action)
            w.flush(kind)
        failure, copy, success, verify = [m["data"].decode() for m in w.cleanup.mails]
        self.assertIn("\nFrom: Die Post <post@here.test>\nTo: anna@far.test\nSubject: Zurueck\n", failure)
        self.assertIn("charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nTaubenpost bei mail.example.test:\nunm\xf6glich.\n\n"
                      "<bert@here.test>:\n    no such user\n", failure)
        self.assertIn("\nSubject: Sieh da\n", copy)
        self.assertNotIn("unm", copy)
        self.assertIn("\nAngekommen.\n\n<bert@here.test>:\n    delivered: no such user\n", success)
        self.assertIn("\nProbe.\n\n<bert@here.test>:\n    deliverable: no such user\n", verify)

    def test_no_template_file(self):
        w = BounceWorld(self, "bounce_template_file = /no/such/file\n")
        w.m.wait_log("bounce_template_file: open /no/such/file: No such file or directory; the built-in templates are used")
        w.append("bounce", ["bert@here.test"])
        w.flush()
        self.assertIn(b"\nSubject: Your mail could not be delivered\n", w.cleanup.mails[0]["data"])

    def test_nothing_to_say(self):
        w = BounceWorld(self)
        w.flush()
        w.append("bounce", ["bert@here.test"])
        w.flush(nonce=NONCE + 1)
        self.assertEqual((w.logs("bounce"), w.cleanup.mails), ([], []))

    def test_hostile_requests(self):
        w = BounceWorld(self)
        for body in (f_str(1, "../etc") + f_str(2, QID), f_str(1, "incoming") + f_str(2, QID),
                     f_str(1, "bounce") + f_str(2, "../../main.cf"), b"\xff" * 40):
            f = w.conn.call(BOUNCE, 3, body)
            if f is None or body[0] == 0xff:
                w.conn = w.m.client("queue:bounce")
            else:
                self.assertFalse(f.fields.get(1))
        self.assertTrue(os.path.exists(os.path.join(w.m.dir, "main.cf")))
        w.append("bounce", ["bert@here.test"])
        w.flush()


if __name__ == "__main__":
    main()
