"""TLS of smtp(8) and lmtp(8): rows C06 and C07 of the catalogue, levels, policies, names, sessions, failures."""
import os, shutil, socket, ssl, struct, sys, tempfile, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from smtp_server import SmtpServer
from smtp_tls_server import TLS_EHLO, SmtpTlsServer, server_context
from instance import main
from smtp_world import SmtpWorld, one_host
from tls_client import Authority, fingerprint, openssl, versions

DIR = None


def setUpModule():
    global DIR, CA, OTHER, GOOD, WRONG, EXPIRED, WILD, CN_ONLY, CLIENT
    versions()
    DIR = tempfile.mkdtemp(prefix="merpati-test.")
    unittest.addModuleCleanup(shutil.rmtree, DIR, ignore_errors=True)
    os.chmod(DIR, 0o755)
    CA, OTHER = Authority(DIR), Authority(DIR, "other")
    GOOD = CA.sign("mx.x.test", san="DNS:mx.x.test,DNS:x.test")
    WRONG, WILD, CLIENT = CA.sign("wrong.test"), CA.sign("*.x.test"), CA.sign("client.here.test")
    CN_ONLY = CA.sign("cnonly", san="", cn="mx.x.test")
    EXPIRED = CA.sign("old.x.test", san="DNS:mx.x.test", days="-1")
    for root, _, files in os.walk(DIR):
        for f in files:
            os.chmod(os.path.join(root, f), 0o644)


class Base(unittest.TestCase):
    def world(self, server, main_cf="", program="smtp", **kw):
        p = program
        main_cf = f"{p}_tcp_port = {server.port}\nlmtp_tcp_port = {server.port}\n" + main_cf
        return SmtpWorld(self, main_cf, dns=one_host(server), program=program, **kw)

    def server(self, pair=None, script=None, **kw):
        ctx = {k: kw.pop(k) for k in ("ca", "maximum", "minimum", "ciphers") if k in kw}
        return SmtpTlsServer(self, server_context(*(pair or GOOD), **ctx), script, **kw)

    def one(self, server, main_cf, status, dsn, text=".*", world=None):
        w = world or self.world(server, main_cf)
        r = w.deliver(["anna@x.test"])[0]
        self.assertEqual((r.status, r.dsn), (status, dsn), f"{r} {server.handshakes if hasattr(server, 'handshakes') else ''}")
        self.assertRegex(r.text, text or ".*")
        return w

    def nothing_in_clear(self, server):
        self.assertNotIn("MAIL", server.verbs())


class Levels(Base):
    def test_may(self):
        s = self.server()
        w = self.one(s, "smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\n", 0, "2.0.0")
        self.assertEqual(s.verbs()[:6], ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"])
        self.assertEqual(s.handshakes[0]["version"], "TLSv1.3")
        self.assertIsNone(s.handshakes[0]["sni"])
        w.wait_log(f"Untrusted TLS connection established to mx.x.test[127.0.0.1]:{s.port}: TLSv1.3 with cipher TLS_")

    def test_none(self):
        s = self.server()
        w = self.one(s, "smtp_tls_note_starttls_offer = yes\n", 0, "2.0.0")
        self.assertNotIn("STARTTLS", s.verbs())
        w.wait_log("Host offered STARTTLS: [mx.x.test]")

    def test_C07_stripped(self):
        plain = SmtpServer(self)
        self.one(plain, "smtp_tls_security_level = may\n", 0, "2.0.0")
        for level in ("encrypt", "verify", "secure"):
            with self.subTest(level=level):
                plain = SmtpServer(self)
                self.one(plain, f"smtp_tls_security_level = {level}\n", 1, "4.7.4",
                         "TLS is required, but was not offered by host mx.x.test")
                self.nothing_in_clear(plain)
        old = SmtpServer(self, {"EHLO": "500 what?"})
        self.one(old, "smtp_tls_security_level = encrypt\n", 1, "4.7.4", "was not offered")
        self.nothing_in_clear(old)

    def test_C07_refused(self):
        for reply in ("454 4.7.0 not now", "500 5.5.1 what?", "501 no"):
            for level, status in (("may", 0), ("encrypt", 1)):
                with self.subTest(reply=reply, level=level):
                    s = SmtpServer(self, {"EHLO": TLS_EHLO, "STARTTLS": reply})
                    self.one(s, f"smtp_tls_security_level = {level}\n", status, "2.0.0" if status == 0 else "4.7.4",
                             "" if status == 0 else "refused to start TLS: " + reply[:3])
                    if status:
                        self.nothing_in_clear(s)

    def broken(self):
        def reset(session, line):
            session.write(b"220 go\r\n")
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            session.sock.close()
            return None

        def alert(session, line):
            session.write(b"220 go\r\n")
            session.read()
            session.write(b"\x15\x03\x03\x00\x02\x02\x28")
            return None

        def garbage(session, line):
            session.write(b"220 go\r\n")
            session.read()
            session.write(b"what is this?\r\n" * 100)
            return None
        return (("reset", reset), ("alert", alert), ("garbage", garbage))

    def test_C07_handshake_fails(self):
        """may: the next attempt of a mail that has waited goes in clear; above: never."""
        for name, how in self.broken():
            for level, waited, status in (("may", True, 0), ("may", False, 1), ("encrypt", True, 1)):
                with self.subTest(how=name, level=level, waited=waited):
                    s = SmtpServer(self, {"EHLO": TLS_EHLO, "STARTTLS": how})
                    w = self.world(s, f"smtp_tls_security_level = {level}\nminimal_backoff_time = 300s\n")
                    r = w.deliver(["anna@x.test"], arrival=time.time() - (301 if waited else 290))[0]
                    self.assertEqual(r.status, status, r)
                    if status:
                        self.assertEqual((r.dsn, r.text), ("4.7.5", "Cannot start TLS: handshake failure"))
                        self.nothing_in_clear(s)
                    else:
                        self.assertEqual(s.sessions, 2)
                        self.assertEqual(s.verbs().count("STARTTLS"), 1)
                        w.wait_log("tried in clear")

    def test_handshake_hangs(self):
        def hang(session, line):
            session.write(b"220 go\r\n")
            while True:
                session.read()
        s = SmtpServer(self, {"EHLO": TLS_EHLO, "STARTTLS": hang})
        w = self.one(s, "smtp_tls_security_level = encrypt\nsmtp_starttls_timeout = 1s\n", 1, "4.7.5", "handshake failure")
        w.wait_log("SSL_connect error to mx.x.test")
        self.nothing_in_clear(s)

    def test_C06_injected(self):
        """What comes in clear behind the reply to STARTTLS is somebody else's: the session ends."""
        for tail in (b"250-mx.evil\r\n250 AUTH PLAIN\r\n", b"250 ok\r\n", b"x"):
            for level in ("may", "encrypt"):
                with self.subTest(tail=tail, level=level):
                    def inject(session, line, tail=tail):
                        session.write(b"220 go\r\n" + tail)
                        session.server.handshake(session)
                        return b""
                    s = self.server(script={"STARTTLS": inject})
                    self.one(s, f"smtp_tls_security_level = {level}\n", 1, "4.7.5", "sent data in clear")
                    self.nothing_in_clear(s)

    def test_first_offer_is_forgotten(self):
        inside = TLS_EHLO.replace("250-STARTTLS\n", "").replace("SIZE 10000000", "SIZE 20000000")
        s = self.server(script={"EHLO": [TLS_EHLO.replace("SIZE 10000000", "SIZE 10"), inside]})
        self.one(s, "smtp_tls_security_level = may\n", 0, "2.0.0")
        s = self.server(script={"EHLO": [TLS_EHLO, inside.replace("SIZE 20000000", "SIZE 10")]})
        self.one(s, "smtp_tls_security_level = may\n", 2, "5.3.4")

    def test_old_names(self):
        s = self.server()
        self.one(s, "smtp_use_tls = yes\n", 0, "2.0.0")
        self.assertEqual(len(s.handshakes), 1)
        self.one(SmtpServer(self), "smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = no\n", 1, "4.7.4")
        s = self.server(WRONG)
        self.one(s, f"smtp_enforce_tls = yes\nsmtp_tls_CAfile = {CA.cert}\n", 1, "4.7.5", "not verified")
        s = self.server(WRONG)
        self.one(s, "smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = no\n", 0, "2.0.0")

    def test_wrapped(self):
        s = self.server(wrapped=True)
        self.one(s, "smtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n", 0, "2.0.0")
        self.assertEqual(s.verbs()[0], "EHLO")
        self.assertNotIn("STARTTLS", s.verbs())

    def test_large(self):
        s = self.server()
        w = self.world(s, "smtp_tls_security_level = encrypt\n")
        content = b"Subject: large\n\n" + b"".join(b"%07d " % i + b"x" * 60 + b"\n" for i in range(60000))
        r = w.deliver(["anna@x.test"], content=content)[0]
        self.assertEqual(r.status, 0, r)
        self.assertEqual(s.mails[0].content, content.replace(b"\n", b"\r\n"))

    def test_lost_in_tls(self):
        """The connection ends inside a transaction, without close_notify: the mail waits."""
        s = self.server(script={".": None})
        self.one(s, "smtp_tls_security_level = may\n", 1, "4.4.2", "lost connection")


class Who(Base):
    """verify, secure, fingerprint."""

    def check(self, pair, extra, good, text="", level="secure", ca=True):
        s = self.server(pair)
        main_cf = f"smtp_tls_security_level = {level}\n" + (f"smtp_tls_CAfile = {CA.cert}\n" if ca else "") + extra
        self.one(s, main_cf, 0 if good else 1, "2.0.0" if good else "4.7.5", text)
        if not good:
            self.nothing_in_clear(s)

    def test_certificates(self):
        self.check(GOOD, "", True)
        self.check(GOOD, "", True, level="verify")
        self.check(WRONG, "", False, "not verified: it is not for x.test")
        self.check(WRONG, "", False, "not verified: it is not for mx.x.test", level="verify")
        self.check(GOOD, "", False, "not trusted", ca=False)
        self.check(OTHER.sign("mx.x.test", san="DNS:mx.x.test,DNS:x.test"), "", False, "not trusted")
        self.check(EXPIRED, "", False, "not trusted: certificate has expired", level="verify")
        self.check(CN_ONLY, "", True, level="verify")       # no dNSName at all: the common name counts
        self.check(WILD, "", True, level="verify")
        self.check(WILD, "tls_wildcard_matches_multiple_labels = no\n", True, level="verify")

    def test_names(self):
        self.check(WRONG, "smtp_tls_secure_cert_match = nexthop, wrong.test\n", True)
        self.check(GOOD, "smtp_tls_secure_cert_match = dot-nexthop\n", True)
        self.check(GOOD, "smtp_tls_verify_cert_match = other.test\n", False, "not verified", level="verify")

    def test_fingerprint(self):
        mark = fingerprint(GOOD[1])
        der = openssl("x509", "-in", GOOD[1], "-noout", "-pubkey")
        key = openssl("pkey", "-pubin", "-outform", "DER", input=der)
        import hashlib
        key_mark = ":".join(f"{b:02X}" for b in hashlib.sha256(key).digest())
        for value, good in ((mark, True), (key_mark, True), ("00:11, " + mark.lower(), True), (mark[:-2] + "00", False)):
            self.check(GOOD, f"smtp_tls_fingerprint_digest = sha256\nsmtp_tls_fingerprint_cert_match = {value}\n", good,
                       "" if good else "its fingerprint is", level="fingerprint", ca=False)

    def test_authorities(self):
        s = self.server()
        self.one(s, f"smtp_tls_security_level = verify\nsmtp_tls_CApath = {DIR}\nsmtp_tls_scert_verifydepth = 3\n"
                 "tls_append_default_CA = no\n", 0, "2.0.0")


class Policies(Base):
    def policy(self, value, extra="", key="x.test", script=None, pair=None):
        s = self.server(pair, script)
        w = self.world(s, "smtp_tls_security_level = may\n"
                       f"smtp_tls_policy_maps = inline:{{ {{ {key} = {value} }} }}\n" + extra)
        return s, w.deliver(["anna@x.test"])[0], w

    def test_levels_by_destination(self):
        s, r, _ = self.policy("none")
        self.assertEqual((r.status, s.handshakes), (0, []))
        s, r, _ = self.policy("encrypt", script={"EHLO": TLS_EHLO.replace("250-STARTTLS\n", "")})
        self.assertEqual((r.status, r.dsn), (1, "4.7.4"))
        s, r, _ = self.policy("encrypt", key=".test", script={"EHLO": TLS_EHLO.replace("250-STARTTLS\n", "")})
        self.assertEqual((r.status, r.dsn), (1, "4.7.4"))   # a parent of the domain
        s, r, _ = self.policy("secure match=x.test", f"smtp_tls_CAfile = {CA.cert}\n")
        self.assertEqual(r.status, 0)
        s, r, _ = self.policy("secure match=.elsewhere.test:also.test", f"smtp_tls_CAfile = {CA.cert}\n")
        self.assertEqual((r.status, r.dsn), (1, "4.7.5"))

    def test_written_next_hop(self):
        """[host]:port is looked up as it is written, and has no parents."""
        for key, seen in (("[127.0.0.1]:{port}", True), ("127.0.0.1", False), (".0.0.1", False)):
            s = SmtpServer(self)
            w = self.world(s, f"smtp_tls_policy_maps = inline:{{ {{ {key.format(port=s.port)} = encrypt }} }}\n")
            r = w.deliver(["anna@x.test"], nexthop=f"[127.0.0.1]:{s.port}")[0]
            self.assertEqual(r.status, 1 if seen else 0, f"{key}: {r}")

    def test_attributes(self):
        s, r, _ = self.policy("encrypt protocols=TLSv1.2 ciphers=high exclude=AES256:CHACHA20 servername=hostname")
        self.assertEqual(r.status, 0, r)
        self.assertEqual(s.handshakes[0]["version"], "TLSv1.2")
        self.assertIn("AES128", s.handshakes[0]["cipher"])
        self.assertEqual(s.handshakes[0]["sni"], "mx.x.test")

    def test_not_understood(self):
        for value in ("maybe", "dane", "dane-only", "secure match", "encrypt protocols=TLSv1.1", "encrypt ciphers=best",
                      "may match=x", "fingerprint", "encrypt color=red"):
            with self.subTest(value=value):
                s, r, w = self.policy(value)
                self.assertEqual((r.status, r.dsn, r.text), (1, "4.7.5", "client TLS configuration problem"))
                self.nothing_in_clear(s)
                w.wait_log('smtp_tls_policy_maps: "x.test": ')

    def test_parameters(self):
        for more, seen in (
                ("smtp_tls_mandatory_protocols = <=TLSv1.2\nsmtp_tls_mandatory_ciphers = high\n"
                 "tls_high_cipherlist = ECDHE+AES128\n", {"version": "TLSv1.2", "cipher": "ECDHE-ECDSA-AES128-GCM-SHA256"}),
                ("smtp_tls_mandatory_protocols = <=TLSv1.2\nsmtp_tls_exclude_ciphers = AES256 CHACHA20\n"
                 "smtp_tls_mandatory_exclude_ciphers = SHA256\nsmtp_tls_servername = nexthop\n", {"sni": "x.test"}),
                ("smtp_tls_servername = special.test\n", {"sni": "special.test"})):
            s = self.server()
            self.one(s, "smtp_tls_security_level = encrypt\n" + more, 0, "2.0.0")
            for k, v in seen.items():
                self.assertEqual(s.handshakes[0][k], v)
        s = self.server()
        self.one(s, "smtp_tls_security_level = may\nsmtp_tls_protocols = TLSv1.2\nsmtp_tls_ciphers = medium\n"
                 "smtp_tls_loglevel = 2\n", 0, "2.0.0").wait_log("SSL_connect: ")
        self.assertEqual(s.handshakes[0]["version"], "TLSv1.2")

    def test_wrong_main_cf(self):
        for line, why in (("smtp_tls_security_level = sometimes", "no level"), ("smtp_tls_security_level = dane", "does not have"),
                          ("smtp_tls_protocols = TLSv9", "smtp_tls_protocols"),
                          ("smtp_tls_mandatory_protocols = <=TLSv1", "smtp_tls_mandatory_protocols")):
            with self.subTest(line=line), self.assertRaises(AssertionError) as caught:
                SmtpWorld(self, line + "\n")
            self.assertIn(why, str(caught.exception))


class Kept(Base):
    """Connections that are kept are used again under the same rules only."""

    MORE = 16   # DELIVER_MORE: other mail waits for the destination

    def test_rules(self):
        plain = TLS_EHLO.replace("250-STARTTLS\n", "")
        s = self.server(script={"EHLO": [plain, TLS_EHLO]})
        dns = {("x.test", 15): [(10, "mx.test")], ("y.test", 15): [(10, "mx.test")], ("mx.test", 1): ["127.0.0.1"]}
        w = SmtpWorld(self, f"smtp_tcp_port = {s.port}\nsmtp_tls_security_level = may\n"
                      "smtp_tls_policy_maps = inline:{ { y.test = encrypt } }\n", dns=dns)
        for domain, sessions, handshakes in (("x.test", 1, 0), ("x.test", 1, 0), ("y.test", 2, 1), ("y.test", 2, 1),
                                             ("x.test", 2, 1)):
            r = w.deliver([f"anna@{domain}"], nexthop=domain, flags=self.MORE)[0]
            self.assertEqual((r.status, s.sessions, len(s.handshakes)), (0, sessions, handshakes), r)

    def test_gone(self):
        """A server that ended a kept session, with close_notify or without, is met anew; the mail does not wait."""
        for polite in (True, False):
            s = self.server()
            w = self.world(s, "smtp_tls_security_level = encrypt\n")
            self.assertEqual(w.deliver(["anna@x.test"], flags=self.MORE)[0].status, 0)
            sock = s.open[-1]
            if polite:
                try:
                    sock.settimeout(0)
                    sock.unwrap()
                except (ssl.SSLError, OSError):
                    pass
            sock.shutdown(socket.SHUT_RDWR)
            r = w.deliver(["anna@x.test"], flags=self.MORE)[0]
            self.assertEqual((r.status, len(s.handshakes)), (0, 2), r)


class Keys(Base):
    def test_sessions(self):
        """A server is met again with the session of before; another policy begins anew."""
        for maximum in (ssl.TLSVersion.TLSv1_2, None):
            s = self.server(maximum=maximum)
            w = self.world(s, "smtp_connection_cache_on_demand = no\nsmtp_tls_security_level = may\n"
                           "smtp_tls_session_cache_timeout = 1h\n"
                           "smtp_tls_policy_maps = inline:{ { [127.0.0.1]:%d = encrypt } }\n" % s.port)
            for _ in range(3):
                self.assertEqual(w.deliver(["anna@x.test"])[0].status, 0)
            self.assertEqual([h["resumed"] for h in s.handshakes], [False, True, True])
            self.assertEqual(w.deliver(["anna@x.test"], nexthop=f"[127.0.0.1]:{s.port}")[0].status, 0)
            self.assertFalse(s.handshakes[-1]["resumed"])
        s = self.server()
        w = self.world(s, "smtp_connection_cache_on_demand = no\nsmtp_tls_security_level = may\n"
                       "smtp_tls_session_cache_timeout = 0\n")
        for _ in range(2):
            self.assertEqual(w.deliver(["anna@x.test"])[0].status, 0)
        self.assertEqual([h["resumed"] for h in s.handshakes], [False, False])

    def test_own_certificate(self):
        want = ssl.PEM_cert_to_DER_cert(open(CLIENT[1]).read())
        for names in (f"smtp_tls_chain_files = {CLIENT[0]}, {CLIENT[1]}\n",
                      f"smtp_tls_key_file = {CLIENT[0]}\nsmtp_tls_cert_file = {CLIENT[1]}\n",
                      f"smtp_tls_eckey_file = {CLIENT[0]}\nsmtp_tls_eccert_file = {CLIENT[1]}\nsmtp_tls_dcert_file =\n"
                      "smtp_tls_dkey_file =\n"):
            s = self.server(ca=CA.cert)
            self.one(s, "smtp_tls_security_level = encrypt\n" + names, 0, "2.0.0")
            self.assertEqual(s.handshakes[0]["peer"], want)

    def test_unusable(self):
        """Keys or authorities that are not there: mail that needs TLS waits, other mail goes."""
        for line in ("smtp_tls_CAfile = /nonexistent/ca.pem", "smtp_tls_cert_file = /nonexistent/cert.pem",
                     f"smtp_tls_key_file = {GOOD[0]}\nsmtp_tls_cert_file = {CLIENT[1]}"):
            for level, status in (("may", 0), ("encrypt", 1)):
                with self.subTest(line=line, level=level):
                    s = self.server()
                    w = self.one(s, f"smtp_tls_security_level = {level}\n{line}\n", status, "2.0.0" if status == 0 else "4.7.5",
                                 "" if status == 0 else "TLS is required, but unavailable")
                    w.wait_log("error: TLS cannot be used: ")

    def test_old_server(self):
        s = self.server(maximum=ssl.TLSVersion.TLSv1_1, minimum=ssl.TLSVersion.TLSv1, ciphers="ALL:@SECLEVEL=0")
        self.one(s, "smtp_tls_security_level = encrypt\nsmtp_tls_mandatory_protocols = >=TLSv1\n", 1, "4.7.5",
                 "handshake failure")


class Lmtp(Base):
    def test_lmtp(self):
        s = self.server(lmtp=True)
        w = self.world(s, "lmtp_tls_security_level = secure\nlmtp_tls_secure_cert_match = hostname\n"
                       f"lmtp_tls_CAfile = {CA.cert}\nlmtp_tls_loglevel = 1\n", program="lmtp")
        r = w.deliver(["anna@x.test"], nexthop=f"[mx.x.test]:{s.port}")[0]
        self.assertEqual(r.status, 0, r)
        self.assertEqual(s.verbs()[:3], ["LHLO", "STARTTLS", "LHLO"])
        w.wait_log("Verified TLS connection established to mx.x.test[127.0.0.1]")


if __name__ == "__main__":
    main()
