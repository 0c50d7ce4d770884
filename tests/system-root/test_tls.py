"""TLS in a system instance: keys that only root may read serve smtpd and smtp in their empty root directories; tickets
and new certificates at a reload; the real cages of a release build."""
import os, shutil, ssl, stat, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main  # noqa: E402
from tls_client import Authority, TlsRaw, context  # noqa: E402

enter()

TLS = "/etc/merpati/tls"


class Tls(unittest.TestCase):
    def session(self, **kw):
        c = TlsRaw(25, timeout=60)
        self.addCleanup(c.close)
        self.assertEqual(c.reply()[0], 220)
        self.assertEqual(c.cmd("EHLO client.example")[0], 250)
        c.starttls(**kw)
        self.assertEqual(c.cmd("EHLO client.example")[0], 250)
        return c

    def test_keys_of_root(self):
        m = System(self)
        for name, mode in ((".", 0o700), ("key.pem", 0o600)):
            st = os.stat(os.path.join(TLS, name))
            self.assertEqual((st.st_uid, stat.S_IMODE(st.st_mode)), (0, mode), name)
        m.unix_user("anna", "secret of anna")
        self.assertEqual(m.run("merpati", "check").returncode, 0)
        m.start()
        c = self.session()
        for cmd, code in (("MAIL FROM:<x@far.example>", 250), ("RCPT TO:<anna@example.test>", 250), ("DATA", 354),
                          ("Subject: through TLS\r\n\r\n1\r\n.", 250)):
            self.assertEqual(c.cmd(cmd)[0], code, cmd)
        before = c.certificate()
        ctx = context(maximum=ssl.TLSVersion.TLSv1_2)
        kept = self.session(ctx=ctx).s.session
        self.assertTrue(self.session(ctx=ctx, session=kept).s.session_reused)
        # another certificate, which again only root may read
        work = tempfile.mkdtemp(prefix="merpati-test.")
        self.addCleanup(shutil.rmtree, work)
        key, cert = Authority(work).sign("host.example.test")
        for src, name in ((key, "key.pem"), (cert, "cert.pem")):
            with open(src) as f, open(os.path.join(TLS, name), "w") as to:
                to.write(f.read())
        m.run("merpati", "reload")
        m.wait("the new certificate", lambda: self.session().certificate() != before)
        self.assertEqual(c.cmd("NOOP")[0], 250)     # the session of before goes on
        m.wait_log("Anonymous TLS connection established from ")


main()
