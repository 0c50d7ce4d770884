"""DSN (RFC 3461, 3464) from EHLO to the report in the sender's mailbox."""
import email, email.policy, email.utils, os, time, unittest
from instance import Instance, main

MAIL = "Subject: about the boat\r\nFrom: anna@example.test\r\n\r\nIt floats well.\r\n"


def parts(report):
    """The three parts of a report: text, fields of the mail and of each recipient, what is returned."""
    m = email.message_from_bytes(report)
    assert m.get_content_type() == "multipart/report", m.get_content_type()
    text, status, original = m.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    assert m.get_param("report-type") == "delivery-status"
    mail, *rcpts = status.get_payload()
    return m, mail, rcpts, original


class Dsn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0",
                                  "smtpd_reject_unlisted_recipient": "no", "enable_threaded_bounces": "yes",
                                  "virtual_alias_maps": "inline:{{both@example.test = bert@example.test, "
                                                        "cora@example.test}}"})
        cls.addClassCleanup(cls.m.close)
        # all before the start: a user file that is just being written makes "unknown" wait
        for name in ("bert", "cora", "dora", *map(cls.sender_name, unittest.TestLoader().getTestCaseNames(cls))):
            cls.m.user(name)
        with open(os.path.join(cls.m.conf, "aliases"), "a") as f:
            f.write("crew: bert, cora\nhalf: bert, no-such-user\nchain: one\none: bert\nlist: bert, no-such-user\n"
                    "owner-list: cora\n")
        cls.m.run("postalias", "hash:" + os.path.join(cls.m.conf, "aliases"))
        cls.m.start()

    @staticmethod
    def sender_name(test):
        return "s-" + test.rsplit("_", 1)[1].lower()

    def sender(self):
        name = self.sender_name(self.id())
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

    def asked(self, rcpt, notify="SUCCESS,FAILURE", n=1):
        """The reports that a mail to RCPT brings: [(recipient, action, status, original recipient)]."""
        name, sender = self.sender()
        self.send(sender, [rcpt], ["ENVID=e1"], ["NOTIFY=" + notify, "ORCPT=rfc822;" + rcpt])
        self.m.wait_mails(name, n)
        self.m.wait_idle()
        found = []
        for path in self.m.mails(name):
            _, mail, rcpts, _ = parts(open(path, "rb").read())
            self.assertEqual(mail["Original-Envelope-Id"], "e1")
            found += [(r["Final-Recipient"].split()[1], r["Action"], r["Status"][0], r["Original-Recipient"].split()[1])
                      for r in rcpts]
        return sorted(found)

    def test_alias_of_several(self):
        self.assertEqual(self.asked("crew@example.test"),
                         [("crew@example.test", "expanded", "2", "crew@example.test")])

    def test_alias_of_several_one_fails(self):
        self.assertEqual(self.asked("half@example.test", n=2),
                         [("half@example.test", "expanded", "2", "half@example.test"),
                          ("no-such-user@example.test", "failed", "5", "half@example.test")])

    def test_alias_failures_unasked(self):
        self.assertEqual(self.asked("half@example.test", "SUCCESS"),
                         [("half@example.test", "expanded", "2", "half@example.test")])

    def test_alias_of_one(self):
        self.assertEqual(self.asked("chain@example.test"),
                         [("bert@example.test", "delivered", "2", "chain@example.test")])

    def test_alias_virtual(self):
        self.assertEqual(self.asked("both@example.test"),
                         [("both@example.test", "expanded", "2", "both@example.test")])

    def test_alias_with_owner(self):
        # final delivery for the sender; what fails is the owner's business, and says nothing of the sender's request
        before = len(self.m.mails("cora"))
        self.assertEqual(self.asked("list@example.test"),
                         [("list@example.test", "delivered", "2", "list@example.test")])
        mail = self.m.wait_mails("cora", before + 1)
        reports = [m for m in (open(x, "rb").read() for x in mail) if b"no-such-user" in m]
        _, fields, rcpts, _ = parts(reports[0])
        self.assertIsNone(fields["Original-Envelope-Id"])
        self.assertEqual([(r["Final-Recipient"], r["Action"]) for r in rcpts],
                         [("rfc822; no-such-user@example.test", "failed")])

    def test_forward_and_mailbox(self):
        home = os.path.join(self.m.conf, "mail", "example.test", "dora")
        with open(os.path.join(home, ".forward"), "w") as f:
            f.write("\\dora, bert\n")
        st = os.stat(home)
        os.chmod(f.name, 0o600)
        os.chown(f.name, st.st_uid, st.st_gid)
        self.assertEqual(self.asked("dora@example.test"),
                         [("dora@example.test", "expanded", "2", "dora@example.test")])

    def test_dates(self):
        name, sender = self.sender()
        before = int(time.time())
        self.send(sender, ["no-such-user@example.test"])
        _, mail, rcpts, _ = parts(self.report(name))
        when = [email.utils.parsedate_to_datetime(x).timestamp()
                for x in (mail["Arrival-Date"], rcpts[0]["Last-Attempt-Date"])]
        self.assertTrue(before <= when[0] <= when[1] <= time.time(), (before, when))
        self.assertEqual(mail["Reporting-MTA"], "dns; mail.example.test")
        # without ORCPT: what was given to RCPT
        self.assertEqual(rcpts[0]["Original-Recipient"], "rfc822; no-such-user@example.test")

    def utf8(self, *commands):
        c = self.m.raw()
        self.addCleanup(c.close)
        c.reply()
        for line in ("EHLO client.example", *commands):
            self.assertEqual(c.cmd(line)[0], 250, line)
        self.assertEqual(c.cmd("DATA")[0], 354)
        self.assertEqual(c.cmd("Subject: gr\u00fc\u00dfe\r\n\r\nh\u00e4\r\n.")[0], 250)
        c.cmd("QUIT")

    def test_smtputf8_GLOBAL(self):
        """RFC 6533: a report about an SMTPUTF8 mail has UTF-8 in it, and types that say so."""
        name, sender = self.sender()
        self.utf8(f"MAIL FROM:<{sender}> BODY=8BITMIME SMTPUTF8",
                  "RCPT TO:<j\u00f6rg@example.test> ORCPT=utf-8;g\\x{FC}nter@far.example")
        raw = self.report(name)
        m = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
        self.assertEqual((m.get_content_type(), m.get_param("report-type")), ("multipart/report", "global-delivery-status"))
        self.assertEqual([p.get_content_type() for p in m.get_payload()],
                         ["text/plain", "message/global-delivery-status", "message/global"])
        self.assertIn("\nOriginal-Recipient: utf-8; g\u00fcnter@far.example\n"
                      "Final-Recipient: utf-8; j\u00f6rg@example.test\nAction: failed\n".encode(), raw)
        self.assertIn("\n<j\u00f6rg@example.test>".encode(), raw)
        self.assertIn("Subject: gr\u00fc\u00dfe\n".encode(), raw)

    def test_smtputf8_ORCPT(self):
        """A mail that is not SMTPUTF8: its report is ASCII, and loses nothing."""
        name, sender = self.sender()
        self.utf8(f"MAIL FROM:<{sender}> BODY=8BITMIME RET=HDRS",
                  "RCPT TO:<no-such-user@example.test> ORCPT=utf-8;g\\x{FC}nter\\x{2B}x@far.example")
        raw = self.report(name)
        self.assertEqual(parts(raw)[2][0]["Original-Recipient"], "utf-8; g\\x{FC}nter\\x{2B}x@far.example")

    def test_thread(self):
        name, sender = self.sender()
        with self.m.smtp() as s:
            s.sendmail(sender, ["no-such-user@example.test"], "Message-Id: <boat.1@far.example>\r\n" + MAIL)
        m = parts(self.report(name))[0]
        self.assertEqual((m["In-Reply-To"], m["References"]), ("<boat.1@far.example>", "<boat.1@far.example>"))

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
