"""local delivery against Debian's Postfix: 20 users, their aliases, :include: and .forward files of every form, in a
system instance. The cases are data (local/cases), Postfix's answers are in local/expected with its version, made by
local/ask_postfix. Each difference is one of local/exceptions, which names a row of doc/differences.md.

MERPATI_CASES=NAME... tries some files of cases only; MERPATI_SHOW=1 prints all differences in the form of the
exceptions."""
import difflib, glob, os, re, smtplib, subprocess, sys, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from system_instance import CONF, PREFIX, System, enter, main, sh  # noqa: E402
import local_cases  # noqa: E402

enter()
sh("mount", "-t", "tmpfs", "tmpfs", "/srv")
local_cases.add_accounts("")

CASES = os.environ.get("MERPATI_CASES", "").split() or sorted(map(os.path.basename, glob.glob(f"{HERE}/local/cases/*")))


def exceptions():
    """Mail -> (reason, lines with - and +)."""
    found = {}
    for head, text in local_cases.blocks(f"{HERE}/local/exceptions"):
        name, _, reason = head.partition(": ")
        found[name] = (reason, text.splitlines())
    return found


def documented():
    with open(os.path.join(HERE, "../../doc/differences.md")) as f:
        return {l.split("|")[1].strip() for l in f if l.startswith("| ")}


def difference(want, got):
    return sorted(["- " + l for l in want if l not in got] + ["+ " + l for l in got if l not in want],
                  key=lambda l: (l[0] != "-", l))


class Local(unittest.TestCase):
    maxDiff = None

    def answers(self, s):
        m = System(domain=local_cases.DOMAIN)
        try:
            local_cases.lay_out(s, "")
            m.edit("main.cf", "".join(f"{k} = {v}\n" for k, v in local_cases.settings(s).items()))
            m.edit("master.cf", local_cases.MASTER_CF)
            for t, path in local_cases.tables(s):
                m.run("postalias", f"{t}:{path}")
                st = os.stat(path)
                os.chown(f"{path}.db", st.st_uid, st.st_gid)
            m.start()
            with m.smtp(timeout=60) as smtp:
                local_cases.send(s, smtp)
            quiet = 0

            def idle():
                nonlocal quiet
                quiet = 0 if m.queue("maildrop", "incoming", "active") else quiet + 1
                return quiet >= 10
            m.wait("an idle queue", idle, 180)
            return local_cases.answers(s, "", "/var/spool/merpati", m.log())
        finally:
            if os.environ.get("MERPATI_LOG"):
                print(m.log())
            m.close()

    def test_exceptions_are_documented(self):
        rows = documented()
        for name, (reason, _) in exceptions().items():
            self.assertIn(reason, rows, f"{name}: no such row in doc/differences.md")

    def test_same_as_postfix(self):
        allowed, compared = exceptions(), 0
        for name in CASES:
            version, expected = local_cases.read(f"{HERE}/local/expected/{name}")
            print(f"{name}: Postfix {version}")
            for s in local_cases.load(f"{HERE}/local/cases/{name}"):
                got = self.answers(s)
                self.assertEqual(set(got), {n for n in expected if n.startswith(s.name + ".")}, "run ask_postfix")
                for mail, lines in got.items():
                    compared += 1
                    reason, known = allowed.get(mail, ("", []))
                    found = difference(expected[mail], lines)
                    if os.environ.get("MERPATI_SHOW") and found != known:
                        print(f"\n{mail}: {reason}\n" + "\n".join("  " + l for l in found), flush=True)
                    with self.subTest(mail=mail):
                        self.assertEqual(found, known)
        print(f"{compared} mails compared, {len(allowed)} exceptions")
        self.assertGreater(compared, 10)


main()
