"""TLS of smtpd: rows C01, C04, C05, C10-C18 of the catalogue (the server's side), parameters, peers of Debian."""
import os, re, shutil, socket, ssl, subprocess, threading, time, unittest
from instance import Instance, main, wait_for
from tls_client import Authority, TlsRaw, context, fingerprint, install, openssl, versions

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
# further services of one instance, by names that master knows a port for
SMTPD = "{name} inet n - n - - smtpd\n{options}"


def service(name, *options):
    return SMTPD.format(name=name, options="".join(f"  -o {o}\n" for o in options))


def make(test, main_cf=None, master_cf="", prepare=None):
    m = Instance(main_cf={"smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0",
                          "smtpd_hard_error_limit": "1000", "smtpd_junk_command_limit": "10000",
                          "smtpd_client_event_limit_exceptions": "static:all", **(main_cf or {})},
                 master_cf=master_cf)
    test.addClassCleanup(m.close) if isinstance(test, type) else test.addCleanup(m.close)
    if prepare:
        prepare(m)
    m.user("anna")
    m.start()
    return m


def mail(c, body="hello", name="client.example"):
    """One mail over what C is now; the reply to its end."""
    assert c.cmd("EHLO " + name)[0] == 250
    assert c.cmd("MAIL FROM:<bob@client.example>")[0] == 250
    assert c.cmd("RCPT TO:<anna@example.test>")[0] == 250
    assert c.cmd("DATA")[0] == 354
    return c.cmd(f"Subject: tls\r\n\r\n{body}\r\n.")


class Base(unittest.TestCase):
    def raw(self, svc="smtp", ehlo=True, **kw):
        c = TlsRaw(self.m.port(svc), **kw)
        self.addCleanup(c.close)
        self.assertEqual(c.reply()[0], 220)
        if ehlo:
            code, self.offer = c.cmd("EHLO client.example")
            self.assertEqual(code, 250)
        return c

    def secure(self, svc="smtp", **kw):
        c = self.raw(svc)
        c.starttls(**kw)
        return c

    def words(self):
        return [l.split()[0] for l in self.offer.split("\n")[1:]]

    def alive(self):
        self.assertEqual(self.raw().cmd("NOOP")[0], 250)


class Server(Base):
    @classmethod
    def setUpClass(cls):
        versions()
        cls.m = make(cls, {"smtpd_starttls_timeout": "2s"},
                     service("smtps", "smtpd_forbid_unauth_pipelining=no") +
                     service("lmtp", "smtpd_tls_security_level=encrypt", "smtpd_tls_mandatory_protocols=<=TLSv1.2",
                             "smtpd_tls_mandatory_ciphers=high", "tls_high_cipherlist=ECDHE+AESGCM:ECDHE+CHACHA20",
                             "smtpd_tls_mandatory_exclude_ciphers=AES128", "smtpd_tls_eecdh_grade=ultra",
                             "tls_eecdh_ultra_curve=secp384r1", "tls_preempt_cipherlist=yes",
                             "tls_ssl_options=NO_ENCRYPT_THEN_MAC", "smtpd_tls_session_cache_timeout=0"))

    def test_offer_and_forget(self):
        """C04: after TLS the session is a new one."""
        c = self.raw()
        self.assertIn("STARTTLS", self.words())
        c.starttls()
        self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 503)
        self.assertEqual(c.cmd("DATA")[0], 503)
        code, self.offer = c.cmd("EHLO inside.example")
        self.assertNotIn("STARTTLS", self.words())
        self.assertEqual(mail(c, name="inside.example")[0], 250)
        # a name that was given in clear is nothing any more
        c = self.secure()
        self.assertEqual(c.cmd("MAIL FROM:<bob@client.example>")[0], 250)
        self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 250)
        self.assertEqual(c.cmd("DATA")[0], 354)
        self.assertEqual(c.cmd("Subject: no greeting\r\n\r\nx\r\n.")[0], 250)
        texts = []

        def came(word):
            texts[:] = [t for t in (open(p).read() for p in self.m.mails("anna")) if word in t]
            return texts
        bare = self.m.wait("the mail without a greeting", lambda: came("no greeting"))[0]
        self.assertNotIn("client.example (", bare)
        inside = self.m.wait("the other mail", lambda: came("inside.example"))[0]
        received = inside[inside.index("Received: from inside.example"):inside.index("; ")]
        self.assertRegex(received, r"\(using TLSv1\.3 with cipher TLS_\w+ \(\d+/\d+ bits\)\s+key-exchange \S+"
                                   r".*server-signature ECDSA \(P-256\) server-digest SHA256\)")
        self.assertIn("(No client certificate requested)", received)
        self.assertRegex(received, r"with ESMTPS id ")
        self.m.wait_log(r"Anonymous TLS connection established from \S+\[127\.0\.0\.1\]: TLSv1\.3 with cipher "
                        r"TLS_\w+ \(\d+/\d+ bits\) key-exchange \S+( \(\S+\))? server-signature ECDSA \(P-256\) "
                        r"server-digest SHA256$")

    def test_C01_injected(self):
        for rest in ("EHLO evil.example\r\n", "RSET\r\n", "NOOP\r\nMAIL FROM:<evil@x.example>\r\n"):
            with self.subTest(rest=rest):
                c = self.raw()
                c.send("STARTTLS\r\n" + rest)
                self.assertEqual(c.reply()[0], 554)     # out of step: the session ends in clear
                self.assertTrue(c.eof())
        # without that rule the octets are dropped, and nothing answers them inside TLS
        c = self.raw("smtps")
        c.send("STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@x.example>\r\n")
        self.assertEqual(c.reply()[0], 220)
        c.wrap()
        self.assertEqual(c.cmd("RCPT TO:<anna@example.test>")[0], 503)
        self.assertEqual(c.cmd("NOOP")[0], 250)
        self.m.wait_log(r"octets that came before TLS are dropped")

    def test_C01_second_segment(self):
        """What comes in clear after STARTTLS, in a segment of its own, is no handshake."""
        for first in (b"EHLO evil.example\r\n", b"\r\n", b"QUIT\r\n" * 50):
            with self.subTest(first=first):
                c = self.raw()
                self.assertEqual(c.cmd("STARTTLS")[0], 220)
                c.s.sendall(first)
                left = b""
                try:
                    c.s.settimeout(20)
                    while (more := c.s.recv(4096)):
                        left += more
                except ConnectionResetError:
                    pass
                self.assertNotIn(b"250", left)
                self.assertNotIn(b"500", left)          # at most an alert
        self.m.wait_log(r"SSL_accept error from \S+: SSL_accept: ")
        self.alive()

    def test_C05_out_of_place(self):
        c = self.raw()
        self.assertEqual(c.cmd("STARTTLS now")[0], 501)
        self.assertEqual(c.cmd("MAIL FROM:<bob@client.example>")[0], 250)
        self.assertEqual(c.cmd("STARTTLS")[0], 503)
        self.assertEqual(c.cmd("RSET")[0], 250)
        c.starttls()
        self.assertEqual(c.cmd("STARTTLS"), (554, "5.5.1 Error: TLS already active"))
        self.assertEqual(c.cmd("EHLO x.example")[0], 250)
        self.assertEqual(c.cmd("STARTTLS")[0], 554)

    def test_demanded(self):
        """C17, RFC 3207 4: the commands before TLS where it must come first."""
        for svc in ("submission",):
            c = self.raw(svc)
            self.assertIn("STARTTLS", self.words())
            for cmd, code in (("NOOP", 250), ("MAIL FROM:<a@b.example>", 530), ("RCPT TO:<anna@example.test>", 530),
                              ("DATA", 530), ("VRFY anna", 530), ("RSET", 530), ("HELO x.example", 250), ("HELP", 214)):
                self.assertEqual(c.cmd(cmd)[0], code, cmd)
            self.assertEqual(c.cmd("QUIT")[0], 221)
            c = self.secure(svc)
            self.assertEqual(mail(c)[0], 250)
        c = self.raw("submission")
        self.assertEqual(c.cmd("MAIL FROM:<a@b.example>"), (530, "5.7.0 Must issue a STARTTLS command first"))

    def test_wrapped(self):
        c = self.raw("submissions", wrapped=True)
        self.assertNotIn("STARTTLS", self.words())
        self.assertEqual(c.cmd("STARTTLS")[0], 554)
        self.assertEqual(mail(c)[0], 250)
        c.send("QUIT\r\n")
        self.assertEqual(c.reply()[0], 221)
        self.assertEqual(c.s.recv(10), b"")             # close_notify: else Python raises

    def test_early_talker_inside(self):
        """Octets before the greeting are out of step inside TLS, too."""
        c = TlsRaw(self.m.port("submissions"))
        self.addCleanup(c.close)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        o = context(maximum=TLS12).wrap_bio(incoming, outgoing)
        while True:
            try:
                o.do_handshake()
                break
            except ssl.SSLWantReadError:
                c.s.sendall(outgoing.read())
                incoming.write(c.s.recv(65536))
        o.write(b"EHLO early.example\r\n")              # in one segment with the end of the handshake
        c.s.sendall(outgoing.read())
        reply = b""
        while b"\n" not in reply:
            try:
                reply += o.read(4096)
            except ssl.SSLWantReadError:
                incoming.write(c.s.recv(65536))
        self.assertIn(reply[:3], (b"554", b"220"))      # 220: the greeting was quicker

    def test_C11_slow_and_silent(self):
        for svc, lead in (("submissions", None), ("smtp", "STARTTLS")):
            for drip in (False, True):
                with self.subTest(svc=svc, drip=drip):
                    c = TlsRaw(self.m.port(svc)) if not lead else self.raw(svc)
                    if lead:
                        self.assertEqual(c.cmd(lead)[0], 220)
                    begin = time.monotonic()
                    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 400
                    end = b"?"
                    c.s.settimeout(0.1 if drip else 20)
                    for octet in hello:
                        try:
                            if drip:
                                c.s.sendall(bytes([octet]))
                            end = c.s.recv(100)
                            break
                        except socket.timeout:
                            continue
                        except (ConnectionResetError, BrokenPipeError):
                            end = b""
                            break
                    self.assertIn(end[:1], (b"", b"\x15"))
                    self.assertLess(time.monotonic() - begin, 15)   # of the whole handshake: 2 s
        self.m.wait_log(r"SSL_accept error from \S+: SSL_accept: timeout", count=4)

    def test_C11_wrong_port(self):
        c = TlsRaw(self.m.port("submissions"))
        self.addCleanup(c.close)
        c.send("EHLO clear.example\r\n")
        left = b""
        try:
            while (more := c.s.recv(4096)):
                left += more
        except ConnectionResetError:
            pass
        self.assertNotIn(b"220", left)
        with self.assertRaises((ssl.SSLError, OSError)):
            TlsRaw(self.m.port("smtp"), wrapped=True)
        self.alive()

    def test_C13_alpn(self):
        for offer, good in ((["smtp"], True), (["imap", "smtp"], True), (["http/1.1"], False), (["ftp", "h2"], False)):
            with self.subTest(offer=offer):
                if good:
                    c = self.secure(ctx=context(alpn=offer))
                    self.assertEqual(c.s.selected_alpn_protocol(), "smtp")
                    self.assertEqual(c.cmd("NOOP")[0], 250)
                else:
                    with self.assertRaises(ssl.SSLError) as caught:
                        self.secure(ctx=context(alpn=offer))
                    self.assertRegex(str(caught.exception), "(?i)no.application.protocol")
        self.assertIsNone(self.secure().s.selected_alpn_protocol())

    def test_C17_versions_and_ciphers(self):
        with self.assertRaises((ssl.SSLError, OSError)):
            self.secure(ctx=context(minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1,
                                    ciphers="ALL:@SECLEVEL=0"))
        for ciphers in ("aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0"):
            with self.subTest(ciphers=ciphers), self.assertRaises((ssl.SSLError, OSError)):
                self.secure(ctx=context(maximum=TLS12, ciphers=ciphers))
        c = self.raw()
        self.assertEqual(c.cmd("STARTTLS")[0], 220)
        c.s.sendall(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x07\x00\xc0" * 7 + b"c" * 16)  # SSLv2
        try:
            self.assertIn(c.s.recv(100)[:1], (b"", b"\x15"))
        except ConnectionResetError:
            pass
        for version in (TLS12, TLS13):
            c = self.secure(ctx=context(minimum=version, maximum=version))
            self.assertEqual(c.s.version(), version.name.replace("_", "."))
        self.alive()

    def test_parameters_of_a_service(self):
        """smtpd_tls_mandatory_*, tls_*_cipherlist, eecdh grade, tls_preempt_cipherlist, tls_ssl_options: see setUp."""
        c = self.secure("lmtp", ctx=context(ciphers="ECDHE+CHACHA20:ECDHE+AESGCM"))
        self.assertEqual(c.s.version(), "TLSv1.2")
        self.assertEqual(c.s.cipher()[0], "ECDHE-ECDSA-AES256-GCM-SHA384")   # the server's order
        with self.assertRaises(ssl.SSLError):
            self.secure("lmtp", ctx=context(ciphers="ECDHE+AES128"))
        with self.assertRaises(ssl.SSLError):
            self.secure("lmtp", ctx=context(minimum=TLS13))
        one = context()
        one.set_ecdh_curve("prime256v1")
        with self.assertRaises(ssl.SSLError):
            self.secure("lmtp", ctx=one)                 # it speaks secp384r1 only
        ctx = context(maximum=TLS12)
        c = self.secure("lmtp", ctx=ctx)
        self.assertFalse(c.s.session.has_ticket)         # smtpd_tls_session_cache_timeout = 0

    def test_C16_truncated(self):
        """An end in DATA, with close_notify or without: nothing is kept."""
        before = len(self.m.mails("anna"))
        for polite in (True, False):
            c = self.secure()
            for cmd, code in (("EHLO x.example", 250), ("MAIL FROM:<>", 250), ("RCPT TO:<anna@example.test>", 250),
                              ("DATA", 354)):
                self.assertEqual(c.cmd(cmd)[0], code)
            c.send("Subject: truncated\r\n\r\nhalf a line")
            if polite:
                try:
                    c.s.unwrap()
                except (ssl.SSLError, OSError):
                    pass
            c.s.close()
        self.m.wait_log(r"lost connection after DATA from ", count=2)
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails("anna")), before)
        self.alive()

    def test_one_octet_a_record(self):
        c = self.secure()
        text = "EHLO slow.example\r\nMAIL FROM:<bob@client.example>\r\nRCPT TO:<anna@example.test>\r\nDATA\r\n"
        for ch in text.encode():
            c.s.send(bytes([ch]))
        for code in (250, 250, 250, 354):
            self.assertEqual(c.reply()[0], code)
        for ch in b"Subject: octets\r\n\r\none by one\r\n.\r\n":
            c.s.send(bytes([ch]))
        self.assertEqual(c.reply()[0], 250)

    def test_large_mail(self):
        c = self.secure()
        body = "\r\n".join("%07d " % i + "x" * 60 for i in range(70000))
        self.assertEqual(mail(c, body=body)[0], 250)
        self.m.wait(f"{len(body)} octets in a mail",
                    lambda: any(os.path.getsize(p) > 4800000 for p in self.m.mails("anna")))
        path = next(p for p in self.m.mails("anna") if os.path.getsize(p) > 4800000)
        self.assertEqual(open(path).read().split("\n\n", 1)[1].rstrip("\n"), body.replace("\r\n", "\n"))

    def test_broken_handshakes(self):
        """The client's first flight cut at every octet, and each octet of it changed."""
        o = context().wrap_bio(ssl.MemoryBIO(), out := ssl.MemoryBIO())
        with self.assertRaises(ssl.SSLWantReadError):
            o.do_handshake()
        hello = out.read()
        self.assertGreater(len(hello), 200)
        for n in range(len(hello)):
            s = socket.create_connection(("127.0.0.1", self.m.port("submissions")), 30)
            if n % 2:
                s.sendall(hello[:n])
            else:
                s.sendall(hello[:n] + bytes([hello[n] ^ 0xff]) + hello[n + 1:])
            s.close()
        self.m.wait_log(r"SSL_accept error from ", count=len(hello) // 2)
        self.alive()
        self.assertEqual(self.raw("submissions", wrapped=True).cmd("NOOP")[0], 250)

    def test_C10_renegotiation(self):
        """openssl s_client asks for one by a line "R": it is refused."""
        p = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-crlf", "-connect",
                              f"127.0.0.1:{self.m.port('submissions')}"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said = b""
            while b"220 " not in said:
                more = p.stdout.read1(4096)
                self.assertTrue(more, said)
                said += more
            p.stdin.write(b"R\n")
            p.stdin.flush()
            said = b""
            while (more := p.stdout.read1(4096)):
                said += more
            self.assertIn(b"RENEGOTIATING", said)
            self.assertRegex(said, rb"no renegotiation|handshake failure")
        finally:
            p.kill()
            p.wait()
            p.stdin.close()
            p.stdout.close()
        self.alive()

    def test_peers(self):
        for argv in (["swaks", "--server", "127.0.0.1", "--port", str(self.m.port("submission")), "-tls",
                      "--from", "bob@client.example", "--to", "anna@example.test", "--header", "Subject: swaks"],
                     ["curl", "-sS", "--insecure", "--url", f"smtps://127.0.0.1:{self.m.port('submissions')}",
                      "--mail-from", "bob@client.example", "--mail-rcpt", "anna@example.test", "-T", "-"],
                     ["curl", "-sS", "--insecure", "--ssl-reqd", "--url", f"smtp://127.0.0.1:{self.m.port('smtp')}",
                      "--mail-from", "bob@client.example", "--mail-rcpt", "anna@example.test", "-T", "-"]):
            with self.subTest(peer=argv[0]):
                if not shutil.which(argv[0]):
                    self.fail(f"{argv[0]} is missing")
                r = subprocess.run(argv, input=b"Subject: curl\r\n\r\nhello\r\n", stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=120)
                self.assertEqual(r.returncode, 0, r.stdout.decode(errors="replace"))
        r = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-crlf", "-brief", "-connect",
                            f"127.0.0.1:{self.m.port('smtp')}"], input=b"QUIT\n", stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=60)
        self.assertIn(b"Protocol version: TLSv1.3", r.stdout)
        self.m.wait("the mails of swaks and curl", lambda: len(
            [p for p in self.m.mails("anna") if re.search("Subject: (swaks|curl)", open(p).read())]) >= 3)


def resumable(c):
    """The session to resume; with TLS 1.3 it comes behind the handshake."""
    c.cmd("NOOP")
    return c.s.session


class Tickets(Base):
    """C15: tickets are good in every process of a service and nowhere else."""

    @classmethod
    def setUpClass(cls):
        # one session a process: the next connection comes out in another one
        cls.m = make(cls, master_cf=service("smtps", "client_limit=1"))

    def resumed(self, ctx, session, svc):
        c = self.raw(svc, ehlo=False)
        c.starttls(ctx=ctx, session=session)
        self.assertEqual(c.cmd("NOOP")[0], 250)
        return c.s.session_reused

    def test_processes_services_reload(self):
        for version in (TLS12, TLS13):
            with self.subTest(version=version.name):
                ctx = context(minimum=version, maximum=version)
                first = self.raw("smtps")
                first.starttls(ctx=ctx)
                kept = resumable(first)
                self.assertTrue(kept.has_ticket)
                self.assertTrue(self.resumed(ctx, kept, "smtps"))       # another process: the first one is busy
                self.assertFalse(self.resumed(ctx, kept, "submission")) # another service
                self.assertFalse(self.resumed(ctx, kept, "smtp"))
                self.m.merpati("reload")
                self.assertTrue(self.resumed(ctx, kept, "smtps"))
                self.assertEqual(first.cmd("NOOP")[0], 250)             # the old session goes on
                # after a restart nobody has that key any more
                self.m.stop()
                self.m.start()
                self.assertFalse(self.resumed(ctx, kept, "smtps"))


class Rotation(Base):
    def test_rotation(self):
        self.m = make(self, {"smtpd_tls_session_cache_timeout": "2s"})
        ctx = context(minimum=TLS12, maximum=TLS12)
        c = self.raw()
        c.starttls(ctx=ctx)
        kept = resumable(c)

        def forgotten():
            c = self.raw(ehlo=False)
            c.starttls(ctx=ctx, session=kept)
            c.cmd("NOOP")
            again = c.s.session_reused
            c.close()
            return not again
        self.m.wait("a ticket whose key is gone", forgotten)
        c = self.raw()
        c.starttls(ctx=ctx)
        fresh = resumable(c)
        self.assertNotEqual(fresh.id, kept.id)


class Names(Base):
    """C12: tls_server_sni_maps."""

    @classmethod
    def setUpClass(cls):
        def prepare(m):
            ca = Authority(m.dir)
            lines = []
            for name in ("one.example", "two.example", "_.three.example"):
                key, cert = ca.sign(name.replace("_", "*"))
                lines.append("%s %s %s\n" % (name.replace("_", ""), key, cert))
            key, cert = ca.sign("broken.example")
            lines.append(f"broken.example {cert} {key}\n")
            path = os.path.join(m.conf, "sni")
            with open(path, "w") as f:
                f.writelines(lines)
            m.run("postmap", "-F", "hash:" + path)
            install(m, [path, path + ".db"])
            cls.ca = ca
        cls.m = make(cls, {"tls_server_sni_maps": "hash:${config_directory}/sni"}, prepare=prepare)

    def shown(self, name):
        c = self.secure(name=name)
        der = c.certificate()
        self.assertEqual(c.cmd("NOOP")[0], 250)
        return re.search(r"CN ?= ?(\S+)", openssl("x509", "-inform", "DER", "-noout", "-subject", input=der).decode())[1]

    def test_names(self):
        for name, cn in (("one.example", "one.example"), ("ONE.example", "one.example"), ("two.example", "two.example"),
                         ("a.three.example", "*.three.example"), ("b.a.three.example", "*.three.example"),
                         ("three.example", "mail.example.test"), ("unknown.example", "mail.example.test"),
                         (None, "mail.example.test")):
            with self.subTest(name=name):
                self.assertEqual(self.shown(name), cn)
        self.m.wait_log(r"Anonymous TLS connection established from \S+ to two\.example: TLSv1\.3")
        c = self.secure(ctx=context(ca=self.ca.cert), name="one.example")    # the chain is whole
        self.assertEqual(c.cmd("NOOP")[0], 250)

    def test_broken_entry(self):
        with self.assertRaises((ssl.SSLError, OSError)):
            self.secure(name="broken.example")
        self.m.wait_log(r"SSL_accept error from \S+: tls_server_sni_maps: broken.example: a certificate stands before")
        self.assertEqual(self.shown("one.example"), "one.example")

    def test_hostile_names(self):
        for name in ("../../etc/passwd", "a\\", "x" * 255, "x" * 64 + ".example", "-x.example", "127.0.0.1", "a b",
                     "one.example.", "%s%n", "$(id).example", ".example"):
            with self.subTest(name=name):
                r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.m.port('submissions')}",
                                    "-servername", name], input=b"QUIT\r\n", stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=60)
                self.assertIn(b"CN = mail.example.test", r.stdout)
        for i in range(200):
            c = TlsRaw(self.m.port("submissions"), wrapped=True, name=f"n{i}.nobody.example")
            self.assertEqual(c.reply()[0], 220)
            c.close()
        self.alive()


class Certificates(Base):
    """Clients' certificates: asked for, demanded, allowed to relay."""

    @classmethod
    def setUpClass(cls):
        def prepare(m):
            cls.ca, cls.other = Authority(m.dir), Authority(m.dir, "other")
            cls.good, cls.unknown = cls.ca.sign("client.example"), cls.other.sign("stranger.example")
            path = os.path.join(m.conf, "relay_clientcerts")
            with open(path, "w") as f:
                f.write(fingerprint(cls.unknown[1]) + " a-stranger-that-may\n")
            m.run("postmap", "hash:" + path)
            install(m, [cls.ca.cert, path, path + ".db"], 0o644)
        cls.m = make(cls, {"smtpd_tls_CAfile": "${config_directory}/../ca.pem", "smtpd_tls_ask_ccert": "yes",
                           "smtpd_tls_fingerprint_digest": "sha256", "smtpd_tls_ccert_verifydepth": "5",
                           "relay_clientcerts": "hash:${config_directory}/relay_clientcerts", "mynetworks": "192.0.2.1"},
                     service("smtps", "smtpd_relay_restrictions=permit_tls_clientcerts,reject") +
                     service("lmtp", "smtpd_relay_restrictions=permit_tls_all_clientcerts,reject_plaintext_session,reject",
                             "plaintext_reject_code=451") +
                     service("pop3s", "smtpd_tls_wrappermode=yes", "smtpd_tls_req_ccert=yes"), prepare)

    def rcpt(self, svc, cert):
        c = self.raw(svc)
        if cert != "clear":
            c.starttls(ctx=context(cert=cert))
        c.cmd("EHLO x.example")
        self.assertEqual(c.cmd("MAIL FROM:<bob@client.example>")[0], 250)
        return c.cmd("RCPT TO:<anna@elsewhere.example>")[0]

    def test_relay(self):
        self.assertEqual(self.rcpt("smtps", self.unknown), 250)    # by fingerprint, whoever signed it
        self.assertEqual(self.rcpt("smtps", self.good), 554)
        self.assertEqual(self.rcpt("smtps", None), 554)
        self.assertEqual(self.rcpt("lmtp", self.good), 250)        # whoever our authority stands for
        self.assertEqual(self.rcpt("lmtp", self.unknown), 554)
        self.assertEqual(self.rcpt("lmtp", "clear"), 451)
        self.m.wait_log(r": Trusted: subject_CN=client\.example, issuer=Test ca, fingerprint=([0-9A-F]{2}:){31}")
        self.m.wait_log(r"Untrusted TLS connection established from ")
        self.m.wait_log(r"Trusted TLS connection established from .* client-signature ECDSA \(P-256\)")

    def test_received(self):
        c = self.secure(ctx=context(cert=self.good))
        self.assertEqual(mail(c)[0], 250)
        text = open(self.m.wait_mails("anna", 1)[0]).read()
        self.assertRegex(text, r'\(Client CN "client\.example", Issuer "Test ca" \(verified OK\)\)')

    def test_demanded(self):
        for cert, good in ((self.good, True), (self.unknown, False), (None, False)):
            c = TlsRaw(self.m.port("pop3s"), wrapped=True, ctx=context(cert=cert))
            self.addCleanup(c.close)
            self.assertEqual(c.reply()[0], 220)
            code, text = c.cmd("EHLO x.example")
            self.assertEqual(code, 250 if good else 421, text)
            if not good:
                self.assertRegex(text, r"^4\.7\.1 \S+ Error: (No client certificate|Client certificate not trusted)")
        self.m.wait_log(r"NOQUEUE: abort: TLS from \S+: No client certificate presented")


class Trouble(Base):
    """C18: what is wrong with keys is told, with the file's name; no mail goes in clear instead."""

    def broken(self, m):
        other = Authority(m.dir, "x").sign("mail.example.test")
        self.bad = os.path.join(m.conf, "tls", "key.pem")
        self.kept = open(self.bad).read()
        shutil.copy(other[0], self.bad)
        install(m, [self.bad])

    def test_mismatch(self):
        self.m = m = Instance(self)
        self.broken(m)
        r = m.merpati("check", check=False)
        self.assertEqual(r.returncode, 78)
        self.assertRegex(r.stderr.decode(), f"error: .*{re.escape(self.bad)}: the private key .EC. does not belong")
        r = m.merpati("start")
        m.started = True
        self.assertIn(self.bad.encode(), r.stderr)
        m.wait_log(f"smtpd.*error: TLS cannot be used .service smtp.: {re.escape(self.bad)}: the private key")
        m.user("anna")
        c = self.raw()
        self.assertEqual(c.cmd("STARTTLS"), (454, "4.7.0 TLS not available due to local problem"))
        c = self.raw("submission")
        self.assertEqual(c.cmd("MAIL FROM:<a@b.example>")[0], 454)      # later, and never in clear
        c = TlsRaw(m.port("submissions"))
        self.addCleanup(c.close)
        self.assertTrue(c.eof())
        r = m.merpati("reload", check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(self.bad.encode(), r.stderr)
        with open(self.bad, "w") as f:
            f.write(self.kept)
        m.merpati("check")
        m.merpati("reload")
        m.wait("STARTTLS again", lambda: self.raw().cmd("STARTTLS")[0] == 220)
        # a key that is broken later: the reload is refused, and everything stays as it was
        self.broken(m)
        r = m.merpati("reload", check=False)
        self.assertRegex(r.stderr.decode(), "reload refused, nothing has changed: .*" + re.escape(self.bad))
        self.assertEqual(self.secure().cmd("NOOP")[0], 250)

    def test_readable_and_missing(self):
        self.m = m = Instance(self)
        key = os.path.join(m.conf, "tls", "key.pem")
        os.chmod(key, 0o644)
        r = m.merpati("check")
        self.assertIn(f"chmod o-r {key}".encode(), r.stderr)
        m.edit("main.cf", "smtpd_tls_chain_files = /nonexistent/key.pem\n")
        r = m.merpati("check", check=False)
        self.assertIn(b"/nonexistent/key.pem: No such file", r.stderr)
        m.edit("main.cf", "smtpd_tls_chain_files =\nsmtpd_tls_security_level = encrypt\n")
        r = m.merpati("check", check=False)
        self.assertIn(b"there is no certificate: set smtpd_tls_chain_files", r.stderr)

    def test_wrong_words(self):
        for name, value in (("smtpd_tls_security_level", "sometimes"),):
            m = Instance(self, main_cf={name: value})
            r = m.merpati("start", check=False)
            m.started = True
            self.assertNotEqual(r.returncode, 0)
            m.wait_log(f"fatal: .*{name}: \"{value}\" is none of")
            m.merpati("stop")
            m.started = False
        for name, value in (("smtpd_tls_protocols", ">=TLSv1.9"), ("smtpd_tls_ciphers", "best"),
                            ("smtpd_tls_eecdh_grade", "best"), ("tls_ssl_options", "NO_SUCH_OPTION"),
                            ("smtpd_tls_fingerprint_digest", "md99"), ("smtpd_tls_CAfile", "/nonexistent/ca"),
                            ("smtpd_tls_CApath", "/nonexistent/dir"), ("smtpd_tls_exclude_ciphers", "!aNULL"),
                            ("smtpd_tls_dh1024_param_file", "/nonexistent/dh")):
            with self.subTest(name=name):
                self.m = m = Instance(self, main_cf={name: value})
                m.start()
                m.wait_log(r"error: TLS cannot be used \(service smtp\): ")
                self.assertEqual(self.raw().cmd("STARTTLS")[0], 454)
                m.close()


class Old(Base):
    """Old and further names: smtpd_use_tls, smtpd_enforce_tls, pairs of files, RSA beside ECDSA, groups, authorities."""

    def test_pairs(self):
        def prepare(m):
            ca = Authority(m.dir)
            self.rsa, self.ec = ca.sign("mail.example.test", kind="rsa"), ca.sign("mail.example.test")
            dh = os.path.join(m.dir, "dh.pem")
            with open(dh, "wb") as f:
                f.write(openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"))
            install(m, [*self.rsa, *self.ec, ca.cert, dh])
            m.edit("main.cf", "smtpd_tls_chain_files =\nsmtpd_tls_security_level =\nsmtpd_use_tls = yes\n"
                   f"smtpd_tls_key_file = {self.rsa[0]}\nsmtpd_tls_cert_file = {self.rsa[1]}\n"
                   f"smtpd_tls_eckey_file = {self.ec[0]}\nsmtpd_tls_eccert_file = {self.ec[1]}\n"
                   "smtpd_tls_dcert_file =\nsmtpd_tls_dkey_file =\n"
                   f"smtpd_tls_dh1024_param_file = {dh}\nsmtpd_tls_CApath = {m.dir}\ntls_append_default_CA = no\n"
                   "smtpd_tls_ciphers = medium\ntls_medium_cipherlist = HIGH\nsmtpd_tls_exclude_ciphers = AES128\n"
                   "tls_low_cipherlist = HIGH\ntls_export_cipherlist = HIGH\ntls_null_cipherlist = eNULL\n"
                   "tls_eecdh_auto_curves = X25519 prime256v1\ntls_eecdh_strong_curve = prime256v1\n"
                   "smtpd_tls_protocols = !SSLv2, !SSLv3\nsmtpd_tls_loglevel = 2\nsmtpd_tls_received_header = no\n")
        self.m = make(self, master_cf=service("smtps", "smtpd_use_tls=no", "smtpd_enforce_tls=yes"), prepare=prepare)
        for ciphers, signature in (("aRSA", "RSA"), ("aECDSA", "ECDSA"), ("DHE+aRSA", "RSA")):
            c = self.secure(ctx=context(maximum=TLS12, ciphers=ciphers))
            self.assertIn(signature, c.s.cipher()[0])
            self.assertNotIn("AES128", c.s.cipher()[0])
        self.assertEqual(mail(self.secure())[0], 250)
        self.assertNotIn("(using TLS", open(self.m.wait_mails("anna", 1)[0]).read())
        self.m.wait_log(r"setting up TLS connection from ")
        self.m.wait_log(r"SSL_accept: ")
        self.assertEqual(self.raw("smtps").cmd("MAIL FROM:<>")[0], 530)

    def test_off(self):
        self.m = make(self, {"smtpd_tls_security_level": "none"}, service("smtps", "smtpd_tls_security_level=may",
                      "smtpd_discard_ehlo_keywords=starttls"))
        for svc in ("smtp", "smtps"):
            c = self.raw(svc)
            self.assertNotIn("STARTTLS", self.words())
            self.assertEqual(c.cmd("STARTTLS")[0], 502)

    def test_new_session_rate(self):
        self.m = make(self, {"smtpd_client_new_tls_session_rate_limit": "3",
                             "smtpd_client_event_limit_exceptions": ""})
        ctx = context(minimum=TLS12, maximum=TLS12)
        for i in range(3):
            c = self.secure(ctx=ctx)
            self.assertEqual(c.cmd("NOOP")[0], 250)
        kept = resumable(c)
        c = self.secure(ctx=ctx)
        self.assertEqual(c.cmd("NOOP")[0], 421)
        self.assertEqual(self.secure(ctx=ctx, session=kept).cmd("NOOP")[0], 250)    # no new session
        self.m.wait_log(r"New TLS session rate limit exceeded: 4 from ")


class Reload(Base):
    def test_new_certificate_under_load(self):
        """Sessions go on with the old certificate, new ones get the new one, nobody is turned away."""
        self.m = m = make(self, {"smtpd_tls_session_cache_timeout": "0"})
        old = self.raw()
        old.starttls()
        before = old.certificate()
        old.cmd("EHLO old.example")
        old.cmd("MAIL FROM:<bob@client.example>")
        old.cmd("RCPT TO:<anna@example.test>")
        stop, failures, count = threading.Event(), [], [0]

        def load():
            while not stop.is_set():
                try:
                    c = TlsRaw(m.port("smtp"))
                    c.reply()
                    c.cmd("EHLO load.example")
                    c.starttls()
                    if mail(c)[0] != 250:
                        failures.append("refused")
                    c.close()
                    count[0] += 1
                except Exception as e:     # noqa: any of them is one
                    failures.append(repr(e))
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            m.wait("load", lambda: count[0] > 10)
            for turn in range(3):
                key, cert = Authority(m.dir, f"ca{turn}").sign("mail.example.test")
                tls = os.path.join(m.conf, "tls")
                for src, name in ((key, "key.pem"), (cert, "cert.pem")):
                    shutil.copy(src, os.path.join(tls, name))
                install(m, [os.path.join(tls, "key.pem"), os.path.join(tls, "cert.pem")])
                m.merpati("reload")
                want = ssl.PEM_cert_to_DER_cert(open(cert).read())

                def new():
                    c = self.secure()
                    got = c.certificate()
                    c.close()
                    return got == want
                m.wait("the new certificate", new)
                at = count[0]
                m.wait("more load", lambda: count[0] > at + 10)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(failures, [])
        self.assertNotEqual(before, want)
        self.assertEqual(old.cmd("DATA")[0], 354)
        self.assertEqual(old.cmd("Subject: over three reloads\r\n\r\nx\r\n.")[0], 250)
        print("mails while certificates changed:", count[0])


main()
