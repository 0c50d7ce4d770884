"""Two instances that exchange mail by DNS, and one whose server, network or smtp dies: nothing is lost."""
import email, email.policy, os, re, signal, sys, tempfile, threading, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main, wait_for  # noqa: E402
from name_server import NameServer  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402


def mail_of(path):
    with open(path, "rb") as f:
        return email.message_from_binary_file(f, policy=email.policy.default)


class Pair(unittest.TestCase):
    """one.test and two.test; each finds the other by MX."""

    def setUp(self):
        self.ns = NameServer(self, """
            @    zone=one.test
            one.test  MX 10 mx.one.test
            mx   A 127.0.0.1
            @    zone=two.test
            two.test  MX 10 mx.two.test
            mx   A 127.0.0.1
            @    zone=none.test
            none.test MX 0 .
        """)
        self.one, self.two = [Instance(self, domain=d, main_cf={
            "dnsd_servers": self.ns.address, "inet_protocols": "ipv4", "minimal_backoff_time": "1s", "queue_run_delay": "1s",
            "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0",
            "smtpd_client_message_rate_limit": "0"}) for d in ("one.test", "two.test")]
        for m, user in ((self.one, "anna"), (self.two, "bert")):
            m.user(user)
            m.start()
        for m, other in ((self.one, self.two), (self.two, self.one)):
            m.edit("main.cf", f"smtp_tcp_port = {other.port('smtp')}\n")
            m.merpati("reload")

    def test_there_and_back(self):
        self.one.send("anna@one.test", ["bert@two.test"], "Subject: there\r\n\r\n.a line\r\n..\r\n")
        there = mail_of(self.two.wait_mails("bert", 1)[0])
        self.assertEqual(there.get_content(), ".a line\n..\n")
        self.assertEqual(there["Return-Path"], "<anna@one.test>")
        self.assertEqual(len(there.get_all("Received")), 2)
        # both come with TLS at level may
        self.assertRegex(there.get_all("Received")[0], r"(?s)using TLSv1\.3 with cipher TLS_.*with ESMTPS id")
        self.one.wait_log("to=<bert@two.test>, .*status=sent")   # the mail is there before the line
        log = self.one.log()
        qid = re.search(r"(\w+): to=<bert@two.test>, relay=mx.two.test\[127.0.0.1\]:\d+, delay=[\d.]+, "
                        r"delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2.0.0, status=sent \(250 2.0.0 Ok: queued as \w+\)", log)
        self.assertTrue(qid, log)
        self.one.wait_log(f"{qid[1]}: removed")
        self.two.send("bert@two.test", ["anna@one.test"], "Subject: back\r\n\r\nx\r\n")
        self.assertEqual(mail_of(self.one.wait_mails("anna", 1)[0])["Subject"], "back")

    def test_the_sender_learns_why(self):
        self.one.send("anna@one.test", ["nobody@two.test", "bert@two.test", "x@none.test"], "Subject: boat\r\n\r\nx\r\n")
        self.two.wait_mails("bert", 1)
        reports = [mail_of(p) for p in self.one.wait_mails("anna", 1)]
        text = "".join(str(p) for r in reports for p in r.walk() if p.get_content_type() == "message/delivery-status")
        self.assertIn("Final-Recipient: rfc822; nobody@two.test", text)
        self.assertIn("Status: 5.1.1", text)
        self.assertIn("Remote-MTA: dns; mx.two.test", text)
        self.assertRegex(text, r"Diagnostic-Code: smtp; 550 5\.1\.1 ")
        self.one.wait_log(r"to=<nobody@two.test>, relay=mx.two.test.*dsn=5.1.1, status=bounced \(host mx.two.test\[127.0.0.1\] "
                          r"said: 550 5.1.1 .*\(in reply to RCPT TO command\)\)")
        self.one.wait_log(r"to=<x@none.test>, relay=none, .*dsn=5.1.0, status=bounced "
                          r"\(Domain none.test does not accept mail \(nullMX\)\)")

    def test_success_is_reported_by_the_last_host(self):
        """NOTIFY, ENVID and ORCPT pass on; who delivers reports, once."""
        with self.one.smtp() as s:
            s.ehlo("x")
            s.mail("anna@one.test", ["RET=HDRS", "ENVID=boat+2B1"])
            s.rcpt("bert@two.test", ["NOTIFY=SUCCESS", "ORCPT=rfc822;first+40one.test"])
            s.data("Subject: x\r\n\r\nx\r\n")
        self.two.wait_mails("bert", 1)
        report = mail_of(self.one.wait_mails("anna", 1)[0])
        text = "".join(str(p) for p in report.walk() if p.get_content_type() == "message/delivery-status")
        for field in ("Original-Envelope-Id: boat+1", "Original-Recipient: rfc822; first@one.test", "Action: delivered",
                      "Reporting-MTA: dns; "):
            self.assertIn(field, text)
        self.one.wait_idle()
        self.assertEqual(len(self.one.mails("anna")), 1)

    def test_utf8_and_eight_bits_pass(self):
        """SMTPUTF8 and BODY go from hop to hop; a host that has neither gets the second in quoted-printable."""
        text = "From: a@one.test\r\nSubject: gr\u00fc\u00dfe\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00e4\r\n".encode()
        with self.one.smtp() as s:
            s.ehlo("x")
            for options in (["SMTPUTF8", "BODY=8BITMIME"], ["BODY=8BITMIME"]):
                self.assertEqual(s.mail("anna@one.test", options)[0], 250)
                self.assertEqual(s.rcpt("bert@two.test")[0], 250)
                self.assertEqual(s.data(text)[0], 250)
        mails = [open(p, "rb").read() for p in self.two.wait_mails("bert", 2)]
        for octets in mails:
            self.assertIn("gr\u00fc\u00dfe\nContent-Transfer-Encoding: 8bit\n".encode(), octets)
        self.assertEqual(sorted(bool(re.search(rb"by mail.two.test[^;]* with UTF8SMTP", m)) for m in mails), [False, True])
        # what a kept connection has learnt counts as long as it lasts
        self.one.edit("main.cf", "smtp_connection_cache_on_demand = no\n")
        self.one.merpati("reload")
        self.two.edit("main.cf", "smtpd_discard_ehlo_keywords = smtputf8, 8bitmime\n")
        self.two.merpati("reload")
        with self.one.smtp() as s:
            s.ehlo("x"), s.mail("anna@one.test", ["BODY=8BITMIME"]), s.rcpt("bert@two.test"), s.data(text)
            s.mail("anna@one.test", ["SMTPUTF8"]), s.rcpt("bert@two.test"), s.data(text)
        self.one.wait_log(r"dsn=5.6.7, status=bounced \(SMTPUTF8 is required, but was not offered by host mx.two.test")
        mails = [open(p, "rb").read() for p in self.two.wait_mails("bert", 3)]
        self.assertEqual(sum(b"Content-Transfer-Encoding: quoted-printable\n" in m and m.endswith(b"\n\n=C3=A4\n")
                             for m in mails), 1)

    def test_a_host_that_is_down_gets_it_later(self):
        self.two.stop()
        self.one.send("anna@one.test", ["bert@two.test"])
        self.one.wait_log(r"status=deferred \(connect to mx.two.test\[127.0.0.1\]:\d+: Connection refused\)")
        self.two.merpati("start")  # another port: the kernel chooses
        self.two.started = True
        self.one.edit("main.cf", f"smtp_tcp_port = {self.two.port('smtp')}\n")
        self.one.merpati("reload")
        self.one.merpati("flush")
        self.two.wait_mails("bert", 1)

    def test_kill_of_smtp(self):
        """smtp is killed again and again: every mail arrives; twice only one whose answer was under way."""
        n, kills = 120, 0
        sent = []

        def send():
            for i in range(n):
                self.one.send("anna@one.test", ["bert@two.test"], f"Subject: ledger {i}\r\n\r\n" + "x" * 70 + "\r\n")
                sent.append(i)
        t = threading.Thread(target=send)
        t.start()
        while t.is_alive():
            kills += self.one.kill("smtp")
            t.join(0.15)
        self.assertGreater(kills, 2)
        self.assertEqual(len(sent), n)

        def all_there():
            self.one.merpati("flush", check=False)
            return {mail_of(p)["Subject"] for p in self.two.mails("bert")} == {f"ledger {i}" for i in range(n)}
        wait_for("every mail", all_there, 90, step=0.5)
        self.one.wait("an empty queue", lambda: not self.one.queue(), 60)
        doubles = len(self.two.mails("bert")) - n
        # a process held a few mails at once when it was killed
        self.assertLessEqual(doubles, kills * 20)


class Outside(unittest.TestCase):
    """lmtp and sockets of other programs: master connects, where the admin says so."""

    def test_sockets(self):
        top = tempfile.mkdtemp(prefix="merpati-lmtp-")
        os.chmod(top, 0o755)
        self.addCleanup(lambda: os.rmdir(top))
        named, hidden = f"{top}/named", f"{top}/hidden"
        servers = {}
        for path in (named, hidden):
            servers[path] = SmtpServer(self, {".": lambda s, rcpt: "250 2.0.0 mine" if rcpt[0] != "f" else "452 4.2.2 full"},
                                       path=path, lmtp=True)
            os.chmod(path, 0o666)
            self.addCleanup(os.unlink, path)
        m = Instance(self, main_cf={"virtual_mailbox_domains": "v.test", "virtual_transport": f"lmtp:unix:{named}",
                                    "transport_maps": "texthash:$config_directory/transport",
                                    "local_recipient_maps": ""})
        m.edit("transport", f"h.test lmtp:unix:{hidden}\np.test lmtp:unix:private/guest\nc.test lmtp:unix:private/control\n")
        m.edit("main.cf", "virtual_mailbox_maps = static:x\n")
        m.start()
        guest = os.path.join(m.spool, "private", "guest")
        servers["guest"] = SmtpServer(self, path=guest, lmtp=True)
        os.chmod(guest, 0o666)
        m.send("a@far.test", ["ok@v.test", "full@v.test", "x@h.test", "x@p.test", "x@c.test"])
        m.wait_log(re.escape(f"relay=mail.example.test[{named}], ") + r".*status=sent \(250 2.0.0 mine\)")
        m.wait_log(r"to=<full@v.test>.*dsn=4.2.2, status=deferred \(host .* said: 452 4.2.2 full \(in reply to end of DATA")
        m.wait_log(r"to=<x@p.test>.*\[private/guest\], .*status=sent")
        for address, path in (("x@h.test", hidden), ("x@c.test", "private/control")):
            m.wait_log(f"to=<{address}>.*status=deferred .connect to mail.example.test.{re.escape(path)}.: "
                       f"master: socket {re.escape(path)}: not named by")
        self.assertEqual((len(servers[named].mails), servers[hidden].sessions), (1, 0))


if __name__ == "__main__":
    main()
