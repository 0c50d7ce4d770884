"""kill -9 of each daemon, and of all of them, while 200 mails pass: nothing acknowledged is lost, no doubles.

MERPATI_MAILS=1000 by hand (tests/crash/sweep). The seed is printed; MERPATI_SEED repeats a run.
"""
import os, random, re, smtplib, threading, unittest
from instance import Instance, main, wait_for
from fast import FAST
from ledger import Ledger
from ways import Workers

DAEMONS = ["smtpd", "cleanup", "qmgr", "trivial-rewrite", "local", "bounce", "proxymap", "anvil", "dnsd", "auth"]
MAILS = int(os.environ.get("MERPATI_MAILS", "200"))
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))


class Kill(unittest.TestCase):
    def setUp(self):
        print("kill: seed", SEED)
        self.rnd = random.Random(SEED)
        self.m = Instance(self, main_cf=FAST)
        self.users = [f"user{i}" for i in range(5)]
        for u in self.users:
            self.m.user(u)
        self.m.start()
        self.ledger = Ledger(self.m, self.users)

    def senders(self, enough=0):
        """Four clients that send until stop() is called and at least ENOUGH mails were offered."""
        self.done, first = threading.Event(), len(self.ledger.sent)
        def work(k):
            n = 0
            while not self.done.is_set() or len(self.ledger.sent) - first < enough:
                self.ledger.send(f"{SEED:x}-{first}-{k}-{n}")    # one without an answer may have been taken: no retry
                n += 1
                self.done.wait(0.02)
        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        def stop():
            self.done.set()
            for t in threads:
                t.join()
        return stop

    def check(self, what, kills):
        """The line that tests/crash/sweep keeps, and the verdict."""
        lost, double = self.ledger.settle()
        print(f"kill: {what}: {kills} kills, {len(self.ledger.sent)} sent, {len(self.ledger.acked)} acknowledged, "
              f"{len(lost)} lost, {len(double)} double", flush=True)
        self.assertGreaterEqual(len(self.ledger.acked), MAILS // 2)
        self.assertEqual((lost, double), ([], {}), self.m.log_tail(40))

    def test_each_daemon(self):
        """Mail is sent for as long as it takes to kill every daemon three times; at least MAILS of them."""
        stop = self.senders(MAILS)
        kills = 0
        for _ in range(3):
            for d in self.rnd.sample(DAEMONS, len(DAEMONS)):
                kills += self.m.kill(d)
                self.done.wait(self.rnd.uniform(0.02, 0.3))
        stop()
        self.assertGreaterEqual(kills, 2 * len(DAEMONS))
        self.check("each daemon", kills)

    def test_everything_at_once(self):
        """All die while mail passes: four times, and until MAILS were acknowledged."""
        kills = rounds = 0
        while rounds < 4 or (len(self.ledger.acked) < MAILS and rounds < 40):
            rounds += 1
            stop = self.senders()
            self.done.wait(self.rnd.uniform(0.2, 1.5))
            pids = self.m.pids()
            kills += self.m.kill()
            wait_for("the end of all processes", lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))
            stop()
            self.m.start()
        self.check(f"all at once, {rounds} rounds", kills)


class Agents(unittest.TestCase):
    """The same for what delivers: Maildirs, mbox files, commands, virtual mailboxes, programs, reports."""
    DAEMONS = ["postman", "local", "virtual", "pipe", "bounce", "pickup"]

    def setUp(self):
        print("kill: seed", SEED)
        self.rnd = random.Random(SEED)
        self.m = Instance(self, main_cf=FAST)
        self.places = Workers(self.m)
        self.places.set_up()
        out = self.places.out
        self.m.edit("main.cf", f"virtual_mailbox_domains = virtual.test\nvirtual_mailbox_base = {out}\n"
                               "virtual_mailbox_maps = inline:{ {dir@virtual.test = vdir/}, {mbox@virtual.test = vbox} }\n"
                               "relay_domains = prog.test\ntransport_maps = inline:{ {prog.test = prog:} }\n")
        self.m.edit("master.cf", "prog unix - n n - - pipe\n  flags=Rq argv=/bin/sh -c "
                                 f"{{cat >{out}/runs/tmp.$$$$ && mv {out}/runs/tmp.$$$$ {out}/runs/mail.p$$$$}}\n")

    def found(self):
        p = self.places
        runs = [f for f in p.files("runs") if "/mail." in f]
        return {"dir@example.test": p.subjects(p.files("dir", "new")), "file@example.test": p.mbox(),
                "command@example.test": p.subjects(f for f in runs if "/mail.p" not in f),
                "user@prog.test": p.subjects(f for f in runs if "/mail.p" in f),
                "parts@example.test": p.subjects(p.files("dir2", "new")),
                "dir@virtual.test": p.subjects(p.files("vdir", "new")), "mbox@virtual.test": p.mbox("vbox"),
                "nobody@example.test": {s: 1 for f in self.m.mails("anna") for s in re.findall(
                    r"^Subject: (nobody-\d+)$", open(f, errors="replace").read(), re.M)}}

    def test_agents(self):
        m, acked, done = self.m.start(), [], threading.Event()
        to = list(self.found())
        kills = n = 0

        def send():
            nonlocal n
            while n < MAILS // 5 or (kills < 3 * len(self.DAEMONS) and n < 5 * MAILS):
                n += 1
                rcpt = to[n % len(to)]
                subject = f"{rcpt.split('@')[0]}-{n}"
                try:
                    m.send("anna@example.test", [rcpt], f"Subject: {subject}\r\n\r\n" + "From x\r\n" * 500 +
                           Workers.END + "\r\n")
                    acked.append((rcpt, subject))
                except (OSError, smtplib.SMTPException, KeyError):
                    pass
            done.set()
        sender = threading.Thread(target=send)
        sender.start()
        while not done.wait(self.rnd.uniform(0.02, 0.2)):
            kills += m.kill(self.rnd.choice(self.DAEMONS))
        sender.join()

        def missing():
            found = self.found()
            return [a for a in acked if not found[a[0]].get(a[1])]
        m.wait("every mail and report", lambda: not missing(), 120)
        m.wait("an empty queue", lambda: not m.queue("incoming", "active", "deferred"), 60)
        found = self.found()
        doubles = [(to, s) for to in ("dir@example.test", "parts@example.test", "dir@virtual.test")
                   for s, n in found[to].items() if n > 1]
        torn = [to for to in found if "torn" in found[to]]
        print(f"kill: agents: {kills} kills, {n} sent, {len(acked)} acknowledged, {len(missing())} lost, {len(doubles)} double, "
              f"{len(torn)} torn", flush=True)
        self.assertGreaterEqual(kills, 3 * len(self.DAEMONS))
        self.assertGreaterEqual(len(acked), MAILS // 10)
        self.assertEqual((doubles, torn), ([], []), m.log_tail(40))


main()
