"""postconf -n, -M, -P on real configurations print what Postfix's own postconf printed for them.

The corpus lies beside the repository (../shared/research/configs/corpus); without it this counts as
skipped. postconf_exceptions.txt lists the names that only a later Postfix knows.
"""
import os, shutil, subprocess, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from instance import main, program

ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
# a worktree of the repository may lie one folder deeper than the repository itself
PLACES = [os.path.join(ROOT, up, "shared/research/configs/corpus") for up in ("..", "../..")]
CORPUS = next((p for p in PLACES if os.path.isdir(p)), None)
# directories of the corpus without a master.cf were read with Debian's
STOCK = "00-debian-dist-commented"


def newer_names():
    with open(os.path.join(HERE, "postconf_exceptions.txt")) as f:
        return {l.split()[0] for l in f if l.strip() and not l.startswith("#")}


def expected(folder, view):
    with open(os.path.join(CORPUS, folder, f"postconf-{view}.expected")) as f:
        return f.read().splitlines()


@unittest.skipUnless(CORPUS, "no corpus beside the repository")
class PostconfCorpus(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="merpati-corpus.")
        self.addCleanup(shutil.rmtree, self.tmp)

    def configuration(self, folder):
        to = os.path.join(self.tmp, folder)
        shutil.copytree(os.path.join(CORPUS, folder), to)
        if not os.path.exists(os.path.join(to, "master.cf")):
            shutil.copy(os.path.join(CORPUS, STOCK, "master.cf"), to)
        if not os.path.exists(os.path.join(to, "main.cf")):
            open(os.path.join(to, "main.cf"), "w").close()
        return to

    def view(self, folder, view):
        got = subprocess.run([program("postconf"), "-c", self.configuration(folder), "-" + view],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(got.returncode, 0, got.stderr)
        return got.stdout.splitlines()

    def compare(self, view, keep=lambda line: True):
        compared = 0
        for folder in sorted(os.listdir(CORPUS)):
            want = expected(folder, view)
            # the configuration itself is broken for Postfix: nothing to compare
            if not want and not expected(folder, "M"):
                continue
            with self.subTest(folder=folder, view=view):
                got = self.view(folder, view)
                self.assertEqual([l for l in got if keep(l)], [l for l in want if keep(l)])
            shutil.rmtree(os.path.join(self.tmp, folder), ignore_errors=True)
            compared += 1
        self.assertGreater(compared, 40)

    def test_names(self):
        """Every name that Postfix 3.7 and the latest Postfix print is known."""
        got = subprocess.run([program("postconf"), "-c", self.configuration(STOCK), "-dH"],
                             capture_output=True, text=True, timeout=60, check=True).stdout.split()
        for names in ("postconf-3.7.11-names.txt", "postconf-latest-names.txt"):
            with open(os.path.join(CORPUS, "..", names)) as f:
                # "transport_..." stands for each transport in the documentation
                want = {n for n in f.read().split() if not n.startswith("transport_") or n in got}
            self.assertEqual(want - set(got), set())

    def test_n(self):
        newer = newer_names() | {"config_directory"}
        self.compare("n", lambda line: line.split(" ", 1)[0] not in newer)

    def test_M(self):
        self.compare("M")

    def test_P(self):
        self.compare("P")


if __name__ == "__main__":
    main()
