"""The oracle of crash tests: what clients were told, against what lies in the mailboxes.

Every mail has an id in its Subject. After a run, with the queue empty:
    acknowledged and absent  -> lost       must be 0
    more than one copy       -> double     must be 0 in a Maildir
    content not as sent      -> torn       must be 0
A mail that was not acknowledged may be there once or not at all.
"""
import glob, hashlib, os, re, smtplib, ssl, threading


class Ledger:
    def __init__(self, instance, users):
        self.m, self.users = instance, users
        self.acked, self.sent, self.lock = {}, {}, threading.Lock()

    def body(self, ident, size=600):
        line = hashlib.sha256(ident.encode()).hexdigest()
        return "\r\n".join([line] * max(1, size // 66)) + "\r\n"

    def send(self, ident, rcpts=None, size=600, timeout=20, tls=False):
        """One mail in a session of its own; True when it was acknowledged."""
        rcpts = rcpts or [self.users[hash(ident) % len(self.users)]]
        with self.lock:
            self.sent[ident] = rcpts
        try:
            s = smtplib.SMTP("127.0.0.1", self.m.port("smtp"), "client.example", timeout)
            try:
                if tls:
                    s.starttls(context=ssl._create_unverified_context())
                refused = s.sendmail("sender@client.example", [f"{r}@{self.m.domain}" for r in rcpts],
                                     f"Subject: ledger {ident}\r\nX-Size: {size}\r\n\r\n{self.body(ident, size)}")
            finally:
                s.close()
        except (OSError, smtplib.SMTPException, KeyError):
            return False
        with self.lock:
            self.acked[ident] = [r for r in rcpts if f"{r}@{self.m.domain}" not in refused]
        return True

    def submit(self, ident, rcpts, size=600):
        """The same by sendmail: exit 0 acknowledges for all."""
        with self.lock:
            self.sent[ident] = rcpts
        text = f"Subject: ledger {ident}\nX-Size: {size}\n\n" + self.body(ident, size).replace("\r\n", "\n")
        r = self.m.run("sendmail", "-f", f"{rcpts[0]}@{self.m.domain}", *[f"{r}@{self.m.domain}" for r in rcpts],
                       input=text.encode(), check=False)
        if r.returncode != 0:
            return False
        with self.lock:
            self.acked[ident] = rcpts
        return True

    def copies(self):
        """{(user, ident): [paths]} of everything delivered; torn mails raise."""
        found = {}
        for user in self.users:
            for path in self.m.mails(user):
                try:
                    text = open(path, errors="replace").read()
                except FileNotFoundError:
                    continue
                hit = re.search(r"^Subject: ledger (\S+)$", text, re.M)
                if not hit:
                    continue
                ident = hit.group(1)
                size = int(re.search(r"^X-Size: (\d+)$", text, re.M).group(1))
                want = self.body(ident, size).replace("\r\n", "\n")
                assert text.split("\n\n", 1)[1] == want, f"torn: {path}"
                found.setdefault((user, ident), []).append(path)
        return found

    def verdict(self):
        copies = self.copies()
        lost = [(i, u) for i, us in self.acked.items() for u in us if (u, i) not in copies]
        double = {k: v for k, v in copies.items() if len(v) > 1}
        return lost, double

    def settle(self, seconds=90):
        """Wait until all acknowledged mail has arrived and the queue is idle; (lost, double) then."""
        try:
            self.m.wait("every acknowledged mail", lambda: not self.verdict()[0], seconds)
        except AssertionError:
            return self.verdict()
        self.m.wait_idle()
        return self.verdict()

    def check(self, test, seconds=90):
        """Settle, and assert that nothing is lost or double."""
        lost, double = self.settle(seconds)
        if lost:
            test.fail(f"{len(lost)} of {len(self.acked)} acknowledged mails lost: {lost[:5]}; queue: "
                      f"{self.m.queue()[:5]}{self.m.log_tail(40)}")
        test.assertEqual(double, {}, "doubles")
        print(f"{len(self.sent)} sent, {len(self.acked)} acknowledged, 0 lost, 0 double")
