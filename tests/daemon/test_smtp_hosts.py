"""smtp: which servers of a destination get the mail, in which order, and when none is asked (rows K, P)."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from smtp_server import SmtpServer, servers  # noqa: E402
from smtp_world import *  # noqa: E402,F403
from instance import main, wait_for  # noqa: E402

GONE = {"connect": None}


class Hosts(unittest.TestCase):
    def world(self, scripts, main_cf="", dns=None):
        self.s = servers(self, scripts)
        self.port = self.s[0].port
        self.w = SmtpWorld(self, f"smtp_tcp_port = {self.port}\nsmtp_connection_cache_on_demand = no\n{main_cf}",
                           dns or hosts(self.s))
        return self.w

    def sessions(self):
        return [s.sessions for s in self.s]

    def test_best_first(self):
        w = self.world([{}, {}])
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
        self.assertEqual(self.sessions(), [1, 0])
        self.assertEqual(w.asked, [("x.test", MX), ("mx1.x.test", A), ("mx2.x.test", A)])

    def test_next_after_trouble(self):
        """A server that is not there, closes, refuses to talk or defers is followed by the next one; each tells why."""
        for script, line in ((GONE, "lost connection with mx1.x.test[127.0.0.2] while receiving the initial"),
                             ({"connect": "421 busy"}, "host mx1.x.test[127.0.0.2] refused to talk to me: 421 busy"),
                             ({"connect": "554 no"}, "host mx1.x.test[127.0.0.2] refused to talk to me: 554 no"),
                             ({"MAIL": "451 later"}, "said: 451 later (in reply to MAIL FROM command)"),
                             ({"RCPT": "450 grey"}, "said: 450 grey (in reply to RCPT TO command)"),
                             ({"DATA": "451 later"}, "said: 451 later (in reply to DATA command)"),
                             ({".": "451 later"}, "said: 451 later (in reply to end of DATA command)"),
                             ({"RCPT": None}, "lost connection with mx1.x.test[127.0.0.2] while sending RCPT TO")):
            w = self.world([script, {}])
            r = w.deliver(["a@x.test", "b@x.test"])
            self.assertEqual({x.status for x in r}, {DELIVERED}, script)
            self.assertEqual(self.sessions(), [1, 1])
            w.wait_log(f"{QID}: ")
            self.assertEqual(len([l for l in w.wait_log(line)]), 1, w.m.lines)
            self.assertFalse([l for l in w.m.poll_log() if "status=deferred" in l])

    def test_not_connected_is_followed_by_the_next(self):
        w = self.world([{}, {}])
        self.s[0].close()
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
        w.wait_log(f"connect to mx1.x.test[127.0.0.2]:{self.port}: Connection refused")

    def test_final_words_of_a_server_are_final(self):
        for script in ({"RCPT": "550 no"}, {"MAIL": "550 no"}, {"DATA": "550 no"}, {".": "550 no"}):
            w = self.world([script, {}])
            self.assertEqual(w.deliver(["a@x.test"])[0].status, BOUNCED)
            self.assertEqual(self.sessions(), [1, 0])

    def test_one_of_two_recipients_goes_on(self):
        w = self.world([{"RCPT": ["250 ok", "450 grey", "550 no"]}, {"RCPT": "250 ok"}])
        r = w.deliver(["a@x.test", "b@x.test", "c@x.test"])
        self.assertEqual([x.status for x in r], [DELIVERED, DELIVERED, BOUNCED])
        self.assertEqual([s.taken() for s in self.s], [[("from@here.test", ["a@x.test"])],
                                                       [("from@here.test", ["b@x.test"])]])

    def test_the_last_word_counts(self):
        w = self.world([{"RCPT": "450 4.2.1 first"}, {"RCPT": "451 4.2.2 second"}])
        r, = w.deliver(["a@x.test"])
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.2.2"))
        self.assertEqual(w.suspend, "")

    def test_a_lost_answer_is_not_asked_of_another_server(self):
        w = self.world([{".": None}, {}])
        r, = w.deliver(["a@x.test"])
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.4.2"))
        self.assertIn("message may be sent more than once", r.text)
        self.assertEqual(self.sessions(), [1, 0])

    def test_soft_bounce(self):
        w = self.world([{"RCPT": "550 5.1.1 no"}, {"RCPT": "550 5.1.1 no"}])
        r, = w.deliver(["a@x.test"], flags=8)
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.1.1"))
        w.wait_log("dsn=5.1.1, status=SOFTBOUNCE (host mx2.x.test")
        self.assertEqual(self.sessions(), [1, 1])

    def test_limits(self):
        w = self.world([{"MAIL": "451 x"}] * 4, "smtp_mx_session_limit = 3")
        w.deliver(["a@x.test"])
        self.assertEqual(self.sessions(), [1, 1, 1, 0])
        w = self.world([GONE] * 4, "smtp_mx_session_limit = 0\nsmtp_mx_address_limit = 2")
        w.deliver(["a@x.test"])
        self.assertEqual(self.sessions(), [1, 1, 0, 0])

    def test_equal_ones_take_turns(self):
        self.s = servers(self, [{}, {}, {}])
        dns = {("x.test", MX): [(10, f"mx{i}.x.test") for i in range(3)]}
        dns.update({(f"mx{i}.x.test", A): [s.ip] for i, s in enumerate(self.s)})
        main_cf = f"smtp_tcp_port = {self.s[0].port}\nsmtp_connection_cache_on_demand = no\n"
        w = SmtpWorld(self, main_cf, dns)
        for _ in range(40):
            w.deliver(["a@x.test"])
        self.assertEqual(sum(self.sessions()), 40)
        self.assertTrue(min(self.sessions()) > 0, self.sessions())
        w = SmtpWorld(self, main_cf + "smtp_randomize_addresses = no\n", dns)
        for s in self.s:
            s.sessions = 0
        for _ in range(5):
            w.deliver(["a@x.test"])
        self.assertEqual(self.sessions(), [5, 0, 0])

    def test_without_mx_the_domain_itself(self):
        for absent in (NO_NAME, NO_DATA):
            w = self.world([{}], dns={("x.test", MX): absent, ("x.test", A): ["127.0.0.2"]})
            self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
            w.wait_log(f"relay=x.test[127.0.0.2]:{self.port}, ")

    def test_brackets_mean_no_mx(self):
        w = self.world([{}], dns={("x.test", MX): [(1, "other.test")], ("x.test", A): ["127.0.0.2"]})
        self.assertEqual(w.deliver(["a@y.test"], "[x.test]")[0].status, DELIVERED)
        self.assertNotIn(("x.test", MX), w.asked)
        self.assertEqual(w.deliver(["a@y.test"], f"[127.0.0.2]:{self.port}")[0].status, DELIVERED)
        w = self.world([{}], "disable_dns_lookups = yes", {("x.test", A): ["127.0.0.2"]})
        self.assertEqual(w.deliver(["a@y.test"], "x.test")[0].status, DELIVERED)
        w = self.world([{}], "smtp_host_lookup = native", {("x.test", A): ["127.0.0.2"]})
        self.assertEqual(w.deliver(["a@y.test"], "x.test")[0].status, DELIVERED)
        self.assertNotIn(("x.test", MX), w.asked)

    def test_what_dns_says(self):
        nf = "Host or domain name not found. Name service error for name={} type={}: {}"
        rows = [
            ({}, BOUNCED, "5.4.4", nf.format("x.test", "A", "Host not found")),
            ({("x.test", A): NO_DATA}, BOUNCED, "5.4.4",
             nf.format("x.test", "A", "Host found but no data record of requested type")),
            ({("x.test", MX): AGAIN}, DEFERRED, "4.4.3", nf.format("x.test", "MX", "Host not found, try again")),
            ({("x.test", A): AGAIN}, DEFERRED, "4.4.3", nf.format("x.test", "A", "Host not found, try again")),
            ({("x.test", MX): [(10, "mx.x.test")]}, BOUNCED, "5.4.4", nf.format("mx.x.test", "A", "Host not found")),
            ({("x.test", MX): [(10, "a.x.test"), (20, "b.x.test")], ("a.x.test", A): AGAIN}, DEFERRED, "4.4.3",
             nf.format("a.x.test", "A", "Host not found, try again")),
            ({("x.test", MX): [(0, "")]}, BOUNCED, "5.1.0", "Domain x.test does not accept mail (nullMX)"),
            ({("x.test", MX): 4}, BOUNCED, "5.4.4", nf.format("x.test", "MX", "Malformed name")),
            ({("x.test", MX): 5}, BOUNCED, "5.4.4",
             nf.format("x.test", "MX", "Malformed or unexpected name server reply")),
        ]
        w = SmtpWorld(self)
        for dns, status, dsn, text in rows:
            w.dns = dns
            r, = w.deliver(["a@x.test"])
            self.assertEqual((r.status, r.dsn, r.text), (status, dsn, text), dns)
            self.assertEqual(w.suspend, f"{dsn} {text}" if status == DEFERRED else "")

    def test_parameters_about_dns(self):
        w = SmtpWorld(self, "smtp_defer_if_no_mx_address_found = yes\nignore_mx_lookup_error = yes",
                      {("x.test", MX): [(10, "mx.x.test")]})
        r, = w.deliver(["a@x.test"])
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.4.4"))
        w.wait_log("no MX host for x.test has a valid address record")
        s = SmtpServer(self)
        w.dns = {("x.test", MX): AGAIN, ("x.test", A): ["127.0.0.1"]}
        self.assertEqual(w.deliver(["a@x.test"], f"x.test:{s.port}")[0].status, DELIVERED)

    def test_mail_does_not_come_back(self):
        """Ourselves, and who is no better, get nothing; nobody better: a loop."""
        us, them = "127.0.0.1", "127.0.0.2"
        rows = [
            ({("x.test", MX): [(10, "a.test")], ("a.test", A): [us]}, BOUNCED, "5.4.6"),
            ({("x.test", A): [us]}, BOUNCED, "5.4.6"),
            ({("x.test", MX): [(10, "a.test"), (20, "b.test")], ("a.test", A): [us], ("b.test", A): [them]}, BOUNCED, "5.4.6"),
            ({("x.test", MX): [(10, "a.test"), (10, "b.test")], ("a.test", A): [us], ("b.test", A): [them]}, BOUNCED, "5.4.6"),
            # the better one has no address at the moment
            ({("x.test", MX): [(10, "b.test"), (20, "a.test")], ("a.test", A): [us]}, DEFERRED, "4.4.4"),
        ]
        w = SmtpWorld(self, f"inet_interfaces = {us}\nproxy_interfaces = 192.0.2.77")
        for dns, status, dsn in rows:
            w.dns = dns
            r, = w.deliver(["a@x.test"])
            self.assertEqual((r.status, r.dsn), (status, dsn), dns)
            self.assertEqual(r.text, "mail for x.test loops back to myself" if status == BOUNCED else
                             "unable to find primary relay for x.test")
        w.dns = {("x.test", A): ["192.0.2.77"]}
        self.assertEqual(w.deliver(["a@x.test"])[0].dsn, "5.4.6")
        self.assertEqual(w.deliver(["a@x.test"], "[127.0.0.1]")[0].dsn, "5.4.6")
        # a better one is asked, a worse one is not
        w.dns = {("x.test", MX): [(5, "c.test"), (10, "a.test"), (20, "b.test")], ("a.test", A): [us],
                 ("b.test", A): ["192.0.2.2"], ("c.test", A): ["127.0.0.9"]}
        r, = w.deliver(["a@x.test"])
        self.assertEqual((r.status, r.text), (DEFERRED, "connect to c.test[127.0.0.9]:25: Connection refused"))

    def test_K04_addresses_of_nobody(self):
        """0.0.0.0 would be this host; broadcast and multicast are nobody: skipped, and told."""
        w = self.world([{}])
        for bad in ("0.0.0.0", "224.0.0.1", "255.255.255.255"):
            w.dns = {("x.test", MX): [(1, "bad.test"), (2, "good.test")], ("bad.test", A): [bad],
                     ("good.test", A): ["127.0.0.2"]}
            self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
            w.wait_log(f'bad.test has the address "{bad}", which is no host\'s: skipped')
            del w.dns["good.test", A]
            r, = w.deliver(["a@x.test"])
            self.assertEqual((r.status, r.dsn), (BOUNCED, "5.4.4"))
            self.assertEqual(w.deliver(["a@x.test"], f"[{bad}]")[0].dsn, "5.4.4")
        # a name that is an address, and a server of this very host
        w.dns = {("x.test", MX): [(1, "192.0.2.1")], ("192.0.2.1", A): 4}
        self.assertEqual(w.deliver(["a@x.test"])[0].dsn, "5.4.4")

    def test_K05_a_thousand_servers(self):
        w = self.world([GONE] * 6, "smtp_mx_session_limit = 0")
        w.dns = {("x.test", MX): [(1, f"mx{i}.x.test") for i in range(200)]}
        w.dns.update({(f"mx{i}.x.test", A): [f"127.0.0.{2 + i % 6}"] * 20 for i in range(200)})
        r, = w.deliver(["a@x.test"])
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.4.2"))
        self.assertEqual(sum(self.sessions()), 5)
        self.assertLessEqual(len(w.asked), 51)

    def test_relayhost_is_no_fault_of_the_mail(self):
        w = SmtpWorld(self, "relayhost = [gone.test]")
        r, = w.deliver(["a@x.test"], "[gone.test]")
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.3.5"))
        w.wait_log("relayhost configuration problem: Host or domain name not found")
        w = SmtpWorld(self, "smtp_fallback_relay = [gone.test]")
        self.assertEqual(w.deliver(["a@x.test"], "x.test")[0].dsn, "4.3.5")
        w.wait_log("smtp_fallback_relay configuration problem")

    def test_bad_next_hops_wait(self):
        w = SmtpWorld(self)
        for bad in ("[x.test", "x.test:99999", "x.test:nowhere", ":25"):
            r, = w.deliver(["a@x.test"], bad)
            self.assertEqual((r.status, r.dsn), (DEFERRED, "4.3.5"), bad)
        w.wait_log('next hop "x.test:nowhere"')
        w = SmtpWorld(self, "known_tcp_ports = nowhere=26")
        w.dns = {("x.test", A): ["127.0.0.9"]}
        self.assertIn("[127.0.0.9]:26: Connection refused", w.deliver(["a@x.test"], "x.test:nowhere")[0].text)

    def test_several_next_hops_and_the_fallback(self):
        w = self.world([GONE, {"MAIL": "451 no"}, {}], "smtp_fallback_relay = [127.0.0.4]:$smtp_tcp_port",
                       {("x.test", MX): [(1, "mx.x.test")], ("mx.x.test", A): ["127.0.0.2"]})
        r, = w.deliver(["a@x.test"], "x.test, [127.0.0.3]")
        self.assertEqual((r.status, self.sessions()), (DELIVERED, [1, 1, 1]))
        # also where there is no such domain; not where the mail would come back
        self.assertEqual(w.deliver(["a@y.test"], "y.test")[0].status, DELIVERED)
        w.dns[("z.test", A)] = ["127.0.0.1"]
        self.assertEqual(w.deliver(["a@z.test"], "z.test:25")[0].dsn, "5.4.6")

    def test_a_list_of_next_hops_is_no_fault_of_the_mail(self):
        """One that said "later", and then a name that does not exist: whoever wrote the list is told, the mail waits."""
        w = self.world([{"RCPT": "450 4.2.0 later"}])
        r, = w.deliver(["a@x.test"], "[127.0.0.2], [gone.test]")
        self.assertEqual((r.status, r.dsn), (DEFERRED, "4.3.5"), r)
        w.wait_log("list of next hops configuration problem: Host or domain name not found")

    def test_bind_address(self):
        w = self.world([{}], "smtp_bind_address = 127.0.0.7")
        peers = []
        self.s[0].script["connect"] = lambda session, line: peers.append(session.sock.getpeername()[0]) or "220 hi"
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
        self.assertEqual(peers, ["127.0.0.7"])
        w = self.world([{}], "smtp_bind_address = 192.0.2.1")
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
        w.wait_log("smtp_bind_address = 192.0.2.1: Cannot assign requested address")
        w = self.world([{}], "smtp_bind_address = 192.0.2.1\nsmtp_bind_address_enforce = yes")
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DEFERRED)

    def test_ipv6(self):
        try:
            s = SmtpServer(self, ip="::1")
        except OSError:
            self.skipTest("no IPv6 on this machine")
        dns = {("x.test", MX): [(10, "mx.x.test")], ("mx.x.test", AAAA): ["::1"], ("mx.x.test", A): ["127.0.0.9"]}
        w = SmtpWorld(self, f"smtp_tcp_port = {s.port}\nsmtp_address_preference = ipv6\n"
                      "smtp_balance_inet_protocols = no\nsmtp_bind_address6 = ::1", dns, ipv4_only=False)
        self.assertEqual(w.deliver(["a@x.test"])[0].status, DELIVERED)
        w.wait_log(f"relay=mx.x.test[::1]:{s.port}, ")
        self.assertEqual(w.deliver(["a@x.test"], f"[IPv6:::1]:{s.port}")[0].status, DELIVERED)


if __name__ == "__main__":
    main()
