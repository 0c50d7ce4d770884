"""The fault hook at the call sites of imapd and pop3d: what was answered OK is there afterwards, what was
expunged stays away, UIDs never change their mail. A seeded fifth here; all with MERPATI_FAULT_SHARE=1.
"""
import imaplib, os, poplib, random, re, subprocess, unittest
from instance import Instance, main, program
from fast import FAST

SHARE = int(os.environ.get("MERPATI_FAULT_SHARE", "5"))
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))
SERVICES = ["imapd", "pop3d"]
ACTIONS = ["KILL", "EIO", "ENOSPC"]
ONLY = os.environ.get("MERPATI_FAULT_ONLY", "").split()
ONCE_FAILED = [("imapd", "unlink", "lib/store/dotlock.c", "EIO")]   # plans that run each time
TROUBLE = (imaplib.IMAP4.error, poplib.error_proto, OSError, EOFError)


class Reader:
    """A client that keeps book of what the server promised."""

    def __init__(self, test, m):
        self.test, self.m = test, m
        self.uids = {}                 # subject -> UID in INBOX, promised by APPENDUID
        self.flagged = set()
        self.copied = set()
        self.removed = set()           # promised to be gone
        self.perhaps = set()           # asked to be removed, no answer

    def imap(self):
        c = imaplib.IMAP4("127.0.0.1", self.m.port("imap"), timeout=30)
        c.login("anna", "secret")
        return c

    def retry(self, what, f):
        """Until it works: a fault happens once, a killed server comes back."""
        def attempt():
            try:
                return f() or True
            except TROUBLE:
                return False
        return self.m.wait(what, attempt, 30)

    def ok(self, result):
        if result[0] != "OK":
            raise imaplib.IMAP4.error(result)
        return result[1]

    def append(self, subject):
        def once():
            c = self.imap()
            data = self.ok(c.append("INBOX", None, None, f"Subject: {subject}\r\n\r\n{'x' * 2000}\r\n".encode()))
            self.uids[subject] = int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1))
            c.logout()
        self.retry("APPEND", once)

    def change(self):
        def flag():
            c = self.imap()
            self.ok(c.select())
            self.ok(c.uid("STORE", str(self.uids["one"]), "+FLAGS", r"(\Flagged $Kept)"))
            self.flagged.add("one")
            c.logout()

        def copy():
            c = self.imap()
            c.create("Copies")
            self.ok(c.select())
            self.ok(c.uid("COPY", str(self.uids["one"]), "Copies"))
            self.copied.add("one")
            c.logout()

        def expunge():
            c = self.imap()
            self.ok(c.select())
            self.perhaps.add("two")
            self.ok(c.uid("STORE", str(self.uids["two"]), "+FLAGS", r"\Deleted"))
            self.ok(c.expunge())
            self.removed.add("two")
            c.logout()

        def fetch():
            c = self.imap()
            self.ok(c.select())
            self.ok(c.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY[])"))
            c.logout()

        def pop():
            p = poplib.POP3("127.0.0.1", self.m.port("pop3"), timeout=30)
            p.user("anna")
            p.pass_("secret")
            for line in p.uidl()[1]:
                n = int(line.split()[0])
                if b"Subject: three" in p.top(n, 0)[1]:
                    p.retr(n)
                    self.perhaps.add("three")
                    p.dele(n)
            p.quit()
            self.removed.add("three")

        for what, f in (("STORE", flag), ("COPY", copy), ("EXPUNGE", expunge), ("FETCH", fetch), ("POP3", pop)):
            self.retry(what, f)

    def check(self):
        def look():
            c = self.imap()
            self.ok(c.select())
            found = {}
            for item in self.ok(c.fetch("1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
                if isinstance(item, tuple):
                    subject = re.search(rb"Subject: (\S+)", item[1]).group(1).decode()
                    uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
                    found.setdefault(subject, {})[uid] = item[0]
            self.ok(c.select("Copies"))
            copies = self.ok(c.search(None, "SUBJECT", "one"))[0].split()
            c.logout()
            self.found, self.ncopies = found, len(copies)
        self.m.kill("imapd")
        self.retry("a look at the mailbox", look)
        t = self.test
        for subject, uid in self.uids.items():
            there = self.found.get(subject, {})
            if subject in self.removed:
                t.assertNotIn(uid, there, f"{subject} is back")
            elif subject not in self.perhaps:
                t.assertIn(uid, there, f"{subject} was acknowledged with this UID")
        for subject in self.flagged:
            t.assertRegex(self.found[subject][self.uids[subject]], rb"\\Flagged.*\$Kept")
        t.assertGreaterEqual(self.ncopies, len(self.copied))


class Faults(unittest.TestCase):
    def way(self, m):
        m.user("anna")
        for _ in range(5):                          # the fault may hit while the system starts
            if m.merpati("start", check=False).returncode == 0 or m.merpati("status", check=False).returncode == 0:
                break
        m.started = True
        r = Reader(self, m)
        for subject in ("one", "two", "three"):
            r.append(subject)
        r.change()
        r.append("four")
        r.check()

    def reached(self):
        report = os.path.join("/tmp", f"merpati-read-report.{os.getpid()}")
        open(report, "w").close()
        os.chmod(report, 0o666)
        try:
            m = Instance(self, main_cf=FAST, env={"MERPATI_FAULT_REPORT": report})
            self.way(m)
            m.stop()
            with open(report) as f:
                lines = [line.split() for line in f]
            return sorted({(l[0], l[1], l[2]) for l in lines if len(l) >= 3 and l[0] in SERVICES})
        finally:
            os.unlink(report)

    def test_sites(self):
        print("seed", SEED)
        reached = self.reached()
        known = sum(len(subprocess.run([program(s), "--fault-sites"], stdout=subprocess.PIPE, check=True,
                                       env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"})
                        .stdout.splitlines()) for s in SERVICES)
        plans = [(s, call, where, a) for s, call, where in reached for a in ACTIONS]
        plans = [p for p in plans if not ONLY or any(o in f"{p[0]}:{p[2]}" for o in ONLY)]
        chosen = plans if SHARE <= 1 else random.Random(SEED).sample(
            plans, max(1, len(plans) // (SHARE * len(ACTIONS))))
        chosen += [p for p in plans if p not in chosen and (p[0], p[1], p[2].split(":")[0], p[3]) in ONCE_FAILED]
        print(f"sites: {len({(s, w) for s, _, w in reached})} reached, {known} known; "
              f"{len(chosen)} of {len(plans)} plans run")
        for service, call, where, action in chosen:
            with self.subTest(service=service, call=call, where=where, action=action):
                self.one(service, call, where, action)

    def one(self, service, call, where, action):
        shot = os.path.join("/tmp", f"merpati-read-shot.{os.getpid()}")
        report = shot + ".report"
        for path, text in ((shot, "x"), (report, "")):
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o666)
        m = Instance(None, main_cf=FAST, env={
            "MERPATI_FAULT": f"{service}:{call}:site={where}:1:{action}", "MERPATI_FAULT_ONCE": shot,
            "MERPATI_FAULT_REPORT": report})
        try:
            self.way(m)
            m.merpati("stop", check=False)
            with open(report) as f:
                self.assertIn("FIRED", f.read(), "the fault did not fire")
        finally:
            m.close()
            os.unlink(shot)
            os.unlink(report)


main()
