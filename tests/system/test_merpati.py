"""merpati(1): init, start, status, reload, stop, check, foreground, user; as root and as the owner."""
import os, pwd, re, signal, subprocess, sys, tempfile, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main, owner, program, wait_for

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Init(unittest.TestCase):
    def test_files_owners_and_modes(self):
        m = Instance(self)
        uid = pwd.getpwnam(owner()).pw_uid
        want = {".": 0o755, "main.cf": 0o644, "master.cf": 0o644, "aliases": 0o644, "users": 0o600, "tls": 0o700,
                "log": 0o700, "mail": 0o700, "spool": 0o755, "aliases.db": None}
        for name, mode in want.items():
            st = os.stat(os.path.join(m.conf, name))
            self.assertEqual(st.st_uid, uid, name)
            if mode is not None:
                self.assertEqual(st.st_mode & 0o7777, mode, name)
        values = {n: m.run("postconf", "-c", m.conf, "-h", n).stdout.decode().strip() for n in
                  ("mydomain", "message_size_limit", "mailbox_size_limit", "virtual_mailbox_limit", "inet_interfaces",
                   "instance_owner")}
        self.assertEqual(values, {"mydomain": "example.test", "message_size_limit": "52428800", "mailbox_size_limit": "0",
                                  "virtual_mailbox_limit": "0", "inet_interfaces": "loopback-only",
                                  "instance_owner": owner()})

    def test_certificate(self):
        m = Instance(self)
        tls = os.path.join(m.conf, "tls")
        self.assertEqual({n: os.stat(os.path.join(tls, n)).st_mode & 0o777 for n in os.listdir(tls)},
                         {"key.pem": 0o600, "cert.pem": 0o644})
        r = subprocess.run(["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName", "-in",
                            os.path.join(tls, "cert.pem")], stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertRegex(r.stdout, "CN ?= ?mail.example.test")
        self.assertIn("DNS:mail.example.test, DNS:example.test, DNS:localhost", r.stdout)
        self.assertEqual(m.merpati("check").stderr, b"")

    def test_sample_is_what_init_writes(self):
        m = Instance(self)
        for name in ("master.cf", "aliases"):
            with open(os.path.join(SOURCE, "etc", name)) as a, open(os.path.join(m.conf, name)) as b:
                self.assertEqual(a.read(), b.read(), name)
        self.assertIn("mydomain = example.test", m.run("postconf", "-c", os.path.join(SOURCE, "etc"), "-n").stdout.decode())

    def refused(self, *args, want):
        r = subprocess.run([program("merpati"), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertNotEqual(r.returncode, 0, args)
        self.assertRegex(r.stderr, want)
        self.assertEqual(len(r.stderr.strip().splitlines()), 1 if "usage" not in want else len(r.stderr.strip().splitlines()))

    def test_refusals_are_one_line(self):
        m = Instance(self)
        who = ["--owner", owner()] if os.getuid() == 0 else []
        self.refused("init", m.conf, "--domain", "example.test", *who, want="holds an instance already")
        self.refused("init", m.dir + "/x", "--domain", "Bad_Domain", *who, want="not a domain name")
        self.refused("init", m.dir + "/a b", "--domain", "example.test", *who, want="path without blanks")
        self.refused("init", m.dir + "/no/such/parent", "--domain", "example.test", *who, want="No such file")
        self.refused("init", m.dir + "/x", "--domain", "example.test", "--ports", "99999", *who, want="from 0 to 64000")
        self.refused("init", m.dir + "/x", want="usage")
        self.refused("-c", m.dir + "/nowhere", "status", want="name an instance's folder")
        self.refused("dance", want="usage")
        if os.getuid() == 0:
            self.refused("init", m.dir + "/y", "--domain", "example.test", "--owner", "root", want="root cannot own")
            self.refused("init", m.dir + "/y", "--domain", "example.test", "--owner", "no-such-user", want="no user")
            closed = os.path.join(m.dir, "closed")
            os.mkdir(closed, 0o700)
            self.refused("init", closed + "/y", "--domain", "example.test", *who, want="cannot reach")

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_another_user_is_refused(self):
        m = Instance(self)
        r = subprocess.run([program("merpati"), "-c", m.conf, "status"], user="daemon", group="daemon", extra_groups=[],
                           stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(r.returncode, 77, r.stderr)
        self.assertIn(f"belongs to {owner()}", r.stderr)


class Run(unittest.TestCase):
    def test_start_status_reload_stop(self):
        m = Instance(self).start()
        for pid in m.pids():
            self.assertNotEqual(os.stat(f"/proc/{pid}").st_uid, 0, "a private instance never runs as root")
        status = m.merpati("status").stdout.decode()
        for service in ("smtp", "imap", "pop3"):
            self.assertRegex(status, rf"(?m)^{service} .*127\.0\.0\.1:{m.port(service)}")
        ports = {s: m.port(s) for s in ("smtp", "imap", "pop3")}
        m.merpati("reload")
        self.assertEqual(ports, {s: m.port(s) for s in ports}, "reload keeps the bound sockets")
        with m.smtp() as s:
            self.assertEqual(s.noop()[0], 250)
        self.assertNotEqual(m.merpati("start", check=False).returncode, 0)
        m.merpati("flush")
        m.stop()
        self.assertEqual(m.merpati("status", check=False).returncode, 75)
        self.assertEqual(m.merpati("stop", check=False).returncode, 75)

    def test_session_survives_reload(self):
        m = Instance(self)
        m.user("anna", "secret")
        m.start()
        s = m.smtp()
        self.addCleanup(s.close)
        s.ehlo()
        self.assertEqual(s.mail("x@example.test")[0], 250)
        m.merpati("reload")
        self.assertEqual(s.rcpt("anna@example.test")[0], 250)
        self.assertEqual(s.data("Subject: across a reload\r\n\r\nx\r\n")[0], 250)
        self.assertEqual(s.noop()[0], 250, "the session goes on")
        s.sendmail("x@example.test", ["anna@example.test"], "Subject: second\r\n\r\nx\r\n")
        m.wait_mails("anna", 2)
        m.stop()
        self.assertEqual(s.getreply()[0], 421, "a stop ends it")

    def test_session_ends_after_reload_grace(self):
        m = Instance(self, main_cf={"reload_grace": "2s"}).start()
        s = m.smtp()
        self.addCleanup(s.close)
        s.ehlo()
        m.merpati("reload")
        self.assertEqual(s.getreply()[0], 421)

    def test_all_killed_at_once_and_started_again(self):
        m = Instance(self)
        m.user("anna", "secret")
        m.start()
        pids = m.pids()
        m.kill()
        wait_for("their end", lambda: not any(os.path.exists(f"/proc/{p}/exe") and os.access(f"/proc/{p}/fd", os.R_OK)
                                              and os.listdir(f"/proc/{p}/fd") for p in pids))
        m.start()
        m.send("x@example.test", ["anna@example.test"])
        m.wait_mails("anna", 1)

    def test_foreground(self):
        m = Instance(self)
        p = subprocess.Popen([program("merpati"), "-c", m.conf, "foreground"], env=m.env, stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.kill)
        wait_for("ports", lambda: os.path.exists(os.path.join(m.spool, "pid", "ports")))
        with m.smtp() as s:
            self.assertEqual(s.noop()[0], 250)
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(60), 0)


class Check(unittest.TestCase):
    def check(self, m):
        r = m.merpati("check", check=False)
        return r.returncode, r.stderr.decode()

    def test_a_fresh_instance_is_clean(self):
        m = Instance(self)
        code, text = self.check(m)
        self.assertEqual(code, 0, text)
        self.assertNotIn("error:", text)

    def test_findings_name_file_and_line(self):
        m = Instance(self)
        m.edit("main.cf", "message_size_limit = many\n")
        with open(os.path.join(m.conf, "main.cf")) as f:
            line = len(f.read().splitlines())
        code, text = self.check(m)
        self.assertEqual(code, 78)
        self.assertRegex(text, rf"main\.cf, line {line}.*message_size_limit|message_size_limit.*line {line}")
        m.edit("main.cf", "message_size_limit = 1000000\nsmtp_tls_per_site = may\n")
        self.assertRegex(self.check(m)[1], r"warning: .*main\.cf, line \d+: smtp_tls_per_site .*no effect")

    def test_services_maps_owners_modes(self):
        m = Instance(self)
        m.edit("master.cf", "extra unix - - n - - no-such-daemon\n")
        self.assertRegex(self.check(m)[1], r"error: .*master\.cf, line \d+: service extra: .*no-such-daemon")
        m.edit("main.cf", f"bounce_template_file = {m.conf}/bounce.cf\n")
        self.assertRegex(self.check(m)[1], r"warning: bounce_template_file: open .*bounce.cf: No such file")
        with open(os.path.join(m.conf, "bounce.cf"), "w") as f:
            f.write("delay_template = <<EOF\n\n$nope\nEOF\n")
        self.assertRegex(self.check(m)[1], r"warning: .*bounce.cf, line 3: undefined parameter \$nope; the built-in")
        os.unlink(f.name)
        m.edit("main.cf", f"virtual_alias_maps = hash:{m.conf}/nothing\n")
        self.assertRegex(self.check(m)[1], r"error: .*virtual_alias_maps.*nothing")
        os.chmod(os.path.join(m.conf, "users"), 0o644)
        self.assertRegex(self.check(m)[1], r"error: .*/users is open to others \(mode 0644\): chmod go= ")
        if os.getuid() == 0:
            os.chown(os.path.join(m.conf, "mail"), 0, 0)
            self.assertRegex(self.check(m)[1], r"error: .*/mail belongs to uid 0")


    def test_queue_directories(self):
        m = Instance(self).start()
        m.stop()
        self.assertEqual(self.check(m)[0], 0)
        for path, mode, want in (("incoming", 0, "closed to its owner"), ("deferred/A", 0o500, "closed to its owner"),
                                 ("active", 0o755, "open to others"), ("public", 0o777, "written by others")):
            full = os.path.join(m.spool, path)
            before = os.stat(full).st_mode & 0o7777
            os.chmod(full, mode)
            code, text = self.check(m)
            self.assertEqual(code, 78, path)
            self.assertRegex(text, rf"error: {full} (is|may be) {want}")
            os.chmod(full, before)

    def test_start_and_reload_look_at_every_section(self):
        m = Instance(self).start()
        with open(os.path.join(m.conf, "main.cf")) as f:
            good = f.read()
        m.edit("main.cf", "smtpd_recipient_limit = many\n")
        line = len(open(os.path.join(m.conf, "main.cf")).read().splitlines())
        for verb in ("reload", "check"):
            r = m.merpati(verb, check=False)
            self.assertEqual(r.returncode, 78, verb)
            self.assertRegex(r.stderr.decode(), rf"main\.cf, line {line}")
        self.assertIn("generation=1", m.merpati("status").stdout.decode())
        with open(os.path.join(m.conf, "main.cf"), "w") as f:
            f.write(good)
        m.edit("master.cf", "extra unix - - n - - error -o smtpd_recipient_limit=many\n")
        r = m.merpati("reload", check=False)
        self.assertEqual(r.returncode, 78)
        self.assertRegex(r.stderr.decode(), r"master\.cf, line \d+: service extra: -o smtpd_recipient_limit")
        m.stop()
        self.assertEqual(m.merpati("start", check=False).returncode, 78)


class Users(unittest.TestCase):
    def add(self, m, name, password=b"secret\n", **kw):
        return m.merpati("user", "add", name, input=password, **kw)

    def test_add_list_passwd_del(self):
        m = Instance(self)
        self.add(m, "anna")
        self.add(m, "Bert.Two@example.test")
        path = os.path.join(m.conf, "users")
        with open(path) as f:
            text = f.read()
        uid = pwd.getpwnam(owner()).pw_uid
        self.assertRegex(text, rf"(?m)^anna@example\.test:\{{CRYPT\}}\$y\$[^:]+:{uid}:\d+::{m.conf}/mail/example\.test/anna::$")
        self.assertNotIn("secret", text)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
        self.assertEqual(os.stat(path).st_uid, uid)
        self.assertEqual(m.merpati("user", "list").stdout.decode().split(), ["anna@example.test", "bert.two@example.test"])
        old = re.search(r"anna@[^\n]+", text).group()
        m.merpati("user", "passwd", "anna", input=b"other\n")
        with open(path) as f:
            text = f.read()
        self.assertNotIn(old, text)
        self.assertIn("# name@domain", text, "comments stay")
        m.merpati("user", "del", "anna")
        self.assertEqual(m.merpati("user", "list").stdout.decode().split(), ["bert.two@example.test"])
        self.assertTrue(os.path.isdir(m.maildir("anna")), "mail stays")

    def test_first_user_is_postmaster(self):
        m = Instance(self)
        self.assertIn("mail for postmaster goes to anna@example.test", self.add(m, "anna").stdout.decode())
        self.assertNotIn("postmaster", self.add(m, "bert").stdout.decode())
        with open(os.path.join(m.conf, "aliases")) as f:
            self.assertEqual(re.findall(r"(?m)^(?:postmaster|root):.*$", f.read()),
                             ["postmaster: anna@example.test", "root:       postmaster"])
        m.start()
        m.send("x@client.example", ["postmaster@example.test", "abuse@example.test", "root@example.test"])
        m.wait_mails("anna", 1)
        m.wait_idle()
        self.assertNotIn("status=bounced", m.log())
        self.assertNotIn("status=deferred", m.log())

    def test_refusals(self):
        m = Instance(self)
        self.add(m, "anna")
        for name, password, want in (("anna", b"x\n", "exists"), ("", b"x\n", "cannot be a user"),
                                     ("../x", b"x\n", "cannot be a user"), ("a b", b"x\n", "cannot be a user"),
                                     ("x:y", b"x\n", "cannot be a user"), ("x@y@z_", b"x\n", "cannot be a user"),
                                     ("a" * 65, b"x\n", "cannot be a user"), ("new", b"", "no password"),
                                     ("new", b"\n", "no password"), ("new", b"x" * 600, "longer than")):
            r = self.add(m, name, password, check=False)
            self.assertEqual(r.returncode, 65, (name, r.stderr))
            self.assertIn(want, r.stderr.decode())
        self.assertEqual(m.merpati("user", "del", "nobody-here", check=False).returncode, 65)
        self.assertEqual(m.merpati("user", "passwd", "nobody-here", input=b"x\n", check=False).returncode, 65)
        self.assertEqual(m.merpati("user", "list").stdout.decode().split(), ["anna@example.test"])

    def test_many_at_once(self):
        m = Instance(self)
        running = [subprocess.Popen([program("merpati"), "-c", m.conf, "user", "add", f"u{i}"], stdin=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL, env=m.env) for i in range(12)]
        for p in running:
            p.stdin.write(b"pw\n")
            p.stdin.close()
        for p in running:
            self.assertEqual(p.wait(60), 0)
        self.assertEqual(len(m.merpati("user", "list").stdout.decode().split()), 12, "none overwrote another")

    def test_a_new_user_signs_in_without_restart(self):
        import poplib
        m = Instance(self).start()
        m.user("late", "pw1")
        p = poplib.POP3("127.0.0.1", m.port("pop3"), timeout=30)
        p.user("late@example.test")
        p.pass_("pw1")
        p.quit()
        m.merpati("user", "passwd", "late", input=b"pw2\n")
        p = poplib.POP3("127.0.0.1", m.port("pop3"), timeout=30)
        p.user("late")
        with self.assertRaises(poplib.error_proto):
            p.pass_("pw1")


if __name__ == "__main__":
    main()
