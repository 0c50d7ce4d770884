"""From inside of each program's cage, by code loaded into the real daemon (probe.c): what its row of the table denies is
tried and refused; calls that only an attacker makes end the process (ATTACKS S01, S04). The release build's cages."""
import imaplib, os, poplib, re, signal, socket, sys, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import sanitized  # noqa: E402
from system_instance import PREFIX, System, enter, main  # noqa: E402

enter()

BUILD = os.environ.get("MERPATI_BUILD", "")
PROBE = "/mnt/probe"
WRAPPED = "/mnt/probed"            # daemon_directory of this test: each program with the probe in front, when it is on
REAL = f"{PREFIX}/libexec/merpati"

NET = {"socket-inet", "connect-inet"}
MAIL = {"connect-queue", "connect-public"}      # mail_owner's daemons call each other
READS_ALL = {"read-passwd"}                     # tables may lie anywhere; what its account may read
QUEUE = {"read-queue", "write-queue", "create-queue"}
# What is allowed; everything else that the probe tries is refused. ARCHITECTURE section 2.
ALLOWED = {
    "smtpd": set(),
    "login": set(),
    "anvil": set(),
    "dnsd": NET,
    "smtp": NET,
    "lmtp": NET,
    "pickup": MAIL | QUEUE | {"read-passwd"},
    "cleanup": MAIL | QUEUE | READS_ALL | {"read-log"},
    "qmgr": MAIL | QUEUE,
    "bounce": MAIL | QUEUE,
    "trivial-rewrite": MAIL | READS_ALL | {"read-queue", "read-log"},
    "local": MAIL | READS_ALL | {"read-queue", "read-log"},
    "virtual": MAIL | READS_ALL | {"read-queue", "read-log"},
    "pipe": MAIL,
    "error": set(),
    "discard": set(),
    "showq": {"read-queue", "read-passwd"},
    "postlogd": {"read-log", "truncate-log", "connect-queue", "connect-public"},
    "proxymap": READS_ALL | NET | {"connect-public"},
    "auth": {"read-users"},
    "auth-worker": {"read-passwd", "read-users", "connect-public"},
    "maillock": {"create-root"},                # its root directory is /var/mail, of which it opens no mailbox
    "imapd": {"read-mailbox-anna"},
    "pop3d": {"read-mailbox-anna"},
}
DEADLY = ("exec", "ptrace", "peek", "mount", "chroot", "unshare", "bpf", "mknod", "x32")
SERVICES = {"pipe": "tool", "trivial-rewrite": "rewrite", "dnsd": "dns", "auth-worker": "auth-worker"}
QUEUED = "/var/spool/merpati/active/A/probe"


class Listener:
    """What the probes of one program say."""

    def __init__(self, name):
        self.lines, self.path = [], f"{PROBE}/{name}.sock"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                self.lines.append(self.sock.recv(1000).decode())
            except OSError:
                return


@unittest.skipIf(sanitized(f"{PREFIX}/libexec/merpati/smtpd"), "the cages of a sanitized build only log")
class Cages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(PROBE), os.makedirs(WRAPPED)
        m = cls.m = System(main_cf={"daemon_directory": WRAPPED, "service_throttle_time": "1s",
                                    "smtpd_client_event_limit_exceptions": "", "auth_failure_delay": "0",
                                    "local_recipient_maps": "proxy:unix:passwd.byname $alias_maps"})
        m.edit("master.cf", "tool unix - n n - - pipe user=ben argv=/bin/cat\n")
        for user in ("anna", "ben"):
            m.unix_user(user)
            for name in ("Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
                os.makedirs(f"/home/{user}/{name}", exist_ok=True)
            for name in ("Maildir/probe", ".secret"):
                with open(f"/home/{user}/{name}", "w") as f:
                    f.write("private")
            os.system(f"chown -R {user}:{user} /home/{user}")
        with open("/var/mail/anna", "w") as f:
            f.write("private")
        os.chmod("/var/mail/anna", 0o660)
        os.system("chown root:mail /var/mail && chmod 2775 /var/mail && chown anna:mail /var/mail/anna")
        for name in os.listdir(REAL):
            with open(f"{WRAPPED}/{name}", "w") as f:
                f.write(f"#!/bin/sh\n[ -e {PROBE}/{name}.on ] || exec {REAL}/{name} \"$@\"\n"
                        f". {PROBE}/{name}.on\nexport PROBE_TO PROBE_LAST PROBE_QUEUE PROBE_SIBLING PROBE_ROOT\n"
                        f"LD_PRELOAD={BUILD}/tests/system-root/probe.so exec {REAL}/{name} \"$@\"\n")
            os.chmod(f"{WRAPPED}/{name}", 0o755)
        m.start()

    @classmethod
    def tearDownClass(cls):
        cls.m.close()

    def setUp(self):
        mail = self.m.account()
        with open(QUEUED, "w"):
            pass
        os.chmod(QUEUED, 0o600)
        os.chown(QUEUED, mail.pw_uid, mail.pw_gid)

    def trigger(self, name):
        """A client of the service, or a reader's sign-in, so that master starts it."""
        if name in ("imapd", "pop3d"):
            try:
                if name == "imapd":
                    imaplib.IMAP4("127.0.0.1", 143, timeout=10).login("anna", "secret")
                else:
                    p = poplib.POP3("127.0.0.1", 110, timeout=10)
                    p.user("anna"), p.pass_("secret")
            except Exception:
                pass
            return
        paths = [f"/var/spool/merpati/private/{d}/{SERVICES.get(name, name)}" for d in ("queue", "auth")]
        paths.append(f"/var/spool/merpati/public/{name}")
        if name in ("smtpd", "login"):
            for port in (25,) if name == "smtpd" else (110, 143):
                socket.create_connection(("127.0.0.1", port), 5).close()
        for path in paths:
            if os.path.exists(path):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    try:
                        with socket.socket(socket.AF_UNIX, kind) as s:
                            s.connect(path)
                        break
                    except OSError:
                        pass

    def on(self, name, last=""):
        listener = Listener(name)
        other = "cleanup" if name == "qmgr" else "qmgr"
        sibling = self.m.wait("a sibling", lambda: self.m.pids(other))[0]
        with open(f"{PROBE}/{name}.on", "w") as f:
            f.write(f"PROBE_TO={listener.path} PROBE_LAST={last} PROBE_QUEUE={QUEUED} PROBE_SIBLING={sibling} "
                    f"PROBE_ROOT={'1' if name == 'maillock' else ''}\n")
        return listener

    def off(self, name, listener):
        os.unlink(f"{PROBE}/{name}.on")
        listener.sock.close()
        os.unlink(listener.path)
        self.m.kill(name)

    def probe(self, name, last, done):
        listener = self.on(name, last)
        try:
            self.m.kill(name)
            end = time.monotonic() + 30
            while not done(listener.lines):
                self.assertLess(time.monotonic(), end, f"{name}: no word from the probe: {listener.lines}"
                                f"{self.m.log_tail()}")
                self.trigger(name)
                time.sleep(0.1)
            return list(listener.lines)
        finally:
            self.off(name, listener)

    def killed(self, name):
        """How often master has seen a process of NAME end for a forbidden call."""
        return len(re.findall(rf"process {name} .*killed by signal {int(signal.SIGSYS)}$", self.m.log(), re.M))

    def test_what_is_denied(self):
        wrong = {}
        for name, allowed in ALLOWED.items():
            lines = self.probe(name, "", lambda lines: "end allowed 0" in lines)
            lines = lines[:lines.index("end allowed 0")]
            got = {l.split()[0] for l in lines if l.split()[1] == "allowed"}
            tried = {l.split()[0] for l in lines}
            self.assertGreater(len(tried), 40, lines)
            if got != allowed:
                wrong[name] = {"must not": sorted(got - allowed), "should": sorted(allowed - got)}
            self.assertFalse(os.path.exists("/var/spool/merpati/incoming/A/passwd"))
        self.assertEqual(wrong, {}, "\n".join(f"{k}: {v}" for k, v in wrong.items()))

    def test_what_nobody_survives(self):
        for name in ALLOWED:
            for last in DEADLY if name in ("smtpd", "cleanup", "imapd", "maillock") else ("exec", "ptrace"):
                before, tried = self.killed(name), f"{last} tried 0"

                def done(lines):
                    # postlogd cannot tell of its own end: it is tried again by the next one
                    dead = lines.count(tried) > 1 if name == "postlogd" else self.killed(name) > before
                    return tried in lines and dead or "end allowed 0" in lines
                self.assertEqual(set(self.probe(name, last, done)), {tried}, f"{name}: {last}")


main()
