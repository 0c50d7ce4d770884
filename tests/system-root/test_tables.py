"""Look-up tables of a system instance that only root may open: proxymap opens them before it gives its rights up, and
hands over to a fresh process when one is replaced."""
import os, pwd, re, smtplib, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from system_instance import CONF, System, enter, main  # noqa: E402

enter()


class Tables(unittest.TestCase):
    def replace(self, m, name, names):
        """As postmap does: a new file in the place of the old one, closed to everybody but root."""
        with open(f"{CONF}/closed/{name}.new", "w") as f:
            f.writelines(f"{n} ok\n" for n in names)
        os.chmod(f"{CONF}/closed/{name}.new", 0o600)
        os.rename(f"{CONF}/closed/{name}.new", f"{CONF}/closed/{name}")
        m.run("postmap", f"hash:{CONF}/closed/{name}")
        self.assertEqual(os.stat(f"{CONF}/closed/{name}.db").st_mode & 0o777, 0o600)

    def code(self, m, rcpt):
        with m.raw() as c:
            c.reply(), c.cmd("EHLO x"), c.cmd("MAIL FROM:<x@far.example>")
            return c.cmd(f"RCPT TO:<{rcpt}@relay.example>")[0]

    def test_closed_tables(self):
        for folder in (0o700, 0o755):
            with self.subTest(folder=oct(folder)):
                m = System(self, main_cf={"relay_domains": "relay.example",
                                          "relay_recipient_maps": f"proxy:hash:{CONF}/closed/rcpts "
                                                                  f"proxy:texthash:{CONF}/closed/more"})
                os.mkdir(f"{CONF}/closed")
                os.chmod(f"{CONF}/closed", folder)
                self.replace(m, "rcpts", ["anna@relay.example"])
                self.replace(m, "more", ["moritz@relay.example"])
                m.start()
                self.assertEqual([self.code(m, n) for n in ("anna", "moritz", "ben")], [250, 250, 550])
                before = m.pids("proxymap")
                self.assertEqual(len(before), 1)
                for i in range(3):      # nobody is put off by it
                    self.replace(m, "rcpts", [f"new{i}@relay.example"])
                    self.assertEqual([self.code(m, n) for n in (f"new{i}", "moritz", "anna")], [250, 250, 550], m.log_tail())
                self.replace(m, "more", ["max@relay.example"])
                self.assertEqual([self.code(m, n) for n in ("max", "moritz")], [250, 550])
                m.wait_log(r"proxymap\[.*texthash:.* was replaced: a fresh process takes over")
                self.assertFalse(set(before) & set(m.pids("proxymap")))
                self.assertNotRegex(m.log(), r"(?m)exit status|killed by|(error|fatal): |Permission")
                for pid in m.pids("proxymap"):
                    with open(f"/proc/{pid}/status") as f:
                        self.assertIn(f"Uid:\t{m.account('-map').pw_uid}\t", f.read())
                m.stop()

    def test_a_table_that_is_open_to_all_needs_nobody_new(self):
        m = System(self, main_cf={"relay_domains": "relay.example",
                                  "relay_recipient_maps": f"proxy:texthash:{CONF}/open"})
        for i in range(3):
            with open(f"{CONF}/open.new", "w") as f:
                f.write(f"n{i}@relay.example ok\n")
            os.rename(f"{CONF}/open.new", f"{CONF}/open")
            if i == 0:
                m.start()
            self.assertEqual([self.code(m, n) for n in (f"n{i}", "anna")], [250, 550])
        self.assertNotIn("takes over", m.log())

    def test_a_table_that_is_missing(self):
        """It is trouble, and nothing is bounced; it is used as soon as it is there."""
        m = System(self, main_cf={"relay_domains": "relay.example",
                                  "relay_recipient_maps": f"proxy:texthash:{CONF}/late"})
        m.start()
        self.assertEqual(self.code(m, "anna"), 451)
        with open(f"{CONF}/late", "w") as f:
            f.write("anna@relay.example ok\n")
        self.assertEqual(self.code(m, "anna"), 250)


main()
