"""authorized_submit_users, authorized_mailq_users, authorized_flush_users: who may, who may not, what both are told."""
import os, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import DOMAIN, Instance, main, program  # noqa: E402

MAIL = b"To: anna@" + DOMAIN.encode() + b"\nSubject: from another user\n\nx\n"


@unittest.skipUnless(os.getuid() == 0, "only root can be several users")
class Authorized(unittest.TestCase):
    def instance(self, **main_cf):
        m = Instance(self, main_cf=main_cf)
        m.user("anna")
        return m.start()

    def as_user(self, m, user, name, *args, input=None):
        return subprocess.run([program(name), *args], user=user, group=user, extra_groups=[], input=input, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**m.env, "MAIL_CONFIG": m.conf})

    def test_everybody_by_default(self):
        m = self.instance()
        self.assertEqual(self.as_user(m, "daemon", "sendmail", "-t", input=MAIL).returncode, 0)
        m.wait_mails("anna", 1)
        self.assertEqual(self.as_user(m, "daemon", "mailq").returncode, 0)
        self.assertEqual(self.as_user(m, "daemon", "postqueue", "-f").returncode, 0)

    def test_submit(self):
        m = self.instance(authorized_submit_users="!daemon, static:all")
        r = self.as_user(m, "daemon", "sendmail", "-t", input=MAIL)
        self.assertEqual(r.returncode, 77, r.stderr)
        self.assertIn(b"not allowed to submit", r.stderr)
        m.wait_log(r"uid=1, user daemon is not in authorized_submit_users")
        self.assertEqual(self.as_user(m, "games", "sendmail", "-t", input=MAIL).returncode, 0)
        m.wait_mails("anna", 1)

    def test_mailq(self):
        m = self.instance(authorized_mailq_users="games")
        r = self.as_user(m, "daemon", "mailq")
        self.assertEqual((r.returncode, r.stdout), (77, b""))
        self.assertIn(b"authorized_mailq_users", r.stderr)
        m.wait_log(r"user daemon\(1\) may not see the queue \(authorized_mailq_users\)")
        for user in ("games", "root"):
            self.assertEqual(self.as_user(m, user, "mailq").stdout, b"Mail queue is empty\n")

    def test_flush(self):
        m = self.instance(authorized_flush_users="games")
        for args in (["-f"], ["-s", "far.example.org"], ["-i", "4jcqbW55xpzMjXswbW"]):
            r = self.as_user(m, "daemon", "postqueue", *args)
            self.assertEqual(r.returncode, 77, r.stderr)
            self.assertIn(b"user daemon(1) is not in authorized_flush_users", r.stderr)
        m.wait_log(r"flush: user daemon\(1\) is not in authorized_flush_users", count=3)
        for user in ("games", "root"):
            self.assertEqual(self.as_user(m, user, "postqueue", "-f").returncode, 0)
        m.merpati("flush")

    def test_a_table_that_fails_is_no_refusal(self):
        m = self.instance(authorized_flush_users="fail:users", authorized_submit_users="fail:users")
        self.assertEqual(self.as_user(m, "daemon", "postqueue", "-f").returncode, 69)
        self.assertEqual(self.as_user(m, "daemon", "sendmail", "-t", input=MAIL).returncode, 75)


main()
