"""A system instance has enough with what etc/merpati.service leaves it: its capabilities, address families and system
calls. (Whether the unit is tight enough: tests/system/test_systemd_unit.py.)"""
import imaplib, os, re, shlex, shutil, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_master import sanitized  # noqa: E402
from system_instance import CONF, PREFIX, System, enter, main, program  # noqa: E402

enter()
ANALYZE = shlex.split(os.environ.get("MERPATI_SYSTEMD_ANALYZE") or "systemd-analyze")
UNIT = os.path.join(os.environ.get("MERPATI_BUILD", ""), "merpati.service")


def settings():
    out = {}
    with open(UNIT) as f:
        for line in f:
            if re.match("[A-Z]", line):
                key, value = line.rstrip("\n").split("=", 1)
                out[key] = value
    return out


def calls_of(words):
    """Names of system calls, groups taken apart."""
    out = set()
    for word in words:
        if word[0] != "@":
            out.add(word)
            continue
        text = subprocess.run([*ANALYZE, "syscall-filter", word], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        out |= calls_of([l.strip() for l in text.splitlines()[1:] if l.strip() and l.strip()[0] != "#"])
    return out


@unittest.skipUnless(os.path.exists(UNIT), "needs a build tree")
class Unit(unittest.TestCase):
    def exercise(self, m):
        m.unix_user("anna")
        with open("/home/anna/.forward", "w") as f:
            f.write('\\anna, "|cat >/home/anna/piped"\n')
        os.system("chown -R anna: /home/anna")
        with m.smtp() as s:
            s.sendmail("x@far.example", ["anna@example.test"], "Subject: 1\r\n\r\n1\r\n")
        m.wait_mails("anna", 1)
        m.wait("a piped mail", lambda: os.path.exists("/home/anna/piped"))
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        c.login("anna", "secret")
        self.assertEqual(c.select()[1], [b"1"])
        c.logout()
        m.run("mailq")
        m.merpati("reload")
        c = imaplib.IMAP4("127.0.0.1", 143, timeout=60)
        c.login("anna", "secret")
        c.logout()
        shutil.rmtree("/home/anna/Maildir")
        os.unlink("/home/anna/piped")

    def start(self, m, *before):
        """merpati foreground behind a command, as systemd runs it."""
        with open("/mnt/unit.err", "w") as err:
            self.proc = subprocess.Popen([*before, program("merpati"), "foreground"], env=m.env, stderr=err)
        m.started = True
        m.wait("the start", lambda: os.path.exists("/var/spool/merpati/pid/ports") and m.pids("imapd"), 60)

    def stop(self, m):
        m.merpati("stop", timeout=120)
        m.started = False
        self.assertEqual(self.proc.wait(60), 0)
        with open("/mnt/unit.err") as f:
            self.assertNotRegex(f.read() + m.log(), r"(?m)(panic|fatal|error): |killed by signal|Permission denied")

    def test_capabilities(self):
        m = System(self)
        keep = [c.removeprefix("CAP_").lower() for c in settings()["CapabilityBoundingSet"].split()]
        self.start(m, "setpriv", "--bounding-set", "-all," + ",".join(f"+{c}" for c in keep), "--inh-caps=-all")
        with open(f"/proc/{m.master_pid()}/status") as f:
            self.assertIn("CapEff:\t0000000000000421\n", f.read())
        self.exercise(m)
        self.stop(m)

    @unittest.skipIf(sanitized(f"{PREFIX}/libexec/merpati/smtpd"), "a sanitizer makes calls of its own")
    def test_system_calls(self):
        m = System(self)
        allowed = calls_of(settings()["SystemCallFilter"].split())
        families = set(settings()["RestrictAddressFamilies"].split())
        self.assertTrue(200 < len(allowed) < 400 and "mount" not in allowed and "ptrace" not in allowed)
        self.start(m, "strace", "-f", "-qq", "-e", "signal=none", "-o", "/mnt/calls")
        self.exercise(m)
        self.stop(m)
        made, opened = {}, set()
        with open("/mnt/calls", errors="replace") as f:
            for line in f:
                call = re.match(r"\d+ +(\w+)\((\w*)", line)
                if call:
                    made.setdefault(call[1], line.rstrip())
                    if call[1] == "socket":
                        opened.add(call[2])
        self.assertGreater(len(made), 60)
        self.assertEqual({k: v for k, v in made.items() if k not in allowed}, {})
        self.assertLessEqual(opened, families)


main()
