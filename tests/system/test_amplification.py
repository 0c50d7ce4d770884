"""Rows G05, G06, G08: aliases that double, lists without end, reports of a thousand, flush without pause."""
import email, os, re, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fast import FAST  # noqa: E402
from instance import Instance, main  # noqa: E402

AT = "@example.test"


class Amplification(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self, main_cf={"smtpd_client_connection_count_limit": "0"})
        for u in ("anna", "bob"):
            self.m.user(u)
        self.lists = os.path.join(self.m.dir, "lists")
        os.mkdir(self.lists)

    def aliases(self, text):
        with open(os.path.join(self.m.conf, "aliases"), "a") as f:
            f.write(text)
        self.m.run("newaliases")

    def sent(self, to, status, seconds=60):
        self.m.wait_log(rf"to=<{re.escape(to + AT)}>,.* relay=local,.*{status}", seconds)

    def memory(self, program):
        """The most that a process of PROGRAM has had in memory, MB."""
        most = 0
        for pid in self.m.pids(program):
            with open(f"/proc/{pid}/status") as f:
                most = max(most, int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) // 1024)
        return most

    def test_G05_doubling(self):
        # 2^20 ways lead through twenty levels, to two people
        levels = "".join(f"{x}{i}: a{i + 1}, b{i + 1}\n" for i in range(20) for x in "ab")
        self.aliases(levels + "a20: anna\nb20: bob\n")
        m = self.m.start()
        m.send("x@client.example", ["a0" + AT])
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)
        m.wait("the end of the queue", lambda: not m.queue())
        self.assertEqual((len(m.mails("anna")), len(m.mails("bob"))), (1, 1))
        m.wait_log(r"qmgr\[\d+\]: \w+: removed", count=2)  # the log follows the mail
        self.assertEqual(len(re.findall(r"qmgr\[\d+\]: \w+: from=<", m.log())), 2)

    def test_G05_depth(self):
        # a chain longer than any need: it goes on in a second mail, and arrives once
        self.aliases("".join(f"c{i}: c{i + 1}\n" for i in range(250)) + "c250: anna\n")
        m = self.m.start()
        m.send("x@client.example", ["c0" + AT])
        m.wait_mails("anna", 1)
        m.wait("the end of the queue", lambda: not m.queue())
        self.assertEqual(len(m.mails("anna")), 1)
        self.assertLess(len(re.findall(r"forwarded as", m.log())), 5)

    def test_G05_a_million_members(self):
        # more than an alias may have: the mail waits, and the memory is bounded
        with open(f"{self.lists}/million", "w") as f:
            f.writelines(f"u{i}@a.example\n" for i in range(1000000))
        os.mkfifo(f"{self.lists}/fifo")
        self.aliases(f"million: :include:{self.lists}/million\nzero: :include:/dev/zero\nfifo: :include:{self.lists}/fifo\n"
                     f"self: :include:{self.lists}/self\n")
        with open(f"{self.lists}/self", "w") as f:
            f.write(f"anna\n:include:{self.lists}/self\n")
        m = self.m.start()
        m.send("x@client.example", [n + AT for n in ("million", "zero", "fifo", "self")])
        self.sent("million", r"dsn=4.3.5, status=deferred \(.*(larger than|more than)")
        self.sent("zero", r"dsn=4.3.5, status=deferred \(.*not a regular file")
        self.sent("fifo", r"dsn=4.3.5, status=deferred \(.*not a regular file")
        m.wait_mails("anna", 1)
        self.assertEqual(len(m.mails("anna")), 1)
        self.assertLess(self.memory("local"), 400)

    def test_G06_reports(self):
        # a thousand recipients that all ask for everything, and a large mail: one report, of bounded size
        self.m.edit("main.cf", "bounce_size_limit = 50000\nsmtpd_recipient_limit = 1000\n")
        m = self.m.start()
        with m.smtp(timeout=120) as s:
            s.ehlo("x")
            s.sendmail("bob" + AT, [f"anna+{i}" + AT for i in range(1000)],
                       "Subject: bomb\r\n\r\n" + ("y" * 70 + "\r\n") * 30000, ["RET=FULL"], ["NOTIFY=SUCCESS,DELAY"])
        m.wait_mails("bob", 1, 200)
        m.wait("the end of the queue", lambda: not m.queue(), 200)
        path, = m.mails("bob")
        self.assertLess(os.path.getsize(path), 50000 + 1000 * 1000)
        with open(path, "rb") as f:
            report = email.message_from_binary_file(f)
        self.assertEqual(report["Return-Path"], "<>")
        groups = report.get_payload()[1].get_payload()[1:]
        self.assertEqual(len({g["Final-Recipient"] for g in groups}), 1000)
        self.assertEqual({g["Action"] for g in groups}, {"delivered"})

    def test_G08_flush_without_pause(self):
        self.m.edit("main.cf", "".join(f"{k} = {v}\n" for k, v in
                                       {**FAST, "minimal_backoff_time": "1h", "maximal_backoff_time": "1h",
                                        "queue_run_delay": "1h"}.items()) + "transport_maps = inline:{w.example=nosuch:}\n")
        m = self.m.start()
        m.send("x@client.example", ["a@w.example"])
        m.wait_log(r"to=<a@w.example>.*status=deferred")
        m.wait("a deferred mail", lambda: m.queue("deferred"))
        before = len(re.findall(r"to=<a@w.example>", m.log()))
        for _ in range(100):
            m.run("postqueue", "-f")
            m.run("postqueue", "-s", "w.example")
        m.send("x@client.example", ["anna" + AT])
        m.wait_mails("anna", 1)
        m.wait_idle()
        self.assertLessEqual(len(re.findall(r"to=<a@w.example>", m.log())) - before, 201)
        self.assertEqual(len(m.queue("deferred")), 1)
        self.assertLess(self.memory("qmgr"), 200)


if __name__ == "__main__":
    main()
