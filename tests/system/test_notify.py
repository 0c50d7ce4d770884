"""notify_classes: what the postmaster is told by mail, and soft_bounce, from the client's side."""
import email, os, unittest
from instance import Instance, main
from fast import FAST

ALL = "bounce, 2bounce, delay, data, policy, protocol, resource, software"


class Notices(unittest.TestCase):
    def start(self, classes=ALL, **main_cf):
        m = Instance(self, main_cf={**FAST, "smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0",
                                    "notify_classes": classes, "error_notice_recipient": "errors",
                                    "bounce_notice_recipient": "bounces", "mynetworks": "192.0.2.0/24", **main_cf})
        for user in ("anna", "errors", "bounces"):
            m.user(user)
        return m.start()

    def dialogue(self, m, *commands, hang_up=False):
        with m.raw() as c:
            c.reply()
            answers = [c.cmd(line) for line in ("EHLO client.example", *commands, *(() if hang_up else ("QUIT",)))]
        return [code for code, _ in answers][1:]

    def notice(self, m, user, n=1):
        path = m.wait_mails(user, n)[-1]
        with open(path, "rb") as f:
            return email.message_from_bytes(f.read())

    def told(self, m):
        """Wait until all sessions have ended; how many notices each of the two has."""
        m.wait("sessions have ended", lambda: m.log().count(": disconnect from") == m.log().count(": connect from"))
        m.wait_idle()
        return len(m.mails("errors")), len(m.mails("bounces"))

    def test_protocol(self):
        m = self.start()
        self.dialogue(m, "MAIL TO:<x>", "NOOP " + "x" * 3000, "AUTH PLAIN AGFubmEAc2VjcmV0")
        n = self.notice(m, "errors")
        self.assertEqual(n["Return-Path"], "<double-bounce@example.test>")
        self.assertEqual(n["To"], "errors@example.test")
        self.assertEqual(n["Auto-Submitted"], "auto-generated")
        self.assertRegex(n["Subject"], r"errors in an SMTP session with \S+\[127\.0\.0\.1\]")
        text = n.get_payload()
        self.assertIn("Errors of class protocol in", text)
        self.assertRegex(text, r"\n    Out: 220 \S+ ESMTP[^\n]*\n    In:  EHLO client\.example\n    Out: 250-\S+\n"
                               r"    Out: 250-PIPELINING\n")
        self.assertIn("    In:  MAIL TO:<x>\n    Out: 501 5.5.4 ", text)
        self.assertRegex(text, r"\n    In:  \(a line that is too long\)\n    Out: 500 |\n    In:  NOOP x{495}\.\.\.\n")
        self.assertNotIn("c2VjcmV0", text)
        self.assertTrue(all(len(line) <= 600 for line in text.split("\n")))
        m.wait_log(r"\[127\.0\.0\.1\]: errors of class protocol, postmaster notification: \w+")
        self.assertEqual(self.told(m), (1, 0))

    def test_policy_and_bounce(self):
        m = self.start()
        self.assertEqual(self.dialogue(m, "MAIL FROM:<x@far.example>", "RCPT TO:<y@far.example>"), [250, 454, 221])
        self.assertIn("Errors of class policy in", self.notice(m, "errors").get_payload())
        self.assertEqual(self.dialogue(m, "MAIL FROM:<x@far.example>", "RCPT TO:<nobody@example.test>"), [250, 550, 221])
        self.assertIn("Errors of class bounce in", self.notice(m, "bounces").get_payload())
        self.assertEqual(self.told(m), (1, 1))

    def test_configuration_and_tables(self):
        m = self.start("software, data", smtpd_sender_restrictions="check_nothing",
                       smtpd_recipient_restrictions="reject_unauth_destination")
        self.assertEqual(self.dialogue(m, "MAIL FROM:<x@far.example>", "RCPT TO:<anna@example.test>", hang_up=True),
                         [250, 451])
        text = self.notice(m, "errors").get_payload()
        self.assertIn("Errors of class software in", text)
        self.assertIn("\nThe connection was lost after RCPT.\n", text)

    def test_what_is_not_told(self):
        m = self.start("resource, software")
        self.dialogue(m, "XYZZY", "MAIL FROM:<x@far.example>", "RCPT TO:<nobody@example.test>")
        self.assertEqual(self.told(m), (0, 0))

    def test_no_answer_makes_a_notice(self):
        m = self.start()
        # what a remote host does with a notice that it cannot deliver
        for sender in ("", "double-bounce@example.test"):
            self.assertEqual(self.dialogue(m, f"MAIL FROM:<{sender}>", "RCPT TO:<nobody@example.test>", "DATA"),
                             [250, 550, 554, 221])
        self.assertEqual(self.dialogue(m, "MAIL FROM:<>", "RCPT TO:<double-bounce@example.test>",
                                       "RCPT TO:<MAILER-DAEMON@example.test>"), [250, 250, 250, 221])
        self.assertEqual(self.told(m), (0, 0))

    def test_notice_that_cannot_be_delivered(self):
        m = self.start(error_notice_recipient="no-such-user")
        self.dialogue(m, "XYZZY")
        m.wait_log(r"warning: \w+: undeliverable postmaster notification discarded")
        self.assertEqual(self.told(m), (0, 0))

    def test_long_sessions_are_told_in_parts(self):
        m = self.start(smtpd_history_flush_threshold="20")
        with m.raw() as c:
            c.reply()
            c.cmd("EHLO client.example")
            c.cmd("XYZZY one")
            for _ in range(10):
                c.cmd("NOOP")
            c.cmd("RSET")
            self.notice(m, "errors")
            c.cmd("XYZZY two")
            c.cmd("QUIT")
        texts = [open(path).read() for path in m.wait_mails("errors", 2)]
        self.assertEqual(sorted(("XYZZY one" in t, "XYZZY two" in t) for t in texts), [(False, True), (True, False)])

    def test_unknown_class(self):
        m = self.start()
        m.edit("main.cf", "notify_classes = bounce, everything\n")
        r = m.merpati("check", check=False)
        self.assertRegex(r.stderr.decode(), r"error: .*main\.cf, line \d+: notify_classes: \"everything\" is none of bounce")


class SoftBounce(unittest.TestCase):
    def test_soft_bounce(self):
        m = Instance(self, main_cf={**FAST, "soft_bounce": "yes", "smtpd_error_sleep_time": "0", "mynetworks": "192.0.2.1"})
        m.user("anna")
        m.start()
        with m.raw() as c:
            c.reply()
            c.cmd("EHLO client.example")
            self.assertEqual(c.cmd("XYZZY"), (400, "4.5.2 Error: command not recognized"))
            self.assertEqual(c.cmd("MAIL FROM:<x@far.example> FOO=bar"), (455, "4.5.4 Unsupported option: FOO=bar"))
            self.assertEqual(c.cmd("MAIL FROM:<x@far.example>")[0], 250)
            code, text = c.cmd("RCPT TO:<nobody@example.test>")
            self.assertEqual((code, text[:6]), (450, "4.1.1 "))
            self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 250)
            self.assertEqual(c.cmd("DATA")[0], 354)
            self.assertEqual(c.cmd("Subject: x\r\n\r\n5 lines\r\n.")[0], 250)
            self.assertEqual(c.cmd("QUIT")[0], 221)
        m.wait_log(r"reject: RCPT from \S+: 450 4\.1\.1 <nobody@example\.test>: Recipient")
        m.wait_mails("anna", 1)


if __name__ == "__main__":
    main()
