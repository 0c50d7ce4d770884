"""Every process of a system instance has exactly the rights that ARCHITECTURE section 2 gives it (ATTACKS S01, S03):
accounts, groups, capabilities, no_new_privs, system call filter, root directory, and open descriptors, as /proc says."""
import contextlib, grp, os, pwd, re, socket, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import PREFIX, System, enter, main  # noqa: E402

enter()

EMPTY = "/var/spool/merpati/empty"
CAPS = {"CHOWN": 0, "DAC_READ_SEARCH": 2, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8, "NET_BIND_SERVICE": 10,
        "SYS_CHROOT": 18, "AUDIT_WRITE": 29}


def bits(*names):
    return sum(1 << CAPS[n] for n in names)


BELOW = bits(*CAPS)                                    # what programs that master starts begin with
MASTER = bits("CHOWN", "KILL", "NET_BIND_SERVICE")
CAGED = dict(eff=0, bnd=0, nnp=1, seccomp=2)
# ARCHITECTURE section 2, said once more: account, root directory, and what else differs from CAGED
TABLE = {
    "master": ("root", "/", dict(eff=MASTER, bnd=BELOW, nnp=0, seccomp=0)),
    "smtpd": ("merpati-net", EMPTY, {}),
    "login": ("merpati-net", EMPTY, {}),
    "dnsd": ("merpati-net", EMPTY, {}),
    "anvil": ("merpati-net", EMPTY, {}),
    "smtp": ("merpati-out", EMPTY, {}),
    "lmtp": ("merpati-out", EMPTY, {}),
    "pickup": ("merpati", "/", {}),
    "cleanup": ("merpati", "/", {}),
    "qmgr": ("merpati", "/", {}),
    "trivial-rewrite": ("merpati", "/", {}),
    "local": ("merpati", "/", {}),
    "virtual": ("merpati", "/", {}),
    "pipe": ("merpati", "/", {}),
    "error": ("merpati", "/", {}),
    "discard": ("merpati", "/", {}),
    "bounce": ("merpati", "/", {}),
    "showq": ("merpati", "/", {}),
    "postlogd": ("merpati", "/", {}),
    "proxymap": ("merpati-map", "/", {}),
    "auth": ("merpati-auth", "/", {}),
    "auth-worker": ("merpati-auth", "/", {}),
    "maillock": ("root", "/var/mail", dict(eff=bits("CHOWN"))),
    "auth-pam": ("root", "/", dict(eff=BELOW, bnd=BELOW, nnp=0, seccomp=0)),
}
NOBODYS = ("root", "/", dict(eff=BELOW, bnd=BELOW, nnp=0, seccomp=0))   # waits for auth's word
READER = ("anna", "/", {})
POSTMAN = ("anna", "/", dict(eff=0, bnd=BELOW, nnp=0, seccomp=0))       # set-gid postdrop must work below it


class Process:
    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/status") as f:
            self.status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        self.name = self.status["Name"]
        self.uids = self.status["Uid"].split()
        self.gids = self.status["Gid"].split()
        self.groups = self.status["Groups"].split()
        self.root = os.readlink(f"/proc/{pid}/root")

    def cap(self, which):
        return int(self.status["Cap" + which], 16)

    def fds(self):
        out = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                out[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
            except FileNotFoundError:
                pass
        return out

    def environ(self):
        with open(f"/proc/{self.pid}/environ", "rb") as f:
            return [v.split(b"=")[0].decode() for v in f.read().split(b"\0") if v]


class Rights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        m = cls.m = System(main_cf={"transport_maps": "inline:{ {gone.example = discard:}, {run.example = run:}, {l.example = lmtp:[127.0.0.1]}, "
                                                      "{e.example = retry:later} }",
                                    "virtual_mailbox_domains": "v.example", "virtual_mailbox_base": "/var/mail",
                                    "virtual_mailbox_maps": "inline:{ {x@v.example = x/} }",
                                    # root's: nobody becomes that
                                    "virtual_uid_maps": "static:0", "virtual_gid_maps": "static:0",
                                    "relay_domains": "gone.example, run.example, l.example, e.example",
                                    "smtpd_client_event_limit_exceptions": "", "max_idle": "600s",
                                    "local_recipient_maps": "proxy:unix:passwd.byname $alias_maps"})
        anna = m.unix_user("anna", "secret", groups=["audio"])
        with open("/etc/merpati/aliases", "a") as f:
            f.write("x: anna\n")
        with open("/home/anna/.forward", "w") as f:
            f.write('"|cat >/dev/null"\n')
        os.chown("/home/anna/.forward", anna.pw_uid, anna.pw_gid)
        m.run("newaliases")
        m.edit("master.cf", "run unix - n n - - pipe\n  user=root argv=/bin/true\n")
        os.system("chown root:mail /var/mail && chmod 2775 /var/mail")
        m.start()
        cls.exercise()

    @classmethod
    def tearDownClass(cls):
        cls.m.close()

    @classmethod
    def exercise(cls):
        """Something for every program to do."""
        import imaplib, poplib
        m = cls.m
        with m.smtp() as s:
            s.sendmail("x@example.test", ["anna@example.test"], "Subject: 1\r\n\r\n1\r\n")
            s.sendmail("x@example.test", ["someone@gone.example"], "Subject: 2\r\n\r\n2\r\n")
            s.sendmail("x@example.test", ["x@v.example"], "Subject: v\r\n\r\nv\r\n")
            s.sendmail("x@example.test", ["x@run.example"], "Subject: r\r\n\r\nr\r\n")
            s.sendmail("x@example.test", ["someone@far.example"], "Subject: 3\r\n\r\n3\r\n")
            s.sendmail("x@example.test", ["someone@e.example"], "Subject: e\r\n\r\ne\r\n")
            s.sendmail("x@example.test", ["someone@l.example"], "Subject: 5\r\n\r\n5\r\n")
        m.run("sendmail", "anna", input=b"Subject: 4\n\n4\n")
        m.wait_log(r"/discard\[.*status=sent")
        m.wait_log(r"/error\[.*status=deferred")
        m.wait_log(r"/smtp\[.*status=deferred")
        m.wait_log(r"/lmtp\[.*status=deferred \(connect to 127.0.0.1\[127.0.0.1\]:24: Connection refused\)")
        cls.imap = imaplib.IMAP4("127.0.0.1", 143)
        cls.imap.login("anna", "secret")
        cls.pop3 = poplib.POP3("127.0.0.1", 110)
        cls.pop3.user("anna"), cls.pop3.pass_("secret")
        m.run("mailq")
        cls.lock = socket.socket(socket.AF_UNIX)
        cls.lock.connect("/var/spool/merpati/public/maillock")
        cls.dead = socket.create_connection(("127.0.0.1", 25))        # keeps anvil and an smtpd busy
        m.wait_log(r"to=<anna@example.test>")
        m.wait_log(r"/virtual\[.*to=<x@v.example>.*status=deferred")
        m.wait_log(r"/pipe\[.*to=<x@run.example>.*status=deferred")
        m.wait("a postman of anna", lambda: [p for p in cls.processes() if p.name == "postman" and p.uids[0] != "0"])

    @classmethod
    def processes(cls):
        out = []
        for pid in cls.m.pids():
            try:
                out.append(Process(pid))
            except FileNotFoundError:
                pass
        return out

    def run(self, result=None):
        """A process that has just been started is on its way to its rights: a wrong one stays wrong."""
        method = getattr(self, self._testMethodName)
        end = time.monotonic() + 10

        def patient():
            while True:
                try:
                    return method()
                except (AssertionError, FileNotFoundError):
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.2)
        setattr(self, self._testMethodName, patient)
        return super().run(result)

    @contextlib.contextmanager
    def about(self, p):
        try:
            yield
        except AssertionError as e:
            raise AssertionError(f"{p.name}[{p.pid}]: {e}") from None

    def expected(self, p):
        if p.name in ("pop3d", "imapd"):
            return NOBODYS if p.uids[0] == "0" else READER
        if p.name == "postman":
            return NOBODYS if p.uids[0] == "0" else POSTMAN
        return TABLE[p.name]

    def test_every_process(self):
        seen = set()
        for p in self.processes():
            with self.about(p):
                account, root, differs = self.expected(p)
                want = {**CAGED, **differs}
                seen.add((p.name, account))
                pw = pwd.getpwnam(account)
                self.assertEqual(set(p.uids), {str(pw.pw_uid)}, "real, effective, saved, file system")
                self.assertEqual(set(p.gids), {str(pw.pw_gid)})
                groups = {str(grp.getgrnam("audio").gr_gid)} if account == "anna" else set()
                self.assertEqual(set(p.groups) - {str(pw.pw_gid)}, groups)
                self.assertEqual(p.root, root)
                self.assertEqual({c: hex(p.cap(c)) for c in ("Inh", "Amb")}, {"Inh": "0x0", "Amb": "0x0"})
                self.assertEqual(hex(p.cap("Prm")), hex(want["eff"]))
                self.assertEqual(hex(p.cap("Eff")), hex(want["eff"]))
                self.assertEqual(hex(p.cap("Bnd")), hex(want["bnd"]))
                self.assertEqual(int(p.status["NoNewPrivs"]), want["nnp"])
                self.assertEqual(int(p.status["Seccomp"]), want["seccomp"])
                if p.status["Seccomp"] == "2":
                    self.assertEqual(p.status["Seccomp_filters"], "1")
        for name, (account, _, _) in TABLE.items():
            self.assertIn((name, account), seen, f"{name} was not looked at{self.m.log_tail()}")
        for name in ("pop3d", "imapd", "postman"):
            self.assertIn((name, "root"), seen, f"no {name} is kept ready")
            self.assertIn((name, "anna"), seen)

    def test_all_threads(self):
        """What holds for the first thread holds for all."""
        for p in self.processes():
            for task in os.listdir(f"/proc/{p.pid}/task"):
                try:
                    with open(f"/proc/{p.pid}/task/{task}/status") as f:
                        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
                except FileNotFoundError:
                    continue
                for key in ("Uid", "Gid", "Groups", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"):
                    self.assertEqual(status[key], p.status[key], (p.name, task, key))

    def test_descriptors_of_jailed_processes(self):
        """Sockets, the loop's own descriptors, standard streams, a lock; no directory, no file to write but results."""
        streams = ("/dev/null", "/var/log/merpati/mail.log", "/mail.log")
        for p in self.processes():
            if self.expected(p)[1] == "/":
                continue
            for fd, link in p.fds().items():
                with self.about(p):
                    with open(f"/proc/{p.pid}/fdinfo/{fd}") as f:
                        flags = int(re.search(r"^flags:\s*(\d+)", f.read(), re.M)[1], 8)
                    if p.name in ("smtp", "lmtp") and re.match(r"/var/spool/merpati/(done|active)/", link):
                        # of a delivery: its results, which it may only append, and the mail
                        want = os.O_WRONLY | os.O_APPEND if "/done/" in link else os.O_RDONLY
                        self.assertEqual(flags & (os.O_ACCMODE | os.O_APPEND), want, (link, oct(flags)))
                        continue
                    if link.startswith("/var/spool"):
                        self.assertTrue(flags & os.O_PATH or flags & os.O_ACCMODE == os.O_RDONLY, oct(flags))
                    if link == "/var/mail" and p.name == "maillock":  # its own root directory
                        self.assertEqual(flags & os.O_ACCMODE, os.O_RDONLY)
                    elif fd <= 2:
                        self.assertTrue(link.endswith(streams), link)
                    else:
                        self.assertRegex(link, r"^(socket:|pipe:|anon_inode:\[(eventpoll|eventfd|timerfd)\]|"
                                               r"/var/spool/merpati/pid/(master\.pid|[a-z]+\.lock)$)")

    def test_free_space_is_seen_from_the_jail(self):
        self.m.edit("main.cf", "queue_minfree = 1000000000000000\n")
        self.m.merpati("reload")
        with self.m.raw() as c:
            c.reply(), c.cmd("EHLO x")
            self.assertEqual(c.cmd("MAIL FROM:<x@example.test>")[0], 452)
        self.m.edit("main.cf", "queue_minfree = 0\n")
        self.m.merpati("reload")

    def test_environment(self):
        """Nothing of whoever started master passes."""
        allowed = {"PATH", "MAIL_CONFIG", "TZ", "LANG", "MERPATI_LISTEN", "MERPATI_LOG_FD", "XDG_RUNTIME_DIR",
                   "MAIL_LOGTAG", "DISPLAY", "LANG", "POSTLOG_SERVICE", "POSTLOG_HOSTNAME"}
        for p in self.processes():
            if p.name != "master":
                names = {n for n in p.environ() if not n.startswith(("ASAN_", "UBSAN_", "LSAN_", "MERPATI_FAULT"))}
                self.assertLessEqual(names, allowed, p.name)

    def test_memory_is_closed(self):
        """No debugger and no core file: /proc/PID of a process that is not dumpable is root's."""
        for p in self.processes():
            if p.name != "master" and self.expected(p) is not NOBODYS and p.uids[0] != "0":
                self.assertEqual(os.stat(f"/proc/{p.pid}/mem").st_uid, 0, p.name)
                with open(f"/proc/{p.pid}/limits") as f:
                    self.assertRegex(f.read(), r"Max core file size +0 +0 ")

    def test_sockets(self):
        """Who may connect where: tried, not only looked at."""
        spool = "/var/spool/merpati"
        for account, folders in (("merpati", {"queue"}), ("merpati-net", set()), ("merpati-auth", set()),
                                 ("merpati-map", set()), ("merpati-out", set()), ("anna", set())):
            pw = pwd.getpwnam(account)
            for folder in ("queue", "net", "out", "auth"):
                for name in os.listdir(f"{spool}/private/{folder}"):
                    pid = os.fork()
                    if pid == 0:
                        code = 3
                        try:
                            os.setgroups([]), os.setgid(pw.pw_gid), os.setuid(pw.pw_uid)
                            s = socket.socket(socket.AF_UNIX)
                            s.connect(f"{spool}/private/{folder}/{name}")
                            code = 0
                        except PermissionError:
                            code = 1
                        finally:
                            os._exit(code)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    self.assertEqual(code, 0 if folder in folders else 1, f"{account} to private/{folder}/{name}")


main()
