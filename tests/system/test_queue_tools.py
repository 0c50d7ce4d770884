"""mailq, postqueue, postcat, postsuper and the showq socket, on mail that waits."""
import json, os, re, socket, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import DOMAIN, Instance, main  # noqa: E402

REMOTE = "joe@far.example.org"


class QueueTools(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        self.m.user("anna")
        self.m.start()

    def deferred(self, rcpts=(REMOTE,), text="Subject: waits\r\n\r\nbody\r\n"):
        """A mail that waits; its queue id."""
        before = set(self.m.queue("deferred"))
        self.m.send(f"anna@{DOMAIN}", list(rcpts), text)
        new = self.m.wait("a deferred mail", lambda: set(self.m.queue("deferred")) - before)
        self.m.wait_idle()
        return os.path.basename(new.pop())

    def out(self, name, *args, **kw):
        return self.m.run(name, *args, **kw).stdout.decode()

    def postsuper(self, *args, **kw):
        return self.m.run("postsuper", *args, **kw)

    def where(self, id):
        return [os.path.relpath(p, self.m.spool).split("/")[0] for p in self.m.queue() if p.endswith(id)]

    def test_list(self):
        self.assertEqual(self.out("mailq"), "Mail queue is empty\n")
        self.assertEqual(self.out("postqueue", "-j"), "")
        a = self.deferred()
        b = self.deferred([REMOTE, "\"j b\"@far.example.org"])
        text = self.out("postqueue", "-p")
        self.assertTrue(text.startswith("----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"))
        self.assertRegex(text, rf"(?m)^{a} *\d+ \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d anna@{DOMAIN}$")
        self.assertRegex(text, rf"(?m)^ *\(.*Host or domain name not found.*\)\n {{17}} {{8}} {{21}}{REMOTE}$".replace(" {17} {8} {21}", " +"))
        self.assertIn('"j b"@far.example.org', text)
        self.assertRegex(text, r"\n\n-- \d+ Kbytes in 2 Requests\.\n$")
        self.assertEqual(self.out("mailq"), text)
        rows = {r["queue_id"]: r for r in map(json.loads, self.out("postqueue", "-j").splitlines())}
        self.assertEqual(set(rows), {a, b})
        self.assertEqual(rows[a]["queue_name"], "deferred")
        self.assertEqual(rows[a]["sender"], f"anna@{DOMAIN}")
        self.assertEqual(rows[a]["recipients"][0]["address"], REMOTE)
        self.assertIn("Host or domain name not found", rows[a]["recipients"][0]["delay_reason"])
        due = {id: int(os.stat(p).st_mtime) for id in (a, b) for p in self.m.queue("deferred") if p.endswith(id)}
        self.assertEqual({id: r["next_attempt"] for id, r in rows.items()}, due)
        self.assertTrue(all(800 < due[id] - rows[id]["arrival_time"] < 1000 for id in due), (due, rows))
        for id in due:
            self.assertIn(time.strftime("; next attempt %a %b %e %H:%M:%S)\n", time.gmtime(due[id])), text)
        self.assertEqual(len(re.findall("next attempt", text)), 2)
        self.assertEqual(len(rows[b]["recipients"]), 2)
        self.m.stop()
        r = self.m.run("postqueue", "-p")
        self.assertIn(b"Mail system is down -- accessing queue directly", r.stderr)
        self.assertEqual(r.stdout.decode(), text)

    def test_showq_socket(self):
        id = self.deferred()
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(self.m.spool, "public/showq"))
        data = b""
        while more := s.recv(65536):
            data += more
        s.close()
        self.assertTrue(data.startswith(b"protocol\0mail_queue_list_protocol\0\0queue_name\0deferred\0queue_id\0"
                                        + id.encode() + b"\0time\0"), data)
        self.assertTrue(data.endswith(b"\0\0\0"))

    def test_flush(self):
        id = self.deferred()
        n = len(re.findall(rf"{id}: to=", self.m.log()))
        self.out("postqueue", "-i", id)
        self.m.wait_log(rf"{id}: to=", count=n + 1)
        self.m.wait_idle()
        self.out("postqueue", "-f")
        self.m.wait_log(rf"{id}: to=", count=n + 2)
        self.m.wait_idle()
        self.out("postqueue", "-s", "far.example.org")
        self.m.wait_log(rf"{id}: to=", count=n + 3)
        for args in (["-i", "../../x"], ["-s", "not a host"], ["-p", "-f"], []):
            self.assertEqual(self.m.run("postqueue", *args, check=False).returncode, 64)
        self.m.stop()
        self.assertEqual(self.m.run("postqueue", "-f", check=False).returncode, 69)

    def test_flush_of_one_site(self):
        a, b = self.deferred(["x@one.example.org"]), self.deferred(["x@two.example.org", "y@One.example.org"])
        c = self.deferred(["x@two.example.org"])
        self.out("postqueue", "-s", "one.example.org")
        for id in (a, b):
            self.m.wait_log(rf"{id}: from=.*queue active", count=2)
        self.m.wait_idle()
        self.out("postqueue", "-s", "two.example.org")
        self.m.wait_log(rf"{b}: from=.*queue active", count=3)
        self.m.wait_log(rf"{c}: from=.*queue active", count=2)
        self.m.wait_idle()
        self.assertEqual([len(re.findall(rf"{id}: from=.*queue active", self.m.log())) for id in (a, b, c)], [2, 3, 2])
        self.out("postqueue", "-s", "nobody.example.org")

    def test_qshape(self):
        self.assertEqual(self.out("qshape", "deferred"),
                         "       T 5 10 20 40 80 160 320 640 1280 1280+\n" +
                         " TOTAL 0 0  0  0  0  0   0   0   0    0     0\n")
        for rcpts in (["a@one.example.org", "b@one.example.org", "c@Two.example.org"], ["d@one.example.org"], ["e@x.test"]):
            self.deferred(rcpts)
        want = ["                 T 5 10 20 40 80 160 320 640 1280 1280+",
                "           TOTAL 5 5  0  0  0  0   0   0   0    0     0",
                " one.example.org 3 3  0  0  0  0   0   0   0    0     0",
                " two.example.org 1 1  0  0  0  0   0   0   0    0     0",
                "          x.test 1 1  0  0  0  0   0   0   0    0     0"]
        self.assertEqual(self.out("qshape", "deferred").splitlines(), want)
        self.assertEqual(self.out("qshape").splitlines()[1].split()[:2], ["TOTAL", "0"], "incoming and active")
        later = {"MERPATI_CLOCK_SHIFT": "3000"}
        old = self.out("qshape", "deferred", env=later).splitlines()
        self.assertEqual(old[2], " one.example.org 3 0  0  0  0  3   0   0   0    0     0")
        self.assertEqual(self.out("qshape", "-l", "-b", "4", "-t", "20", "deferred", env=later).splitlines()[:3],
                         ["                 T 20 40 60 60+", "           TOTAL 5  0  0  5   0",
                          " one.example.org 3  0  0  3   0"])
        self.assertEqual(self.out("qshape", "-b", "2", "deferred", env=later).splitlines()[1], "           TOTAL 5 0  5")
        self.assertEqual(self.out("qshape", "-s", "-b", "2", "deferred").splitlines()[1:],
                         ["        TOTAL 3 3  0", f" {DOMAIN} 3 3  0"])
        parents = [l.split()[:2] for l in self.out("qshape", "-p", "-m", "2", "deferred").splitlines()[1:]]
        self.assertEqual(parents, [["TOTAL", "5"], [".example.org", "4"], [".org", "4"], ["one.example.org", "3"],
                                   ["two.example.org", "1"], ["x.test", "1"]])
        self.deferred(["x@" + "a-very-long-name." * 5 + "test"])
        lines = self.out("qshape", "deferred").splitlines()
        self.assertTrue(any(l.startswith("+") and len(l) == 80 for l in lines), lines)
        self.assertTrue(all(len(l) <= 80 for l in lines))
        for args in (["-b", "1"], ["-x"], ["nosuchqueue"], ["../../etc"]):
            self.assertEqual(self.m.run("qshape", *args, check=False).returncode, 64, args)

    def test_postcat(self):
        id = self.deferred(text="Subject: waits\r\nX: y\r\n z\r\n\r\nbody\r\n.\r\n")
        path = [p for p in self.m.queue() if p.endswith(id)][0]
        text = self.out("postcat", "-q", id)
        rel = os.path.relpath(path, self.m.spool)
        marks = [l for l in text.splitlines() if l.startswith("***")]
        self.assertEqual(marks, [f"*** {s} {rel} ***" for s in ("ENVELOPE RECORDS", "MESSAGE CONTENTS",
                                                                "HEADER EXTRACTED", "MESSAGE FILE END")])
        self.assertIn(f"\nsender: anna@{DOMAIN}\n", text)
        self.assertIn(f"\nrecipient: {REMOTE}\n", text)
        self.assertRegex(text, r"\nmessage_arrival_time: \w+ \w+ +\d+ [\d:]+ \d+\n")
        self.assertEqual(self.out("postcat", "-b", path), "\nbody\n.\n")
        self.assertIn("Subject: waits\nX: y\n z\n", self.out("postcat", "-h", path))
        self.assertNotIn("body", self.out("postcat", "-h", path))
        self.assertEqual(self.out("postcat", "-bh", "-q", id).split("\n\n", 1)[1], "body\n.\n")
        self.assertNotIn("Subject", self.out("postcat", "-e", path))
        with open(path, "rb") as f:
            octets = f.read()
        self.assertEqual(self.out("postcat", "-b", input=octets), "\nbody\n.\n")
        r = self.m.run("postcat", "-q", "4Pt2mN2VXxznjllB", check=False)
        self.assertEqual(r.returncode, 1)
        r = self.m.run("postcat", input=octets[:-5], check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"not a valid queue file", r.stderr)

    def test_hold_release_requeue_delete(self):
        id = self.deferred()
        r = self.postsuper("-h", id)
        self.assertEqual(r.stderr.decode().splitlines()[-2:],
                         [f"postsuper: {id}: placed on hold", "postsuper: Placed on hold: 1 message"])
        self.assertEqual(self.where(id), ["hold"])
        self.assertIn(f"\n{id}!", "\n" + self.out("mailq"))
        self.postsuper("-H", id)
        self.m.wait_log(rf"postsuper\[\d+\]: {id}: released from hold")
        self.assertEqual(self.where(id), ["deferred"])
        self.postsuper("-r", id)
        self.m.wait_log(rf"pickup\[\d+\]: {id}: requeued as \w+")
        new = re.search(rf"{id}: requeued as (\w+)", self.m.log()).group(1)
        self.m.wait("it waits again", lambda: self.where(new) == ["deferred"])
        self.assertEqual(self.where(id), [])
        self.assertIn("Subject: waits", self.out("postcat", "-q", new))
        self.postsuper("-d", new, "-d", "4Pt2mN2VXxznjllB")
        self.assertEqual(self.m.queue(), [])
        self.assertEqual([f for d in ("defer", "bounce", "trace") for _, _, f in os.walk(os.path.join(self.m.spool, d)) if f], [])

    def test_requeue_uses_new_tables(self):
        id = self.deferred()
        self.m.edit("main.cf", "virtual_alias_maps = inline:{%s=anna@%s}\nvirtual_alias_domains =\n" % (REMOTE, DOMAIN))
        self.m.merpati("reload")
        self.m.wait_log("generation")
        self.postsuper("-r", "ALL")
        self.m.wait_mails("anna", 1)
        self.m.wait_idle()
        self.assertEqual(self.where(id), [])

    def test_all_and_stdin(self):
        ids = [self.deferred() for _ in range(4)]
        self.postsuper("-h", "ALL", "deferred")
        self.assertEqual(len(self.m.queue("hold")), 4)
        self.postsuper("-d", "ALL", "deferred")
        self.assertEqual(len(self.m.queue("hold")), 4)
        r = self.postsuper("-d", "-", input="\n".join(ids[:2] + ["../../etc/passwd"]).encode(), check=False)
        self.assertIn(b"Deleted: 2 messages", r.stderr)
        self.assertIn(b"invalid mail queue id", r.stderr)
        self.postsuper("-d", "ALL")
        self.assertEqual(self.m.queue(), [])

    def test_structure(self):
        id = self.deferred()
        self.m.stop()
        path = [p for p in self.m.queue() if p.endswith(id)][0]
        wrong = os.path.join(self.m.spool, "deferred", "4Pt2mN2VXxznjllB")
        os.rename(path, wrong)
        with open(os.path.join(self.m.spool, "incoming", "0", "4Pt2mN2VXxznjllC"), "wb") as f:
            f.write(bytes(1000))
        os.utime(f.name, (0, 0))
        os.rmdir(os.path.join(self.m.spool, "trace", "F"))
        self.postsuper()
        self.assertTrue(os.path.exists(path))
        self.assertFalse(os.path.exists(wrong) or os.path.exists(f.name))
        self.assertTrue(os.path.isdir(os.path.join(self.m.spool, "trace", "F")))


main()
