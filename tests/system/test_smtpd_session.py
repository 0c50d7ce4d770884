"""Rows D01-D08, D11-D13, D15 and the state model D05: what a client may send when."""
import itertools, os, random, socket, unittest
from instance import Instance, main


class Session(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.m = Instance(main_cf={"smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0"})
        cls.addClassCleanup(cls.m.close)
        cls.m.user("anna")
        cls.m.start()

    def raw(self, greet=True, ehlo=True):
        c = self.m.raw()
        self.addCleanup(c.close)
        if greet:
            code, text = c.reply()
            self.assertEqual(code, 220)
            self.assertRegex(text, r"^\S+ ESMTP")
        if greet and ehlo:
            code, self.offer = c.cmd("EHLO client.example")
            self.assertEqual(code, 250)
        return c

    def test_offer(self):
        self.raw()
        lines = self.offer.split("\n")[1:]
        self.assertEqual([l.split()[0] for l in lines],
                         ["PIPELINING", "SIZE", "VRFY", "STARTTLS", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8"])

    def test_plain_answers(self):
        c = self.raw()
        for cmd, code, dsn in (("NOOP", 250, "2.0.0"), ("RSET", 250, "2.0.0"), ("HELP", 214, "2.0.0"),
                               ("EXPN staff", 502, "5.5.1"), ("VERB", 502, "5.5.1"), ("ETRN x.example", 458, "4.0.0"),
                               ("VRFY anna@example.test", 252, "2.0.0"), ("VRFY nobody-here@example.test", 550, "5.1.1"),
                               ("XYZZY", 500, "5.5.2"), ("STARTTLS x", 501, "5.5.4"), ("AUTH PLAIN", 502, "5.5.1"),
                               ("BDAT 1 LAST", 502, "5.5.1"), ("QUIT", 221, "2.0.0")):
            with self.subTest(cmd=cmd):
                got, text = c.cmd(cmd)
                self.assertEqual((got, text[:5]), (code, dsn))
        self.assertTrue(c.eof())

    def test_D01_talks_first(self):
        c = socket.create_connection(("127.0.0.1", self.m.port("smtp")), 30)
        self.addCleanup(c.close)
        c.sendall(b"EHLO early.example\r\n")
        reply = b""
        while True:
            more = c.recv(4096)
            if not more:
                break
            reply += more
            if reply.startswith(b"220"):
                break   # the greeting was quicker than our segment: nothing to see
        self.assertIn(reply[:3], (b"554", b"220"))

    def test_D02_pipelining_out_of_turn(self):
        for first in (b"HELO x\r\nMAIL FROM:<>\r\n", b"EHLO x\r\nMAIL FROM:<>\r\n", b"NOOP\r\nNOOP\r\n"):
            with self.subTest(first=first):
                c = self.raw(ehlo=False)
                c.send(first)
                self.assertEqual(c.reply()[0], 554)
                self.assertTrue(c.eof())
        self.m.wait_log("improper command pipelining after EHLO from ")

    def test_D03_long_lines(self):
        c = self.raw()
        for n, want in ((500, 500), (2040, 500), (2049, 500), (100000, 500)):
            self.assertEqual(c.cmd("X" * n)[0], want)
        self.assertEqual(c.cmd("NOOP")[0], 250)      # still in step
        c = self.raw()
        try:
            for _ in range(200):
                c.send(b"X" * 65536)
            code = c.reply()[0]
        except (BrokenPipeError, ConnectionResetError):
            code = 421
        self.assertEqual(code, 421)

    def test_D04_octets(self):
        c = self.raw()
        for cmd in (b"NOOP\0\r\n", b"NO\rOP\r\n", b"\x1b[A\r\n", b"\xff\xf4\r\n", b"EHLO \0\r\n", b"EHLO " + b"x" * 1900 + b"\r\n",
                    b"EHLO a b [c\r\n", b"\xc3\xa4\r\n", b"\r\n"):
            with self.subTest(cmd=cmd):
                c.send(cmd)
                self.assertIn(c.reply()[0], (250, 500, 501))
        self.m.wait_log("disconnect from", count=0)
        self.assertNotIn("\x1b", self.m.log())

    def test_D05_state_model(self):
        """Every sequence of up to 3 commands, and a seeded sample of longer ones, against a reference model."""
        seed = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))
        print("seed", seed)
        rnd = random.Random(seed)
        words = ["EHLO", "HELO", "MAIL", "RCPT", "BADRCPT", "DATA", "RSET", "NOOP", "VRFY", "ETRN"]
        text = {"EHLO": "EHLO c.example", "HELO": "HELO c.example", "MAIL": "MAIL FROM:<a@c.example>",
                "RCPT": "RCPT TO:<anna@example.test>", "BADRCPT": "RCPT TO:<nobody-here@example.test>",
                "VRFY": "VRFY anna@example.test", "ETRN": "ETRN x.example"}
        seqs = [s for n in (1, 2, 3) for s in itertools.product(words, repeat=n)]
        seqs = rnd.sample(seqs, 250) + [[rnd.choice(words) for _ in range(rnd.randrange(4, 9))] for _ in range(150)]
        for seq in seqs:
            c = self.raw(ehlo=False)
            mail, ok, tried, junk = False, 0, 0, 0
            for w in seq:
                if w in ("EHLO", "HELO", "RSET"):
                    want, mail, ok, tried = 250, False, 0, 0
                elif w == "MAIL":
                    want = 503 if mail else 250
                    mail = True
                elif w in ("RCPT", "BADRCPT"):
                    want = 503 if not mail else 250 if w == "RCPT" else 550
                    tried += mail
                    ok += mail and w == "RCPT"
                elif w == "DATA":
                    want = 354 if ok else 554 if tried else 503
                else:
                    want = {"NOOP": 250, "VRFY": 252, "ETRN": 458}[w]
                code, line = c.cmd(text.get(w, w))
                self.assertEqual(code, want, f"{seq}: {w}: {line}")
                if want == 354:
                    c.send(b"Subject: model\r\n\r\nx\r\n.\r\n")
                    self.assertEqual(c.reply()[0], 250)
                    mail, ok, tried = False, 0, 0
            c.close()

    def test_D06_state_after_a_refused_end(self):
        c = self.raw()
        c.cmd("MAIL FROM:<a@c.example>")
        c.cmd("RCPT TO:<anna@example.test>")
        c.cmd("DATA")
        c.send(b"Received: x\r\n" * 60 + b"\r\nloop\r\n.\r\n")       # hopcount_limit
        self.assertEqual(c.reply()[0], 554)
        self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 503)
        self.assertEqual(c.cmd("DATA")[0], 503)

    def test_D07_junk(self):
        for cmd, most in (("NOOP", 130), ("XYZZY", 25), ("VRFY anna@example.test", 130)):
            with self.subTest(cmd=cmd):
                c = self.raw()
                codes = []
                try:
                    for _ in range(most):
                        codes.append(c.cmd(cmd)[0])
                except (EOFError, ConnectionResetError, BrokenPipeError):
                    pass
                self.assertEqual(codes[-1], 421)
        self.m.wait_log("too many errors after UNKNOWN from ")

    def test_D08_recipients(self):
        c = self.raw()
        c.cmd("MAIL FROM:<a@c.example>")
        good = sum(c.cmd("RCPT TO:<anna@example.test>")[0] == 250 for _ in range(1000))
        self.assertEqual(good, 1000)
        code, text = c.cmd("RCPT TO:<anna@example.test>")
        self.assertEqual((code, text[:5]), (452, "4.5.3"))
        c.cmd("DATA")
        c.send(b"Subject: many\r\n\r\nx\r\n.\r\n")
        self.assertEqual(c.reply()[0], 250)

    def test_D11_hang_up_at_every_octet(self):
        dialogue = (b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<anna@example.test>\r\nDATA\r\n"
                    b"Subject: cut\r\n\r\nx\r\n.\r\n")
        for cut in range(0, len(dialogue) - 1, 3):
            s = socket.create_connection(("127.0.0.1", self.m.port("smtp")), 30)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.sendall(dialogue[:cut])
            s.close()                                         # RST
        self.m.wait("no queue file left", lambda: not self.m.queue("incoming"))
        with self.m.smtp() as s:
            s.noop()

    def test_D12_never_reads(self):
        s = socket.create_connection(("127.0.0.1", self.m.port("smtp")), 5)
        self.addCleanup(s.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(5)
        try:
            s.sendall(b"EHLO x\r\n")
            for _ in range(64):
                s.sendall(b"RSET\r\n" * 4096)
        except OSError:
            pass
        with self.m.smtp() as other:                           # others are served meanwhile
            self.assertEqual(other.noop()[0], 250)

    def test_D14_not_here(self):
        c = self.raw()
        for cmd in ("XCLIENT ADDR=192.0.2.1", "XFORWARD NAME=x", "PROXY TCP4 1.2.3.4 1.2.3.4 1 25"):
            self.assertIn(c.cmd(cmd)[0], (500, 502))
        c = self.raw(ehlo=False)
        self.assertEqual(c.cmd("GET / HTTP/1.1")[0], 221)
        self.assertTrue(c.eof())

    def test_D15_parameters(self):
        c = self.raw()
        for args, codes in (("SIZE=-1", (501,)), ("SIZE=x", (501,)), ("SIZE=99999999999999999999", (501, 552)),
                            ("SIZE=999999999999", (552,)), ("SIZE=1 SIZE=1", (501,)), ("BODY=x", (501, 555)),
                            ("FOO=bar", (555,)), ("RET=x", (501,)), ("RET=FULL", (250,)), ("SIZE=100 BODY=8BITMIME", (250,)),
                            ("BODY=8BITMIME SMTPUTF8", (250,))):
            with self.subTest(args=args):
                self.assertIn(c.cmd("MAIL FROM:<a@c.example> " + args)[0], codes)
                c.cmd("RSET")

    def test_limits_of_size(self):
        m = Instance(self, main_cf={"message_size_limit": "10000"})
        m.user("anna")
        m.start()
        for n, want in ((9000, 250), (10000, 552), (300000, 552)):
            with self.subTest(n=n), m.raw() as c:
                c.reply()
                c.cmd("EHLO c.example")
                c.cmd("MAIL FROM:<a@c.example>")
                c.cmd("RCPT TO:<anna@example.test>")
                c.cmd("DATA")
                c.send(b"Subject: size\r\n\r\n" + b"y" * 70 + b"\r\n" + b"x" * (n - 100) + b"\r\n.\r\n" if n < 10000 else
                       b"Subject: size\r\n\r\n" + b"x" * n + b"\r\n.\r\n")
                self.assertEqual(c.reply()[0], want)
                self.assertEqual(c.cmd("NOOP")[0], 250)


class Timeouts(unittest.TestCase):
    def test_D09_slow_clients(self):
        m = Instance(self, main_cf={"smtpd_timeout": "2s"})
        m.user("anna")
        m.start()
        with m.raw() as c:                                     # says nothing
            c.reply()
            code, text = c.reply()
            self.assertEqual((code, text[:5]), (421, "4.4.2"))
            self.assertTrue(c.eof())
        with m.raw() as c:                                     # falls silent within DATA
            c.reply()
            c.cmd("EHLO c.example")
            c.cmd("MAIL FROM:<a@c.example>")
            c.cmd("RCPT TO:<anna@example.test>")
            c.cmd("DATA")
            c.send(b"Subject: x\r\n")
            self.assertEqual(c.reply()[0], 421)
        m.wait_log("timeout after DATA")
        m.wait("no queue file left", lambda: not m.queue())

    def test_D10_connections_of_one_client(self):
        m = Instance(self, main_cf={"smtpd_client_connection_count_limit": "5",
                                    "smtpd_client_event_limit_exceptions": ""})
        m.start()
        held = [m.raw() for _ in range(5)]
        for c in held:
            self.addCleanup(c.close)
            self.assertEqual(c.reply()[0], 220)
        with m.raw() as c:
            code, text = c.reply()
            self.assertEqual((code, text[:5]), (421, "4.7.0"))
        held.pop().close()
        def served():
            with m.raw() as c:
                return c.reply()[0] == 220
        m.wait("room again", served)


main()
