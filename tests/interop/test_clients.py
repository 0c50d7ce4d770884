"""Clients that nobody here wrote, as Debian ships them: swaks, curl, msmtp, mutt, isync, fetchmail, Python.
Text, attachments, 8-bit and UTF-8 headers, 25 MB, 1,000 recipients; sendmail -t also while the system is down."""
import email, email.policy, glob, hashlib, os, poplib, shutil, subprocess, tempfile, unittest
from email.message import EmailMessage
from instance import Instance, main

PASSWORD = "correct horse"
NEEDED = ("swaks", "curl", "msmtp", "mutt", "mbsync", "fetchmail")


def version(*cmd):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [l for l in r.stdout.decode(errors="replace").splitlines() if l.strip()]
    return lines[0] if lines else "?"


@unittest.skipUnless(all(shutil.which(p) for p in NEEDED), "needs " + " ".join(NEEDED))
class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for cmd in (("swaks", "--version"), ("curl", "--version"), ("msmtp", "--version"), ("mutt", "-v"),
                    ("mbsync", "--version"), ("fetchmail", "--version")):
            print(version(*cmd))
        cls.m = Instance(main_cf={"smtpd_peername_lookup": "no"})
        cls.addClassCleanup(cls.m.close)
        for u in ("anna", "bert", "carl", "dora", "emil", "frida"):
            cls.m.user(u, PASSWORD)
        cls.m.start()
        cls.tmp = tempfile.mkdtemp(prefix="merpati-interop.")
        cls.addClassCleanup(shutil.rmtree, cls.tmp, True)

    def run_client(self, *cmd, input=None, timeout=120, check=True, env=None):
        r = subprocess.run(cmd, input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                           env={**os.environ, "HOME": self.tmp, "LC_ALL": "C.UTF-8", **(env or {})})
        out = r.stdout.decode(errors="replace")
        if check:
            self.assertEqual(r.returncode, 0, f"{cmd[0]}: {out}{self.m.log_tail()}")
        return out

    def imap(self, user):
        return self.m.imap(self, f"{user}@example.test", PASSWORD)

    def fetch_all(self, user):
        c = self.imap(user)
        c.select("INBOX")
        _, data = c.fetch("1:*", "(BODY.PEEK[])")
        return [email.message_from_bytes(d[1], policy=email.policy.default) for d in data if isinstance(d, tuple)]

    # --- sending ------------------------------------------------------------------------------------
    def test_swaks(self):
        n = len(self.m.mails("anna"))
        out = self.run_client("swaks", "--server", f"127.0.0.1:{self.m.port('smtp')}", "--to", "anna@example.test",
                              "--from", "swaks@client.example", "--header", "Subject: from swaks",
                              "--body", "one\n.\n..two\nFrom three\n")
        self.assertIn("250 2.0.0 Ok: queued as ", out)
        self.m.wait_mails("anna", n + 1)
        mail = [m for m in self.fetch_all("anna") if m["subject"] == "from swaks"][0]
        self.assertIn("one\n.\n..two\nFrom three\n", mail.get_content().replace("\r\n", "\n"))

    def test_curl_smtp_and_pipelining(self):
        path = os.path.join(self.tmp, "curl.eml")
        open(path, "w").write("From: curl <curl@client.example>\nTo: bert@example.test\nSubject: from curl\n\nhi\n")
        n = len(self.m.mails("bert"))
        self.run_client("curl", "-sS", "--crlf", f"smtp://127.0.0.1:{self.m.port('smtp')}/client.example", "--mail-from",
                        "curl@client.example", "--mail-rcpt", "bert@example.test", "--upload-file", path)
        self.m.wait_mails("bert", n + 1)

    def test_msmtp_8bit(self):
        n = len(self.m.mails("carl"))
        self.run_client("msmtp", "--host=127.0.0.1", f"--port={self.m.port('smtp')}", "--from=a@client.example", "--auth=off",
                        "--tls=off", "carl@example.test",
                        input="Subject: =?UTF-8?Q?J=C3=B6rg?=\nContent-Type: text/plain; charset=utf-8\n\nGrüße\n".encode())
        self.m.wait_mails("carl", n + 1)
        mail = [m for m in self.fetch_all("carl") if m["subject"] == "Jörg"][0]
        self.assertIn("Grüße", mail.get_content())

    def test_python_attachment_and_utf8_headers(self):
        mail = EmailMessage(policy=email.policy.SMTPUTF8)
        mail["From"], mail["To"] = "Käte <kate@client.example>", "dora@example.test"
        mail["Subject"] = "Überraschung 🕊"
        mail.set_content("siehe Anhang\n")
        data = os.urandom(100000)
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename="größe.bin")
        n = len(self.m.mails("dora"))
        with self.m.smtp() as s:
            s.ehlo("client.example")
            s.sendmail("kate@client.example", ["dora@example.test"], mail.as_bytes(), ["SMTPUTF8", "BODY=8BITMIME"])
        self.m.wait_mails("dora", n + 1)
        got = [m for m in self.fetch_all("dora") if m["subject"] == "Überraschung 🕊"][0]
        part = [p for p in got.walk() if p.get_filename()][0]
        self.assertEqual(part.get_filename(), "größe.bin")
        self.assertEqual(part.get_payload(decode=True), data)

    def test_25_megabytes(self):
        line = hashlib.sha256(b"x").hexdigest() + "\r\n"
        body = "Subject: big\r\n\r\n" + line * (25 * 1024 * 1024 // len(line))
        with self.m.smtp(timeout=120) as s:
            s.sendmail("a@client.example", ["emil@example.test"], body)
        self.m.wait_mails("emil", 1, 120)
        p = poplib.POP3("127.0.0.1", self.m.port("pop3"), 120)
        p.user("emil@example.test")
        p.pass_(PASSWORD)
        lines = p.retr(1)[1]
        p.quit()
        self.assertEqual(lines[lines.index(b"") + 1:], [line[:-2].encode()] * (25 * 1024 * 1024 // len(line)))
        self.assertEqual(sum(len(m.as_bytes()) > 25000000 for m in self.fetch_all("emil")), 1)

    def test_1000_recipients(self):
        users = [f"anna+{i}@example.test" for i in range(1000)]
        n = len(self.m.mails("anna"))
        with self.m.smtp(timeout=120) as s:
            self.assertEqual(s.sendmail("a@client.example", users, "Subject: thousand\r\n\r\nx\r\n"), {})
        self.m.wait_mails("anna", n + 1000, 120)

    def test_sendmail(self):
        n = len(self.m.mails("frida"))
        text = b"To: frida@example.test\nCc: Anna <anna@example.test>\nBcc: bert@example.test\nSubject: by sendmail\n\nx\n"
        self.m.run("sendmail", "-t", "-i", input=text)
        self.m.wait_mails("frida", n + 1)
        mail = open(self.m.mails("frida")[-1]).read()
        for field in ("Date:", "Message-Id:", "From:"):
            self.assertIn(field.lower(), mail.lower())
        self.assertNotIn("bcc:", mail.lower())

    # --- reading ------------------------------------------------------------------------------------
    def test_curl_reads(self):
        n = len(self.m.mails("bert"))
        self.m.send("a@client.example", ["bert@example.test"], "Subject: read me\r\n\r\nby curl\r\n")
        self.m.wait_mails("bert", n + 1)
        auth = ("-u", f"bert@example.test:{PASSWORD}")
        out = self.run_client("curl", "-sS", *auth, f"imap://127.0.0.1:{self.m.port('imap')}/INBOX?ALL")
        self.assertIn("* SEARCH 1", out)
        out = self.run_client("curl", "-sS", *auth, f"pop3://127.0.0.1:{self.m.port('pop3')}/1")
        self.assertIn("Return-Path:", out)

    def test_mutt(self):
        n = len(self.m.mails("carl"))
        self.m.send("a@client.example", ["carl@example.test"], "Subject: for mutt\r\n\r\nmutt body\r\n")
        self.m.wait_mails("carl", n + 1)
        rc = os.path.join(self.tmp, "muttrc")
        url = f"imap://carl%40example.test@127.0.0.1:{self.m.port('imap')}/INBOX"
        open(rc, "w").write(f'set imap_user="carl@example.test"\nset imap_pass="{PASSWORD}"\nset ssl_starttls=no\n'
                            f'set ssl_force_tls=no\nset header_cache=\nset folder="{url}"\nset record=""\nset quit=yes\n')
        out = os.path.join(self.tmp, "copied")
        script = f"set timeout 40\nspawn mutt -F {rc} -f {url} -e \"push '<tag-pattern>~A<enter><tag-prefix-cond><copy-message>{out}<enter>y<end-cond><quit>'\"\nexpect eof\n"
        if not shutil.which("expect"):
            self.skipTest("expect is not installed")
        self.run_client("expect", "-", input=script.encode(), env={"TERM": "xterm"}, timeout=90)
        self.assertIn("mutt body", open(out).read())

    def test_isync(self):
        n = len(self.m.mails("dora"))
        self.m.send("a@client.example", ["dora@example.test"], "Subject: for isync\r\n\r\nsync me\r\n")
        self.m.wait_mails("dora", n + 1)
        rc, local = os.path.join(self.tmp, "mbsyncrc"), os.path.join(self.tmp, "isync")
        os.makedirs(local, exist_ok=True)
        open(rc, "w").write(f"""IMAPAccount m
Host 127.0.0.1
Port {self.m.port('imap')}
User dora@example.test
Pass "{PASSWORD}"
SSLType None
AuthMechs LOGIN

IMAPStore far
Account m

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * INBOX
Create Both
Expunge Both
SyncState *
""")
        self.run_client("mbsync", "-c", rc, "-a")
        self.run_client("mbsync", "-c", rc, "-a")                    # nothing to do, nothing doubled
        there = glob.glob(local + "/INBOX/*/*")
        self.assertEqual(len([f for f in there if "/INBOX/tmp/" not in f]), len(self.m.mails("dora")))
        with open(os.path.join(local, "INBOX", "new", "1.local"), "w") as f:
            f.write("Subject: from below\n\nup\n")
        self.run_client("mbsync", "-c", rc, "-a")
        c = self.imap("dora")
        c.select("INBOX")
        self.assertEqual(len(c.search(None, "SUBJECT", '"from below"')[1][0].split()), 1)

    def test_fetchmail(self):
        n = len(self.m.mails("frida"))
        self.m.send("a@client.example", ["frida@example.test"], "Subject: for fetchmail\r\n\r\nfetch me\r\n")
        self.m.wait_mails("frida", n + 1)
        for proto, service in (("pop3", "pop3"), ("imap", "imap")):
            rc, out = os.path.join(self.tmp, "fetchmailrc"), os.path.join(self.tmp, "fetched." + proto)
            with open(rc, "w") as f:
                f.write(f'poll 127.0.0.1 protocol {proto} port {self.m.port(service)} auth password\n'
                        f'  user "frida@example.test" password "{PASSWORD}" sslproto "" keep fetchall\n'
                        f'  mda "cat >>{out}"\n')
            os.chmod(rc, 0o600)
            self.run_client("fetchmail", "-f", rc, "--pidfile", os.path.join(self.tmp, "pid"), "--idfile",
                            os.path.join(self.tmp, "ids"), "--nosyslog")
            self.assertIn("fetch me", open(out).read())


class Down(unittest.TestCase):
    def test_sendmail_while_the_system_is_down(self):
        m = Instance(self)
        m.user("anna")
        r = m.run("sendmail", "anna@example.test", input=b"Subject: early\n\nx\n")
        self.assertEqual(r.returncode, 0)
        self.assertEqual(len(m.queue("maildrop")), 1)
        self.assertIn(b"anna@example.test", m.run("mailq", check=False).stdout + m.run("postqueue", "-p", check=False).stdout)
        m.start()
        m.wait_mails("anna", 1)
        self.assertEqual(m.queue("maildrop"), [])


main()
