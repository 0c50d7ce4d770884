"""merpati trace: one mail's story by queue id, message-id and address: delivered, forwarded, returned, waiting, refused, rotated."""
import os, re, unittest
from instance import DOMAIN, Instance, main

LATE = "x@late.example"


class Trace(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self, main_cf={"transport_maps": "inline:{{late.example = retry:4.4.1 connect to late.example: refused}}",
                                         "relocated_maps": f"inline:{{moved@{DOMAIN}=new@far.example}}"})
        for user in ("anna", "bert"):
            self.m.user(user)
        self.m.edit("aliases", "list: anna, bert, nosuchuser\n")
        self.m.run("newaliases")
        self.m.start()

    def trace(self, what, code=0):
        r = self.m.merpati("trace", what, check=False)
        self.assertEqual(r.returncode, code, r.stdout.decode() + r.stderr.decode())
        return r.stdout.decode() if code == 0 else r.stderr.decode()

    def send(self, rcpt, mid, sender="anna@" + DOMAIN):
        self.m.send(sender, [rcpt], f"Message-Id: <{mid}>\r\nSubject: t\r\n\r\nbody\r\n")
        self.m.wait_log(f"message-id=<{re.escape(mid)}>")
        self.m.wait_idle()
        return re.search(rf"(\w+): message-id=<{re.escape(mid)}>", self.m.log()).group(1)

    def test_delivered(self):
        id = self.send(f"bert@{DOMAIN}", "1@test")
        other = self.send(f"anna@{DOMAIN}", "2@test")
        by_id = self.trace(id)
        self.assertEqual(by_id, self.trace("1@test"))
        self.assertEqual(by_id, self.trace("<1@test>"))
        self.assertEqual(by_id.splitlines()[0], f"{id}:")
        stamp = r"  \w{3} [ \d]\d [\d:]{8}  "
        self.assertRegex(by_id, "(?s)" + stamp + r"smtpd +client=localhost.*\n" + stamp + r"cleanup +message-id=<1@test>\n" +
                         stamp + rf"qmgr +from=<anna@{DOMAIN}>, .*" + stamp + rf"local +to=<bert@{DOMAIN}>, .*status=sent.*\n" +
                         stamp + r"qmgr +removed\n" + rf"  {id} is done\n    sent: bert@{DOMAIN}\n$")
        self.assertNotIn(other, by_id)
        both = self.trace(f"ANNA@{DOMAIN}")
        self.assertIn(f"{id}:", both)
        self.assertIn(f"{other}:", both)
        self.assertNotIn(other, self.trace(f"bert@{DOMAIN}"))

    def test_returned(self):
        id = self.send(f"list@{DOMAIN}", "3@test")
        self.m.wait_mails("anna", 2)
        self.m.wait_idle()
        text = self.trace(id)
        expansion = re.search(rf"{id}: to=<list@{DOMAIN}>.*forwarded as (\w+)\)", text).group(1)
        report = re.search(rf"{expansion}: sender non-delivery notification: (\w+)", text).group(1)
        self.assertEqual(set(text.splitlines()[0].rstrip(":").split(", ")), {id, expansion, report})
        for what in (expansion, report):
            self.assertEqual(sorted(text.splitlines()[1:]), sorted(self.trace(what).splitlines()[1:]), "it is the same story")
        self.assertIn(f"  {id} is done\n    sent: list@{DOMAIN}\n", text)
        end = text[text.index(f"  {expansion} is done\n"):]
        self.assertEqual(set(end.splitlines()[1:4]), {f"    bounced: nosuchuser@{DOMAIN}", f"    sent: bert@{DOMAIN}",
                                                      f"    sent: anna@{DOMAIN}"})
        self.assertIn(f"  {report} is done\n    sent: anna@{DOMAIN}\n", text)
        lines = [l[2:17] for l in text.splitlines() if re.match(r"  \w{3} [ \d]\d", l)]
        self.assertEqual(lines, sorted(lines), "in order")

    def test_waiting_and_logs_that_are_gone(self):
        id = self.send(LATE, "4@test")
        wait = rf"  {id} is in deferred/, next attempt \w+ \w+ [ \d]\d [\d:]+\n    waits: {LATE} \(connect to late\.example: refused\)\n"
        for what in (id, "4@test", LATE):
            text = self.trace(what)
            self.assertRegex(text, wait)
            self.assertIn("status=deferred", text)
        log = os.path.join(self.m.conf, "log", "mail.log")
        os.rename(log, log + ".1")
        with open(log + ".2.gz", "wb") as f:
            f.write(b"\x1f\x8b")
        for what in (id, "<4@test>", LATE):
            self.assertIn("status=deferred", self.trace(what), "the older log is read")
        os.unlink(log + ".1")
        for what in (id, "4@test", LATE):
            text = self.trace(what)
            self.assertRegex(text, rf"^{id}:\n" + wait + "$")
        self.assertIn(b"1 compressed logs", self.m.merpati("trace", id).stderr)

    def test_refused(self):
        with self.m.smtp() as s:
            s.ehlo()
            s.mail("eve@far.example")
            self.assertEqual(s.rcpt(f"moved@{DOMAIN}")[0], 550)
        self.m.wait_log("NOQUEUE: reject")
        for what in (f"moved@{DOMAIN}", "eve@far.example"):
            text = self.trace(what)
            self.assertTrue(text.startswith("refused before there was a mail:\n"), text)
            self.assertIn("User has moved to new@far.example", text)

    def test_nothing_is_known(self):
        self.m.wait_log("started")
        for what in ("4Pt2mN2VXxznjllB", "no@such.example", "<no@such>", "%n$(id)"):
            self.assertIn(f"nothing is known of {what.strip('<>')}", self.trace(what, 65))
        self.assertEqual(self.m.merpati("trace", check=False).returncode, 64)
        self.assertEqual(self.m.merpati("trace", "", check=False).returncode, 65)


if __name__ == "__main__":
    main()
