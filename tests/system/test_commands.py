"""Commands as destinations: "|command" in aliases and .forward, run by postman."""
import os, pwd, re, signal, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import Instance, main, owner

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

    def forward(self, user, text):
        home = os.path.join(self.m.conf, "mail", "example.test", user)
        owner = os.stat(os.path.join(self.m.conf, "mail"))
        os.makedirs(home, exist_ok=True)
        path = os.path.join(home, ".forward")
        with open(path, "w") as f:
            f.write(text)
        for p in (os.path.dirname(home), home, path):
            os.chown(p, owner.st_uid, owner.st_gid)
        return home

    def runs(self, name="runs"):
        path = os.path.join(self.out, name)
        return self.read(name).splitlines() if os.path.exists(path) else []

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
                            ("CLIENT_PROTOCOL", "ESMTP"), ("PATH", "/usr/bin:/bin"),
                            ("HOME", pwd.getpwnam(owner()).pw_dir), ("SHELL", pwd.getpwnam(owner()).pw_shell),
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
        script = self.script("cmd", f"#!/bin/sh\nenv >{self.out}/env; cat >{self.out}/mail\n")
        home = self.forward("anna", f'\\anna, "|{script} anna", bob\n')
        m = self.m.start()
        m.send("x@client.example", ["anna" + AT])
        self.sent("anna", r"status=sent \(delivered to maildir, delivered to command: .*, forwarded as \w+\)")
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)
        env = dict(l.split("=", 1) for l in self.read("env").splitlines())
        self.assertEqual((env["HOME"], env["USER"]), (home, "anna"))
        self.assertIn("Delivered-To: anna@example.test\n", self.read("mail"))

    def slow_command(self):
        """A mail whose command has written its pid to "runs" and waits until something is written to a FIFO."""
        gate = os.path.join(self.out, "gate")
        os.mkfifo(gate)
        os.chmod(gate, 0o666)
        self.aliases(f'slow: "|echo $$ >>{self.out}/runs; read x <{gate}"\n')
        m = self.m.start()
        m.send("bob" + AT, ["slow" + AT])
        m.wait("a run", lambda: os.path.exists(os.path.join(self.out, "runs")) and self.read("runs"))
        return m, gate

    def test_postman_killed(self):
        # the process that runs the command dies: the command goes with it, the mail waits and comes again
        m, gate = self.slow_command()
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
        m, gate = self.slow_command()
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

    def test_forms(self):
        # every way of writing a command that was seen in the wild (aliases(5), ~/.forward)
        log = self.script("log", f"#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done >{self.out}/args; cat >/dev/null\n")
        self.aliases(f'f1: "|{log} post list"\nf2: |{log} post list\nf3: "| env HOME=/x {log} $HOME l"\n'
                     f'f4:"|{log} \\"a b\\" c"\nf5 : | {log}  two  blanks\nlist+domain.tld: "|{log} ext"\n'
                     f'f6: |{log} -f-||exit 3\n\tf7: |/bin/false\n')
        self.forward("anna", f"# comment\n| {log} procmail\n")
        self.forward("bob", f"\"|IFS=' ' && exec {log} -f- || exit 75 #bob\"\n")
        m = self.m.start()
        for name, args in (("f1", "<post><list>"), ("f2", "<post><list>"), ("f3", "<l>"), ("f4", "<a b><c>"),
                           ("f5", "<two><blanks>"), ("list+domain.tld", "<ext>"), ("anna", "<procmail>"),
                           ("bob", "<-f->")):
            m.send("x@client.example", [name + AT])
            self.sent(name, "status=sent")
            if name != "f3":
                self.assertEqual(self.read("args"), args, name)
        self.assertEqual(len(re.findall("status=(bounced|deferred)", m.log())), 0, m.log_tail())

    def test_hangs_forks_floods(self):
        # none of them keeps others waiting, none leaves a process behind but the one in the background
        self.m.edit("main.cf", "command_time_limit = 3s\n")
        hang = self.script("hang", f"#!/bin/sh\ntrap '' TERM\nsleep 1000 & echo $$ $! >{self.out}/hang\n"
                                   "echo still here\nwait\n")
        self.aliases(f'hang: |{hang}\n'
                     f'fork: "|(trap \'\' HUP; exec sleep 1000) & echo $! >{self.out}/bg; exit 0"\n'
                     f'flood: "|exec yes"\n'
                     f'deaf: "|exec <&-; exit 0"\n')
        m = self.m.start()
        big = "Subject: big\r\n\r\n" + "x" * 70 + "\r\n"
        big += ("y" * 70 + "\r\n") * 20000
        m.send("x@client.example", ["hang" + AT, "fork" + AT, "flood" + AT, "deaf" + AT, "anna" + AT], big)
        m.wait_mails("anna", 1)
        self.sent("fork", "status=sent")         # does not wait for the end of what holds its output
        self.sent("deaf", "status=sent")         # a command need not read
        self.sent("flood", r"dsn=4.3.0, status=deferred \(Command died with signal 13: .*Command output: y y y")
        self.sent("hang", r"dsn=4.3.0, status=deferred \(Command time limit exceeded: .*Command output: still here")
        for pid in (int(p) for p in self.read("hang").split()):
            m.wait(f"the end of {pid}", lambda: not os.path.exists(f"/proc/{pid}"))
        bg = int(self.read("bg"))
        self.assertTrue(os.path.exists(f"/proc/{bg}"))
        os.kill(bg, signal.SIGKILL)
        self.assertLess(len(re.search(r"to=<flood.*", m.log())[0]), 1300)

    def test_hangs_forks_floods_unkindly(self):
        # what ignores the signals that a broken pipe and a time limit bring; what goes on in the background
        self.m.edit("main.cf", "command_time_limit = 2s\n")
        pids = f">>{self.out}/pids"
        stubborn = self.script("stubborn", "#!/bin/sh\ntrap '' PIPE TERM HUP INT\n"
                                           f"echo $$ {pids}\nwhile :; do echo y; done 2>/dev/null\n")
        children = self.script("children", "#!/bin/sh\ntrap '' TERM HUP\nfor i in 1 2 3 4 5 6 7 8; do\n"
                                           f"(trap '' TERM HUP PIPE; echo $i {pids}.n; sleep 1000) & echo $! {pids}\n"
                                           "done\nwait\n")
        babble = self.script("babble", f"#!/bin/sh\n(while echo z; do :; done) & echo $! {pids}\nexit 0\n")
        self.aliases(f"stubborn: |{stubborn}\nchildren: |{children}\nbabble: |{babble}\n")
        m = self.m.start()
        m.send("x@client.example", ["stubborn" + AT, "children" + AT, "babble" + AT, "anna" + AT])
        m.wait_mails("anna", 1)
        self.sent("babble", "status=sent")
        self.sent("stubborn", r"dsn=4.3.0, status=deferred \(Command time limit exceeded: ")
        self.sent("children", r"dsn=4.3.0, status=deferred \(Command time limit exceeded: ")
        found = [int(p) for p in self.read("pids").split()]
        self.assertEqual(len(found), 1 + 8 + 1)
        for pid in found:
            m.wait(f"the end of {pid}", lambda: not os.path.exists(f"/proc/{pid}"))
        # the mails that wait are tried again, with the same end: nobody bounces for it
        m.merpati("flush")
        self.sent("stubborn", r"status=deferred .*(?s:.*)to=<stubborn.*status=deferred")
        self.assertNotIn("status=bounced", m.log())

    def test_parts(self):
        # what is done stays done while another part has to wait; the admin's repair is what is tried next
        self.aliases(f'parts: "|echo $$ >>{self.out}/runs; cat >/dev/null", "|test -e {self.out}/ok || exit 75", anna, '
                     f'"|exit 69", bob\n')
        m = self.m.start()
        m.send("x@client.example", ["parts" + AT])
        self.sent("parts", r"dsn=4.3.0, status=deferred \(temporary failure\)")
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)
        self.assertEqual(len(os.listdir(os.path.join(m.spool, "partial"))), 1)
        for n in (2, 3):
            m.wait("a deferred mail", lambda: m.queue("deferred"))
            m.merpati("flush")
            m.wait_log(r"to=<parts@example.test>,.*status=deferred", count=n)
        self.assertEqual(len(self.runs()), 1)
        open(os.path.join(self.out, "ok"), "w").close()
        m.wait("a deferred mail", lambda: m.queue("deferred"))
        m.merpati("flush")
        self.sent("parts", r"dsn=5.3.0, status=bounced \(service unavailable \(others: delivered to command: echo.*, "
                           r"delivered to command: test .*, forwarded as \w+\)\)")
        m.wait_idle()
        self.assertEqual((len(self.runs()), len(m.mails("anna")), len(m.mails("bob"))), (1, 1, 1))
        self.assertEqual(os.listdir(os.path.join(m.spool, "partial")), [])

    def test_parts_killed(self):
        # local is killed between two parts: the first one is not done again
        gate = os.path.join(self.out, "gate")
        os.mkfifo(gate)
        os.chmod(gate, 0o666)
        self.aliases(f'parts: "|echo $$ >>{self.out}/runs", "|echo $$ >>{self.out}/second; read x <{gate}"\n')
        m = self.m.start()
        m.send("x@client.example", ["parts" + AT])
        m.wait("the second part", lambda: self.runs("second"))
        self.assertGreater(m.kill("local"), 0)
        m.wait("the second part again", lambda: len(self.runs("second")) >= 2 or (m.merpati("flush") and False))
        with open(gate, "w") as f:
            f.write("go\n")
        self.sent("parts", "status=sent")
        self.assertEqual(len(self.runs()), 1)

    def test_owner(self):
        # a list with an owner: the command sees the owner as sender, the owner hears of its failure
        self.aliases(f'list: "|env >{self.out}/env; cat >{self.out}/mail; exit 69", anna\nowner-list: bob\n')
        m = self.m.start()
        m.send("x@client.example", ["list" + AT])
        m.wait_mails("anna", 1)
        m.wait_mails("bob", 1)
        m.wait_idle()
        with open(m.mails("bob")[0]) as f:
            report = f.read()
        self.assertIn("service unavailable", report)
        self.assertIn("SENDER=owner-list@example.test\n", self.read("env"))
        self.assertIn("Return-Path: <owner-list@example.test>\n", self.read("mail"))
        self.assertEqual((len(m.mails("anna")), len(m.mails("bob"))), (1, 1))

    def test_mailbox_command(self):
        cmd = f'cat >{self.out}/$USER; echo "$HOME $EXTENSION" >{self.out}/vars'
        self.m.edit("main.cf", f"mailbox_command = {cmd}\nmailbox_command_maps = inline:{{bob=/bin/false}}\n"
                               "prepend_delivered_header = file, forward\n")
        m = self.m.start()
        m.send("x@client.example", ["anna+a" + AT, "bob" + AT])
        self.sent("anna+a", r"status=sent \(delivered to command: cat >")
        self.sent("bob", r'status=bounced \(Command died with status 1: "/bin/false"\)')
        self.assertTrue(self.read("anna").endswith("\nhello\n"))
        self.assertNotIn("Delivered-To", self.read("anna"))
        self.assertEqual(self.read("vars"), os.path.join(m.conf, "mail/example.test/anna") + " a\n")
        self.assertEqual(m.mails("anna"), [])

    def test_transports(self):
        self.m.user("cora")
        self.m.edit("main.cf", "local_recipient_maps =\nmailbox_transport_maps = inline:{bob=discard:}\n"
                               "fallback_transport = error:5.1.1 not here\n"
                               "fallback_transport_maps = inline:{{lost = local:}, {gone = no.such.service:}}\n")
        self.forward("anna", "\\anna, bob\n")
        m = self.m.start()
        m.send("cora" + AT, ["anna" + AT, "nobody.here" + AT, "lost" + AT, "gone" + AT])
        m.wait_mails("anna", 1)
        m.wait_log(r"discard\[\d+\]: \w+: to=<bob@example.test>, .*status=sent")
        m.wait_log(r"error\[\d+\]: \w+: to=<nobody.here@example.test>, .*dsn=5.1.1, status=bounced \(not here\)")
        self.sent("lost", "dsn=4.3.5, status=deferred .*leads back")
        self.sent("gone", "dsn=4.3.5, status=deferred .*no.such.service")
        m.wait_mails("cora", 1)
        # what another agent did is logged by that agent alone
        self.assertEqual(re.findall(r"local\[\d+\]: \w+: to=<(?:bob|nobody.here)@", m.log()), [])

    def test_settings(self):
        smrsh = self.script("smrsh", f'#!/bin/sh\necho "$@" >{self.out}/shell; exec /bin/sh "$@"\n')
        self.m.edit("main.cf", f"command_execution_directory = {self.out}/${{user}}\nlocal_command_shell = {smrsh} -c\n"
                               "export_environment = TZ { NOTE = a b } LANG=C.UTF-8\n"
                               "allow_mail_to_commands = alias\n")
        prog = self.script("p", f"#!/bin/sh\npwd >{self.out}/pwd; env >{self.out}/env\n"
                                f"grep NoNewPrivs /proc/self/status >{self.out}/nnp\n")
        self.aliases(f"prog: |{prog}\n")
        self.forward("anna", "|/bin/true\n")
        m = self.m.start()
        m.send("bob" + AT, ["prog" + AT, "anna" + AT])
        self.sent("prog", r"status=deferred \(cannot run .*chdir .*/out/prog: No such file")
        self.sent("anna", r"dsn=5.7.1, status=bounced \(mail to command is restricted\)")
        os.mkdir(os.path.join(self.out, "prog"))
        m.wait("a deferred mail", lambda: m.queue("deferred"))
        m.merpati("flush")
        self.sent("prog", "status=sent")
        self.assertEqual(self.read("pwd").strip(), os.path.join(self.out, "prog"))
        self.assertRegex(self.read("shell"), r"-c /\S+/p\n")
        env = self.read("env")
        self.assertIn("NOTE=a b\n", env)
        self.assertIn("LANG=C.UTF-8\n", env)
        self.assertNotIn("MAIL_CONFIG=", env)
        self.assertEqual(self.read("nnp").split()[1], "0")   # set-gid programs work below it


main()
