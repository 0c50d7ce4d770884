"""The ways that fault plans are run on (tests/support/fault_plans.py): mail in and through, its reports, its
readers."""
import imaplib, os, poplib, re, shutil, socket, subprocess, threading
from fault_plans import Tally, start
from ledger import Ledger
from setting import damaged_index, put

TROUBLE = (imaplib.IMAP4.error, poplib.error_proto, OSError, EOFError)


class Mails:
    """Mails by SMTP to two users, one of them by STARTTLS, and one by sendmail."""
    name = "mails"
    services = ["smtpd", "cleanup", "pickup", "qmgr", "trivial-rewrite", "local", "proxymap"]
    extra = []

    def __init__(self, m):
        self.m = m
        self.pause = threading.Event()      # never set: a wait with a deadline between tries

    def greets(self):
        try:
            with self.m.raw(timeout=5) as c:
                return c.reply()[0] == 220
        except (OSError, EOFError, KeyError, ValueError):
            return False

    def again(self, step):
        """STEP is given the number of the attempt, until it is true: a mail that was refused is sent again."""
        for attempt in range(30):
            if step(attempt):
                return
            self.pause.wait(0.1)

    def wake(self):
        """pickup looks by itself once a minute. False."""
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(os.path.join(self.m.spool, "public", "pickup"))
            except OSError:
                pass
        return False

    def walk(self):
        users = ["anna", "bert"]
        for u in users:
            self.m.user(u)
        start(self.m)
        self.m.wait("an SMTP server", self.greets)
        ledger = Ledger(self.m, users)
        for i in range(3):
            self.again(lambda attempt: ledger.send(f"smtp-{i}.{attempt}", users, tls=i == 2))
        self.again(lambda attempt: ledger.submit(f"sendmail.{attempt}", ["bert"]))
        lost, doubles = ledger.settle(60)
        return Tally(len(ledger.acked), lost, list(doubles))


class Reports:
    """A mail of which one recipient does not exist: its sender gets the report once."""
    name = "reports"
    services = ["bounce"]
    extra = [       # around the report, by path and by message
        "bounce:open:*/spool/bounce/*:1:KILL", "bounce:write:*/spool/bounce/*:1:KILL",
        "bounce:fsync:*/spool/bounce/*:1:KILL", "bounce:unlink:*/spool/bounce/*:1:KILL",
        "bounce:unlink:*/spool/bounce/*:1:EIO", "bounce:fsync:*/spool/bounce/*:1:ENOSPC",
        "bounce:sendmsg:1:KILL", "bounce:recvmsg:2:KILL",
        "qmgr:unlink:*/spool/active/*:1:KILL", "qmgr:unlink:*/spool/active/*:1:EROFS",
        "qmgr:rename:*/spool/active/*:1:KILL",
        "qmgr:sendmsg:3:KILL", "qmgr:sendmsg:5:KILL", "qmgr:recvmsg:6:KILL",
    ]

    def __init__(self, m):
        self.m = m

    def walk(self):
        users = ["anna", "bert"]
        for u in users:
            self.m.user(u)
        start(self.m)
        self.m.run("sendmail", "-f", "anna@example.test", "nobody@example.test", "bert@example.test",
                   input=b"Subject: x\n\nhello\n")
        for u in users:
            self.m.wait_mails(u, 1)
        self.m.wait("nothing is left in any queue",
                    lambda: not self.m.queue("maildrop", "incoming", "active", "deferred", "bounce"), 60)
        return Tally(len(users), [u for u in users if not self.m.mails(u)],
                     [u for u in users if len(self.m.mails(u)) > 1])


class Readers:
    """Clients of IMAP and POP3 that keep book of what the servers promised."""
    name = "readers"
    services = ["imapd", "pop3d"]
    extra = ["imapd:unlink:site=*lib/store/dotlock.c:*:1:EIO",     # failed once, before more tries were made
             "imapd:stat:site=*lib/store/dotlock.c:*:2:EIO"]

    def __init__(self, m):
        self.m = m
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

    def tally(self):
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
        lost, back = [], []
        for subject, uid in self.uids.items():
            there = uid in self.found.get(subject, {})
            if subject in self.removed:
                back += [f"{subject} is back"] if there else []
            elif subject not in self.perhaps and not there:
                lost.append(f"{subject} with UID {uid}")
        for subject in self.flagged:
            if not re.search(rb"\\Flagged.*\$Kept", self.found.get(subject, {}).get(self.uids[subject], b"")):
                lost.append(f"flags of {subject}")
        if self.ncopies < len(self.copied):
            lost.append(f"{len(self.copied) - self.ncopies} copies")
        return Tally(len(self.uids) + len(self.flagged) + len(self.copied) + len(self.removed), lost, back)

    def walk(self):
        self.m.user("anna")
        start(self.m)
        for subject in ("one", "two", "three"):
            self.append(subject)
        self.change()
        self.append("four")
        return self.tally()


class Workers:
    """Mails to commands, files and directories: each comes at least once, and nothing is there by half. What a
    Maildir gets, it gets once."""
    name = "workers"
    services = ["postman"]
    extra = [       # in the middle of a file, at its end, and around a command
        "postman:write:*/out/mbox:1:KILL", "postman:write:*/out/mbox:2:KILL", "postman:write:*/out/mbox:2:SHORT",
        "postman:write:*/out/mbox:2:ENOSPC", "postman:fdatasync:*/out/mbox:1:EIO",
        "postman:fdatasync:*/out/mbox:2:KILL", "postman:unlink:*/mbox.append:1:KILL",
        "postman:unlink:*mbox.lock:1:KILL",
        "postman:fork:1:EAGAIN", "postman:fork:2:ENOMEM", "postman:pread:*/spool/active/*:2:EIO",
        "local:open:partial:1:ENOSPC", "local:write:*/partial/*:1:ENOSPC", "local:pread:*/spool/active/*:3:EIO",
        "postman:sendmsg:4:KILL", "postman:recvmsg:6:KILL", "local:write:*/partial/*:1:KILL",
        "local:open:partial/*:1:ENOSPC", "local:unlink:partial/*:1:EIO", "local:unlink:partial/*:1:KILL",
    ]
    more = [f"postman:fsync:*/out/*:{n}:EIO" for n in (1, 2, 3, 4)] + \
        [f"postman:fsync:*/out:{n}:EIO" for n in (1, 2, 3)]
    END = "the end"

    def __init__(self, m):
        self.m = m
        self.pause = threading.Event()

    def set_up(self):
        m = self.m
        self.out = os.path.join(m.dir, "out")
        os.mkdir(self.out)
        runs = os.path.join(self.out, "runs")
        os.mkdir(runs)
        for path in (self.out, runs):
            os.chmod(path, 0o777)
            shutil.chown(path, os.stat(os.path.join(m.conf, "mail")).st_uid)
        path = os.path.join(m.conf, "aliases")
        with open(path, "a") as f:
            f.write(f'\ncommand: "|cat >{runs}/tmp.$$ && mv {runs}/tmp.$$ {runs}/mail.$$"\nfile: {self.out}/mbox\n'
                    f'dir: {self.out}/dir/\nparts: {self.out}/dir2/, "|cat >/dev/null", anna\n')
        m.run("postalias", "hash:" + path)
        m.user("anna")
        self.stale_lock()

    def stale_lock(self, name="mbox"):
        """The dot-lock of a program that was killed."""
        self.m.edit("main.cf", "stale_lock_time = 5s\n")     # of one that two faults leave, as well
        path = os.path.join(self.out, name + ".lock")
        gone = subprocess.Popen(["true"])
        gone.wait()
        with open(path, "w") as f:
            f.write(f"{gone.pid}:{os.uname().nodename}")
        shutil.chown(path, os.stat(self.out).st_uid)

    def submit(self, name, subject):
        body = f"Subject: {subject}\n\n" + "From x\n" * 20000 + self.END + "\n"
        for _ in range(30):
            r = self.m.run("sendmail", "-f", "", name + "@example.test", input=body.encode(), check=False)
            if r.returncode == 0:
                return
            self.pause.wait(0.1)
        raise AssertionError("no mail was accepted")

    def files(self, *parts):
        top = os.path.join(self.out, *parts)
        return [os.path.join(top, n) for n in (os.listdir(top) if os.path.isdir(top) else ())]

    def subjects(self, paths):
        """{subject: copies} of whole mails; others are called torn."""
        found = {}
        for path in paths:
            with open(path, errors="replace") as f:
                text = f.read()
            whole = text.rstrip("\n").endswith("\n" + self.END)
            s = re.search(r"^Subject: (\S+)", text, re.M)
            name = s[1] if s and whole else "torn"
            found[name] = found.get(name, 0) + 1
        return found

    def mbox(self, name="mbox"):
        path = os.path.join(self.out, name)
        if not os.path.exists(path):
            return {}
        with open(path) as f:
            text = f.read()
        found = {}
        for mail in re.split(r"(?m)^(?=From )", text)[1:]:
            s = re.search(r"^Subject: (\S+)", mail, re.M)
            name = s[1] if s and mail.endswith(f"\n{self.END}\n\n") and text.startswith("From ") else "torn"
            found[name] = found.get(name, 0) + 1
        return found

    def counts(self):
        return {"command": self.subjects(p for p in self.files("runs") if "/mail." in p), "file": self.mbox(),
                "dir": self.subjects(self.files("dir", "new")), "parts": self.subjects(self.files("dir2", "new"))}

    def walk(self):
        self.set_up()
        start(self.m)
        wanted = [(name, f"{name}-{i}") for i in range(2) for name in ("command", "file", "dir", "parts")]
        for name, subject in wanted:
            self.submit(name, subject)

        def all_there():
            c = self.counts()
            return all(c[name].get(subject) for name, subject in wanted) and len(self.m.mails("anna")) >= 2
        self.m.wait("every mail", all_there, 90)
        self.m.wait("nothing is left in any queue",
                    lambda: not self.m.queue("maildrop", "incoming", "active", "deferred"), 90)
        c = self.counts()
        doubles = [s for kind in ("dir", "parts") for s, n in c[kind].items() if n > 1]
        doubles += ["anna"] if len(self.m.mails("anna")) > 2 else []
        lost = [f"{kind}: torn" for kind in c if "torn" in c[kind]]
        lost += [subject for name, subject in wanted if not c[name].get(subject)]
        return Tally(len(wanted), lost, doubles)


class Virtual:
    """Mails to virtual mailboxes: each comes, whole, and into a Maildir once."""
    name = "virtual"
    services = ["virtual"]
    extra = [       # around a Maildir's file, in the middle of an mbox file, before and after the answer
        "virtual:open:*/vmail/dir/tmp*:1:KILL", "virtual:rename:*/vmail/*:1:KILL", "virtual:fsync:*/vmail/*:2:KILL",
        "virtual:write:*/vmail/mbox:1:KILL", "virtual:write:*/vmail/mbox:2:SHORT", "virtual:write:*/vmail/mbox:2:ENOSPC",
        "virtual:fdatasync:*/vmail/mbox:1:EIO", "virtual:unlink:*/mbox.append:1:KILL",
        "virtual:write:*/spool/done/*:1:KILL", "virtual:sendmsg:*:2:KILL", "virtual:sendmsg:*:4:KILL",
        "virtual:recvmsg:3:KILL", "virtual:pread:*/spool/active/*:1:EIO",
    ]
    more = [f"virtual:fsync:*/vmail/*:{n}:EIO" for n in (1, 2, 3, 4)] + \
        ["virtual:write:*/vmail/mbox:2:KILL", "virtual:fsync:*/vmail:1:EIO", "virtual:fsync:*/vmail/deep:1:EIO"]

    def __init__(self, m):
        self.m = m
        self.workers = Workers(m)

    def set_up(self):
        m = self.m
        self.base = os.path.join(m.conf, "vmail")
        os.mkdir(self.base)
        shutil.chown(self.base, os.stat(os.path.join(m.conf, "mail")).st_uid)
        with open(os.path.join(m.conf, "vmailbox"), "w") as f:
            f.write("dir@example.test dir/\nmbox@example.test mbox\ndeep@example.test deep/er/\n"
                    "linked@example.test roots/linked\n")
        m.edit("main.cf", f"mydestination = localhost\nvirtual_mailbox_domains = example.test\n"
                          f"virtual_mailbox_base = {self.base}\nvirtual_mailbox_maps = proxy:texthash:{m.conf}/vmailbox\n")
        self.workers.out = self.base
        damaged_index(os.path.join(self.base, "dir"))
        # a link of root's, in a directory of root's, may be followed
        os.mkdir(os.path.join(self.base, "roots"))
        os.symlink("../mbox2", os.path.join(self.base, "roots", "linked"))
        put(os.path.join(self.base, "mbox2"), b"")
        self.workers.stale_lock()

    def walk(self):
        self.set_up()
        start(self.m)
        wanted = [(name, f"{name}-{i}") for i in range(3) for name in ("dir", "mbox")]
        wanted += [("deep", "deep-0")] + ([("linked", "linked-0")] if os.getuid() == 0 else [])
        for name, subject in wanted:
            self.workers.submit(name, subject)

        def counts():
            return {"dir": self.workers.subjects(self.workers.files("dir", "new")), "mbox": self.workers.mbox(),
                    "deep": self.workers.subjects(self.workers.files("deep", "er", "new")),
                    "linked": self.workers.mbox("mbox2")}
        self.m.wait("every mail", lambda: all(counts()[name].get(subject) for name, subject in wanted), 90)
        self.m.wait("nothing is left in any queue",
                    lambda: not self.m.queue("maildrop", "incoming", "active", "deferred"), 90)
        c = counts()
        return Tally(len(wanted), [f"{kind}: torn" for kind in c if "torn" in c[kind]],
                     [s for kind in ("dir", "deep") for s, n in c[kind].items() if n > 1])
