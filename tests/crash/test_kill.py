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

    def test_each_daemon(self):
        """Mail is sent for as long as it takes to kill every daemon three times; at least MAILS of them."""
        print("seed", SEED)
        self.done = threading.Event()
        def work(k):
            n = 0
            while not self.done.is_set() or n < MAILS // 4:
                self.ledger.send(f"{SEED:x}-{k}-{n}")    # one without an answer may have been taken: no retry
                n += 1
                self.done.wait(0.02)
        ts = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in ts:
            t.start()
        kills = 0
        for _ in range(3):
            for d in self.rnd.sample(DAEMONS, len(DAEMONS)):
                kills += self.m.kill(d)
                self.done.wait(self.rnd.uniform(0.02, 0.3))
        self.done.set()
        for t in ts:
            t.join()
        print(kills, "kills")
        self.assertGreaterEqual(kills, 2 * len(DAEMONS))
        self.assertGreaterEqual(len(self.ledger.acked), MAILS // 2)
        self.ledger.check(self)

    def test_everything_at_once(self):
        print("seed", SEED)
        for round in range(4):
            ts = self.senders_round(round, MAILS // 4)
            self.gave_up.wait(self.rnd.uniform(0.2, 1.5))
            pids = self.m.pids()
            self.m.kill()
            wait_for("the end of all processes", lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))
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
