"""Cases of local delivery as data, and what became of their mails: one form for Postfix's answers and merpati's.

A file of tests/differential/local/cases holds setups; everything that belongs to a line stands below it, indented:

    setup NAME                            a fresh machine: homes, tables, queue
    main.cf                               lines for main.cf
    file PATH [owner=U] [mode=M]          a file; .db files are made of those that main.cf names as hash: or btree:
    dir PATH [owner=U] [mode=M]           fifo and link PATH TARGET likewise
    mail NAME from <SENDER> to R R ...    [notify=WHEN] header and body; the name is known to everything made of it

A mail's answers are lines:

    box PATH OWNER MODE KIND Return-Path=.. X-Original-To=.. Delivered-To=..    (the first field of each name)
    ran NAME uid gid groups cwd argv fields               a run of tests/differential/local/record
    env NAME VARIABLE=VALUE                               of its environment
    relayed TO from <SENDER>                              handed to the transport for other machines
    report to <TO>: ACTION STATUS RECIPIENT[, output: X]  one for each recipient of a report
    bounced|waits RECIPIENT STATUS (KIND)                 from the log

KIND is what the words mean, the same for both. "forwarded as" is no answer: where it led to is one.
"""
import email, glob, os, pwd, re, shlex, shutil, stat

USERS = ("anna ben carl dora emil fred gina hans ida jan kim lea max nora otto pia quin rosa sven tina").split()
FIRST_UID = 2001
OTHERS = {"lists": 2098, "sink": 2099}
DOMAIN = "example.test"

MAIN_CF = {
    "compatibility_level": "3.6",
    "myhostname": "host.example.test",
    "mydomain": DOMAIN,
    "myorigin": DOMAIN,
    "mydestination": "example.test, host.example.test, localhost",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "ipv4",
    "local_recipient_maps": "",
    "smtpd_recipient_restrictions": "permit_mynetworks, reject",
    "alias_maps": "hash:/etc/differ/aliases",
    "alias_database": "hash:/etc/differ/aliases",
    "home_mailbox": "Maildir/",
    "recipient_delimiter": "+",
    "default_transport": "sink",
    "relay_transport": "sink",
    "sink_destination_recipient_limit": "1",
    "biff": "no",
    "in_flow_delay": "0",
    "notify_classes": "",
    "mailbox_size_limit": "0",
    "command_time_limit": "60s",
}
MASTER_CF = ("sink unix - n n - 10 pipe\n  flags=R user=sink argv=/srv/record sink ${sender} ${recipient}\n"
             "other unix - n n - 10 pipe\n  flags=R user=sink argv=/srv/record other ${sender} ${recipient} ${nexthop}\n")


class Setup:
    def __init__(self, name):
        self.name, self.main_cf, self.things, self.mails = name, {}, [], []


class Mail:
    def __init__(self, name, sender, to, options, text):
        self.name, self.sender, self.to, self.options = name, sender, to, options
        self.text = f"Message-ID: <{name}@differ>\nX-Case: {name}\n" + (text or "Subject: x\n\nhello\n")


def blocks(path):
    """(head, text below it) of a file of cases."""
    head, below, out = None, [], []
    with open(path) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("  ") or not line.strip():
                below.append(line[2:])
            elif not line.startswith("#"):
                if head:
                    out.append((head, below))
                head, below = line, []
            elif below and below[-1]:
                below.append("")
    if head:
        out.append((head, below))
    for head, below in out:
        while below and not below[-1]:
            below.pop()
        yield head, "".join(l + "\n" for l in below)


def load(path):
    """The setups of one file."""
    setups = []
    base = os.path.basename(path).rsplit(".", 1)[0]
    for head, text in blocks(path):
        word, _, rest = head.partition(" ")
        if word == "setup":
            setups.append(Setup(f"{base}.{rest.strip()}"))
            continue
        s = setups[-1]
        if word == "main.cf":
            for line in text.splitlines():
                k, _, v = line.partition("=")
                s.main_cf[k.strip()] = v.strip()
        elif word == "mail":
            m = re.fullmatch(r"(\S+) from <([^>]*)> to (.*)", rest)
            if not m:
                raise ValueError(f"{path}: {head}")
            words = re.findall(r'(?:"(?:[^"\\\\]|\\\\.)*"|[^\s"])+', m[3])
            options = dict(w.split("=", 1) for w in words if re.match(r"(notify|orcpt)=", w))
            to = [w for w in words if not re.match(r"(notify|orcpt)=", w)]
            s.mails.append(Mail(f"{s.name}.{m[1]}", m[2], to, options, text))
        elif word in ("file", "dir", "fifo", "link"):
            s.things.append((word, rest.split(), text))
        else:
            raise ValueError(f"{path}: {head}")
    return setups


def accounts():
    """Lines for passwd and group."""
    uids = {u: FIRST_UID + i for i, u in enumerate(USERS)} | OTHERS
    return ("".join(f"{u}:x:{n}:{n}:{u} of the tests:/home/{u}:/bin/sh\n" for u, n in uids.items()),
            "".join(f"{u}:x:{n}:\n" for u, n in uids.items()) + "club:x:2100:kim\n")


def add_accounts(root):
    for name, lines in zip(("passwd", "group"), accounts()):
        with open(f"{root}/etc/{name}") as f:
            have = {l.split(":")[0] for l in f}
        with open(f"{root}/etc/{name}", "a") as f:
            f.writelines(l + "\n" for l in lines.splitlines() if l.split(":")[0] not in have)


def uid_of(name):
    return 0 if name == "root" else OTHERS.get(name) or FIRST_UID + USERS.index(name)


def lay_out(s, root):
    """Homes, files and directories of S below ROOT; the record program."""
    for d in ("home", "var/mail", "srv", "etc/differ"):
        os.makedirs(f"{root}/{d}", exist_ok=True)
        for name in os.listdir(f"{root}/{d}"):
            path = f"{root}/{d}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    os.chmod(f"{root}/var/mail", 0o2775)
    os.chown(f"{root}/var/mail", 0, 8)
    for u in USERS:
        os.mkdir(f"{root}/home/{u}", 0o755)
        os.chown(f"{root}/home/{u}", uid_of(u), uid_of(u))
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../differential/local/record"), f"{root}/srv/record")
    for d in ("out", "box"):
        os.mkdir(f"{root}/srv/{d}")
        os.chmod(f"{root}/srv/{d}", 0o1777)
    if not any(words[0] == "/etc/differ/aliases" for _, words, _ in s.things):
        open(f"{root}/etc/differ/aliases", "w").close()
    for kind, words, text in s.things:
        path = root + words[0]
        options = dict(w.split("=", 1) for w in words[1:] if "=" in w)
        home = re.match(r"/home/(\w+)/", words[0])
        owner = uid_of(options.get("owner") or (home[1] if home else "root"))
        if kind == "dir":
            os.mkdir(path)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "link":
            os.symlink(words[1], path)
        else:
            with open(path, "w") as f:
                f.write(text)
        os.lchown(path, owner, owner)
        if kind != "link":
            os.chmod(path, int(options.get("mode", "0755" if kind == "dir" else "0644"), 8))


def settings(s):
    return {**MAIN_CF, **s.main_cf}


def tables(s):
    """(type, path) of the databases that S needs."""
    named = re.findall(r"\b(hash|btree):(/etc/differ/[\w/]+)", " ".join(settings(s).values()))
    return sorted(set(named))


def send(s, smtp):
    """All mails of S, through the SMTP connection."""
    for m in s.mails:
        smtp.ehlo("client.example")
        options = [f"NOTIFY={m.options['notify']}"] if "notify" in m.options else []
        if "orcpt" in m.options:
            options.append(f"ORCPT=rfc822;{m.options['orcpt']}")
        refused = smtp.sendmail(m.sender, m.to, m.text.replace("\n", "\r\n"), rcpt_options=options)
        if refused:
            raise AssertionError(f"{m.name}: {refused}")


# --- answers -----------------------------------------------------------------------------------------------

KINDS = (
    (r"(?:command|Command) (?:died|ended|exited|failed) with (?:exit )?(?:status|code) (\d+)", r"status \1"),
    (r"signal (\d+)", r"signal \1"),
    (r"time limit", "time limit"),
    (r"forwarding loop", "loop"),
    (r"too many hops", "hops"),
    (r"unknown user", "unknown user"),
    (r"mail to (command|file) is restricted", r"\1 restricted"),
    (r"fallback_transport|mailbox_transport", "transport"),
)


def kind(text):
    for regex, what in KINDS:
        m = re.search(regex, text, re.I)
        if m:
            what = m.expand(what)
            break
    else:
        what = "other"
    m = re.search(r"Command output: (?!local: fatal: execvp)(.*)", text, re.S)
    return what + (f", output: {' '.join(m[1].split())}" if m else "")


def said(report):
    """The output of a command that a report quotes."""
    m = re.search(r"Command output: ([^\n]*(?:\n    [^\n]*)*)", report)
    return f", output: {' '.join(m[1].split())}" if m else ""


def fields(text):
    m = email.message_from_string(text)
    return " ".join(f"{n}={' '.join(str(m[n]).split())}" for n in ("Return-Path", "X-Original-To", "Delivered-To") if m[n])


def unquoted(address):
    """As the log of either may have it."""
    m = re.fullmatch(r'"(.*)"(@[^"]*)', address)
    return re.sub(r"\\(.)", r"\1", m[1]) + m[2] if m else address


def case_of(text):
    m = re.search(r"^X-Case: (\S+)", text, re.M)
    return m[1] if m else None


def split_mbox(text):
    return ["From " + m for m in re.split(r"(?:\A|\n)From (?=\S+ +\w{3} \w{3} )", text)[1:]]


def boxes(root):
    """(path, kind, text, stat) of every mail in a mailbox or file."""
    for top in ("home", "var/mail", "srv/box"):
        for where, dirs, files in os.walk(f"{root}/{top}"):
            shown = where[len(root):]
            for name in files:
                path = os.path.join(where, name)
                st = os.lstat(path)
                if not stat.S_ISREG(st.st_mode):
                    continue
                with open(path, errors="surrogateescape") as f:
                    text = f.read()
                if os.path.basename(where) in ("new", "cur"):
                    yield os.path.dirname(shown) + "/", "maildir", text, st
                elif text.startswith("From "):
                    for mail in split_mbox(text):
                        yield f"{shown}/{name}", "mbox", mail.split("\n", 1)[1], st


def reports(text):
    """(recipient, action, status, words) of each recipient of a report; None: it is no report."""
    m = email.message_from_string(text)
    if m.get_content_type() != "multipart/report":
        return None
    out = []
    for part in m.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        for group in part.get_payload()[1:]:
            final = (group["Final-Recipient"] or "").split(";")[-1].strip()
            out.append((final, group["Action"], group["Status"], " ".join((group["Diagnostic-Code"] or "").split())))
    return out


class Answers:
    def __init__(self):
        self.of = {}

    def add(self, case, line):
        if case == "none":          # it was there before
            return
        lines = self.of.setdefault(case, {})
        lines[line] = lines.get(line, 0) + 1

    def record(self, path, queue):
        name = os.path.basename(path).rsplit(".", 2)[0]
        with open(path, errors="surrogateescape") as f:
            head, _, text = f.read().partition("\n\n")
        facts = [l.split(" ", 1) for l in head.split("\n")]
        args = [v for k, v in facts if k == "arg"]
        case = case_of(text)
        if name == "sink" and args[0] == "MAILER-DAEMON":
            for final, action, status, words in reports(text) or []:
                self.add(case, f"report to <{args[1]}>: {action} {status} {final} {said(text)}")
        elif name in ("sink",):
            self.add(case, f"relayed {args[1]} from <{args[0]}>")
        else:
            facts = [(k, " ".join(sorted(set(v.split()))) if k == "groups" else v) for k, v in facts]
            rest = " ".join(f"{k}={v}" for k, v in facts if k not in ("arg", "env")).replace(queue, "QUEUE")
            for v in [v for k, v in facts if k == "env"]:
                if not re.match(r"(MAIL_CONFIG|MAIL_LOGTAG|TZ|LANG|ASAN_OPTIONS)=", v):
                    self.add(case, f"env {name} {v}")
            what = re.sub(r"^From .*\n", "", text)
            self.add(case, f"ran {name} {rest} argv={shlex.join(args)} {fields(what)}")

    def log(self, text):
        case, last = {}, {}
        for line in text.splitlines():
            m = re.search(r"cleanup\[\d+\]: (\w+): message-id=<(\S+)@differ>", line)
            if m:
                case[m[1]] = m[2]
            m = re.search(r"\]: (\w+): to=<([^>]*)>,.* relay=(\S+),.* dsn=([\d.]+), status=(\w+) \((.*)\)$", line)
            if not m or m[1] not in case or m[3].startswith(("sink", "other")):
                continue
            word = {"bounced": "bounced", "deferred": "waits"}.get(m[5])
            if word:
                self.add(case[m[1]], f"{word} {unquoted(m[2])} {m[4]} ({kind(m[6])})")


def answers(s, root, queue, log):
    """Mail name -> lines."""
    a = Answers()
    for path, how, text, st in boxes(root):
        owner = next((n for n in USERS + list(OTHERS) + ["root"] if uid_of(n) == st.st_uid), str(st.st_uid))
        mode = f" {st.st_mode & 0o7777:04o}" if how == "mbox" else ""
        a.add(case_of(text), f"box {path} {owner}{mode} {fields(text)}")
    for path in glob.glob(f"{root}/srv/out/*"):
        a.record(path, queue)
    a.log(log)
    lost = set(a.of) - {m.name for m in s.mails}
    if lost:
        raise AssertionError(f"{s.name}: answers for no mail: {lost}: {[a.of[x] for x in lost]}")
    return {m.name: sorted(l + (f"  {n} times" if n > 1 and l.startswith(("box", "ran", "relayed")) else "")
                           for l, n in a.of.get(m.name, {}).items()) for m in s.mails}


def write(path, version, setups):
    """SETUPS: list of answers()."""
    with open(path, "w") as f:
        f.write(f"# answers of postfix {version}; made by tests/differential/local/ask_postfix\n")
        for found in setups:
            for name, lines in found.items():
                f.write(f"\n{name}\n" + "".join(f"  {l}\n" for l in lines))


def read(path):
    """(version, name -> lines)."""
    found = {}
    with open(path) as f:
        version = re.search(r"postfix (\S+);", f.readline())[1]
    for head, text in blocks(path):
        found[head] = text.splitlines()
    return version, found
