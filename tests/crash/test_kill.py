"""kill -9 of each daemon, and of all of them, while 200 mails pass: nothing acknowledged is lost, no doubles.

MERPATI_MAILS=1000 by hand. The seed is printed; MERPATI_SEED repeats a run.
"""
import os, random, threading, time, unittest
from instance import Instance, main, wait_for
from fast import FAST
from ledger import Ledger

DAEMONS = ["smtpd", "cleanup", "qmgr", "trivial-rewrite", "local", "bounce", "proxymap", "anvil", "dnsd", "auth"]
MAILS = int(os.environ.get("MERPATI_MAILS", "200"))
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))


class Kill(unittest.TestCase):
    def setUp(self):
        self.rnd = random.Random(SEED)
        self.m = Instance(self, main_cf=FAST)
        self.users = [f"user{i}" for i in range(5)]
        for u in self.users:
            self.m.user(u)
        self.m.start()
        self.ledger = Ledger(self.m, self.users)

    def senders(self, n, threads=4):
        idents = [f"{SEED:x}-{i}" for i in range(n)]
        def work(part):
            for ident in part:
                for attempt in range(40):              # an attempt without an answer may have been taken:
                    if self.ledger.send(f"{ident}.{attempt}"):   # the next one is a mail of its own
                        break
                    self.gave_up.wait(0.1)
        self.gave_up = threading.Event()
        ts = [threading.Thread(target=work, args=(idents[i::threads],)) for i in range(threads)]
        for t in ts:
            t.start()
        return ts

    def test_each_daemon(self):
        print("seed", SEED)
        ts = self.senders(MAILS)
        kills = 0
        while any(t.is_alive() for t in ts) or kills < len(DAEMONS):
            kills += self.m.kill(DAEMONS[kills % len(DAEMONS)]) or 1
            self.gave_up.wait(self.rnd.uniform(0.02, 0.2))
        for t in ts:
            t.join()
        print(kills, "kills")
        self.assertEqual(len(self.ledger.acked), MAILS)
        self.ledger.check(self)

    def test_everything_at_once(self):
        print("seed", SEED)
        for round in range(4):
            ts = self.senders_round(round, MAILS // 4)
            self.gave_up.wait(self.rnd.uniform(0.2, 1.5))
            self.m.kill()
            self.gave_up.set()
            for t in ts:
                t.join()
            self.m.start()
        self.ledger.check(self)

    def senders_round(self, round, n):
        self.gave_up = threading.Event()
        def work(part):
            for i in part:
                if self.gave_up.is_set():
                    return
                self.ledger.send(f"{SEED:x}-{round}-{i}")
        ts = [threading.Thread(target=work, args=(range(k, n, 4),)) for k in range(4)]
        for t in ts:
            t.start()
        return ts


main()
