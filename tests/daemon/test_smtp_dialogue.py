"""smtp against servers made of Python: what becomes of each recipient, in whose words, and the line in the log."""
import os, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from smtp_server import EHLO, HANG, SmtpServer, servers  # noqa: E402
from smtp_world import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402


class Dialogue(unittest.TestCase):
    def world(self, server, main_cf="", **kw):
        return SmtpWorld(self, f"smtp_tcp_port = {server.port}\n{main_cf}", one_host(server), **kw)

    def one(self, script, rcpts=("a@x.test",), main_cf="", **kw):
        self.s = SmtpServer(self, script)
        self.w = self.world(self.s, main_cf)
        return self.w.deliver(list(rcpts), **kw)

    def where(self):
        return "mx.x.test[127.0.0.1]"

    def test_delivered(self):
        r, = self.one({}, content=b"Subject: x\n\n.dot\n..\nend without")
        self.assertEqual((r.status, r.dsn, r.text), (DELIVERED, "2.0.0", "250 2.0.0 Ok: queued as TEST"))
        self.assertEqual((r.mta, r.diagnostic), ("mx.x.test", "250 2.0.0 Ok: queued as TEST"))
        self.assertEqual(self.s.taken(), [("from@here.test", ["a@x.test"])])
        self.assertEqual(self.s.mails[0].content, b"Subject: x\r\n\r\n.dot\r\n..\r\nend without\r\n")
        self.assertEqual(self.s.verbs()[:4], ["EHLO", "MAIL", "RCPT", "DATA"])
        self.assertEqual(self.s.commands[0], "EHLO mail.example.test")
        self.w.wait_log(f"{QID}: to=<a@x.test>, relay=mx.x.test[127.0.0.1]:{self.s.port}, delay=")
        self.w.wait_log("dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as TEST)")
        self.assertEqual(self.w.records(), 1)
        wait_for("QUIT", lambda: self.s.verbs()[-1] == "QUIT")

    def test_the_sender_of_reports(self):
        self.one({}, sender="")
        self.assertTrue(self.s.commands[1].startswith("MAIL FROM:<> SIZE="), self.s.commands)

    def test_generic_maps(self):
        """generic(5): envelope and header, not the body; the log keeps the addresses of the queue file."""
        maps = ("smtp_generic_maps = inline:{from@here.test=me@world.test, {a@x.test = other@y.test}, list=list@world.test}\n"
                "mydestination = here.test\n")
        head = b"From: Me <from@here.test>\nTo: a@x.test,\n list@here.test\nSubject: from@here.test\n"
        for body, end in ((b"\nTo: from@here.test\n.dot", b"\r\nTo: from@here.test\r\n.dot\r\n"), (b"", b""),
                          (b"\n" + b"x" * 70000 + b"\n\nTo: a@x.test\n", b"\r\n" + b"x" * 990 + b"\r\n")):
            r, = self.one({}, main_cf=maps + "smtp_line_length_limit = 990\n", content=head + body)
            self.assertEqual((r.status, r.dsn), (DELIVERED, "2.0.0"), r)
            self.assertEqual(self.s.taken(), [("me@world.test", ["other@y.test"])])
            want = (b"From: Me <me@world.test>\r\nTo: other@y.test,\r\n list@world.test\r\nSubject: from@here.test\r\n")
            self.assertEqual(self.s.mails[0].content[:len(want) + len(end)], want + end)
            self.w.wait_log(f"{QID}: to=<a@x.test>, relay=mx.x.test[127.0.0.1]")
        self.assertTrue(self.s.mails[0].content.endswith(b"\r\n\r\nTo: a@x.test\r\n"))
        r, = self.one({}, main_cf=maps, content=b"From: from@here.test\nX: " + b"y" * 200000 + b"\n\nbody\n")
        self.assertTrue(self.s.mails[0].content.startswith(b"From: me@world.test\r\nX: yyy"))
        self.assertTrue(self.s.mails[0].content.endswith(b"\r\n\r\nbody\r\n"))
        r, = self.one({}, main_cf=maps, content=b"\nFrom: from@here.test\n")
        self.assertEqual(self.s.mails[0].content, b"\r\nFrom: from@here.test\r\n")

        # with 8-bit parts encoded for a server that takes none
        mime = b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ncaf\xc3\xa9\n"
        r, = self.one({"EHLO": "250 mx.test"}, main_cf=maps, content=b"From: from@here.test\n" + mime)
        self.assertEqual((r.status, r.dsn), (DELIVERED, "2.0.0"), r)
        self.assertTrue(self.s.mails[0].content.startswith(b"From: me@world.test\r\nMIME-Version: 1.0\r\n"))
        self.assertTrue(self.s.mails[0].content.endswith(b"\r\n\r\ncaf=C3=A9\r\n"), self.s.mails[0].content)

    def test_a_generic_table_that_fails(self):
        r, = self.one({}, main_cf="smtp_generic_maps = regexp:/nonexistent/generic\n")
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.3.0"), r)
        self.assertEqual(self.s.commands, [], "no server was troubled")
        self.w.wait_log("smtp_generic_maps")

    def test_quoted(self):
        self.one({}, rcpts=["odd one@x.test", 'a"b@x.test'])
        self.assertEqual([c for c in self.s.commands if c.startswith("RCPT")],
                         ['RCPT TO:<"odd one"@x.test>', 'RCPT TO:<"a\\"b"@x.test>'])

    def test_each_recipient_has_its_own_reply(self):
        for ehlo in (EHLO, "250 mx.test"):
            r = self.one({"EHLO": ehlo, "RCPT": ["250 ok", "550 5.1.1 who?", "450 4.2.0 later", "250 ok"]},
                         rcpts=[f"u{i}@x.test" for i in range(4)])
            self.assertEqual([x.status for x in r], [DELIVERED, BOUNCED, DEFERRED, DELIVERED])
            self.assertEqual(r[1].text, f"host {self.where()} said: 550 5.1.1 who? (in reply to RCPT TO command)")
            self.assertEqual((r[1].dsn, r[1].mta, r[1].diagnostic), ("5.1.1", "mx.x.test", "550 5.1.1 who?"))
            self.assertEqual((r[2].dsn, r[2].diagnostic), ("4.2.0", "450 4.2.0 later"))
            self.assertEqual(self.s.taken(), [("from@here.test", ["u0@x.test", "u3@x.test"])])
            self.w.wait_log(f"{QID}: to=<u1@x.test>, relay={self.where()}:{self.s.port}, ")
            self.w.wait_log("dsn=5.1.1, status=bounced (host mx.x.test[127.0.0.1] said: 550 5.1.1 who? "
                            "(in reply to RCPT TO command))")
            self.assertEqual(self.w.suspend, "")

    def test_refused_at_each_stage(self):
        rows = [("MAIL", "MAIL FROM command"), ("RCPT", "RCPT TO command"), ("DATA", "DATA command"),
                (".", "end of DATA command")]
        replies = [("451-4.3.0 no\n451 4.3.0 not now", DEFERRED, "4.3.0"), ("554 never", BOUNCED, "5.0.0"),
                   ("550 4.7.1 never", BOUNCED, "5.0.0"), ("450 5.7.1 later", DEFERRED, "4.0.0")]
        for key, words in rows:
            for n, (reply, status, dsn) in enumerate(replies):
                r = self.one({"EHLO": EHLO if n % 2 else "250 mx.test", key: reply}, rcpts=["a@x.test", "b@x.test"])
                self.assertEqual([(x.status, x.dsn) for x in r], [(status, dsn)] * 2, (key, reply, r))
                text = reply.replace("\n", " ")
                self.assertEqual(r[0].text, f"host {self.where()} said: {text} (in reply to {words})")
                self.assertEqual(self.s.mails, [])

    def test_too_many_recipients_go_in_another_transaction(self):
        for ehlo in (EHLO, "250 mx.test"):
            def rcpt(session, line):
                return "250 ok" if len(session.mail.rcpts) < 3 else "452 4.5.3 too many recipients"
            r = self.one({"EHLO": ehlo, "RCPT": rcpt}, rcpts=[f"u{i}@x.test" for i in range(8)])
            self.assertEqual({x.status for x in r}, {DELIVERED})
            self.assertEqual([m[1] for m in self.s.taken()], [[f"u{i}@x.test" for i in g] for g in
                                                             ((0, 1, 2), (3, 4, 5), (6, 7))])
            self.assertEqual(self.s.sessions, 1)

    def test_452_for_everybody_is_a_wait(self):
        r = self.one({"RCPT": "452 4.3.1 no space"}, rcpts=["a@x.test", "b@x.test"])
        self.assertEqual([(x.status, x.dsn) for x in r], [(DEFERRED, "4.3.1")] * 2)

    def test_size_is_known_before(self):
        r, = self.one({"EHLO": "250-mx.test\n250 SIZE 1000"}, content=b"x" * 1200 + b"\n")
        self.assertEqual((r.status, r.dsn), (BOUNCED, "5.3.4"))
        self.assertEqual(r.text, f"message size 1202 exceeds size limit 1000 of server {self.where()}")
        self.assertNotIn("MAIL", self.s.verbs())

    def test_helo_when_ehlo_is_refused(self):
        r, = self.one({"EHLO": "502 5.5.1 what?"})
        self.assertEqual(r.status, DELIVERED)
        self.assertEqual(self.s.verbs()[:3], ["EHLO", "HELO", "MAIL"])
        self.assertEqual(self.s.commands[2], "MAIL FROM:<from@here.test>")

    def test_ehlo_parameters(self):
        for main_cf, greeting, verb in (
                ("smtp_always_send_ehlo = no", "220 mx.test SMTP", "HELO"),
                ("smtp_always_send_ehlo = no", "220 mx.test ESMTP", "EHLO"),
                ("smtp_never_send_ehlo = yes", "220 mx.test ESMTP", "HELO")):
            self.one({"connect": greeting}, main_cf=main_cf + "\nsmtp_helo_name = me.test")
            self.assertEqual(self.s.commands[0], f"{verb} me.test")

    def test_discarded_extensions(self):
        self.one({}, main_cf="smtp_discard_ehlo_keywords = size, dsn, pipelining, nonsense", originals=["b@x.test"])
        self.assertEqual(self.s.commands[1:3], ["MAIL FROM:<from@here.test>", "RCPT TO:<a@x.test>"])
        self.w.wait_log('smtp_discard_ehlo_keywords: "nonsense" is no extension that is known here')

    def test_server_that_does_not_want_to_talk(self):
        for key, reply, dsn in (("connect", "421 4.7.0 busy", "4.7.0"), ("connect", "554 5.7.1 go away", "4.7.1"),
                                ("EHLO", "421 busy", "4.0.0"), ("HELO", "550 no", "5.0.0")):
            script = {key: reply}
            if key == "HELO":
                script["EHLO"] = "500 what?"
            r, = self.one(script)
            self.assertEqual((r.status, r.dsn), (BOUNCED if dsn[0] == "5" else DEFERRED, dsn), reply)
            self.assertEqual(r.text, f"host {self.where()} refused to talk to me: {reply}")
            self.assertEqual(bool(self.w.suspend), dsn[0] == "4")

    def test_a_5xx_greeting_may_count(self):
        r, = self.one({"connect": "554 5.7.1 go away"}, main_cf="smtp_skip_5xx_greeting = no")
        self.assertEqual((r.status, r.dsn), (BOUNCED, "5.7.1"))

    def test_connection_refused(self):
        s = SmtpServer(self)
        w = self.world(s)
        s.close()
        r, = w.deliver(["a@x.test"])
        text = f"connect to mx.x.test[127.0.0.1]:{s.port}: Connection refused"
        self.assertEqual((r.status, r.dsn, r.text), (DEFERRED, "4.4.1", text))
        self.assertEqual(w.suspend, "4.4.1 " + text)
        w.wait_log("relay=none, ")

    def test_dropped_at_each_stage(self):
        rows = [("connect", "receiving the initial server greeting"), ("EHLO", "performing the EHLO handshake"),
                ("MAIL", "sending MAIL FROM"), ("RCPT", "sending RCPT TO"), ("DATA", "sending DATA command"),
                (".", "sending end of data -- message may be sent more than once")]
        for key, words in rows:
            r = self.one({key: None}, rcpts=["a@x.test", "b@x.test"])
            text = f"lost connection with {self.where()} while {words}"
            self.assertEqual([(x.status, x.dsn, x.text) for x in r], [(DEFERRED, "4.4.2", text)] * 2)
            self.assertTrue(self.w.suspend.startswith("4.4.2 "))

    def test_hanging_at_each_stage(self):
        rows = [("connect", "helo", "receiving the initial server greeting"),
                ("EHLO", "helo", "performing the EHLO handshake"),
                ("MAIL", "mail", "sending MAIL FROM"), ("RCPT", "rcpt", "sending RCPT TO"),
                ("DATA", "data_init", "sending DATA command"),
                (".", "data_done", "sending end of data -- message may be sent more than once")]
        for key, parameter, words in rows:
            r, = self.one({key: HANG}, main_cf=f"smtp_{parameter}_timeout = 1s")
            self.assertEqual((r.status, r.dsn, r.text),
                             (DEFERRED, "4.4.2", f"conversation with {self.where()} timed out while {words}"))

    def test_qmgr_does_not_wait_for_ever(self):
        """It asks another agent after ipc_timeout: by then this one has its result, and sends no dot that it cannot await."""
        r, = self.one({".": HANG}, main_cf="ipc_timeout = 2s")
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.4.2"), r)
        self.assertIn("timed out while sending end of data", r.text)

        def late(session, line):
            wait_for("more than half of ipc_timeout", lambda: time.monotonic() > begin + 2.2)
            return "250 ok" if line.startswith("RCPT") else "354 go on"
        for script in ({"DATA": late}, {"RCPT": late, "EHLO": "250 mx.test"}):
            begin = time.monotonic()
            r, = self.one(script, main_cf="ipc_timeout = 4s")
            self.assertEqual((r.status, r.dsn), (DEFERRED, "4.4.2"), (script, r))
            self.assertEqual(self.s.mails, [])

    def test_a_mail_whose_qmgr_is_gone(self):
        """The next qmgr gives it again and does not see what this session does: no dot, and no other server."""
        self.s, other = servers(self, [{}, {}])
        w, qmgr = SmtpWorld(self, f"smtp_tcp_port = {self.s.port}\n", hosts([self.s, other])), []

        def data(session, line):
            wait_for("the request was sent", lambda: qmgr)
            qmgr.pop().close()
            return "354 go on"
        self.s.script["DATA"] = data
        qmgr.append(w.request(["a@x.test"], "x.test"))
        w.wait_log("status=deferred (local data error while talking to mx1.x.test[127.0.0.2]: the queue manager")
        self.assertEqual((self.s.mails, other.sessions), ([], 0))

    def test_every_cut_of_a_session(self):
        """The server's side of a session is cut after each of its octets: the mail is delivered or waits."""
        whole = SmtpServer(self)
        w = self.world(whole)
        w.deliver(["a@x.test", "b@x.test"])
        length = sum(len(l) + 2 for l in ("220 mx.test ESMTP\n" + EHLO + "\n250 2.1.0 ok\n250 2.1.5 ok\n250 2.1.5 ok\n"
                                          "354 go on\n250 2.0.0 Ok: queued as TEST").split("\n"))
        for n in range(length + 1):
            whole.drop_after, before = n, len(whole.mails)
            r = w.deliver(["a@x.test", "b@x.test"])
            want = DELIVERED if n >= length else DEFERRED
            self.assertEqual([x.status for x in r], [want] * 2, n)
            if want == DELIVERED:
                self.assertEqual(len(whole.mails), before + 1)

    def test_absurd_replies(self):
        rows = {
            b"\0\xff\x01\r\n": "4.5.0", b"hello\r\n": "4.5.0", b"99 x\r\n": "4.5.0", b"650 x\r\n": "4.5.0",
            b"250-a\r\n550 b\r\n": "4.5.0", b"250-" + b"x" * 100000 + b"\r\n250 ok\r\n": None,
            b"250-" + b"y" * 500000: "4.5.0", b"250-a\r\n250 " + b"z" * 500000: "4.5.0",
            b"250-x\r\n" * 300 + b"250 ok\r\n": "4.5.0", b"\r\n": "4.5.0", b"250" + b"y" * 500000: "4.5.0",
            b"2500\r\n": "4.5.0", b"250\r\n": None, b"250 ok\n": None, b"150 x\r\n": "4.5.0"}
        for octets, dsn in rows.items():
            r, = self.one({"MAIL": octets})
            self.assertEqual((r.status, r.dsn), (DEFERRED, dsn) if dsn else (DELIVERED, "2.0.0"), octets[:20])
            self.assertLess(len(r.text), 1000)
        r, = self.one({"RCPT": b"550 5.1.1 bad\x1b[2J\x00\xc3\x28 \xe2\x82\xac name\r\n"})
        self.assertEqual((r.status, r.dsn), (BOUNCED, "5.1.1"))
        self.assertNotIn("\x1b", r.text + r.diagnostic)
        self.w.wait_log("status=bounced (host mx.x.test[127.0.0.1] said: 550 5.1.1 bad?[2J")

        r, = self.one({"MAIL": b"250-" + b"y" * 500000})
        self.assertEqual(r.text, f"Protocol error: host {self.where()} sent \"a line without an end\", which is no reply, "
                         "while sending MAIL FROM")

    def test_a_reply_that_nobody_asked_for(self):
        """What is there before a command, or before the dot, is no reply to it: the mail waits, nobody is judged by it."""
        slow = {"EHLO": "250 mx.test"}
        for script in ({"DATA": b"354 go on\r\n250 2.0.0 queued\r\n", ".": "554 5.7.1 spam"},
                       {"MAIL": b"250 ok\r\n250 ok\r\n", "RCPT": ["250 ok", "550 5.1.1 who?"], **slow},
                       {"RCPT": [b"250 ok\r\n550 5.1.1 who?\r\n", "250 ok"], **slow}):
            r = self.one(script, rcpts=["a@x.test", "b@x.test"])
            self.assertEqual([(x.status, x.dsn) for x in r], [(DEFERRED, "4.5.0")] * 2, (script, r))
            self.assertIn("which no command asked for", r[0].text)
            self.assertEqual(self.s.mails, [])
        # but a server that is about to leave may say so at any time (RFC 5321 3.8)
        r, = self.one({"RCPT": b"550 5.1.1 who?\r\n421 4.3.2 bye\r\n", **slow})
        self.assertEqual((r.status, r.dsn), (BOUNCED, "5.1.1"), r)

    def test_a_server_that_speaks_before_the_dot(self):
        """It gets no dot: a refusal counts, anything else makes the mail wait; another server may have it."""
        big = (b"y" * 70 + b"\n") * 300000  # more than socket buffers hold
        for words, status, dsn in ((b"250 2.0.0 queued", DEFERRED, "4.4.2"), (b"451 4.3.0 busy", DEFERRED, "4.3.0"),
                                   (b"552 5.3.4 too large", BOUNCED, "5.3.4")):
            def data(session, line):
                session.write(b"354 go on\r\n")
                while len(session.buf) < 100000:
                    session.read()
                session.write(words + b"\r\n")
                session.last = session.mail
                session.content()
                session.keep(session.last)
                return "250 2.0.0 queued"
            r, = self.one({"EHLO": "250 mx.test", "DATA": data}, content=big)
            self.assertEqual((r.status, r.dsn), (status, dsn), (words, r))
            self.assertEqual(self.s.mails, [])

    def test_no_line_of_a_command_is_made_by_an_address(self):
        """Also without smtp_quote_rfc821_envelope."""
        for quote in ("yes", "no"):
            self.one({}, rcpts=["a>\r\nRCPT TO:<evil@y.test", "b\0\n@x.test"], sender="f\r\nRSET\r\n@here.test",
                     main_cf=f"smtp_quote_rfc821_envelope = {quote}\n")
            self.assertEqual(self.s.verbs()[:5], ["EHLO", "MAIL", "RCPT", "RCPT", "DATA"], self.s.commands)
            self.assertIn("evil", self.s.commands[2])

    def test_354_without_recipients(self):
        r, = self.one({"RCPT": "550 5.1.1 no", "DATA": "354 go on"})
        self.assertEqual((r.status, r.dsn), (BOUNCED, "5.1.1"))
        self.assertEqual(self.s.mails, [])
        wait_for("the session ends in order", lambda: self.s.verbs()[-1] == "QUIT")

    def test_refused_in_the_middle_of_the_content(self):
        """A server that says 552 and closes while the content comes."""
        def data(session, line):
            session.write(b"354 go on\r\n")
            while len(session.buf) < 100000:
                session.read()
            session.write(b"552 5.3.4 too large\r\n")
            session.sock.shutdown(1)
            while True:
                session.read()
        r, = self.one({"EHLO": "250 mx.test", "DATA": data}, content=(b"y" * 70 + b"\n") * 300000)
        self.assertEqual((r.status, r.dsn, r.diagnostic), (BOUNCED, "5.3.4", "552 5.3.4 too large"), r)

    def test_large_content_arrives_whole(self):
        content = b"Subject: large\n\n" + b"".join(b".%07d %s\n" % (i, b"x" * (i % 70)) for i in range(40000))
        r, = self.one({}, content=content, pad=256)
        self.assertEqual(r.status, DELIVERED)
        self.assertEqual(self.s.mails[0].content, content.replace(b"\n", b"\r\n"))

    def test_servers_that_do_not_read(self):
        """One that stops to read is left after smtp_data_xfer_timeout; one that is slow, as smtp_per_request_deadline says."""
        import threading
        pace = threading.Event()
        self.addCleanup(pace.set)

        def stop(session, line):
            session.write(b"354 go on\r\n")
            pace.wait(60)
            return None

        def slow(session, line):
            session.write(b"354 go on\r\n")
            while b"\r\n.\r\n" not in session.buf[-5:]:
                session.buf = session.buf[-5:]
                pace.wait(0.02)
                session.read()
            session.buf = b""
            session.write(b"250 ok\r\n")
            return b""
        big = (b"y" * 70 + b"\n") * 150000
        text = f"conversation with {self.where()} timed out while sending message body"
        r, = self.one({"EHLO": "250 mx.test", "DATA": stop}, content=big, main_cf="smtp_data_xfer_timeout = 1s")
        self.assertEqual((r.status, r.dsn, r.text), (DEFERRED, "4.4.2", text))
        rate = "smtp_data_xfer_timeout = %ds\nsmtp_min_data_rate = 1000000000\nsmtp_per_request_deadline = "
        r, = self.one({"EHLO": "250 mx.test", "DATA": slow}, content=big, main_cf=rate % 1 + "yes")
        self.assertEqual((r.status, r.dsn, r.text), (DEFERRED, "4.4.2", text))
        r, = self.one({"EHLO": "250 mx.test", "DATA": slow}, content=big, main_cf=rate % 30 + "no")
        self.assertEqual(r.status, DELIVERED)

    def test_long_lines_are_broken(self):
        content = b"Subject: x\n\n" + b"a" * 998 + b"\n" + b"b" * 999 + b"\n"
        self.one({}, content=content)
        self.assertEqual(self.s.mails[0].content.split(b"\r\n")[2:], [b"a" * 998, b"b" * 998, b" b", b""])
        self.one({}, content=content, main_cf="smtp_line_length_limit = 0")
        self.assertEqual(self.s.mails[0].content, content.replace(b"\n", b"\r\n"))

    def test_eight_bits(self):
        """BODY=8BITMIME where it is offered; else parts that say 8bit are converted, and nothing else is touched."""
        mime = "Subject: x\nContent-Transfer-Encoding: 8bit\n\ncaf\u00e9 \n".encode()
        bare = "Subject: x\n\ncaf\u00e9\n".encode()
        self.one({}, content=mime)
        self.assertIn(" BODY=8BITMIME", self.s.commands[1])
        self.assertEqual(self.s.mails[0].content, mime.replace(b"\n", b"\r\n"))
        self.one({}, content=b"Subject: x\n\nascii\n", body_type="8BITMIME")
        self.assertNotIn("BODY", self.s.commands[1])
        for main_cf, content, want in (
                ("", mime, b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9=20\r\n"),
                ("", bare, bare.replace(b"\n", b"\r\n")),
                ("disable_mime_output_conversion = yes", mime, mime.replace(b"\n", b"\r\n"))):
            self.one({"EHLO": "250 mx.test"}, content=content, main_cf=main_cf)
            self.assertNotIn("BODY", self.s.commands[1])
            self.assertEqual(self.s.mails[0].content, want)
        big = b"Content-Transfer-Encoding: 8bit\n\n" + (".\u00e9" * 30 + "\n").encode() * 20000
        self.one({"EHLO": "250 mx.test"}, content=big)
        import quopri
        self.assertEqual(quopri.decodestring(self.s.mails[0].content.split(b"\r\n\r\n", 1)[1]).replace(b"\r\n", b"\n"),
                         big.split(b"\n\n", 1)[1])
        self.assertLessEqual(max(map(len, self.s.mails[0].content.split(b"\r\n"))), 76)

    def test_smtputf8(self):
        address = "j\u00fcrgen@x.test"
        self.one({}, rcpts=[address])
        self.assertIn(" SMTPUTF8", self.s.commands[1])
        self.assertEqual(self.s.taken()[0][1], [address])
        self.one({}, smtputf8=True)
        self.assertIn(" SMTPUTF8", self.s.commands[1])
        self.one({})
        self.assertNotIn("SMTPUTF8", self.s.commands[1])
        for kw in ({"rcpts": [address]}, {"smtputf8": True}, {"sender": address}):
            r, = self.one({"EHLO": "250 mx.test"}, **kw)
            self.assertEqual((r.status, r.dsn), (BOUNCED, "5.6.7"))
            self.assertEqual(r.text, f"SMTPUTF8 is required, but was not offered by host {self.where()}")
            self.assertNotIn("MAIL", self.s.verbs())

    def test_domain_with_umlauts(self):
        s = SmtpServer(self)
        w = SmtpWorld(self, f"smtp_tcp_port = {s.port}", one_host(s, "xn--mller-kva.test"))
        self.assertEqual(w.deliver(["a@m\u00fcller.test"], "m\u00fcller.test")[0].status, DELIVERED)

    def test_dsn(self):
        """RET, ENVID, NOTIFY and ORCPT pass on, and who has to report success is said."""
        kw = dict(rcpts=["a@x.test", "b@x.test"], notify=[2 | 8, 1], orcpts=["rfc822;first one@x.test", ""],
                  originals=["", "o@x.test"], envid="boat 1", ret=2)
        r = self.one({}, **kw)
        self.assertTrue(self.s.commands[1].endswith(" RET=HDRS ENVID=boat+201"), self.s.commands)
        self.assertEqual(self.s.commands[2:4], ["RCPT TO:<a@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+20one@x.test",
                                                "RCPT TO:<b@x.test> NOTIFY=NEVER ORCPT=rfc822;o@x.test"])
        self.assertEqual([x.action for x in r], [3, 3])
        r = self.one({"EHLO": "250 mx.test"}, **kw)
        self.assertEqual(self.s.commands[1:4], ["MAIL FROM:<from@here.test>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>"])
        self.assertEqual([x.action for x in r], [1, 1])

    def test_thousand_recipients_pipelined(self):
        rcpts = [f"user-with-a-long-name-{i}@x.test" for i in range(1000)]
        r = self.one({"RCPT": "250 2.1.5 " + "long " * 80}, rcpts=rcpts)
        self.assertEqual({x.status for x in r}, {DELIVERED})
        self.assertEqual(self.s.taken()[0][1], rcpts)


if __name__ == "__main__":
    main()
