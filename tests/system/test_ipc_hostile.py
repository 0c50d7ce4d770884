"""Every internal socket of a running instance fed with what no peer of ours sends (ATTACKS J03, J04, J05):
garbage, lengths that lie, pieces, other protocols and versions, every message type with fields of every kind,
descriptors that nobody announced. No daemon may end, and mail must still come through.
"""
import os, random, smtplib, stat, unittest
from instance import Instance, main
from ipc_garbage import attacks, frame, throw

SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))


class Hostile(unittest.TestCase):
    def sockets(self, m):
        for top in ("private", "public"):
            for root, _, files in os.walk(os.path.join(m.spool, top)):
                for name in sorted(files):
                    path = os.path.join(root, name)
                    if stat.S_ISSOCK(os.stat(path).st_mode):
                        yield path

    def deliver(self, m, n):
        with smtplib.SMTP("127.0.0.1", m.port("smtp"), timeout=30) as c:
            c.sendmail("a@example.test", ["anna@example.test"], f"Subject: {n}\n\nx\n")
        m.wait_mails("anna", n)

    def test_no_daemon_dies(self):
        print("seed", SEED)
        rnd = random.Random(SEED)
        m = Instance(self)
        m.user("anna")
        m.start()
        self.deliver(m, 1)
        watched = {p: set(m.pids(p)) for p in ("master", "smtpd", "cleanup", "qmgr", "postlogd", "auth")}
        paths = list(self.sockets(m))
        self.assertGreater(len(paths), 8)
        null = os.open("/dev/null", os.O_RDONLY)
        for path in paths:
            every = list(attacks(rnd))
            for octets in rnd.sample(every, len(every) // 8) + every[:14]:
                throw(path, octets)
            for _ in range(5):
                throw(path, frame(b""), fds=[null] * 3)
        os.close(null)
        for name, pids in watched.items():
            self.assertLessEqual(pids, set(m.pids(name)), f"{name} ended{m.log_tail(40)}")
        self.assertNotIn("panic", m.log())
        self.assertNotRegex(m.log(), r"(killed by signal|ended by signal)")
        self.deliver(m, 2)

    def test_private_is_private(self):
        m = Instance(self)
        m.start()
        mode = os.stat(os.path.join(m.spool, "private")).st_mode
        self.assertEqual(mode & 0o077, 0, oct(mode))


main()
