"""A private instance of merpati in a folder of its own, for system, interop, crash and bench tests.

    from instance import Instance, main
    class T(unittest.TestCase):
        def setUp(self):
            self.m = Instance(self, main_cf={"smtpd_recipient_limit": "5"})
            self.m.user("anna", "secret")
            self.m.start()
    main()

Where the programs are: $MERPATI_PREFIX (an installation), else $MERPATI_BUILD (a build tree, which looks
like one). Tests wait for events with a deadline (wait_for), never by sleeping a fixed time; processes are
ended by the pid that was started; the folder is removed at the end, kept with MERPATI_KEEP=1.
"""
import glob, os, pwd, re, shutil, signal, socket, subprocess, sys, tempfile, time, unittest

SKIP = 77
DOMAIN = "example.test"


def prefix():
    p = os.environ.get("MERPATI_PREFIX") or os.environ.get("MERPATI_BUILD")
    if not p:
        sys.exit("set MERPATI_PREFIX (installation) or MERPATI_BUILD (build tree)")
    return os.path.abspath(p)


def program(name):
    for d in ("sbin", "bin", "libexec/merpati"):
        path = os.path.join(prefix(), d, name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"{name} is neither in sbin, bin nor libexec/merpati of {prefix()}")


def owner():
    """The user that instances belong to: never root."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    for name in ("merpati-demo", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            pass
    raise RuntimeError("no user for a private instance")


def wait_for(what, condition, seconds=20.0, step=0.02):
    """Poll CONDITION until it is true; its value. Fails loudly at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


class Instance:
    def __init__(self, test=None, main_cf=None, master_cf=None, env=None, domain=DOMAIN, base=None):
        self.dir = tempfile.mkdtemp(prefix="merpati-test.", dir=base or "/tmp")
        os.chmod(self.dir, 0o755)
        self.conf = os.path.join(self.dir, "m")
        self.domain = domain
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": os.environ.get("TZ", "UTC")}
        for k, v in os.environ.items():
            if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "MERPATI_FAULT", "MERPATI_CLOCK")):
                self.env[k] = v
        self.env.update(env or {})
        self.started = False
        if test:
            test.addCleanup(self.close)
        cmd = ["init", "--domain", domain, "--ports", "0"]
        if os.getuid() == 0:
            cmd += ["--owner", owner()]
        self.merpati(*cmd[:1], self.conf, *cmd[1:], c=False)
        # no test asks the outside: nobody listens there, which is an answer at once
        self.edit("main.cf", "dnsd_servers = 127.0.0.1:9\n")
        if main_cf:
            self.edit("main.cf", "".join(f"{k} = {v}\n" for k, v in main_cf.items()))
        if master_cf:
            self.edit("master.cf", master_cf)

    # --- commands ---------------------------------------------------------------------------------
    def run(self, name, *args, input=None, check=True, timeout=60, env=None):
        r = subprocess.run([program(name), *args], input=input, timeout=timeout,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env={**self.env, "MAIL_CONFIG": self.conf, **(env or {})})
        if check and r.returncode != 0:
            raise AssertionError(f"{name} {' '.join(args)}: exit {r.returncode}\n"
                                 f"{r.stdout.decode(errors='replace')}{r.stderr.decode(errors='replace')}{self.log_tail()}")
        return r

    def merpati(self, *args, c=True, **kw):
        return self.run("merpati", *((["-c", self.conf] if c else []) + list(args)), **kw)

    def edit(self, name, more):
        """Append to a file of the configuration; later lines win in main.cf."""
        with open(os.path.join(self.conf, name), "a") as f:
            f.write("\n" + more)

    def user(self, name, password="secret"):
        self.merpati("user", "add", name, input=(password + "\n").encode())

    def start(self):
        self.merpati("start")
        self.started = True
        return self

    def stop(self):
        self.merpati("stop")
        self.started = False

    # --- facts ------------------------------------------------------------------------------------
    @property
    def spool(self):
        return os.path.join(self.conf, "spool")

    def port(self, service):
        with open(os.path.join(self.spool, "pid", "ports")) as f:
            for line in f:
                name, port = line.split()[:2]
                if name == service:
                    return int(port)
        raise KeyError(service)

    def master_pid(self):
        with open(os.path.join(self.spool, "pid", "master.pid")) as f:
            return int(f.read().split()[0])

    def pids(self, program_name=None):
        """Pids of this instance's processes: master and its descendants, or those of one program."""
        root, found = self.master_pid(), []
        parent, comm = {}, {}
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                text = open(stat).read()
            except OSError:
                continue
            pid = int(text.split()[0])
            comm[pid] = text[text.index("(") + 1:text.rindex(")")]
            parent[pid] = int(text[text.rindex(")") + 2:].split()[1])
        for pid in parent:
            at = pid
            while at in parent and at != root and at > 1:
                at = parent[at]
            if at == root and (program_name is None or comm[pid] == program_name[:15]):
                found.append(pid)
        return sorted(found)

    def kill(self, program_name=None, sig=signal.SIGKILL):
        """Signal all processes of one program (or of the whole instance); how many there were."""
        n = 0
        for pid in self.pids(program_name):
            try:
                os.kill(pid, sig)
                n += 1
            except ProcessLookupError:
                pass
        return n

    def maildir(self, user, folder=""):
        return os.path.join(self.conf, "mail", self.domain, user, "Maildir", folder)

    def mails(self, user, folder=""):
        """Paths of all mails in new/ and cur/."""
        return sorted(glob.glob(os.path.join(self.maildir(user, folder), "new", "*")) +
                      glob.glob(os.path.join(self.maildir(user, folder), "cur", "*")))

    def queue(self, *names):
        """Queue files in the named directories (default: all that hold mail)."""
        found = []
        for name in names or ("maildrop", "incoming", "active", "deferred", "hold", "corrupt"):
            for root, _, files in os.walk(os.path.join(self.spool, name)):
                found += [os.path.join(root, f) for f in files]
        return found

    def log(self):
        for path in (os.path.join(self.conf, "mail.log"), os.path.join(self.spool, "mail.log"),
                     os.path.join(self.conf, "log", "mail.log")):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    return f.read()
        return ""

    def log_tail(self, lines=25):
        return "\n--- log ---\n" + "\n".join(self.log().splitlines()[-lines:]) + "\n"

    # --- waiting ----------------------------------------------------------------------------------
    def wait(self, what, condition, seconds=20.0):
        try:
            return wait_for(what, condition, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}{self.log_tail()}") from None

    def wait_log(self, regex, seconds=20.0, count=1):
        return self.wait(f"log line /{regex}/", lambda: len(re.findall(regex, self.log(), re.M)) >= count, seconds)

    def wait_mails(self, user, n, seconds=30.0):
        return self.wait(f"{n} mails of {user}", lambda: len(self.mails(user)) >= n and self.mails(user), seconds)

    def wait_idle(self, seconds=60.0):
        """Until nothing is left in maildrop, incoming and active."""
        return self.wait("an idle queue", lambda: not self.queue("maildrop", "incoming", "active"), seconds)

    # --- clients ----------------------------------------------------------------------------------
    def smtp(self, timeout=30):
        import smtplib
        return smtplib.SMTP("127.0.0.1", self.port("smtp"), "client.example", timeout)

    def imap(self, test, user="anna", password="secret", timeout=60):
        """An imaplib connection on which USER is signed in; it ends with TEST, which need not log out."""
        import imaplib
        c = imaplib.IMAP4("127.0.0.1", self.port("imap"), timeout=timeout)
        test.addCleanup(lambda: None if c.state == "LOGOUT" else c.shutdown())
        c.login(user, password)
        return c

    def raw(self, service="smtp", timeout=30):
        return Raw(self.port(service), timeout)

    def send(self, sender, rcpts, body="Subject: test\r\n\r\nhello\r\n"):
        with self.smtp() as s:
            return s.sendmail(sender, rcpts, body)

    # --- end --------------------------------------------------------------------------------------
    def close(self):
        if self.started or os.path.exists(os.path.join(self.spool, "pid", "master.pid")):
            try:
                self.merpati("stop", check=False, timeout=60)
            except (subprocess.TimeoutExpired, OSError):
                pass
            try:
                self.kill()
            except (OSError, ValueError, IndexError):
                pass
        problems = bugs(self.log().splitlines())
        if os.environ.get("MERPATI_KEEP"):
            print("kept:", self.dir, file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        if problems:
            raise AssertionError("the log tells of a bug:\n" + "\n".join(problems))


def bugs(lines, most=120):
    """The lines that tell of a bug, with what a sanitizer says behind them."""
    out, left = [], 0
    for line in lines:
        if re.search(r"(panic:|AddressSanitizer|runtime error:|LeakSanitizer)", line):
            left = 60
        if left > 0:
            out.append(line)
            left -= 1
    return out[:most]


class Raw:
    """A socket with lines, for dialogues that no client library would hold."""

    def __init__(self, port, timeout=30):
        self.s = socket.create_connection(("127.0.0.1", port), timeout)
        self.buf = b""

    def send(self, data):
        self.s.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\n" not in self.buf:
            more = self.s.recv(65536)
            if not more:
                raise EOFError(self.buf)
            self.buf += more
        line, self.buf = self.buf.split(b"\n", 1)
        return line.rstrip(b"\r").decode(errors="replace")

    def reply(self):
        """An SMTP reply, all its lines; (code, text)."""
        lines = []
        while True:
            l = self.line()
            lines.append(l[4:])
            if l[3:4] != "-":
                return int(l[:3]), "\n".join(lines)

    def cmd(self, text):
        self.send(text + "\r\n")
        return self.reply()

    def eof(self):
        """True when the peer closes without another octet."""
        if self.buf:
            return False
        try:
            return self.s.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()


def main():
    """unittest with an exit code for ctest: 77 when every test was skipped."""
    result = unittest.main(exit=False, verbosity=2, warnings="ignore").result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIP)
