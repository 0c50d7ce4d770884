"""Where mail for others goes, in a whole instance: MX by a name server of ours, relayhost, tables by sender, transport_maps,
generic(5) through proxymap; a site that is down."""
import os, re, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import DOMAIN, Instance, main  # noqa: E402
from name_server import NameServer  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402


class Routes(unittest.TestCase):
    def instance(self, **main_cf):
        self.ns = NameServer(self)
        self.m = Instance(self, main_cf={"dnsd_servers": self.ns.address, "inet_protocols": "ipv4", "default_transport": "smtp",
                                         "relay_transport": "relay", "relayhost": "", "smtpd_peername_lookup": "no", **main_cf})
        for user in ("anna", "bert"):
            self.m.user(user)
        return self.m

    def table(self, name, text):
        path = os.path.join(self.m.conf, name)
        with open(path, "w") as f:
            f.write(text)
        self.m.run("postmap", path)
        return "hash:" + path

    def send(self, sender, rcpts, text="Subject: t\r\n\r\nbody\r\n"):
        self.m.send(sender, rcpts, text)

    def servers(self, *names):
        return {n: SmtpServer(self) for n in names}

    def taken(self, server, n=1):
        self.m.wait(f"{n} mails at {server.port}", lambda: len(server.taken()) >= n)
        return sorted(server.taken())

    def test_mail_exchangers(self):
        s = SmtpServer(self)
        m = self.instance(smtp_tcp_port=str(s.port))
        self.ns.add("""
            good.example MX 10 down.good.example
            good.example MX 20 up.good.example
            down.good.example A 127.0.0.99
            up.good.example A 127.0.0.1
            implicit.example A 127.0.0.1
            alias.example CNAME good.example
            null.example MX .
            junk.example MX 10 127.0.0.1
            lost.example MX 10 nowhere.lost.example""")
        self.ns.script("fail.example", "MX", "servfail!")
        self.ns.script("silent.example", "MX", "timeout!")
        m.start()
        for domain in ("good", "implicit", "alias"):
            self.send(f"anna@{DOMAIN}", [f"x@{domain}.example"])
        got = self.taken(s, 3)
        self.assertEqual(got, [(f"anna@{DOMAIN}", [f"x@{d}.example"]) for d in ("alias", "good", "implicit")])
        for domain, status in (("null", "bounced"), ("missing", "bounced"), ("fail", "deferred"), ("silent", "deferred")):
            self.send(f"anna@{DOMAIN}", [f"x@{domain}.example"])
            m.wait_log(rf"to=<x@{domain}\.example>, .*status={status}", 40)
        for domain in ("junk", "lost"):
            self.send(f"anna@{DOMAIN}", [f"x@{domain}.example"])
            m.wait_log(rf"to=<x@{domain}\.example>, .*status=(deferred|bounced)", 40)
        self.assertEqual(len(s.taken()), 3)

    def test_domains_that_take_no_mail(self):
        """K01, K02 at the door: reject_unknown_sender_domain, reject_unknown_recipient_domain."""
        m = self.instance(smtpd_sender_restrictions="reject_unknown_sender_domain",
                          smtpd_recipient_restrictions="reject_unknown_recipient_domain", dnsd_timeout="2s")
        self.ns.add("null.example MX .\nnull.example A 127.0.0.1\ngood.example MX 10 mx.good.example\n"
                    "bare.example A 127.0.0.1")
        self.ns.script("fail.example", "MX", "servfail!")
        m.start()
        for domain, sender, rcpt in (("good", (250, "2.1.0"), (250, "2.1.5")), ("bare", (250, "2.1.0"), (250, "2.1.5")),
                                     ("null", (550, "5.7.27"), (556, "5.1.10")), ("missing", (450, "4.1.8"), (450, "4.1.2")),
                                     ("fail", (450, "4.4.3"), (450, "4.4.3"))):
            with m.smtp() as c:
                c.ehlo()
                c.mail(f"x@{domain}.example")
                code, text = c.rcpt(f"anna@{DOMAIN}")
                want = sender if sender[0] != 250 else (250, "2.1.5")
                self.assertEqual((code, text.decode().split()[0]), want, (domain, text))
            with m.smtp() as c:
                c.ehlo()
                c.mail(f"anna@{DOMAIN}")
                code, text = c.rcpt(f"x@{domain}.example")
                self.assertEqual((code, text.decode().split()[0]), rcpt, (domain, text))

    def test_silent_name_servers_hold_up_nobody(self):
        """K08: sixty domains whose questions nobody answers, and one that is as it should be."""
        s = SmtpServer(self)
        m = self.instance(smtp_tcp_port=str(s.port), dnsd_timeout="20s")
        self.ns.add("good.example MX 10 mx.good.example\nmx.good.example A 127.0.0.1")
        for i in range(60):
            self.ns.script(f"silent{i}.example", "MX", "timeout!")
        m.start()
        with m.smtp() as c:
            for i in range(60):
                c.sendmail(f"anna@{DOMAIN}", [f"x@silent{i}.example"], "Subject: t\r\n\r\nbody\r\n")
        m.wait("all of them are asked for", lambda: all(self.ns.count(f"silent{i}.example", "MX") for i in range(60)))
        began = time.monotonic()
        self.send(f"anna@{DOMAIN}", ["x@good.example"])
        self.taken(s)
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotIn("status=deferred", m.log(), "the others still wait for their answers")
        self.ns.script("*", "MX")
        for i in range(60):
            self.ns.script(f"silent{i}.example", "MX", "servfail!")
        m.wait_log(r"to=<x@silent\d+\.example>, .*status=deferred", 60, count=60)
        self.assertNotIn("status=bounced", m.log())

    def test_by_sender_by_table_and_the_rest(self):
        s = self.servers("all", "anna", "null", "table", "slow")
        m = self.instance()
        hop = {n: f"[127.0.0.1]:{x.port}" for n, x in s.items()}
        by_sender = self.table("by-sender", f"anna@{DOMAIN} {hop['anna']}\n<> {hop['null']}\ndunno@{DOMAIN} DUNNO\n")
        by_transport = self.table("by-transport", f"slow@{DOMAIN} smtp:{hop['slow']}\n")
        routes = self.table("routes", f"table.example smtp:{hop['table']}\n.table.example error:5.7.1 not below\n")
        m.edit("main.cf", f"relayhost = {hop['all']}\nsender_dependent_relayhost_maps = {by_sender}\n"
                          f"sender_dependent_default_transport_maps = {by_transport}\ntransport_maps = {routes}\n")
        m.start()
        for sender, to in (("anna", "far"), ("bert", "far"), ("dunno", "far"), ("slow", "far"), ("anna", "table")):
            self.send(f"{sender}@{DOMAIN}", [f"to-{sender}@{to}.example"])
        m.run("sendmail", "-f", "", "to-null@far.example", input=b"Subject: t\n\nbody\n")
        self.assertEqual(self.taken(s["anna"]), [(f"anna@{DOMAIN}", ["to-anna@far.example"])])
        self.assertEqual(self.taken(s["all"], 2), [(f"bert@{DOMAIN}", ["to-bert@far.example"]),
                                                    (f"dunno@{DOMAIN}", ["to-dunno@far.example"])])
        self.assertEqual(self.taken(s["slow"]), [(f"slow@{DOMAIN}", ["to-slow@far.example"])])
        self.assertEqual(self.taken(s["table"]), [(f"anna@{DOMAIN}", ["to-anna@table.example"])])
        self.assertEqual(self.taken(s["null"]), [("", ["to-null@far.example"])])
        with m.smtp() as c:
            c.ehlo()
            c.mail(f"anna@{DOMAIN}")
            code, text = c.rcpt("x@sub.table.example")
            self.assertEqual((code, text), (550, b"5.7.1 <x@sub.table.example>: Recipient address rejected: not below"))

    def test_generic(self):
        s = SmtpServer(self)
        m = self.instance(relayhost=f"[127.0.0.1]:{s.port}")
        m.edit("main.cf", "smtp_generic_maps = " + self.table("generic", f"anna@{DOMAIN} anna@world.example\n@{DOMAIN} @world.example\n") + "\n")
        m.start()
        self.send(f"anna@{DOMAIN}", ["x@far.example"], f"From: Anna <anna@{DOMAIN}>\r\nTo: x@far.example\r\nCc: bert@{DOMAIN}\r\n\r\nbody\r\n")
        self.assertEqual(self.taken(s), [("anna@world.example", ["x@far.example"])])
        text = s.mails[0].content
        self.assertIn(b"\r\nFrom: Anna <anna@world.example>\r\nTo: x@far.example\r\nCc: bert@world.example\r\n", b"\r\n" + text)
        m.wait_log(r"to=<x@far\.example>, .*status=sent")
        # what stays here keeps its names
        self.send(f"anna@{DOMAIN}", [f"bert@{DOMAIN}"], f"From: anna@{DOMAIN}\r\n\r\nbody\r\n")
        with open(m.wait_mails("bert", 1)[0], "rb") as f:
            self.assertIn(f"From: anna@{DOMAIN}\n".encode(), f.read())

    def test_a_site_that_is_down_costs_one_attempt(self):
        s = SmtpServer(self)
        port = s.port
        s.close()
        m = self.instance(relayhost="", queue_run_delay="1s", maximal_backoff_time="2s", minimal_backoff_time="2s",
                          transport_maps=f"inline:{{{{down.example = smtp:[127.0.0.1]:{port}}}}}")
        m.start()
        with m.smtp() as c:
            for i in range(40):
                c.sendmail(f"anna@{DOMAIN}", [f"x{i}@down.example"], "Subject: t\r\n\r\nbody\r\n")
        m.wait("all wait", lambda: len(m.queue("deferred")) == 40)
        refused = lambda: len(re.findall(r"smtp\[\d+\]: connect to ", m.log()))  # noqa: E731
        suspended = lambda: len(re.findall(r"delivery temporarily suspended", m.log()))  # noqa: E731
        self.assertGreater(suspended(), 0)
        rounds = len(re.findall(r"is suspended", m.log()))
        before, told = refused(), suspended()
        m.wait("more rounds", lambda: len(re.findall(r"is suspended", m.log())) >= rounds + 3, 40)
        tried = refused() - before
        self.assertLessEqual(tried, len(re.findall(r"is suspended", m.log())) - rounds + 1, "one attempt a round")
        self.assertGreater(suspended() - told, 20, "for all of its mails")


if __name__ == "__main__":
    main()
