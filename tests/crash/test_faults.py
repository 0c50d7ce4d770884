"""The fault hook at every known call site of the way in and through: a seeded fifth here, all by hand with
tests/crash/sweep (MERPATI_FAULT_SHARE=1). Each run plans one fault at one site of one daemon, proves that it
fired, and asks the ledger; sites reached and known are printed.
"""
import os, random, subprocess, threading, unittest
from instance import Instance, main, program
from ledger import Ledger
from fast import FAST

SHARE = int(os.environ.get("MERPATI_FAULT_SHARE", "5"))
SEED = int(os.environ.get("MERPATI_SEED", random.SystemRandom().randrange(1 << 32)))
SERVICES = ["cleanup", "qmgr", "local", "pickup", "smtpd", "bounce"]
ACTIONS = ["KILL", "EIO", "ENOSPC"]
ledger_wait = threading.Event()     # never set: a wait with a deadline between tries
ONLY = os.environ.get("MERPATI_FAULT_ONLY", "").split()


def sites(service):
    out = subprocess.run([program(service), "--fault-sites"], stdout=subprocess.PIPE, check=True,
                         env={"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"}).stdout.decode()
    return sorted({tuple(line.split()[:2]) for line in out.splitlines() if line.strip()})


class Faults(unittest.TestCase):
    def reached(self):
        """One clean run with the report on: which sites of which daemons does the way of a mail touch?"""
        report = os.path.join("/tmp", f"merpati-fault-report.{os.getpid()}")
        open(report, "w").close()
        os.chmod(report, 0o666)
        try:
            m = Instance(self, main_cf=FAST, env={"MERPATI_FAULT_REPORT": report})
            self.way(m, "reach")
            m.stop()
            hits = set()
            for line in open(report):
                f = line.split()
                if len(f) >= 3 and f[0] in SERVICES:
                    hits.add((f[0], f[1], f[2]))
            return sorted(hits)
        finally:
            os.unlink(report)

    def greets(self, m):
        try:
            with m.raw(timeout=5) as c:
                return c.reply()[0] == 220
        except (OSError, EOFError, KeyError, ValueError):
            return False

    def way(self, m, ident):
        """A mail by SMTP to two users, one by sendmail, one that bounces to its sender."""
        for u in ("anna", "bert"):
            m.user(u)
        for _ in range(5):                          # the fault may hit while the system starts
            if m.merpati("start", check=False).returncode == 0 or m.merpati("status", check=False).returncode == 0:
                break
        m.started = True
        m.wait("an SMTP server", lambda: self.greets(m))
        ledger = Ledger(m, ["anna", "bert"])
        for i in range(3):
            for attempt in range(30):
                if ledger.send(f"{ident}-{i}.{attempt}", ["anna", "bert"]):
                    break
                ledger_wait.wait(0.1)
        m.run("sendmail", "-f", "anna@example.test", "bert@example.test", check=False,
              input=f"Subject: by sendmail {ident}\n\nx\n".encode())
        ledger.check(self, 60)
        return ledger

    def test_sites(self):
        print("seed", SEED)
        rnd = random.Random(SEED)
        reached = self.reached()
        known = {s: sites(s) for s in SERVICES}
        plans = [(s, call, where, a) for s, call, where in reached for a in ACTIONS
                 if not (a != "KILL" and call in ("close",))]
        plans = [p for p in plans if not ONLY or any(o in f"{p[0]}:{p[2]}" for o in ONLY)]
        chosen = plans if SHARE <= 1 else rnd.sample(plans, max(1, len(plans) // (SHARE * len(ACTIONS))))
        print(f"sites: {len({(s, w) for s, _, w in reached})} reached, "
              f"{sum(len(v) for v in known.values())} known; {len(chosen)} of {len(plans)} plans run")
        for service, call, where, action in chosen:
            with self.subTest(service=service, call=call, where=where, action=action):
                self.one(service, call, where, action)

    def one(self, service, call, where, action):
        shot = os.path.join("/tmp", f"merpati-shot.{os.getpid()}")
        report = shot + ".report"
        for path, text in ((shot, "x"), (report, "")):
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o666)
        m = Instance(None, main_cf=FAST, env={
            "MERPATI_FAULT": f"{service}:{call}:site={where}:1:{action}", "MERPATI_FAULT_ONCE": shot,
            "MERPATI_FAULT_REPORT": report})
        try:
            self.way(m, "f")
            fired = any("FIRED" in line for line in open(report))
            if not fired:  # a site of the way out
                m.merpati("stop", check=False)
                fired = any("FIRED" in line for line in open(report))
            self.assertTrue(fired, "the fault did not fire")
        finally:
            m.close()
            os.unlink(shot)
            os.unlink(report)


main()
