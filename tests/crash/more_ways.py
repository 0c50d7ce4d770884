"""Further ways that fault plans are run on: mail that waits, that comes while the system is down, that programs,
mbox files, mailboxes of that form and lists get, that expires."""
import imaplib, os, re, shutil, time
from fault_plans import Tally, start
from ledger import Ledger
from setting import damaged_index, own, put, queue_hash
from ways import TROUBLE, Mails, Workers

REMOTE = "x@elsewhere.invalid"      # such mail waits
WAITS = "transport_maps = inline:{ {elsewhere.invalid = retry:4.3.0 not yet} }\n"


class Book(Ledger):
    """A ledger whose mails may also lie in files and come by sendmail -bs; what is left over is counted there."""

    def smtp_on_stdin(self, ident, rcpts, size=600):
        """By sendmail -bs: its 250 behind the final dot acknowledges."""
        with self.lock:
            self.sent[ident] = rcpts
        text = "".join(f"RCPT TO:<{r}@{self.m.domain}>\r\n" for r in rcpts)
        text = (f"EHLO x\r\nMAIL FROM:<{rcpts[0]}@{self.m.domain}>\r\n{text}DATA\r\nSubject: ledger {ident}\r\n"
                f"X-Size: {size}\r\n\r\n{self.body(ident, size)}.\r\nQUIT\r\n")
        r = self.m.run("sendmail", "-bs", input=text.encode(), check=False)
        if not re.search(rb"^354.*\n250 ", r.stdout, re.M):
            return False
        with self.lock:
            self.acked[ident] = rcpts
        return True


class Dropped(Mails):
    """Mails by sendmail and sendmail -bs while the system is down and while it is up; and what else may lie in maildrop/.
    A sendmail or postdrop that dies leaves no mail or one, never a part of one."""
    name = "dropped"
    services = ["sendmail", "postdrop", "pickup"]
    extra = ["postdrop:read:2:KILL", "postdrop:read:1:EIO", "postdrop:write:*/maildrop/*:2:KILL",
             "postdrop:write:*/maildrop/*:1:SHORT", "postdrop:write:*/maildrop/*:2:EDQUOT"]
    more = ["pickup:rename:*/corrupt/*:1:ENOENT"]

    def rubbish(self):
        """What a user may do to maildrop/, and what an interrupted postdrop leaves."""
        drop = os.path.join(self.m.spool, "maildrop")
        os.makedirs(os.path.join(drop, "directory"), exist_ok=True)
        os.symlink("/etc/passwd", os.path.join(drop, "link"))
        put(os.path.join(drop, "no id"), b"x")
        put(os.path.join(drop, "4Pt2mN2VXxznjllB"), b"MERPATID half a mail")
        put(os.path.join(drop, "4Pt2mN2VXxznjllC"), b"left long ago", mtime=1)
        put(os.path.join(drop, "4Pt2mN2VXxznjllD"), b"finished, and not a mail", mode=0o700)

    def waiting(self):
        """Finished mails that wait."""
        drop = os.path.join(self.m.spool, "maildrop")
        paths = [os.path.join(drop, n) for n in os.listdir(drop) if re.fullmatch(r"[0-9A-Za-z]{12,}", n)]
        return [p for p in paths if os.path.isfile(p) and os.stat(p).st_mode & 0o100] + \
            self.m.queue("incoming", "active", "deferred")

    def refused(self, attempt):
        """A mail that has been around too much: its sender is told, in a mail that is acknowledged to nobody."""
        text = "Received: from a by b; Sun, 29 Nov 2026 12:00:00 +0000\n" * 60 + f"Subject: refused\n\n{attempt}\n"
        return self.m.run("sendmail", "-f", "anna@example.test", "bert@example.test", input=text.encode(),
                          check=False).returncode == 0

    def walk(self):
        users = ["anna", "bert"]
        for u in users:
            self.m.user(u)
        book = Book(self.m, users)

        def all_ways(when):
            self.again(lambda attempt: book.submit(f"{when}.{attempt}", ["bert"], size=200000))
            self.again(lambda attempt: book.smtp_on_stdin(f"{when}-bs.{attempt}", users))
        all_ways("down")
        self.again(self.refused)
        self.rubbish()
        start(self.m)
        all_ways("up")

        def settled():
            return not (book.verdict()[0] or self.waiting()) or self.wake()
        self.m.wait("every acknowledged mail, and an empty queue", settled, 60)
        self.m.wait("what was finished and is no mail in corrupt/", lambda: self.m.queue("corrupt"), 30)
        lost, doubles = book.verdict()
        notices = [p for p in self.m.mails("anna") if b"ledger" not in open(p, "rb").read()]
        return Tally(len(book.acked), lost, list(doubles) + notices[1:])


class Waiting(Mails):
    """Mails that wait with one of two recipients, are held, released, requeued and deleted while local and qmgr are
    killed; lists; a mail of several pieces; leftovers and rubbish in the queue."""
    name = "waiting"
    services = ["qmgr", "cleanup", "local"]
    extra = []
    more = ["qmgr:rename:*/active/*:1:ENOENT", "qmgr:rename:*/deferred/*:1:ENOENT"]

    def rubbish(self):
        """A commit that was cut off long ago, and what is no queue file."""
        for name, octets, mtime in (("4Pt2mN2VXxznjllB", b"", 1), ("4Pt2mN2VXxznjllC", b"rubbish" * 100, None)):
            put(os.path.join(self.m.spool, "incoming", queue_hash(name), name), octets, mtime=mtime)

    def super(self, what, done):
        """postsuper WHAT ALL, until DONE: it may meet a mail on its way from one directory to the next."""
        def attempt():
            self.m.run("postsuper", what, "ALL", check=False)
            return done()
        self.m.wait(f"postsuper {what}", attempt, 30)

    def made_anew(self, program, meanwhile):
        """A directory that nobody has looked into is gone, and PROGRAM the first to miss it."""
        trace = os.path.join(self.m.spool, "trace")
        shutil.rmtree(trace, ignore_errors=True)
        self.m.kill(program)

        def there():
            meanwhile()
            return os.path.isdir(os.path.join(trace, "F"))
        self.m.wait(f"trace/ by {program}", there, 30)

    def walk(self):
        users = ["anna", "bert"]
        for u in users:
            self.m.user(u)
        with open(os.path.join(self.m.conf, "aliases"), "a") as f:
            f.write("\nlist: anna, bert\nowner-list: anna\n")
        self.m.run("postalias", "hash:" + os.path.join(self.m.conf, "aliases"))
        self.m.edit("main.cf", WAITS)
        start(self.m)
        self.m.wait("an SMTP server", self.greets)
        book = Book(self.m, users)
        m, queue = self.m, self.m.queue

        def both(attempt):
            """One recipient waits, bert gets it."""
            ident = f"half.{attempt}"
            book.sent[ident] = ["bert"]
            r = m.run("sendmail", "-f", "", "bert@example.test", REMOTE, check=False,
                      input=f"Subject: ledger {ident}\nX-Size: 600\n\n".encode() +
                      book.body(ident).replace("\r\n", "\n").encode())
            if r.returncode == 0:
                book.acked[ident] = ["bert"]
            return r.returncode == 0
        self.again(both)

        def listed(attempt):
            ident = f"list.{attempt}"
            book.sent[ident] = users
            ok = book.send(ident, ["list"])
            if ok:
                book.acked[ident] = users
            return ok
        self.again(listed)
        self.rubbish()
        m.kill("local")
        m.kill("qmgr")
        self.again(lambda attempt: book.send(f"big.{attempt}", ["anna"], size=400000))
        m.wait("what is for local", lambda: not book.verdict()[0], 60)
        m.wait("one mail that waits", lambda: queue("deferred"), 30)
        self.made_anew("pickup", self.wake)
        self.made_anew("qmgr", lambda: None)
        self.made_anew("cleanup", lambda: self.again(lambda n: book.send(f"anew.{time.monotonic_ns()}", ["bert"])))
        m.merpati("stop", check=False)
        for path in queue("deferred"):      # one that nobody announces
            os.rename(path, path.replace("/deferred/", "/incoming/"))
        start(m)
        m.wait("the mail that waited", lambda: queue("deferred") and not queue("incoming"), 30)
        self.super("-h", lambda: queue("hold"))
        self.super("-H", lambda: not queue("hold"))
        self.super("-r", lambda: re.search(r"(?m)requeued", m.log()))
        m.wait("the requeued mail", lambda: queue("deferred") and not queue("maildrop", "incoming") or self.wake(), 30)
        self.super("-d", lambda: not queue("maildrop", "incoming", "active", "deferred", "hold") or self.wake())
        m.wait("rubbish in corrupt/", lambda: queue("corrupt"), 30)
        lost, doubles = book.verdict()
        return Tally(len(book.acked), lost, list(doubles))


class Late(Mails):
    """A mail that cannot be delivered for too long: its sender is told of the delay and of the failure, once each;
    reports of success and of a trial delivery."""
    name = "late"
    services = ["bounce", "qmgr"]

    def told(self, what):
        return [p for p in self.m.mails("anna") if re.search(what, open(p, errors="replace").read(), re.M)]

    def submit(self, *args, text=b"Subject: x\n\nhello\n"):
        self.again(lambda attempt: self.m.run("sendmail", "-f", "anna@example.test", *args, input=text,
                                              check=False).returncode == 0)

    def walk(self):
        for u in ("anna", "bert"):
            self.m.user(u)
        self.m.edit("main.cf", WAITS + "delay_warning_time = 1s\nmaximal_queue_lifetime = 3s\n")
        start(self.m)
        self.submit("-N", "failure,delay", REMOTE)
        self.submit("-N", "success", "bert@example.test")
        self.submit("-bv", "bert@example.test", text=b"")
        wanted = {"failed": r"^Action: failed", "delayed": r"^Action: delayed",
                  "success": r"^Action: (relayed|delivered)", "trial": r"^Action: deliverable"}
        self.m.wait("all reports", lambda: all(self.told(w) for w in wanted.values()), 60)
        self.m.wait("nothing is left in any queue",
                    lambda: not self.m.queue("maildrop", "incoming", "active", "deferred", "bounce", "defer", "trace"), 60)
        lost = [] if self.m.mails("bert") else ["bert's mail"]
        # a mail of which it is not known whether postdrop took it was sent again: only its own report may be double
        return Tally(4, lost, [n for n, w in wanted.items() if len(self.told(w)) > 1])


class Programs(Mails):
    """Mails for a program of master.cf, for nobody and for a transport that says no."""
    name = "programs"
    services = ["pipe", "error", "discard"]
    extra = ["pipe:write:*/spool/done/*:1:KILL", "pipe:sendmsg:3:KILL", "pipe:recvmsg:4:KILL",
             "pipe:pread:*/spool/active/*:2:EIO", "postman:sendmsg:3:KILL"]
    more = ["pipe:open:partial:1:EOPNOTSUPP"]

    def __init__(self, m):
        super().__init__(m)
        self.files = Workers(m)

    def set_up(self):
        m = self.m
        self.files.out = os.path.join(m.dir, "out")
        runs = os.path.join(self.files.out, "runs")
        os.makedirs(runs)
        for path in (self.files.out, runs):
            own(path, 0o777)
        m.user("anna")
        m.edit("master.cf", "prog unix - n n - - pipe\n  flags=DRq argv=/bin/sh -c "
                            f"{{cat >{runs}/tmp.$$$$ && mv {runs}/tmp.$$$$ {runs}/mail.$$$$}}\n")
        m.edit("main.cf", "prog_destination_recipient_limit = 1\nrelay_domains = prog.test no.test gone.test\ntransport_maps = inline:{ {prog.test = prog:}, "
                          "{no.test = error:5.1.1 not here}, {gone.test = discard:} }\n")

    def submit(self, to, subject, sender=""):
        text = f"Subject: {subject}\n\n" + "line\n" * 40000 + Workers.END + "\n"
        self.again(lambda attempt: self.m.run("sendmail", "-f", sender, to, input=text.encode(),
                                              check=False).returncode == 0)

    def walk(self):
        self.set_up()
        start(self.m)
        wanted = ["one", "two"]
        for subject in wanted:
            self.submit("user@prog.test", subject)
        self.submit("user@gone.test", "gone")
        self.submit("user@no.test", "no", "anna@example.test")

        def runs():
            return self.files.subjects(p for p in self.files.files("runs") if "/mail." in p)
        self.m.wait("every mail and the report", lambda: all(runs().get(s) for s in wanted) and self.m.mails("anna"), 60)
        self.m.wait("nothing is left in any queue",
                    lambda: not self.m.queue("maildrop", "incoming", "active", "deferred", "bounce"), 60)
        return Tally(4, ["torn"] if "torn" in runs() else [], self.m.mails("anna")[1:])


class Homes(Mails):
    """What users and lists have: .forward files, :include:, mbox, a mailbox_command; a Maildir that has to be made."""
    name = "homes"
    services = ["local", "postman"]
    extra = []
    more = ["local:open:partial:1:EOPNOTSUPP"] + \
        [f"local:fsync:*/mail/*:{n}:EIO" for n in (1, 2, 3, 4)] + ["local:mkdir:*/mail/*:2:ENOSPC"] + \
        [f"local:fsync:*/Maildir:{n}:EIO" for n in (1, 2)] + ["local:fsync:*/example.test/bert:1:EIO"]

    def __init__(self, m):
        super().__init__(m)
        self.files = Workers(m)

    def forward(self, user, text, name=".forward"):
        put(os.path.join(self.m.conf, "mail", self.m.domain, user, name), text.encode())

    def walk(self):
        m = self.m
        out = self.files.out = os.path.join(m.dir, "out")
        os.makedirs(os.path.join(out, "runs"))
        for path in (out, os.path.join(out, "runs")):
            own(path, 0o777)
        self.files.stale_lock()
        for u in ("anna", "bert", "cora", "dora"):
            m.user(u)
        linked = os.getuid() == 0       # a link of root's, in a directory of root's, may be followed
        put(os.path.join(out, "mbox2"), b"")
        os.symlink(f"{out}/mbox2", os.path.join(m.dir, "linked"))
        put(os.path.join(m.conf, "members"), b"bert\ncora@example.test\n", 0o644)
        with open(os.path.join(m.conf, "aliases"), "a") as f:
            f.write(f"\nlist: :include:{m.conf}/members\nlinked: {m.dir}/linked\n"
                    f'wait: "|test -e {out}/seen || ! touch {out}/seen || exit 75", bert\n')
        m.run("postalias", "hash:" + os.path.join(m.conf, "aliases"))
        self.forward("anna", f"\\anna, {out}/mbox, dora\n")
        self.forward("dora", f'"|cat >{out}/runs/tmp.$$ && mv {out}/runs/tmp.$$ {out}/runs/mail.$$", \\dora\n')
        # what was left of an expansion long ago
        partial = os.path.join(m.spool, "partial")
        os.makedirs(partial, exist_ok=True)
        own(partial, 0o700)
        put(os.path.join(partial, "4Pt2mN2VXxznjllB.1"), b"", mtime=1)
        # the next delivery makes what is missing: all of a Maildir, and what other programs remove when it is empty
        shutil.rmtree(m.maildir("bert"), ignore_errors=True)
        for name in ("", "cur", "new", "tmp"):
            os.makedirs(m.maildir("cora", name), exist_ok=True)
            own(m.maildir("cora", name), 0o700)
        os.rmdir(m.maildir("cora", "new"))
        damaged_index(m.maildir("anna"))
        start(m)
        wanted = ["one", "two"]
        for subject in wanted:
            self.files.submit("anna", "anna-" + subject)
            self.files.submit("list", "list-" + subject)
        self.files.submit("wait", "wait-one")
        if linked:
            self.files.submit("linked", "linked-one")

        def found():
            mails = {u: self.files.subjects(m.mails(u)) for u in ("anna", "bert", "cora", "dora")}
            mails["mbox"], mails["mbox2"] = self.files.mbox(), self.files.mbox("mbox2")
            mails["runs"] = self.files.subjects(p for p in self.files.files("runs") if "/mail." in p)
            return mails
        places = {"anna": ("anna", "dora", "mbox", "runs"), "list": ("bert", "cora")}
        owed = [(place, f"{to}-{s}") for to in places for place in places[to] for s in wanted]
        owed += [("bert", "wait-one")] + ([("mbox2", "linked-one")] if linked else [])
        m.wait("every mail", lambda: all(found()[place].get(s) for place, s in owed), 90)
        m.wait("nothing is left in any queue",
               lambda: not m.queue("maildrop", "incoming", "active", "deferred"), 90)
        have = found()
        return Tally(len(owed), [f"{place}: torn" for place in have if "torn" in have[place]],
                     [f"{u}: {s}" for u in ("anna", "bert", "cora", "dora") for s, n in have[u].items() if n > 1])


class Boxes(Mails):
    """Mails into mailboxes that are mbox files, written by local: beside IMAP, that keeps UIDs in files of its own; the
    dot-lock of a program that was killed; a link of root's. Each mail is there whole, and one of a list once."""
    name = "boxes"
    services = ["local"]
    extra = [       # in the middle of a file, at its end, and a change of IMAP that is cut off
        "local:write:*/boxes/anna/inbox:1:KILL", "local:write:*/boxes/anna/inbox:2:KILL", "local:write:*/boxes/anna/inbox:2:SHORT",
        "local:write:*/boxes/anna/inbox:2:ENOSPC", "local:write:*/boxes/anna/inbox:3:EDQUOT", "local:fdatasync:*/boxes/anna/inbox:1:EIO",
        "local:fdatasync:*/boxes/anna/inbox:2:KILL", "local:unlink:*/inbox.append:1:KILL", "local:unlink:*inbox.lock:1:KILL",
        "imapd:pwrite:*/boxes/anna/inbox:1:KILL", "imapd:pwrite:*/boxes/anna/inbox:2:KILL",
    ]
    more = ["local:link:*inbox.lock:1:EIO"]

    def __init__(self, m):
        super().__init__(m)
        self.files = Workers(m)

    def set_up(self):
        m = self.m
        self.files.out = os.path.join(m.dir, "boxes")
        os.mkdir(self.files.out)
        own(self.files.out, 0o700)
        m.edit("main.cf", f"mail_location = mbox:~/mail:INBOX={self.files.out}/%n/inbox\n")
        for u in ("anna", "bert", "cora", "linked"):
            m.user(u)
            os.mkdir(os.path.join(self.files.out, u))
            if u != "linked":
                own(os.path.join(self.files.out, u), 0o700)
        # a link of root's, in a directory of root's, may be followed
        os.symlink("../target", os.path.join(self.files.out, "linked", "inbox"))
        put(os.path.join(self.files.out, "target"), b"")
        self.files.stale_lock("anna/inbox")
        with open(os.path.join(m.conf, "aliases"), "a") as f:
            f.write("\nparts: anna, bert, cora\n")
        m.run("postalias", "hash:" + os.path.join(m.conf, "aliases"))

    def flag(self):
        """anna's mails get UIDs and a keyword, which are written into the file. A change that is cut off is the next
        delivery's to finish."""
        def attempt():
            asked = False
            try:
                with imaplib.IMAP4("127.0.0.1", self.m.port("imap"), timeout=30) as c:
                    c.login("anna", "secret")
                    asked = True
                    return c.select() and c.uid("STORE", "1:*", "+FLAGS", "$Kept")
            except TROUBLE:
                return asked
        self.m.wait("an IMAP server", attempt, 30)

    def walk(self):
        m = self.m
        self.set_up()
        start(m)
        wanted = [(u, f"{u}-{i}") for i in range(2) for u in ("anna", "bert")]
        parts = [(u, "parts-0") for u in ("anna", "bert", "cora")]

        linked = [("linked", "linked-0")] if os.getuid() == 0 else []

        def there(user):
            return self.files.mbox("target" if user == "linked" else f"{user}/inbox")

        def missing(of):
            return [(u, s) for u, s in of if not there(u).get(s)]
        for name, subject in wanted[:2]:
            self.files.submit(name, subject)
        m.wait("the first mails", lambda: not missing(wanted[:2]), 90)
        self.flag()
        for name, subject in wanted[2:] + [("parts", "parts-0")] + linked:
            self.files.submit(name, subject)
        m.wait("every mail", lambda: not missing(wanted + parts + linked), 90)
        m.wait("nothing is left in any queue", lambda: not m.queue("maildrop", "incoming", "active", "deferred"), 90)
        have = {u: there(u) for u in ("anna", "bert", "cora", "linked")}
        return Tally(len(wanted + parts + linked), [f"{u}: torn" for u in have if "torn" in have[u]],
                     [f"{u}: {s}" for u in have for s, n in have[u].items() if n > 1])
