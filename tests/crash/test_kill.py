"""kill -9 of each daemon, and of all of them, while 200 mails pass: nothing acknowledged is lost, no doubles.

MERPATI_MAILS=1000 by hand (tests/crash/sweep). The seed is printed; MERPATI_SEED repeats a run.
"""
import os, random, threading, unittest
from instance import Instance, main, wait_for
from fast import FAST
from ledger import Ledger

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


main()
