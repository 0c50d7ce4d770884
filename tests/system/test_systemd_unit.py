"""The unit that is installed: no weaker than 4.0 by systemd's own measure, its file is sound, and what it takes away a
system instance does not need (the capabilities; the calls are looked at in tests/system-root/test_unit.py). tests/run
unpacks systemd-analyze and names it in MERPATI_SYSTEMD_ANALYZE; without it the one in PATH is taken."""
import os, re, shlex, shutil, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from instance import main  # noqa: E402

UNIT = os.path.join(os.environ.get("MERPATI_BUILD", ""), "merpati.service")
ANALYZE = shlex.split(os.environ.get("MERPATI_SYSTEMD_ANALYZE") or shutil.which("systemd-analyze") or "")
THRESHOLD = 40                    # in tenths


@unittest.skipUnless(os.path.exists(UNIT), "needs a build tree")
@unittest.skipUnless(ANALYZE, "no systemd-analyze here")
class Unit(unittest.TestCase):
    def analyze(self, *args):
        return subprocess.run([*ANALYZE, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={"PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"})

    def test_exposure(self):
        r = self.analyze("security", "--offline=true", f"--threshold={THRESHOLD}", UNIT)
        self.assertEqual(r.returncode, 0, r.stdout)
        level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", r.stdout)
        self.assertLessEqual(float(level[1]), THRESHOLD / 10)
        # and the measure can fail
        self.assertNotEqual(self.analyze("security", "--offline=true", "--threshold=10", UNIT).returncode, 0)

    def test_is_sound(self):
        with open(UNIT) as f:
            text = f.read()
        self.assertNotIn("@", re.sub(r"@system-service", "", "".join(l for l in text.splitlines(True) if l[0] != "#")))
        r = self.analyze("verify", "--man=no", UNIT)
        bad = [l for l in r.stdout.splitlines() if "merpati.service" in l and "is not executable" not in l]
        self.assertEqual(bad, [], r.stdout)


main()
