"""DSN (RFC 3461, 3464) from EHLO to the report in the sender's mailbox."""
import email, unittest
from instance import Instance, main

MAIL = "Subject: about the boat\r\nFrom: anna@example.test\r\n\r\nIt floats well.\r\n"


def parts(report):
    """The three parts of a report: text, fields of the mail and of each recipient, what is returned."""
    m = email.message_from_bytes(report)
    assert m.get_content_type() == "multipart/report", m.get_content_type()
    text, status, original = m.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    mail, *rcpts = status.get_payload()
    return m, mail, rcpts, original


class Dsn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0",
                                  "smtpd_reject_unlisted_recipient": "no"})
        cls.addClassCleanup(cls.m.close)
        cls.m.user("bert")
        cls.m.start()

    def sender(self):
        name = "s-" + self.id().rsplit("_", 1)[1].lower()
        self.m.user(name)
        return name, f"{name}@example.test"

    def send(self, sender, rcpts, mail_opts=(), rcpt_opts=()):
        with self.m.smtp() as s:
            s.ehlo()
            self.assertTrue(s.has_extn("dsn"))
            s.sendmail(sender, rcpts, MAIL, mail_opts, rcpt_opts)

    def report(self, name):
        mail = self.m.wait_mails(name, 1)[0]
        return mail if isinstance(mail, bytes) else open(mail, "rb").read()

    def test_success(self):
        name, sender = self.sender()
        self.send(sender, ["bert@example.test"], ["RET=HDRS", "ENVID=QQ+2B314"],
                  ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old+2Bbert@far.example"])
        m, mail, rcpts, original = parts(self.report(name))
        self.assertEqual(m["Auto-Submitted"], "auto-replied")
        self.assertEqual(mail["Original-Envelope-Id"], "QQ+314")
        self.assertEqual(len(rcpts), 1)
        self.assertEqual(rcpts[0]["Original-Recipient"], "rfc822; old+bert@far.example")
        self.assertEqual(rcpts[0]["Final-Recipient"], "rfc822; bert@example.test")
        self.assertEqual((rcpts[0]["Action"], rcpts[0]["Status"][0]), ("delivered", "2"))
        self.assertEqual(original.get_content_type(), "text/rfc822-headers")

    def failure(self, ret):
        name, sender = self.sender()
        self.send(sender, ["no-such-user@example.test"], [f"RET={ret}"] if ret else [])
        m, mail, rcpts, original = parts(self.report(name))
        self.assertIsNone(mail["Original-Envelope-Id"])
        self.assertEqual((rcpts[0]["Action"], rcpts[0]["Status"]), ("failed", "5.1.1"))
        return original

    def test_failure_ret_FULL(self):
        original = self.failure("FULL")
        self.assertEqual(original.get_content_type(), "message/rfc822")
        self.assertIn("It floats well.", original.as_string())

    def test_failure_ret_HDRS(self):
        original = self.failure("HDRS")
        self.assertEqual(original.get_content_type(), "text/rfc822-headers")
        self.assertIn("Subject: about the boat", original.as_string())
        self.assertNotIn("It floats well.", original.as_string())

    def test_failure_ret_UNSAID(self):
        self.assertEqual(self.failure("").get_content_type(), "message/rfc822")

    def test_notify_NEVER(self):
        name, sender = self.sender()
        self.send(sender, ["no-such-user@example.test"], [], ["NOTIFY=NEVER"])
        self.send(sender, ["no-such-user@example.test"], [], ["NOTIFY=SUCCESS"])
        self.send(sender, ["no-such-user@example.test"], ["ENVID=last"], ["NOTIFY=FAILURE"])
        self.m.wait_mails(name, 1)
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails(name)), 1)
        self.assertEqual(parts(self.report(name))[1]["Original-Envelope-Id"], "last")

    def test_syntax(self):
        c = self.m.raw()
        self.addCleanup(c.close)
        c.reply()
        c.cmd("EHLO client.example")
        for cmd, text in (("RET=HALF", "5.5.4 Bad RET parameter syntax"),
                          ("RET=FULL RET=HDRS", "5.5.4 Duplicate RET parameter"),
                          ("ENVID=", "5.5.4 Bad ENVID parameter syntax"),
                          ("ENVID=a+2b", "5.5.4 Bad ENVID parameter syntax"),
                          ("ENVID=a=b", "5.5.4 Bad ENVID parameter syntax"),
                          ("ENVID=" + "x" * 101, "5.5.4 Bad ENVID parameter syntax")):
            with self.subTest(cmd=cmd):
                self.assertEqual(c.cmd("MAIL FROM:<anna@example.test> " + cmd), (501, text))
                c.cmd("NOOP")
            if cmd.endswith("=b"):      # before the limit on errors
                c.cmd("QUIT")
                c = self.m.raw()
                self.addCleanup(c.close)
                c.reply()
                c.cmd("EHLO client.example")
        self.assertEqual(c.cmd("MAIL FROM:<anna@example.test> ENVID=" + "x" * 100)[0], 250)
        for cmd, text in (("NOTIFY=NEVER,SUCCESS", "5.5.4 Bad NOTIFY parameter syntax"),
                          ("NOTIFY=", "5.5.4 Bad NOTIFY parameter syntax"),
                          ("ORCPT=bert@example.test", "5.5.4 Bad ORCPT parameter syntax"),
                          ("ORCPT=rfc822;" + "x" * 500, "5.5.4 Bad ORCPT parameter syntax")):
            with self.subTest(cmd=cmd):
                self.assertEqual(c.cmd("RCPT TO:<bert@example.test> " + cmd), (501, text))
        self.assertEqual(c.cmd("RCPT TO:<bert@example.test> NOTIFY=delay,Success ORCPT=rfc822;bert@x.example")[0], 250)


class Discarded(unittest.TestCase):
    def test_discarded(self):
        m = Instance(main_cf={"smtpd_discard_ehlo_keywords": "dsn, vrfy"})
        self.addCleanup(m.close)
        m.start()
        with m.raw() as c:
            c.reply()
            self.assertNotIn("DSN", c.cmd("EHLO client.example")[1].split())
            self.assertEqual(c.cmd("MAIL FROM:<anna@example.test> RET=FULL"), (555, "5.5.4 Unsupported option: RET=FULL"))
            self.assertEqual(c.cmd("MAIL FROM:<anna@example.test>")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<root@example.test> NOTIFY=NEVER")[0], 555)


main()
