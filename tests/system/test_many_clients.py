"""200 SMTP clients at once; 2,000 mails here, 20,000 by hand (MERPATI_MAILS=20000): nothing lost, PSS reported."""
import os, smtplib, threading, time, unittest
from fast import FAST
from instance import Instance, main
from ledger import Ledger

MAILS = int(os.environ.get("MERPATI_MAILS", "2000"))
CLIENTS = 200


def pss(pids):
    total = 0
    for pid in pids:
        try:
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


class Many(unittest.TestCase):
    def test_two_hundred_at_once(self):
        m = Instance(self, main_cf={**FAST, "in_flow_delay": "1s"})
        users = [f"user{i}" for i in range(20)]
        for u in users:
            m.user(u)
        m.start()
        ledger = Ledger(m, users)
        all_in = threading.Barrier(CLIENTS, timeout=120)
        trouble, peak = [], []

        def client(k):
            try:
                s = smtplib.SMTP("127.0.0.1", m.port("smtp"), "client.example", 120)
                if all_in.wait() == 0:                     # every one of them is connected now
                    peak.append(pss(m.pids()))
                for i in range(k, MAILS, CLIENTS):
                    ident, user = f"many-{i}", users[i % len(users)]
                    ledger.sent[ident] = [user]
                    s.sendmail("sender@client.example", [f"{user}@{m.domain}"],
                               f"Subject: ledger {ident}\r\nX-Size: 600\r\n\r\n{ledger.body(ident)}")
                    with ledger.lock:
                        ledger.acked[ident] = [user]
                s.quit()
            except Exception as e:                         # told below: a thread cannot fail the test
                trouble.append(repr(e))
                all_in.abort()

        before = pss(m.pids())
        start = time.monotonic()
        ts = [threading.Thread(target=client, args=(k,)) for k in range(CLIENTS)]
        for t in ts:
            t.start()
        for t in ts:
            t.join()
        self.assertEqual(trouble[:3], [])
        self.assertEqual(len(ledger.acked), MAILS)
        spent = time.monotonic() - start
        ledger.check(self, 300)
        print(f"{MAILS} mails by {CLIENTS} clients in {spent:.1f} s; PSS of the suite: {before} kB started, "
              f"{peak[0]} kB with {CLIENTS} sessions, {pss(m.pids())} kB after")


main()
