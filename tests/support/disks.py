"""File systems that become full, read-only, or reach a quota. For root only; mounts are seen by this process and what it
starts, no one else.

    disk = Full(test, path, uid, gid)      also Quota, ReadOnly
    disk.hurt(); ...; disk.heal()
"""
import ctypes, os, shutil, subprocess, tempfile, unittest
from instance import wait_for

CLONE_NEWNS = 0x20000


def own_mounts():
    """A mount namespace of this test's own, so that nothing that it mounts is seen elsewhere. Skips without root."""
    if os.getuid() != 0:
        raise unittest.SkipTest("needs root for a mount namespace")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def command(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Disk:
    """What PATH holds now is copied to a file system of its own there."""
    removes = True

    def __init__(self, test, path, uid, gid):
        self.path = path
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="merpati-disk.") as keep:
            command("cp", "-a", path + "/.", keep)
            self.mount(test)
            test.addCleanup(subprocess.run, ["umount", "-l", path], stderr=subprocess.DEVNULL)
            command("cp", "-a", keep + "/.", path)
        os.chown(path, uid, gid)


class Full(Disk):
    """A small disk that somebody else fills."""
    error, dsn = "No space left on device", "4.3.1"

    def mount(self, test):
        command("mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "merpati-test", self.path)

    def hurt(self):
        with open(os.path.join(self.path, "filler"), "wb", 0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
            # some room, so that a mail is begun
            f.truncate(max(0, f.tell() - 64 * 1024))

    def heal(self):
        os.unlink(os.path.join(self.path, "filler"))


class ReadOnly(Disk):
    error, dsn = "Read-only file system", "4.2.0"

    def mount(self, test):
        command("mount", "-t", "tmpfs", "-o", "size=16m,mode=0755", "merpati-test", self.path)

    def hurt(self):
        # refused while a file is open for writing
        wait_for("a remount", lambda: subprocess.run(["mount", "-o", "remount,ro", self.path],
                                                     stderr=subprocess.DEVNULL).returncode == 0)

    def heal(self):
        command("mount", "-o", "remount,rw", self.path)


class Quota(Disk):
    """A btrfs subvolume with a limit: what this kernel can without the quota formats of ext4."""
    error, dsn = "Disk quota exceeded", "4.2.2"
    removes = False     # over its quota it may refuse an unlink or a truncate, too

    def mount(self, test):
        if not shutil.which("mkfs.btrfs"):
            test.skipTest("needs btrfs-progs")
        image = tempfile.NamedTemporaryFile(dir="/tmp", prefix="merpati-disk.")
        test.addCleanup(image.close)
        image.truncate(128 << 20)
        command("mkfs.btrfs", "-q", "-f", image.name)
        if subprocess.run(["mount", "-o", "loop", image.name, self.path], stderr=subprocess.DEVNULL).returncode:
            test.skipTest("cannot mount btrfs on a loop device")
        test.addCleanup(subprocess.run, ["umount", "-l", self.path], stderr=subprocess.DEVNULL)
        command("btrfs", "quota", "enable", self.path)
        command("btrfs", "subvolume", "create", self.path + "/users")
        command("umount", self.path)
        command("mount", "-o", "loop,subvol=users", image.name, self.path)

    def hurt(self):
        command("btrfs", "qgroup", "limit", "256k", self.path)

    def heal(self):
        command("btrfs", "qgroup", "limit", "none", self.path)
