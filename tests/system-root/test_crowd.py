"""Many mails into one mailbox in /var/mail by 20 deliveries at once, while pop3d, imapd and Debian's mutt read and change
it, and processes are killed: nothing lost, none twice, none torn, every From_ line one.

MERPATI_MAILS=10000 for the full version; MERPATI_RESULT=FILE takes a line of figures."""
import fcntl, gzip, hashlib, imaplib, os, poplib, pwd, random, re, signal, smtplib, struct, subprocess, sys, threading, time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import System, enter, main, sh  # noqa: E402

enter()

MAILS = int(os.environ.get("MERPATI_MAILS", "500"))
DELIVERIES = 20
BOX = "/var/mail/anna"
FROM = re.compile(rb"From \S+  (Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d "
                  rb"\d\d:\d\d:\d\d \d{4}")


def content(i):
    """A mail that tells whether it is whole; some lines look like the start of another one."""
    rnd = random.Random(i)
    lines = [f"From {rnd.randrange(10 ** 9)}" if rnd.random() < 0.1 else f"{i} {rnd.randrange(10 ** 40)}"
             for _ in range(rnd.randrange(1, 40))]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    drop = "drop" if i % 7 == 3 else "keep"
    return f"From: a@b.example\r\nSubject: {drop} {i}\r\nX-Digest: {digest}\r\n\r\n" + "\r\n".join(lines) + "\r\n"


def whole(text, where):
    """The number of the mail TEXT (LF line ends, quoted). Fails when anything of it is missing."""
    head, _, body = text.partition(b"\n\n")
    m = re.search(rb"^Subject: (?:drop|keep) (\d+)$", head, re.M)
    d = re.search(rb"^X-Digest: (\w+)$", head, re.M)
    if not m or not d:
        raise AssertionError(f"{where}: not the header of a mail: {text[:300]!r}")
    lines = re.sub(rb"^>From ", b"From ", body, flags=re.M).rstrip(b"\n")
    if hashlib.sha256(lines).hexdigest().encode() != d[1]:
        raise AssertionError(f"{where}: mail {m[1]!r} is torn: {text[:300]!r} ... {text[-200:]!r}")
    return int(m[1])


def check_file(data, where):
    """The mails of a mailbox file, each whole, each behind a From_ line that is one."""
    found = []
    if data and not data.startswith(b"From "):
        raise AssertionError(f"{where}: does not begin with a mail: {data[:100]!r}")
    for part in re.split(rb"(?:\A|\n)(?=From )", data):
        if not part:
            continue
        line, _, rest = part.partition(b"\n")
        if not FROM.fullmatch(line):
            raise AssertionError(f"{where}: not a From_ line: {line!r}")
        found.append(whole(rest, where))
    return found


class Crowd(unittest.TestCase):
    def setUp(self):
        self.m = System(self, main_cf={
            "home_mailbox": "", "auth_failure_delay": "0", "login_attempt_limit": "100", "queue_run_delay": "2s",
            "minimal_backoff_time": "2s", "maximal_backoff_time": "4s", "in_flow_delay": "0", "mailbox_size_limit": "0",
            "smtpd_client_event_limit_exceptions": "static:all", "local_destination_concurrency_limit": "20",
            "deliver_lock_delay": "1s", "deliver_lock_attempts": "20", "service_throttle_time": "1s"})
        sh("chown", "root:mail", "/var/mail")
        os.chmod("/var/mail", 0o2775)
        self.pw = self.m.unix_user("anna", "secret")
        for name in os.listdir("/var/mail") + ["../../home/anna/mail"]:
            sh("rm", "-rf", f"/var/mail/{name}")
        self.errors, self.over = [], threading.Event()
        self.counts = {k: 0 for k in ("imap", "pop3", "mutt", "snapshots", "expunged", "killed")}
        self.gone, self.uids = set(), {}          # numbers that readers expunged; UID -> number
        self.lock = threading.Lock()

    def guard(self, fn, *args):
        def run():
            try:
                fn(*args)
            except Exception as e:
                self.errors.append(f"{fn.__name__}: {e!r}")
                self.over.set()
        t = threading.Thread(target=run)
        t.start()
        return t

    def again(self, fn, seconds=60):
        """A session that a kill has ended begins once more."""
        end = time.monotonic() + seconds
        while True:
            try:
                return fn()
            except (imaplib.IMAP4.abort, imaplib.IMAP4.error, poplib.error_proto, OSError, EOFError) as e:
                if time.monotonic() > end:
                    raise AssertionError(f"for {seconds} s: {e!r}") from e
                time.sleep(0.2)

    # --- who does what ----------------------------------------------------------------------------
    def deliver(self, numbers):
        with smtplib.SMTP("127.0.0.1", 25, timeout=120) as s:
            for i in numbers:
                s.sendmail("a@b.example", ["anna@example.test"], content(i))

    def remember(self, uid, number):
        with self.lock:
            if self.uids.setdefault(uid, number) != number:
                raise AssertionError(f"UID {uid} was mail {self.uids[uid]}, and is {number}")

    def imap_once(self):
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        c.login("anna", "secret")
        try:
            n = int(c.select()[1][0])
            validity = c.untagged_responses["UIDVALIDITY"][0]
            self.validity = getattr(self, "validity", validity)
            if validity != self.validity:
                raise AssertionError("another UIDVALIDITY")
            if n == 0:
                return
            drop, last = [], max(1, n - 30)
            typ, data = c.fetch(f"{last}:*", "(UID BODY.PEEK[])")
            for part in data:
                if isinstance(part, tuple):
                    uid = int(re.search(rb"UID (\d+)", part[0])[1])
                    number = whole(part[1].replace(b"\r\n", b"\n"), "imap")
                    self.remember(uid, number)
                    if number % 7 == 3 and number % 2 == 0:
                        drop.append((uid, number))
            if drop:
                with self.lock:      # before: a session that is cut off in the middle may have done it
                    self.gone.update(number for _, number in drop)
                uids = ",".join(str(uid) for uid, _ in drop)
                if c.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)")[0] == "OK" and c.expunge()[0] == "OK":
                    self.counts["expunged"] += len(drop)
            c.uid("STORE", "1:*", "+FLAGS.SILENT", random.choice([r"(\Seen)", r"(\Flagged)", "($Work)"]))
        finally:
            try:
                c.logout()
            except Exception:
                pass

    def pop3_once(self):
        p = poplib.POP3("127.0.0.1", 110, timeout=60)
        p.user("anna"), p.pass_("secret")
        n = p.stat()[0]
        for i in range(max(1, n - 10), n + 1):
            number = whole(b"\n".join(p.retr(i)[1]) + b"\n", "pop3")
            if number % 7 == 3 and number % 2 == 1:
                with self.lock:
                    self.gone.add(number)
                p.dele(i)
                self.counts["expunged"] += 1
        p.quit()

    def reader(self, kind, once):
        while not self.over.is_set():
            self.again(once)
            self.counts[kind] += 1

    def become(self):
        os.setgroups([]), os.setgid(self.pw.pw_gid), os.setuid(self.pw.pw_uid)

    def mutt(self):
        """Debian's mutt in a pty of expect's: looks at the last mail, and leaves: under this load nobody who asks once a second gets to write."""
        script = ('set timeout 60\nspawn -noecho mutt -n -F /home/anna/muttrc -f /var/mail/anna\nexpect "q:Quit"\n'
                  'send "*"\nafter 100\nsend "\\r"\nexpect "i:Exit"\nsend "i"\nexpect "q:Quit"\n'
                  # it stays when it finds, as it leaves, that the mailbox has changed
                  'set timeout 1\nfor {set n 0} {$n < 40} {incr n} {send "x"\nexpect {eof {exit 0} timeout {}}}\nexit 9\n')
        while not self.over.is_set():
            if os.path.exists(BOX) and os.path.getsize(BOX) > 0:
                p = subprocess.run(["expect", "-c", script], preexec_fn=self.become, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                                   env={"HOME": "/home/anna", "TERM": "xterm", "PATH": "/usr/bin:/bin", "LC_ALL": "C"})
                if p.returncode:
                    raise AssertionError(f"mutt: {p.returncode} {p.stdout[-1500:]!r}")
                self.counts["mutt"] += 1
            self.over.wait(0.3)

    def snapshot(self, where):
        """The file under a lock for readers, as any program would read it."""
        with open(BOX, "rb") as f:
            fcntl.fcntl(f, fcntl.F_SETLKW, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
            return check_file(f.read(), where)

    def snapshots(self):
        while not self.over.is_set():
            if os.path.exists(BOX) and not os.path.exists(BOX + ".append"):
                # a process that was just killed leaves a part: the next one who opens the file removes it
                try:
                    self.snapshot("snapshot")
                    self.counts["snapshots"] += 1
                except AssertionError:
                    if time.monotonic() - self.last_kill > 15:
                        raise
            self.over.wait(0.5)

    last_kill = -1000.0

    def kill(self):
        names = ("postman", "imapd", "pop3d", "maillock", "local")
        for name in names * 3:
            if self.over.wait(1.5):
                return
            pids = [p for p in self.m.pids(name) if name in ("maillock", "local") or self.is_annas(p)]
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                    self.counts["killed"] += 1
                except ProcessLookupError:
                    pass
            self.last_kill = time.monotonic()

    def is_annas(self, pid):
        try:
            return os.stat(f"/proc/{pid}").st_uid == self.pw.pw_uid or \
                f"Uid:\t{self.pw.pw_uid}\t" in open(f"/proc/{pid}/status").read()
        except OSError:
            return False

    # --- the test ---------------------------------------------------------------------------------
    def run_crowd(self, mails, kills):
        with open("/home/anna/muttrc", "w") as f:
            f.write("set sleep_time=0 move=no delete=yes quit=yes mark_old=no mbox_type=mbox timeout=5 wait_key=no beep=no "
                    "mail_check=1\nset folder=/home/anna header_cache=\"\"\n")
        self.assertTrue(os.path.exists("/usr/bin/mutt"), "no mutt: apt-get install mutt")
        with gzip.open("/usr/share/doc/mutt/changelog.Debian.gz", "rt", errors="replace") as f:
            print("peer:", f.readline().strip(), flush=True)
        self.m.start()
        begun = time.monotonic()
        numbers = list(range(mails))
        senders = [self.guard(self.deliver, numbers[i::DELIVERIES]) for i in range(DELIVERIES)]
        others = [self.guard(self.reader, "imap", self.imap_once), self.guard(self.reader, "pop3", self.pop3_once),
                  self.guard(self.mutt)] + [self.guard(self.snapshots)]
        killer = self.guard(self.kill) if kills else None
        for t in senders:
            t.join()
        if killer:
            killer.join()
        patience = 120 + mails * 0.2
        try:
            self.m.wait("an empty queue", lambda: self.errors or not self.m.queue("incoming", "active", "deferred"),
                        patience)
            seconds = time.monotonic() - begun
        finally:
            self.over.set()
            for t in others:
                t.join()
        self.assertEqual(self.errors, [], self.m.log_tail(60))
        return seconds

    def judge(self, mails, seconds, doubles):
        self.again(self.imap_once)                  # finishes what a kill has interrupted
        found = self.snapshot("at the end")
        missing = set(range(mails)) - set(found) - self.gone
        twice = sorted(n for n in set(found) if found.count(n) > 1) if len(found) != len(set(found)) else []
        self.assertEqual(sorted(missing), [], "lost")
        self.assertLessEqual(len(twice), doubles, twice)
        left = [n for n in os.listdir("/var/mail") if n != "anna"]
        self.assertEqual(left, [])
        line = (f"mails={mails} deliveries={DELIVERIES} seconds={seconds:.1f} rate={mails / seconds:.1f}/s "
                f"lost=0 twice={len(twice)} torn=0 in_file={len(found)} " +
                " ".join(f"{k}={v}" for k, v in self.counts.items()))
        print(line, flush=True)
        if os.environ.get("MERPATI_RESULT"):
            with open(os.environ["MERPATI_RESULT"], "a") as f:
                f.write(line + "\n")
        for kind in ("imap", "pop3", "mutt", "snapshots", "expunged"):
            self.assertGreater(self.counts[kind], 0, kind)

    def test_everybody_at_once(self):
        self.judge(MAILS, self.run_crowd(MAILS, False), 0)

    def test_with_kills(self):
        mails = max(MAILS // 2, 100)
        seconds = self.run_crowd(mails, True)
        self.assertGreater(self.counts["killed"], 3)
        # a mail that was whole when its postman was killed is looked for, and found, when it is tried again
        self.judge(mails, seconds, 0)


main()
