"""Rows A01-A10, A15 of the attack catalogue: only CRLF.CRLF ends a message, however it arrives."""
import time, unittest
from instance import Instance, main

HEAD = b"Subject: t\r\nMessage-ID: <x@client.example>\r\n\r\n"
SMUGGLED = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<anna@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nsecond\r\n.\r\n"


class Smuggling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"smtpd_client_connection_count_limit": "0", "smtpd_soft_error_limit": "1000",
                                  "smtpd_hard_error_limit": "2000"})
        cls.addClassCleanup(cls.m.close)
        cls.m.user("anna")
        cls.m.start()

    def session(self):
        c = self.m.raw()
        self.addCleanup(c.close)
        self.assertEqual(c.reply()[0], 220)
        self.assertEqual(c.cmd("EHLO client.example")[0], 250)
        return c

    def begin(self, c):
        self.assertEqual(c.cmd("MAIL FROM:<a@client.example>")[0], 250)
        self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 250)
        self.assertEqual(c.cmd("DATA")[0], 354)

    def body_after(self, octets):
        """Send content whose end is \\r\\n.\\r\\n, return what was delivered after the header."""
        before = set(self.m.mails("anna"))
        c = self.session()
        self.begin(c)
        c.send(HEAD + octets)
        code, text = c.reply()
        self.assertEqual(code, 250, text)
        c.cmd("QUIT")
        new = self.m.wait("the mail", lambda: set(self.m.mails("anna")) - before)
        self.assertEqual(len(new), 1, "one message in, one out")
        with open(new.pop(), "rb") as f:
            return f.read().split(b"\n\n", 1)[1]

    def test_A01_to_A06_not_an_end(self):
        for fake in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\n.\r", b"\r\n.\r",
                     b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
                     b"\r\n." + b"\r" * 64 + b"\n"):
            with self.subTest(fake=fake):
                body = self.body_after(b"first" + fake + SMUGGLED.replace(b"\r\n.\r\n", b"\r\n") + b".\r\n")
                self.assertIn(b"Subject: smuggled", body)     # it is content, not a second mail
                self.assertNotIn(b"\r", body)
                self.assertNotIn(b"\0", body)

    def test_A07_dots(self):
        self.assertEqual(self.body_after(b"..\r\n.x\r\n...y\r\n.\r\n"), b".\nx\n..y\n")

    def test_A07_empty(self):
        before = set(self.m.mails("anna"))
        c = self.session()
        self.begin(c)
        c.send(b".\r\n")
        self.assertEqual(c.reply()[0], 250)
        self.m.wait("the empty mail", lambda: set(self.m.mails("anna")) - before)

    def test_A08_pieces_of_long_lines(self):
        for n in (2046, 2047, 2048, 2049, 4095, 4096, 4097, 65535, 65536, 131072):
            with self.subTest(n=n):
                line = b"x" * n
                self.assertEqual(self.body_after(line + b".\r\n" + line + b"..\r\n.\r\n"),
                                 line + b".\n" + line + b"..\n")

    def test_A09_one_octet_at_a_time(self):
        before = set(self.m.mails("anna"))
        c = self.session()
        self.begin(c)
        import socket
        c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in HEAD + b"slow\r\n.\r\n":
            c.send(bytes([octet]))
        self.assertEqual(c.reply()[0], 250)
        self.assertEqual(c.cmd("NOOP")[0], 250)   # exactly one end was seen
        self.m.wait("the mail", lambda: set(self.m.mails("anna")) - before)

    def test_A09_end_at_buffer_edges(self):
        for edge in (4096, 8192, 65536):
            for shift in range(6):
                with self.subTest(edge=edge, shift=shift):
                    filler = edge - len(HEAD) - shift
                    lines = (b"a" * 70 + b"\r\n") * (filler // 72)
                    lines += b"b" * (filler - len(lines))
                    self.assertEqual(self.body_after(lines + b"\r\n.\r\n"), lines.replace(b"\r\n", b"\n") + b"\n")

    def test_A10_pipelined_after_the_end(self):
        before = set(self.m.mails("anna"))
        c = self.session()
        self.begin(c)
        c.send(HEAD + b"one\r\n.\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<anna@example.test>\r\nDATA\r\n")
        self.assertEqual([c.reply()[0] for _ in range(4)], [250, 250, 250, 354])
        c.send(HEAD + b"two\r\n.\r\n")
        self.assertEqual(c.reply()[0], 250)
        self.m.wait("two mails", lambda: len(set(self.m.mails("anna")) - before) == 2)

    def test_A10_content_before_354(self):
        c = self.session()
        self.assertEqual(c.cmd("MAIL FROM:<a@client.example>")[0], 250)
        self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 250)
        c.send(b"DATA\r\nSubject: too early\r\n\r\nx\r\n.\r\n")
        self.assertEqual(c.reply()[0], 554)
        self.assertTrue(c.eof())

    def test_A15_header_and_body_split(self):
        for octets in (b"", b"no header at all\r\n", b"Subject: only a header\r\n", b"From x y\r\nbody\r\n",
                       b">From x\r\n", b"A: b\r\n \r\nC: d\r\n\r\nbody\r\n", b": nameless\r\n\r\nx\r\n"):
            with self.subTest(octets=octets):
                before = set(self.m.mails("anna"))
                c = self.session()
                self.begin(c)
                c.send(octets + b".\r\n")
                self.assertEqual(c.reply()[0], 250)
                self.m.wait("the mail", lambda: set(self.m.mails("anna")) - before)


class Reject(unittest.TestCase):
    def test_bare_lf_is_refused(self):
        m = Instance(self, main_cf={"smtpd_forbid_bare_newline": "reject", "mynetworks": "192.0.2.0/24"})
        m.user("anna")
        m.start()
        with m.raw() as c:
            c.reply()
            c.cmd("EHLO client.example")
            c.cmd("MAIL FROM:<a@client.example>")
            c.cmd("RCPT TO:<anna@example.test>")
            c.cmd("DATA")
            c.send(HEAD + b"bare\nline\r\n.\r\n")
            code, text = c.reply()
            self.assertEqual((code, text[:5]), (550, "5.5.2"))
            self.assertTrue(c.eof())
        m.wait_idle()
        self.assertEqual(m.mails("anna"), [])


main()
