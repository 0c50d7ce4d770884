"""From SMTP and sendmail through qmgr: routing, reports, waiting, flush, reload, as a user meets them."""
import email, email.policy, os, re, smtplib, threading, unittest
from instance import Instance, main, wait_for
from fast import FAST

SLOW = {**FAST, "minimal_backoff_time": "1h", "maximal_backoff_time": "1h"}


class QueueFlow(unittest.TestCase):
    def instance(self, main_cf=None, **files):
        m = Instance(self, main_cf={**SLOW, **(main_cf or {})})
        for name, text in files.items():
            with open(os.path.join(m.conf, name), "w") as f:
                f.write(text.replace("DIR", m.conf))
            os.chmod(os.path.join(m.conf, name), 0o644)
        for u in ("anna", "bert"):
            m.user(u)
        return m.start()

    def send(self, m, rcpts, sender="anna@example.test", body="Subject: boat\n\nIt floats.\n"):
        m.run("sendmail", "-f", sender, *rcpts, input=body.encode())

    def reports(self, m, user, n=1):
        found = wait_for("a report", lambda: len(m.mails(user)) >= n and m.mails(user))
        return [email.message_from_bytes(open(x, "rb").read(), policy=email.policy.default) for x in found]

    def in_queue(self, m, queue):
        return [f for _, _, files in os.walk(os.path.join(m.spool, queue)) for f in files]

    def test_report_of_unknown_user(self):
        m = self.instance()
        self.send(m, ["bert@example.test", "nobody@example.test", "nobody2@example.test"])
        r = self.reports(m, "anna")[0]
        self.assertEqual(r.get_content_type(), "multipart/report")
        self.assertEqual(r["Return-Path"], "<>")
        text, status, mail = r.get_payload()
        self.assertIn("nobody@example.test", text.get_content())
        fields = [p for p in status.get_payload() if p["Final-Recipient"]]
        self.assertEqual(sorted(p["Final-Recipient"] for p in fields),
                         ["rfc822; nobody2@example.test", "rfc822; nobody@example.test"])
        self.assertEqual({(p["Action"], p["Status"]) for p in fields}, {("failed", "5.1.1")})
        self.assertEqual(mail.get_payload()[0]["Subject"], "boat")
        wait_for("the other one has it", lambda: len(m.mails("bert")) == 1)
        wait_for("nothing is left", lambda: not self.in_queue(m, "active") and not self.in_queue(m, "bounce"))

    def test_nobody_is_told_of_a_lost_report(self):
        m = self.instance()
        self.send(m, ["nobody@example.test"], sender="")
        m.wait_log("undeliverable notification discarded")
        wait_for("nothing is left", lambda: not self.in_queue(m, "active") and not self.in_queue(m, "bounce"))

    def test_other_hosts_wait(self):
        m = self.instance()
        self.send(m, ["x@far.example"])
        m.wait_log(re.escape("dsn=4.4.3, status=deferred (Host or domain name not found. Name service error for "
                             "name=far.example type=MX: Host not found, try again)"))
        wait_for("it waits", lambda: self.in_queue(m, "deferred"))
        self.assertTrue(self.in_queue(m, "defer"))
        before = len(m.log().split("status=deferred"))
        m.merpati("flush")
        wait_for("second attempt", lambda: len(m.log().split("status=deferred")) > before)

    def test_transport_maps(self):
        m = self.instance({"transport_maps": "texthash:$config_directory/transport"},
                          transport="drop.example discard:silently\nclosed.example error:5.7.1 closed for ever\n"
                                    "nowhere.example nosuchservice:\n")
        self.send(m, ["x@drop.example"])
        m.wait_log(re.escape("status=sent (silently)"))
        self.send(m, ["x@closed.example"])
        self.assertIn("closed for ever", self.reports(m, "anna")[0].get_payload()[0].get_content())
        self.send(m, ["x@nowhere.example"])
        m.wait_log(re.escape("dsn=4.3.5, status=deferred (mail transport \"nosuchservice\" is not available"))

    def test_broken_table_is_temporary(self):
        m = self.instance({"transport_maps": "texthash:$config_directory/nosuchfile"})
        self.send(m, ["bert@example.test"])
        m.wait_log("nosuchfile")
        self.assertEqual(m.mails("anna"), [])
        with open(os.path.join(m.conf, "nosuchfile"), "w") as f:
            f.write("")
        os.chmod(os.path.join(m.conf, "nosuchfile"), 0o644)
        for _ in range(20):
            m.merpati("flush")
            try:
                wait_for("it comes when the table is there", lambda: m.mails("bert"), 1.5)
                break
            except AssertionError:
                continue
        self.assertEqual(len(m.mails("bert")), 1)

    def test_reload_during_mail(self):
        m = self.instance({"smtpd_client_connection_rate_limit": "0"})
        sent, stop = [0], threading.Event()

        def work():
            while not stop.is_set():
                try:
                    s = smtplib.SMTP("127.0.0.1", m.port("smtp"), timeout=20)
                    for _ in range(5):
                        s.sendmail("anna@example.test", ["bert@example.test"], f"Subject: {sent[0]}\r\n\r\nx\r\n")
                        sent[0] += 1
                    s.quit()
                except (OSError, smtplib.SMTPException):
                    pass
        t = threading.Thread(target=work)
        t.start()
        try:
            for i in range(3):
                at = sent[0]
                wait_for("mail goes on", lambda: sent[0] >= at + 20)
                m.merpati("reload")
        finally:
            stop.set()
            t.join()
        wait_for("each one once", lambda: len(m.mails("bert")) >= sent[0])
        self.assertEqual(len(m.mails("bert")), sent[0])


main()
