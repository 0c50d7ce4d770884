"""The life of reports: delay once, expiry, double bounces, bounces of bounces, soft_bounce, copies for the postmaster."""
import email, os, re, unittest
from instance import Instance, main
from fast import FAST

LATE = "x@late.example"         # its transport has no service: it waits


class Bounce(unittest.TestCase):
    def start(self, **main_cf):
        m = Instance(self, main_cf={**FAST, "transport_maps": "inline:{{late.example = nosuch:}}",
                                    "maximal_queue_lifetime": "1h", "2bounce_notice_recipient": "double",
                                    "bounce_notice_recipient": "copies", "delay_notice_recipient": "copies", **main_cf})
        for user in ("anna", "bert", "double", "copies"):
            m.user(user)
        return m.start()

    def send(self, m, rcpt, sender="anna@example.test", *options):
        m.run("sendmail", "-f", sender, *options, rcpt, input=b"Subject: boat\n\nIt floats.\n")

    def report(self, m, user, n=1):
        """The newest of N mails of USER: (message, fields of the mail, of its only recipient)."""
        newest = max(m.wait_mails(user, n), key=os.path.getmtime)
        with open(newest, "rb") as f:
            r = email.message_from_bytes(f.read())
        self.assertEqual(r.get_content_type(), "multipart/report")
        mail, rcpt = r.get_payload(1).get_payload()
        return r, mail, rcpt

    def attempts(self, m):
        return len(re.findall(r"to=<x@late\.example>.*status=deferred", m.log()))

    def wait_attempts(self, m, more):
        want = self.attempts(m) + more
        m.wait(f"{more} more attempts", lambda: self.attempts(m) >= want)

    def gone(self, m):
        m.wait("an empty queue", lambda: not m.queue())

    # --- delay --------------------------------------------------------------------------------------
    def test_delay_once(self):
        m = self.start(delay_warning_time="2s")
        self.send(m, LATE)
        r, mail, rcpt = self.report(m, "anna")
        self.assertEqual(r["Subject"], "Your mail is delayed")
        self.assertEqual(r["Return-Path"], "<>")
        self.assertEqual((rcpt["Action"], rcpt["Status"][0]), ("delayed", "4"))
        arrival = email.utils.parsedate_to_datetime(mail["Arrival-Date"])
        until = email.utils.parsedate_to_datetime(rcpt["Will-Retry-Until"])
        self.assertEqual((until - arrival).total_seconds(), 3600)
        self.assertEqual(r.get_payload(2).get_content_type(), "text/rfc822-headers")
        self.wait_attempts(m, 3)
        m.stop()
        m.start()       # the queue file remembers
        self.wait_attempts(m, 3)
        self.assertEqual(len(m.mails("anna")), 1)
        self.assertEqual(len(m.mails("copies")), 0)

    def test_delay_unasked(self):
        m = self.start(delay_warning_time="1s", notify_classes="delay")
        self.send(m, LATE, "bert@example.test", "-N", "failure")
        self.send(m, LATE, "bert@example.test", "-N", "never")
        self.send(m, LATE, "")
        self.send(m, LATE, "anna@example.test", "-N", "delay")
        self.report(m, "anna")
        r, _, rcpt = self.report(m, "copies")
        self.assertEqual((r["Subject"], rcpt["Action"]), ("Postmaster notice: delayed mail", "delayed"))
        self.wait_attempts(m, 8)
        self.assertEqual([len(m.mails(u)) for u in ("anna", "bert", "copies")], [1, 0, 1])

    def test_delay_cleared(self):
        m = self.start(delay_warning_time="2s", confirm_delay_cleared="yes")
        self.send(m, LATE)
        self.send(m, LATE, "bert@example.test", "-N", "failure")
        self.report(m, "anna")
        m.edit("main.cf", "transport_maps = inline:{{late.example = discard:}}\n")
        m.merpati("reload")
        _, _, rcpt = self.report(m, "anna", 2)
        self.assertEqual(rcpt["Action"], "delivered")
        self.gone(m)
        self.assertEqual(len(m.mails("bert")), 0)

    # --- expiry -------------------------------------------------------------------------------------
    def test_expiry(self):
        m = self.start(maximal_queue_lifetime="3s")
        self.send(m, LATE)
        r, mail, rcpt = self.report(m, "anna")
        self.assertEqual(r["Subject"], "Your mail could not be delivered")
        self.assertEqual((rcpt["Action"], rcpt["Status"][0]), ("failed", "4"))
        self.assertIsNone(rcpt["Will-Retry-Until"])
        m.wait_log(r"from=<anna@example\.test>, status=expired, returned to sender")
        self.gone(m)

    def test_expiry_of_a_report(self):
        m = self.start(bounce_queue_lifetime="2s")
        self.send(m, LATE)                              # 1 h
        self.send(m, "nobody@example.test", LATE)       # its report cannot reach the sender
        m.wait_log("undeliverable notification discarded")
        m.wait("the report is gone", lambda: len(m.queue()) == 1)
        self.wait_attempts(m, 2)
        self.assertEqual(len(m.queue()), 1)

    def test_reports_live_no_longer_than_mail(self):
        m = self.start(maximal_queue_lifetime="3s", bounce_queue_lifetime="5d")
        m.wait_log(r"warning: .*main\.cf, line \d+: bounce_queue_lifetime is longer than maximal_queue_lifetime")
        self.send(m, LATE, "")
        m.wait_log("undeliverable notification discarded")
        self.gone(m)

    # --- bounces of bounces -------------------------------------------------------------------------
    def test_no_bounce_of_a_bounce(self):
        m = self.start()
        self.send(m, "nobody@example.test", "nobody2@example.test")
        self.send(m, "nobody3@example.test", "")
        m.wait_log("undeliverable notification discarded", count=2)
        self.gone(m)
        self.assertEqual([len(m.mails(u)) for u in ("anna", "double", "copies")], [0, 0, 0])

    def test_double_bounce(self):
        m = self.start(notify_classes="2bounce")
        self.send(m, "nobody@example.test", "nobody2@example.test")
        r, mail, rcpt = self.report(m, "double")
        self.assertEqual(r["Subject"], "Postmaster notice: undeliverable mail")
        self.assertEqual(r["Return-Path"], "<double-bounce@example.test>")
        self.assertEqual(rcpt["Final-Recipient"], "rfc822; nobody2@example.test")
        self.assertIn("Subject: Your mail could not be delivered", r.get_payload(2).get_payload())
        self.gone(m)
        self.assertEqual(len(m.mails("double")), 1)

    def test_double_bounce_undeliverable(self):
        m = self.start(notify_classes="bounce", **{"2bounce_notice_recipient": "no-such-user"})     # means 2bounce too
        self.send(m, "nobody@example.test", "nobody2@example.test")
        m.wait_log(r"warning: \w+: undeliverable postmaster notification discarded")
        self.gone(m)
        # the failure itself was told as class "bounce"
        _, _, rcpt = self.report(m, "copies")
        self.assertEqual(rcpt["Final-Recipient"], "rfc822; nobody@example.test")

    def test_mail_for_the_double_bounce_sender(self):
        m = self.start(double_bounce_sender="nil")
        m.send("", ["nil@example.test"])
        m.wait_log(r"to=<nil@example\.test>.*status=sent \(undeliverable postmaster notification discarded\)")
        self.gone(m)

    def test_copies(self):
        m = self.start(notify_classes="bounce")
        self.send(m, "nobody@example.test")
        self.report(m, "anna")
        r, _, rcpt = self.report(m, "copies")
        self.assertEqual((r["Subject"], rcpt["Action"]), ("Postmaster notice: undeliverable mail", "failed"))
        self.assertEqual(r.get_payload(2).get_content_type(), "text/rfc822-headers")
        self.assertNotIn("It floats", r.as_string())

    def test_size_limit(self):
        m = self.start(bounce_size_limit="200")
        m.run("sendmail", "-f", "anna@example.test", "nobody@example.test", input=b"Subject: boat\n\n" + b"It floats.\n" * 30)
        r, _, _ = self.report(m, "anna")
        self.assertEqual(r.get_payload(2).get_content_type(), "text/rfc822-headers")
        self.assertIn("Subject: boat", r.get_payload(2).get_payload())
        self.assertNotIn("It floats", r.as_string())

    # --- soft_bounce --------------------------------------------------------------------------------
    def test_soft_bounce(self):
        m = self.start(soft_bounce="yes")
        self.send(m, "nobody@example.test")
        m.wait_log(r"to=<nobody@example\.test>.*dsn=5\.1\.1, status=SOFTBOUNCE \(unknown user", count=2)
        self.assertEqual(len(m.mails("anna")), 0)
        self.assertIn("unknown user", m.run("mailq").stdout.decode())
        m.edit("main.cf", "soft_bounce = no\n")
        m.merpati("reload")
        _, _, rcpt = self.report(m, "anna")
        self.assertEqual(rcpt["Status"], "5.1.1")
        self.gone(m)

    def test_soft_bounce_expires(self):
        m = self.start(soft_bounce="yes", maximal_queue_lifetime="3s")
        self.send(m, "nobody@example.test")
        _, _, rcpt = self.report(m, "anna")
        self.assertEqual((rcpt["Action"], rcpt["Status"]), ("failed", "4.1.1"))


if __name__ == "__main__":
    main()
