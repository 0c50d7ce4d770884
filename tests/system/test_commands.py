"""Commands as destinations: "|command" in aliases and .forward, run by postman."""
import os, re, signal, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main

AT = "@example.test"


class Commands(unittest.TestCase):
    def setUp(self):
        self.m = Instance(self)
        self.m.user("anna")
        self.m.user("bob")
        self.out = os.path.join(self.m.dir, "out")
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)

    def aliases(self, text):
        path = os.path.join(self.m.conf, "aliases")
        with open(path, "a") as f:
            f.write("\n" + text)
        self.m.run("postalias", "hash:" + path)

    def read(self, name, mode="r"):
        with open(os.path.join(self.out, name), mode) as f:
            return f.read()

    def script(self, name, text, mode=0o755):
        path = os.path.join(self.m.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def sent(self, to, status, seconds=30):
        self.m.wait_log(rf"to=<{re.escape(to + AT)}>,.* relay=local,.*{status}", seconds)

    def test_what_it_gets(self):
        script = self.script("prog", "#!/bin/sh\ncat >$OUT/mail; env >$OUT/env; ls -l /proc/self/fd >$OUT/fds\n"
                                     "umask >$OUT/umask; pwd >$OUT/pwd\n".replace("$OUT", self.out))
        self.aliases(f'Prog: "|{script}"\n')
        m = self.m.start()
        body = "Subject: one\r\n\r\nFrom here\r\n..dot\r\nlast"
        m.send('"x y"@client.example', ["prog+ext$`id`|x" + AT], body)
        self.sent("prog+ext$`id`|x", rf"dsn=2.0.0, status=sent \(delivered to command: {script}\)")
        mail = self.read("mail")
        self.assertRegex(mail, r'\AFrom "x y"@client\.example  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n'
                               r'Return-Path: <"x y"@client\.example>\nX-Original-To: \S+\nDelivered-To: \S+\n')
        self.assertTrue(mail.endswith("\n\nFrom here\n..dot\nlast\n"), mail)  # nothing is quoted for a command
        env = dict(l.split("=", 1) for l in self.read("env").splitlines())
        for name, value in (("LOCAL", "prog+ext__id__x"), ("USER", "prog"), ("LOGNAME", "prog"), ("EXTENSION", "ext__id__x"),
                            ("DOMAIN", "example.test"), ("RECIPIENT", "prog+ext__id__x@example.test"),
                            ("ORIGINAL_RECIPIENT", "prog+ext__id__x@example.test"), ("SENDER", "x_y@client.example"),
                            ("CLIENT_ADDRESS", "127.0.0.1"), ("CLIENT_HELO", "client.example"),
                            ("CLIENT_PROTOCOL", "ESMTP"), ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
                            ("MAIL_CONFIG", m.conf), ("TZ", "UTC"), ("LANG", "C")):
            self.assertEqual(env.pop(name, None), value, name)
        env.pop("CLIENT_HOSTNAME")
        for name in ("PWD", "OLDPWD", "_", "SHLVL"):
            env.pop(name, None)
        self.assertEqual(env, {})      # and nothing else
        self.assertEqual(len(self.read("fds").splitlines()), 1 + 4)
        self.assertEqual(self.read("umask").strip(), "0077")
        self.assertEqual(os.path.realpath(self.read("pwd").strip()), os.path.realpath(m.spool))

    def test_exit_codes(self):
        m = self.m
        self.aliases('nouser: "|exit 67"\nok: "|exit 0"\ntemp: "|exit 75"\nother: |/bin/false\n'
                     'coded: "|echo 5.7.1 not for you; exit 1"\ncoded4: "|echo 4.2.2 full; exit 1"\n'
                     'gone: |/nonexistent/prog -a\nunknown: |no.such.program\nnoexec: |/etc/passwd\n'
                     'signal: "|kill -SEGV $$"\nwords: "|echo some words; exit 65"\n')
        m.start()
        for name, expected in (
                ("nouser", r"dsn=5.1.1, status=bounced \(user unknown\)"),
                ("ok", r"dsn=2.0.0, status=sent \(delivered to command: exit 0\)"),
                ("temp", r"dsn=4.3.0, status=deferred \(temporary failure\)"),
                ("other", r'dsn=5.3.0, status=bounced \(Command died with status 1: "/bin/false"\)'),
                ("coded", r"dsn=5.7.1, status=bounced \(not for you\)"),
                ("coded4", r"dsn=4.2.2, status=deferred \(full\)"),
                ("gone", r"dsn=4.3.0, status=deferred \(cannot run .*exec /nonexistent/prog: No such file"),
                ("unknown", r"dsn=4.3.0, status=deferred \(Command died with status 127: .*not found"),
                ("noexec", r"dsn=4.3.0, status=deferred \(cannot run .*Permission denied"),
                ("signal", r"dsn=4.3.0, status=deferred \(Command died with signal 11"),
                ("words", r"dsn=5.6.0, status=bounced \(data format error. Command output: some words\)")):
            m.send("bob" + AT, [name + AT])
            self.sent(name, expected)
        m.wait_log(r'warning: \w+: .*alias "gone", line 1: cannot run')
        # the report that the sender gets has the command's own words
        m.wait_mails("bob", 4)
        reports = b"".join(open(p, "rb").read() for p in m.mails("bob"))
        self.assertIn(b"Command output: some words", reports)

    def test_shell_only_when_needed(self):
        direct = self.script("direct", f"#!/bin/sh\nps -o args= -p $PPID >{self.out}/parent; cat >/dev/null\n")
        bare = self.script("bare", f"echo $0 $1 >{self.out}/bare\n")  # no "#!": as execvp(3) does
        self.aliases(f'direct: |{direct} a b\nbare: |{bare} arg\n'
                     f'meta: "|a=1; echo $a \'x y\' >{self.out}/meta"\n'
                     f'proc: "|IFS=\' \' && exec {direct} -f- || exit 75 #user"\n')
        m = self.m.start()
        for name in ("direct", "bare", "meta", "proc"):
            m.send("bob" + AT, [name + AT])
            self.sent(name, "status=sent")
        self.assertIn("postman", self.read("parent"))
        self.assertEqual(self.read("bare"), f"{bare} arg\n")
        self.assertEqual(self.read("meta"), "1 x y\n")

    def test_forward(self):
        home = os.path.join(self.m.conf, "mail", "example.test", "anna")
        owner = os.stat(os.path.join(self.m.conf, "mail"))
        script = self.script("cmd", f"#!/bin/sh\nenv >{self.out}/env; cat >{self.out}/mail\n")
        os.makedirs(home, exist_ok=True)
        path = os.path.join(home, ".forward")
        with open(path, "w") as f:
            f.write(f'\\anna, "|{script} anna", bob\n')
        for p in (os.path.dirname(home), home, path):
            os.chown(p, owner.st_uid, owner.st_gid)
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT])
        self.sent("anna", r"status=sent \(delivered to maildir, delivered to command: .*, forwarded as \w+\)")
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)
        env = dict(l.split("=", 1) for l in self.read("env").splitlines())
        self.assertEqual((env["HOME"], env["USER"]), (home, "anna"))
        self.assertIn("Delivered-To: anna@example.test\n", self.read("mail"))

    def test_postman_killed(self):
        # the process that runs the command dies: the command goes with it, the mail waits and comes again
        gate = os.path.join(self.out, "gate")
        os.mkfifo(gate)
        os.chmod(gate, 0o666)
        self.aliases(f'slow: "|echo $$ >>{self.out}/runs; read x <{gate}; cat >{self.out}/mail"\n')
        m = self.m.start()
        m.send("bob" + AT, ["slow" + AT])
        m.wait("a run", lambda: os.path.exists(os.path.join(self.out, "runs")) and self.read("runs"))
        pid = int(self.read("runs"))
        self.assertGreater(m.kill("postman"), 0)
        self.sent("slow", r"dsn=4.3.0, status=deferred")
        m.wait("the end of the command", lambda: not os.path.exists(f"/proc/{pid}"))
        m.merpati("flush")
        with open(gate, "w") as f:
            f.write("go\n")
        self.sent("slow", "status=sent")
        self.assertEqual(len(self.read("runs").splitlines()), 2)

    def test_stop_and_reload(self):
        # a reload waits for a command, a stop does not wait long
        gate = os.path.join(self.out, "gate")
        os.mkfifo(gate)
        os.chmod(gate, 0o666)
        self.aliases(f'slow: "|echo $$ >>{self.out}/runs; read x <{gate}"\n')
        m = self.m.start()
        m.send("bob" + AT, ["slow" + AT])
        m.wait("a run", lambda: os.path.exists(os.path.join(self.out, "runs")) and self.read("runs"))
        m.merpati("reload")
        with open(gate, "w") as f:
            f.write("go\n")
        self.sent("slow", "status=sent")
        m.send("bob" + AT, ["slow" + AT])
        m.wait("a second run", lambda: len(self.read("runs").splitlines()) == 2)
        pid = int(self.read("runs").splitlines()[1])
        m.stop()
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertEqual(len(m.queue()), 1)
        m.start()
        with open(gate, "w") as f:
            f.write("go\n")
        self.sent("slow", r"status=sent(.|\n)*to=<slow@example.test>,.*status=sent")


main()
