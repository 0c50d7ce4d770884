"""A host that is down for six days, with the settings that are shipped: when mail for it is tried again, when its sender
hears of it, when it comes back, what the postmaster sees. The wall clock of the instance is a file that this test writes."""
import email, os, re, struct, time, unittest
from instance import Instance, main

MINUTE, HOUR, DAY = 60, 3600, 86400
FIRST = [15 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR]     # the age of the mail, from minimal_backoff_time on
SCALE = 10        # of the clock, beside what is set: a queue run each tenth of a second
LATER = 4000                                             # ... up to maximal_backoff_time


class Retry(unittest.TestCase):
    def start(self, **main_cf):
        self.now, self.began = 0, int(time.time())
        m = Instance(self, main_cf={"transport_maps": "inline:{{down.example = retry:4.4.1 connect to down.example: refused}}",
                                    "notify_classes": "bounce, delay", "bounce_notice_recipient": "post",
                                    "delay_notice_recipient": "post", "2bounce_notice_recipient": "post", "queue_run_delay": "1s",
                                    "smtpd_peername_lookup": "no", **main_cf},
                     env={"MERPATI_CLOCK_SCALE": str(SCALE)})
        self.clock = os.path.join(m.dir, "clock")
        self.advance(0)
        m.env["MERPATI_CLOCK_FILE"] = self.clock
        for user in ("anna", "post"):
            m.user(user)
        self.m = m.start()

    def advance(self, seconds):
        """All processes of the instance see the wall clock jump."""
        self.now += seconds
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("<qq", self.now, self.began))

    def send(self, *options):
        self.m.run("sendmail", *options, "x@down.example", input=b"Subject: boat\n\nIt floats.\n")

    def attempts(self):
        return len(re.findall(r"to=<x@down\.example>.*status=deferred", self.m.log()))

    def wall(self):
        """The wall clock of the instance."""
        return self.began + (time.time() - self.began) * SCALE + self.now

    def due(self):
        """When the next attempt is: the time of the file in deferred/; None: the mail is gone."""
        def look():
            files = self.m.queue("deferred")
            try:
                return [os.stat(f).st_mtime for f in files]
            except FileNotFoundError:
                return []
        def found():
            return look() or not self.m.queue()
        self.m.wait("one mail in deferred/, or none at all", found)
        times = look()
        return times[0] if times else None

    def next_attempt(self):
        """Set the clock to the time of the next attempt; False: there is none any more."""
        due = self.due()
        if due is None:
            return False
        before = self.attempts()
        self.advance(max(0, int(due - self.wall()) + 1))
        self.m.wait("an attempt", lambda: self.attempts() > before, 30)
        return True

    def mails(self, user):
        found = []
        for path in self.m.mails(user):
            with open(path, "rb") as f:
                found.append(email.message_from_bytes(f.read()))
        return found

    def subjects(self, user):
        return sorted(str(r["Subject"]) for r in self.mails(user))

    def test_six_days(self):
        self.start()
        self.send("-f", "anna@example.test")
        arrived = self.due() - FIRST[0]
        at, gaps, warned_at = arrived, [], None
        while (due := self.due()) is not None:
            gaps.append(round(due - at))
            at = due
            self.assertEqual(self.attempts(), len(gaps), "an attempt at each of its times, and at no other")
            if warned_at is None and "delay notification" in self.m.log():
                warned_at = at - gaps[-1] - arrived # the attempt before this time
            self.next_attempt()
        for i, (got, want) in enumerate(zip(gaps, FIRST + [LATER] * len(gaps))):
            self.assertLess(abs(got - want), 60, f"pause {i + 1} of {gaps}")
        self.assertGreater(len(gaps), 100)
        returned = at - arrived
        self.assertTrue(5 * DAY <= returned < 5 * DAY + LATER + 60, returned)
        self.assertTrue(4 * HOUR <= warned_at < 4 * HOUR + LATER + 60, warned_at)

        self.m.wait_mails("anna", 2)
        self.m.wait_mails("post", 2)
        self.assertEqual(self.subjects("anna"), ["Your mail could not be delivered", "Your mail is delayed"])
        self.assertEqual(self.subjects("post"), ["Postmaster notice: delayed mail", "Postmaster notice: undeliverable mail"])
        for r in self.mails("anna"):
            mail, rcpt = r.get_payload(1).get_payload()
            began = email.utils.parsedate_to_datetime(mail["Arrival-Date"]).timestamp()
            self.assertLess(abs(began - arrived), 60)
            if r["Subject"] == "Your mail is delayed":
                self.assertEqual((rcpt["Action"], rcpt["Status"]), ("delayed", "4.4.1"))
                until = email.utils.parsedate_to_datetime(rcpt["Will-Retry-Until"]).timestamp()
                self.assertEqual(until - began, 5 * DAY)
            else:
                self.assertEqual((rcpt["Action"], rcpt["Status"]), ("failed", "4.4.1"))
                self.assertIn("connect to down.example: refused", rcpt["Diagnostic-Code"])
        self.m.wait_log(r"from=<anna@example\.test>, status=expired, returned to sender")
        # the sixth day: nothing more
        tried = self.attempts()
        self.advance(int(arrived + 6 * DAY - self.wall()))
        self.send("-f", "anna@example.test")
        self.m.wait("a new mail is tried", lambda: self.attempts() > tried)
        self.assertEqual((len(self.m.mails("anna")), len(self.m.mails("post"))), (2, 2))

    def test_not_before_its_time(self):
        self.start()
        self.send("-f", "anna@example.test")
        due = self.due()
        self.advance(13 * MINUTE)
        # a second mail, due before the first: when the run has taken it, it has passed the first by
        self.m.run("sendmail", "y@down.example", input=b"Subject: b\n\n")
        self.m.wait("two files in deferred/", lambda: len(self.m.queue("deferred")) == 2)
        other = [f for f in self.m.queue("deferred") if os.stat(f).st_mtime != due][0]
        os.utime(other, (1, 1))
        self.m.wait_log(r"to=<y@down\.example>.*status=deferred", count=2)
        self.assertEqual(self.attempts(), 1)
        self.advance(2 * MINUTE + 3)
        self.m.wait("the second attempt", lambda: self.attempts() == 2)

    def test_a_notification_has_its_own_end(self):
        """bounce_queue_lifetime: a report that cannot be delivered is dropped after it, and the postmaster hears."""
        self.start(bounce_queue_lifetime="1d")
        self.send("-f", "")
        self.due()
        began = self.wall()
        while self.next_attempt():
            pass
        self.now = self.wall() - began
        self.assertTrue(DAY - 60 <= self.now < DAY + 2 * LATER, self.now)
        self.m.wait_mails("post", 1)
        self.assertEqual((self.subjects("post"), self.subjects("anna")), (["Postmaster notice: undeliverable mail"], []))


if __name__ == "__main__":
    main()
