"""Rows E01-E07, E10, E11 and relaying: which recipients are taken, and from whom."""
import unittest
from instance import Instance, main


class Addresses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        common = {"smtpd_client_connection_count_limit": "0", "smtpd_hard_error_limit": "1000",
                  "smtpd_soft_error_limit": "1000"}
        cls.inside = Instance(main_cf=common)
        cls.addClassCleanup(cls.inside.close)
        cls.outside = Instance(main_cf={**common, "mynetworks": "192.0.2.0/24", "relay_domains": "backup.example, closed.example",
                                        "relay_recipient_maps": "inline:{known@backup.example=x}",
                                        "unknown_relay_recipient_reject_code": "551",
                                        "relocated_maps": "inline:{moved@example.test=moved@new.example}",
                                        "transport_maps": "inline:{{closed.example = error:4.3.2 closed for today}}",
                                        "virtual_alias_domains": "alias.example", "unknown_virtual_alias_reject_code": "552",
                                        "virtual_mailbox_domains": "boxes.example", "unknown_virtual_mailbox_reject_code": "553",
                                        "virtual_mailbox_maps": "inline:{x@boxes.example=x}"})
        cls.addClassCleanup(cls.outside.close)
        for m in (cls.inside, cls.outside):
            m.user("anna")
            m.start()

    def rcpt(self, m, address, params="", path=None):
        with m.raw() as c:
            c.reply()
            c.cmd("EHLO client.example")
            self.assertEqual(c.cmd("MAIL FROM:<a@client.example>" + params)[0], 250)
            c.send(b"RCPT TO:" + (path or b"<" + address + b">") + b"\r\n")
            return c.reply()

    def test_E04_no_relay_for_strangers(self):
        for a in (b"x@elsewhere.example", b"x%elsewhere.example@example.test", b"elsewhere.example!x",
                  b"elsewhere.example!x@example.test", b"x@elsewhere.example@example.test", b'"x@elsewhere.example"@example.test',
                  b'"x%elsewhere.example"@example.test', b"@example.test:x@elsewhere.example", b"x@[192.0.2.9]",
                  b"x@[IPv6:2001:db8::9]", b"a!b!c", b"x%y%elsewhere.example@example.test", b"x@elsewhere.example."):
            with self.subTest(a=a):
                code, text = self.rcpt(self.outside, a)
                self.assertIn(code, (501, 454, 550, 553, 554), text)

    def test_E04_own_network_may_relay(self):
        self.assertEqual(self.rcpt(self.inside, b"x@elsewhere.example")[0], 250)

    def test_E01_E02_syntax(self):
        for a in (b"", b"@d", b"u@", b"u@.", b"u@-d.example", b"u@d..e", b'"', b'a"b"@example.test',
                  b'"unterminated@example.test', b'"x\\"@example.test', b"u@[x]", b"a b@example.test", b"(c)u@example.test x"):
            with self.subTest(a=a):
                code, text = self.rcpt(self.outside, a)
                self.assertTrue(code >= 450, f"{code} {text}")

    def test_E02_quoted_local_parts(self):
        for a in (b'"anna"@example.test', b'"an\\na"@example.test', b"ANNA@example.test", b"anna@EXAMPLE.TEST",
                  b"anna+ext@example.test", b"anna", b"@relay.example:anna@example.test"):
            with self.subTest(a=a):
                self.assertEqual(self.rcpt(self.outside, a)[0], 250)

    def test_unknown_users(self):
        code, text = self.rcpt(self.outside, b"nobody-here@example.test")
        self.assertEqual(code, 550)
        self.assertRegex(text, r"^5\.1\.1 <nobody-here@example.test>: Recipient address rejected: User unknown in local recipient table$")

    def test_unlisted_recipients(self):
        for a, code, text in ((b"known@backup.example", 250, r"^2\.1\.5"),
                              (b"other@backup.example", 551, r"^5\.1\.1 .*User unknown in relay recipient table$"),
                              (b"moved@example.test", 550, r"^5\.1\.6 .*rejected: User has moved to moved@new\.example$"),
                              (b"known@closed.example", 450, r"^4\.3\.2 .*rejected: closed for today$"),
                              (b"x@alias.example", 552, r"^5\.1\.1 .*User unknown in virtual alias table$"),
                              (b"x@boxes.example", 250, r"^2\.1\.5"),
                              (b"y@boxes.example", 553, r"^5\.1\.1 .*User unknown in virtual mailbox table$")):
            got, why = self.rcpt(self.outside, a)
            self.assertEqual(got, code, why)
            self.assertRegex(why, text)

    def test_E05_dash(self):
        self.assertEqual(self.rcpt(self.outside, b"-f@example.test")[0], 501)

    def test_E06_lengths(self):
        self.assertIn(self.rcpt(self.outside, b"a" * 1900 + b"@example.test")[0], (500, 501, 550))
        self.assertIn(self.rcpt(self.outside, b"a@" + b"b" * 300 + b".example")[0], (501, 550, 554))

    def test_E07_utf8(self):
        self.assertIn(self.rcpt(self.outside, "jörg@example.test".encode())[0], (501, 550, 553))
        self.assertEqual(self.rcpt(self.outside, "jörg@example.test".encode(), " SMTPUTF8")[0], 550)
        for bad in (b"\xff@example.test", b"\xc0\x80@example.test", b"\xf0\x9f@example.test", b"\xed\xa0\x80@example.test"):
            self.assertTrue(self.rcpt(self.outside, bad, " SMTPUTF8")[0] >= 500)

    def test_E10_never_an_address(self):
        for a in (b"/etc/passwd", b"|/bin/sh", b'"|/bin/sh"@example.test', b":include:/etc/passwd", b'":include:/x"@example.test',
                  b'"/tmp/x"@example.test', b'"../x"@example.test'):
            with self.subTest(a=a):
                self.assertTrue(self.rcpt(self.outside, a)[0] >= 500)

    def test_E11_postmaster(self):
        for a in (b"postmaster", b"Postmaster@example.test", b"POSTMASTER@example.test"):
            self.assertEqual(self.rcpt(self.outside, a)[0], 250)

    def test_default_is_no_open_relay(self):
        r = self.outside.run("postconf", "-d", "smtpd_relay_restrictions")
        self.assertIn(b"defer_unauth_destination", r.stdout)

    def test_senders(self):
        m = Instance(self, main_cf={"smtpd_sender_restrictions": "reject_non_fqdn_sender",
                                    "smtpd_recipient_restrictions": "reject_non_fqdn_recipient"})
        m.user("anna")
        m.start()
        with m.raw() as c:
            c.reply()
            c.cmd("EHLO client.example")
            for sender, want in (("<>", 250), ("<a@b.example>", 250), ("<bare>", 504), ("<a@host>", 504),
                                 ("<a@[127.0.0.1]>", 250)):
                c.cmd("RSET")
                self.assertEqual(c.cmd("MAIL FROM:" + sender)[0], 250)
                self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], want, sender)

    def test_unknown_restriction_is_451(self):
        m = Instance(self, main_cf={"smtpd_recipient_restrictions": "check_policy_service inet:127.0.0.1:1"})
        m.user("anna")
        m.start()
        code, text = self.rcpt(m, b"anna@example.test")
        self.assertEqual((code, text), (451, "4.3.5 Server configuration error"))
        m.wait_log(r"main\.cf.*smtpd_recipient_restrictions.*check_policy_service")


main()
