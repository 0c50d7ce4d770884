"""sendmail(1): from a program to the mailbox, by the submit socket and by maildrop/, and what it refuses."""
import email, os, socket, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fast import FAST  # noqa: E402
from instance import DOMAIN, Instance, main, program  # noqa: E402
from ipc_garbage import field, frame  # noqa: E402


class Sendmail(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self, main_cf={**FAST, "message_size_limit": "1000000"})
        for u in ("anna", "bert", "carl"):
            self.m.user(u)

    def start(self):
        return self.m.start()

    def sendmail(self, *args, text=b"Subject: t\n\nbody\n", code=0):
        r = self.m.run("sendmail", *args, input=text, check=False)
        self.assertEqual(r.returncode, code, r.stderr.decode() + self.m.log_tail())
        return r

    def mail(self, user, n=1):
        with open(self.m.wait_mails(user, n)[-1], "rb") as f:
            head, _, body = f.read().partition(b"\n\n")
        return head.decode(), body

    def test_extract(self):
        self.start()
        self.sendmail("-t", "-oi", text=b"To: Anna <anna@%b>, bert\nCc: anna@%b\nBcc: carl\nSubject: t\n\n.\nbody\n"
                      % ((DOMAIN.encode(),) * 2))
        for user in ("anna", "bert", "carl"):
            head, body = self.mail(user)
            self.assertEqual(body, b".\nbody\n")
            self.assertIn(f"To: Anna <anna@{DOMAIN}>, bert@{DOMAIN}\n", head)
            self.assertNotIn("Bcc", head)
            self.assertIn("Message-Id: <", head)
            self.assertIn("\nDate: ", head)
            self.assertRegex(head, r"Received: by mail\.\S+ \(merpati, from userid \d+\)\n\tid \S+; ")
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails("anna")), 1)

    def test_resent(self):
        self.start()
        self.sendmail("-t", text=b"To: anna\nResent-To: bert\nResent-From: carl\nFrom: x@y.test\n\nb\n")
        head, _ = self.mail("bert")
        self.assertIn(f"Resent-From: carl@{DOMAIN}", head)
        self.m.wait_idle()
        self.assertEqual(self.m.mails("anna"), [])

    def test_arguments_and_from(self):
        self.start()
        self.sendmail("-F", "Bert B.", "-f", "bert", "anna, carl", "Carl",
                      text=b"From a mailbox\nSubject: t\r\n\r\none\r\n.\r\nnot read\r\n")
        head, body = self.mail("anna")
        self.assertIn(f"Return-Path: <bert@{DOMAIN}>", head)
        self.assertIn(f'From: "Bert B." <bert@{DOMAIN}>', head)
        self.assertEqual(body, b"one\n")
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails("carl")), 1)
        self.m.wait_log(r"pickup\[\d+\]: \w+: uid=\d+ from=<bert>")

    def test_options_of_programs(self):
        """As cron, git, php, mutt and others call it."""
        self.start()
        for n, args in enumerate((["-i", "-FCronDaemon", "-odi", "-oem", "anna"], ["-oem", "-oi", "--", "anna"],
                                  ["-i", "-B8BITMIME", "-Nnever", "-Rhdrs", "-Vid1", "anna"], ["-G", "-i", "-h3", "anna"],
                                  ["-om", "-oi", "-Am", "-Lx", "-p", "x", "-X", "/dev/null", "anna"],
                                  ["-C", self.m.conf, "anna"], ["-C", self.m.conf + "/main.cf", "anna"])):
            self.sendmail(*args)
            self.m.wait_mails("anna", n + 1)

    def reports(self, user, n):
        """{recipient: (action, original recipient, envelope id, what is returned)} of N reports to USER."""
        found = {}
        for path in self.m.wait_mails(user, n):
            with open(path, "rb") as f:
                r = email.message_from_bytes(f.read())
            _, status, original = r.get_payload()
            mail, *rcpts = status.get_payload()
            for x in rcpts:
                found[x["Final-Recipient"].split()[1].split("@")[0]] = (
                    x["Action"], x["Original-Recipient"], mail["Original-Envelope-Id"], original.get_content_subtype())
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails(user)), n)
        return found

    def test_reports(self):
        """-N, -R and -V, as Postfix's sendmail(1) has them."""
        self.start()
        me = f"bert@{DOMAIN}"
        self.sendmail("-f", me, "-N", "success,failure", "-R", "hdrs", "-V", "id 1+", "anna", "nobody1")
        self.assertEqual(self.reports("bert", 2), {
            "anna": ("delivered", "rfc822; anna", "id 1+", "rfc822-headers"),
            "nobody1": ("failed", "rfc822; nobody1", "id 1+", "rfc822-headers")})
        self.sendmail("-f", me, "-Nnever", "nobody2")
        self.sendmail("-f", me, "-N", "DELAY,success", "nobody3")
        self.sendmail("-f", me, "-Rfull", "nobody4")
        self.assertEqual(self.reports("bert", 3)["nobody4"], ("failed", "rfc822; nobody4", None, "rfc822"))

    def test_reports_while_the_system_is_down(self):
        self.m.merpati("start"), self.m.merpati("stop")
        self.sendmail("-f", f"bert@{DOMAIN}", "-N", "success", "-V", "later", "-R", "HDRS", "anna")
        self.start()
        self.assertEqual(self.reports("bert", 1)["anna"][2:], ("later", "rfc822-headers"))

    def test_reports_bs(self):
        """Each recipient of a dialogue has its own wishes."""
        self.start()
        r = self.m.run("sendmail", "-bs", input=b"EHLO x\r\nMAIL FROM:<bert@%b> RET=HDRS ENVID=a+2Bb\r\n"
                       b"RCPT TO:<anna@%b> NOTIFY=SUCCESS ORCPT=rfc822;annika+2Bx@far.example\r\n"
                       b"RCPT TO:<nobody1@%b> NOTIFY=NEVER\r\nRCPT TO:<nobody2@%b>\r\nDATA\r\n"
                       b"Subject: x\r\n\r\nb\r\n.\r\nQUIT\r\n" % ((DOMAIN.encode(),) * 4))
        self.assertEqual(r.stdout.count(b"250 2.1.5"), 3)
        self.assertEqual(self.reports("bert", 2), {
            "anna": ("delivered", "rfc822; annika+x@far.example", "a+b", "rfc822-headers"),
            "nobody2": ("failed", f"rfc822; nobody2@{DOMAIN}", "a+b", "rfc822-headers")})

    def test_refusals(self):
        self.start()
        self.sendmail(code=64)
        self.sendmail("-t", text=b"Subject: x\n\nb\n", code=64)
        self.sendmail("-Z", code=64)
        self.sendmail("-bx", code=64)
        for option, value, hint in (("-N", "sometimes", b"delay, failure, success, or never"),
                                    ("-N", "never,delay", b"delay, failure, success, or never"),
                                    ("-N", "", b"delay, failure, success, or never"), ("-R", "half", b"full or hdrs"),
                                    ("-V", "", b"1 to 100 printable"), ("-V", "a\tb", b"1 to 100 printable"),
                                    ("-V", "x" * 101, b"1 to 100 printable")):
            r = self.sendmail(option, value, "anna", code=64)
            self.assertIn(b"bad %b option value -- specify " % option.encode() + hint, r.stderr)
        r = self.sendmail("anna", text=b"\n" + b"x" * 1000001, code=69)
        self.assertIn(b"message file too big", r.stderr)
        self.sendmail("-f", "a\x01b", "anna", code=65)
        r = self.sendmail("anna", text=b"Received: x\n" * 60 + b"\nb\n", code=69)
        self.assertIn(b"too many hops", r.stderr)
        self.assertEqual(self.m.queue(), [])

    def test_system_down(self):
        self.m.merpati("start"), self.m.merpati("stop")
        for i in range(5):
            self.sendmail("-f", f"bert@{DOMAIN}", "anna", text=b"Subject: %d\n\nb\n" % i)
        self.assertEqual(len(self.m.queue("maildrop")), 5)
        self.assertIn("5 Requests.", self.m.run("mailq").stdout.decode())
        self.start()
        self.m.wait_mails("anna", 5)
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails("anna")), 5)

    def test_maildrop_hostile(self):
        self.m.merpati("start"), self.m.merpati("stop")
        drop = os.path.join(self.m.spool, "maildrop")
        st = os.stat(drop)
        os.symlink("/etc/passwd", os.path.join(drop, "4Pt2mN2VXxznjllB"))
        os.mkfifo(os.path.join(drop, "4Pt2mN2VXxznjllC"))
        with open(os.path.join(drop, "4Pt2mN2VXxznjllD"), "wb") as f:
            f.write(b"MPDROP1\nnot a mail")
        os.chmod(f.name, 0o700)
        os.chown(f.name, st.st_uid, st.st_gid)
        self.sendmail("-f", f"bert@{DOMAIN}", "anna", text=b"Received: x\n" * 60 + b"Subject: loops\n\nb\n")
        self.sendmail("anna")
        self.start()
        self.m.wait_mails("anna", 1)
        head, body = self.mail("bert")
        self.assertIn("Subject: Undelivered Mail Returned to Sender", head)
        self.assertIn(b"too many hops", body)
        self.m.wait_log("maildrop/4Pt2mN2VXxznjllD: uid=.* not a mail")
        self.assertEqual([os.path.basename(p) for p in self.m.queue("corrupt")], ["4Pt2mN2VXxznjllD"])
        self.assertTrue(os.path.islink(os.path.join(drop, "4Pt2mN2VXxznjllB")))

    def test_maildrop_odd_names_are_told_once(self):
        drop = os.path.join(self.m.spool, "maildrop")
        self.start()
        st = os.stat(drop)
        kinds = {"core": "a file whose name is no queue id of merpati", "4Pt2mN2VXxznjllA": "a directory",
                 "4Pt2mN2VXxznjllB": "a symbolic link", "4Pt2mN2VXxznjllC": "no regular file", "sub": "a directory",
                 "4Pt2mN2VXxznjllE": "a file with more than one name", "a b\n\x1b[2J": "a file whose name is no queue id"}
        for name, kind in kinds.items():
            path = os.path.join(drop, name)
            if "directory" in kind:
                os.mkdir(path)
            elif "link" in kind:
                os.symlink("/etc/passwd", path)
            elif "regular" in kind:
                os.mkfifo(path)
            elif "more than one" in kind:
                os.link(os.path.join(drop, "core"), path)
                kinds["core"] = kind
            else:
                open(path, "w").close()
                os.chown(path, st.st_uid, st.st_gid)
        def scan():     # a mail of postdrop wakes pickup; the scan that takes the next one began after the first was over
            for _ in range(3):
                self.m.run("postdrop", input=record)
                self.m.wait("the mail is taken", lambda: set(os.listdir(drop)) <= set(kinds))
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus", "drop_file",
                               "small"), "rb") as f:
            record = f.read()
        lines = lambda: [l for l in self.m.log().splitlines() if "never taken" in l]
        scan()
        self.assertEqual(len(lines()), len(kinds), lines())
        for name, kind in kinds.items():
            shown = name.replace("\n", "?").replace("\x1b", "?")
            self.assertEqual(len([l for l in lines() if f"maildrop/{shown}: {kind}" in l]), 1, (name, lines()))
        os.rmdir(os.path.join(drop, "sub"))
        scan()
        os.mkdir(os.path.join(drop, "sub"))
        scan()
        self.assertEqual(len(lines()), len(kinds) + 1)
        self.assertEqual(len([l for l in lines() if "maildrop/sub: " in l]), 2)
        self.assertEqual(set(os.listdir(drop)), set(kinds))

    def test_smtp_on_stdin(self):
        self.start()
        r = self.sendmail("-bs", text=b"EHLO x\r\nMAIL FROM:<bert@%b>\r\nRCPT TO:<anna@%b>\r\nDATA\r\nSubject: bs\r\n"
                          b"\r\n..dot\r\n.\r\nRCPT TO:<x>\r\nVRFY anna\r\nNONSENSE\r\nQUIT\r\n"
                          % ((DOMAIN.encode(),) * 2))
        codes = [l[:3] for l in r.stdout.split(b"\r\n") if l[3:4] == b" "]
        self.assertEqual(codes, [b"220", b"250", b"250", b"250", b"354", b"250", b"503", b"252", b"502", b"221"])
        head, body = self.mail("anna")
        self.assertIn("Subject: bs", head)
        self.assertEqual(body, b".dot\n")

    def test_odd_processes(self):
        """Exit 0: the mail is there; another code: nothing is left."""
        self.start()
        env = {**self.m.env, "MAIL_CONFIG": self.m.conf}
        sh = lambda cmd: subprocess.run(["sh", "-c", cmd, "sh", program("sendmail")], env=env, timeout=60,
                                        stderr=subprocess.PIPE, input=b"Subject: x\n\nb\n").returncode
        self.assertEqual(sh('"$1" anna >&- 2>&-'), 0)
        self.assertEqual(sh('"$1" anna <&-'), 0)                    # an empty message
        self.assertEqual(sh('ulimit -f 0; trap "" PIPE XFSZ CHLD; "$1" anna'), 0)
        self.m.wait_mails("anna", 3)
        self.m.stop()
        self.assertNotEqual(sh('ulimit -f 0; "$1" anna'), 0)
        self.assertEqual(self.m.queue(), [])
        self.assertEqual(sh('"$1" anna >&- 2>&-'), 0)
        self.assertEqual(len(self.m.queue("maildrop")), 1)

    def test_raw_records_to_postdrop(self):
        """Exit 0 leaves a mail, any other code nothing."""
        self.m.merpati("start"), self.m.merpati("stop")
        corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus", "drop_file")
        for name in sorted(os.listdir(corpus)):
            with open(os.path.join(corpus, name), "rb") as f:
                r = self.m.run("postdrop", input=f.read(), check=False)
            left = self.m.queue("maildrop")
            with self.subTest(name=name):
                self.assertEqual(len(left), 1 if r.returncode == 0 else 0, r)
                self.assertEqual(r.returncode, 0 if name in ("whole", "small", "no_content", "orcpt") else 65, r)
            for path in left:
                os.unlink(path)

    def test_the_same_mail_by_two_ways(self):
        """sendmail did not hear the verdict and took maildrop/: the mailbox has the mail once."""
        self.m.merpati("start"), self.m.merpati("stop")
        self.sendmail("-f", f"bert@{DOMAIN}", "anna", "carl", text=b"Subject: once\n\nb\n")
        (path,) = self.m.queue("maildrop")
        with open(path, "rb") as f:
            drop = f.read()
        self.start()
        self.m.wait_mails("anna", 1), self.m.wait_mails("carl", 1)
        self.m.wait_idle()
        self.m.run("postdrop", input=drop)
        self.m.wait_log(r": removed", count=2)
        self.m.wait_idle()
        self.assertEqual((len(self.m.mails("anna")), len(self.m.mails("carl"))), (1, 1))

    def test_the_same_mail_by_two_ways_maildrop_first(self):
        """pickup died, and cleanup committed late: the one from the submit socket is the second, and finds the first."""
        self.m.merpati("start"), self.m.merpati("stop")
        self.sendmail("-f", f"bert@{DOMAIN}", "anna", text=b"Subject: once\n\nb\n")
        (path,) = self.m.queue("maildrop")
        with open(path, "rb") as f:
            drop = f.read()
        self.start()
        self.m.wait_mails("anna", 1)
        self.m.wait_idle()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(os.path.join(self.m.spool, "public", "submit"))
            s.recv(4096)    # hello
            s.sendall(frame(field(1, 5, drop), protocol=12, type_=1) + frame(protocol=12, type_=2))
            self.assertIn(b"Ok: queued as", s.recv(4096))
        self.m.wait_log(r": removed", count=2)
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails("anna")), 1)
        self.m.wait_log(r"delivered to maildir before")

    def test_verify_and_report(self):
        self.start()
        r = self.sendmail("-bv", "-f", f"bert@{DOMAIN}", "anna", "joe@far.example.org", text=b"")
        self.assertIn(f"Mail Delivery Status Report will be mailed to <bert@{DOMAIN}>.", r.stdout.decode())
        head, body = self.mail("bert")
        self.assertIn(b"deliverable", body)
        self.m.wait_idle()
        self.assertEqual((self.m.mails("anna"), self.m.queue()), ([], []))
        self.sendmail("-v", "-f", f"carl@{DOMAIN}", "anna")
        self.m.wait_mails("anna", 1)
        head, body = self.mail("carl")
        self.assertIn(f"anna@{DOMAIN}".encode(), body)
        self.assertEqual(self.sendmail("-bv", "-t", text=b"", code=64).stdout, b"")

    def test_many_at_once(self):
        self.start()
        procs = [subprocess.Popen([program("sendmail"), f"{u}@{DOMAIN}"], stdin=subprocess.PIPE,
                                  env={**self.m.env, "MAIL_CONFIG": self.m.conf})
                 for u in ("anna", "bert", "carl") * 20]
        for p in procs:
            p.stdin.write(b"Subject: x\n\nb\n")
            p.stdin.close()
        self.assertEqual([p.wait(60) for p in procs], [0] * 60)
        for u in ("anna", "bert", "carl"):
            self.m.wait_mails(u, 20)
        self.m.wait_idle()
        self.assertEqual(sum(len(self.m.mails(u)) for u in ("anna", "bert", "carl")), 60)

    def test_pickup_dies(self):
        self.m.edit("main.cf", "service_throttle_time = 2s\n")
        self.start()
        for i in range(8):
            self.m.kill("pickup")
            self.sendmail("anna", text=b"Subject: %d\n\nb\n" % i)
        self.m.wait_mails("anna", 8)
        self.m.wait_idle()
        self.assertEqual(len(self.m.mails("anna")), 8)

    def test_aliases_and_daemon_modes(self):
        self.start()
        self.sendmail("-q")
        self.sendmail("-q30m", "anna")
        self.m.wait_mails("anna", 1)
        self.assertIn(b"Mail queue is empty", self.sendmail("-bp").stdout)
        self.sendmail("-bh")


main()
