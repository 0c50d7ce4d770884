"""Rows I01-I03, I05, I08-I10: sendmail, postdrop and mailq in hostile surroundings. Exit 0: the mail is there, whole;
any other: nothing of it is."""
import ctypes, os, resource, signal, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fast import FAST  # noqa: E402
from instance import Instance, main, program  # noqa: E402

MAIL = b"Subject: x\n\nbody\n"


def execve(path, argv, env):
    """As the system call: any strings, any number of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    lists = [(ctypes.c_char_p * (len(l) + 1))(*l, None) for l in (argv, env)]
    libc.execve(path.encode(), *lists)
    os._exit(126)


class Submission(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self, main_cf=FAST)
        for u in ("anna", "bert"):
            self.m.user(u)
        self.env = [f"{k}={v}".encode() for k, v in {**self.m.env, "MAIL_CONFIG": self.m.conf}.items()]

    def down(self):
        """An instance that was there once: mail goes through postdrop."""
        self.m.merpati("start"), self.m.merpati("stop")

    def run_raw(self, name, args=(), env=(), argv=None, text=MAIL, before=None, cwd="/"):
        """The exit code of the program NAME."""
        path = program(name)
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(r, 0)
                os.closerange(3, 50)
                os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
                os.chdir(cwd)
                if before:
                    before()
                execve(path, argv if argv is not None else [name.encode(), *args], [*env, *self.env])
            finally:
                os._exit(125)
        os.close(r)
        try:
            os.write(w, text)
        except BrokenPipeError:
            pass
        os.close(w)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def submits(self, code, what):
        """CODE as it should be, and maildrop/ as CODE says. The instance is down."""
        left = self.m.queue("maildrop")
        self.assertEqual(len(left), 1 if code == 0 else 0, (what, code))
        for path in left:
            self.assertTrue(os.stat(path).st_mode & 0o100, what)      # it was finished
            os.unlink(path)
        return code

    def test_I01_environment(self):
        self.down()
        big = b"BIG=" + b"x" * 100000
        for what in ([b"TZ=/etc/shadow"], [b"TZ=" + b"A" * 5000], [b"MALLOC_CHECK_=3", b"MALLOC_PERTURB_=99"],
                     [b"LOCPATH=/tmp", b"NLSPATH=/tmp/%N", b"LC_ALL=xx"], [b"IFS=abcdefghij/", b"PATH=/tmp:."], [b"PATH="],
                     [big] * 10, [b"no equals sign", b"", b"="], [b"PS4=$(id)", b"ENV=/tmp/x", b"BASH_ENV=/tmp/x"],
                     [b"OPENSSL_CONF=/etc/shadow", b"SSL_CERT_FILE=/tmp/x", b"RES_OPTIONS=debug", b"HOSTALIASES=/etc/shadow"],
                     [b"GCONV_PATH=/tmp", b"TMPDIR=/nonexistent", b"HOME=", b"LOGNAME=root", b"USER=root"]):
            code = self.run_raw("sendmail", [b"-f", b"bert@example.test", b"anna"], what)
            self.assertEqual(self.submits(code, what[0][:30]), 0, what[0][:30])

    def test_I02_processes(self):
        self.down()
        limit = lambda which, n: lambda: resource.setrlimit(which, (n, n))

        def ignore():
            for s in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGALRM):
                signal.signal(s, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))

        def timer():
            signal.setitimer(signal.ITIMER_REAL, 30)
            signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
        codes = {}
        for what, before in (("fds 3", limit(resource.RLIMIT_NOFILE, 3)), ("fds 4", limit(resource.RLIMIT_NOFILE, 4)),
                             ("fds 8", limit(resource.RLIMIT_NOFILE, 8)), ("fsize 0", limit(resource.RLIMIT_FSIZE, 0)),
                             ("fsize 10", limit(resource.RLIMIT_FSIZE, 10)), ("core", limit(resource.RLIMIT_CORE, -1)),
                             ("nproc 0", limit(resource.RLIMIT_NPROC, 0)), ("ignored", ignore), ("timers", timer),
                             ("umask", lambda: os.umask(0o777))):
            codes[what] = self.submits(self.run_raw("sendmail", [b"anna"], before=before), what)
        self.assertEqual({what for what, code in codes.items() if code == 0} & {"core", "ignored", "timers", "umask"},
                         {"core", "ignored", "timers", "umask"}, codes)
        self.assertNotEqual(codes["fsize 0"], 0)
        self.submits(self.run_raw("sendmail", argv=[]), "argc 0")
        self.submits(self.run_raw("postdrop", argv=[], text=b"garbage"), "argc 0")
        args = [b"u%d@far.example" % i for i in range(50000)]
        self.submits(self.run_raw("sendmail", args), "50000 arguments")

    def test_I03_arguments(self):
        """What is no option is a recipient, what may not be said is refused."""
        self.down()
        for args, good in (([b"-f", b"-x", b"anna"], True), ([b"-F", b"a\nb", b"anna"], True), ([b"-Xlog", b"anna"], True),
                           ([b"-D", b"anna"], False), ([b"--", b"-oQ/tmp"], True), ([b"-oQ/tmp", b"anna"], True),
                           ([b"-C", b"/tmp/nothing-here", b"anna"], False), ([b"-t"], False), ([b"-t", b"-i", b"anna"], True)):
            code = self.run_raw("sendmail", args)
            self.submits(code, args)
            if not good:
                self.assertNotEqual(code, 0, args)
        self.assertFalse(os.path.exists("/tmp/nothing-here"))
        many = b"To: " + b",\n ".join(b"u%d@far.example" % i for i in range(20000)) + b"\n\nx\n"
        self.submits(self.run_raw("sendmail", [b"-t"], text=many), "-t with 20000 recipients")
        code = self.run_raw("sendmail", [b"-t"], text=b"Bcc: anna\nSubject: x\n\nx\n")
        self.assertEqual(self.submits(code, "Bcc only"), 0)

    def test_I05_signals(self):
        """A signal while it reads: nothing is left; one that comes too late finds a whole mail."""
        self.down()
        for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGALRM, signal.SIGXFSZ, signal.SIGKILL):
            for part in (b"Subject: x\n", b"Subject: x\n\n" + b"y" * 70000):
                p = subprocess.Popen([program("sendmail"), "anna"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                     env={**self.m.env, "MAIL_CONFIG": self.m.conf})
                p.stdin.write(part)
                p.stdin.flush()
                p.send_signal(sig)
                try:
                    p.stdin.close()
                except BrokenPipeError:
                    pass
                code = p.wait(60)
                ready = [f for f in self.m.queue("maildrop") if os.stat(f).st_mode & 0o100]
                self.assertEqual(len(ready), 1 if code == 0 else 0, (sig, code))
                for f in self.m.queue("maildrop"):
                    self.assertTrue(f in ready or sig == signal.SIGKILL, (sig, f))
                    os.unlink(f)

    def test_I08_ids(self):
        self.m.start()
        for tool, *args in (("postcat", "-q"), ("postsuper", "-d"), ("postsuper", "-h"), ("postqueue", "-i")):
            for id in ("../../x", "", "x" * 10000, "*", "4jc\n", "/etc/passwd", "ALL/../x"):
                r = self.m.run(tool, *args, id, check=False)
                self.assertNotIn(b"root:", r.stdout)
                self.assertLess(r.returncode, 100, (tool, id, r.stderr))
                if tool != "postsuper":
                    self.assertNotEqual(r.returncode, 0, (tool, id))
        self.m.send("x@client.example", ["anna@example.test"])
        self.m.wait_mails("anna", 1)

    def test_I09_mailq_beside_crafted_files(self):
        self.down()
        drop = os.path.join(self.m.spool, "maildrop")
        st = os.stat(drop)
        corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus", "drop_file")
        self.m.start()
        for i, name in enumerate(sorted(os.listdir(corpus))):
            with open(os.path.join(corpus, name), "rb") as f:
                data = f.read()
            path = os.path.join(drop, f"4Pt2mN2VXxznjl{i:02d}")
            for end in range(0, len(data), max(1, len(data) // 5)):
                with open(path, "wb") as f:      # no owner's execute bit: it is still being written
                    f.write(data[:end])
                os.chown(path, st.st_uid, st.st_gid)
                self.assertEqual(self.m.run("mailq").returncode, 0)
            os.unlink(path)
        self.assertNotRegex(self.m.log(), "killed by signal|Sanitizer")

    def test_I10_files_of_the_current_directory(self):
        trap = os.path.join(self.m.dir, "trap")
        os.mkdir(trap)
        os.chmod(trap, 0o777)
        for name in ("DB_CONFIG", ".lmdb", "openssl.cnf", "resolv.conf", "nsswitch.conf", "hosts", "main.cf", "aliases"):
            with open(os.path.join(trap, name), "w") as f:
                f.write("set_data_dir /nonexistent\nnonsense nonsense\n")
        with open(os.path.join(trap, "table"), "w") as f:
            f.write("a b\n")
        self.down()
        code = self.run_raw("sendmail", [b"anna"], [b"OPENSSL_CONF=openssl.cnf"], cwd=trap)
        self.assertEqual(self.submits(code, "trap"), 0)
        for kind in ("hash", "btree"):
            self.assertEqual(self.run_raw("postmap", [f"{kind}:{trap}/table".encode()], cwd=trap), 0, kind)
            self.assertEqual(self.run_raw("postmap", [b"-q", b"a", f"{kind}:{trap}/table".encode()], cwd=trap), 0, kind)


if __name__ == "__main__":
    main()
