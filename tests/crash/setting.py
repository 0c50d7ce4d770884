"""What lies on the disk before mail passes: files of the instance's owner, damaged and left behind ones."""
import os, pwd
from instance import owner


def own(path, mode=None):
    """PATH is the instance's owner's."""
    if os.getuid() == 0:
        account = pwd.getpwnam(owner())
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    if mode is not None:
        os.chmod(path, mode)


def damaged_index(maildir):
    """An index that is none, in a Maildir that need not be there yet."""
    where = os.path.join(maildir, "merpati.index")
    os.makedirs(where, exist_ok=True)
    for path in (maildir, where):
        own(path, 0o700)
    put(os.path.join(where, "data.mdb"), b"damaged " * 2000)


def queue_hash(ident):
    """The sub-directory of a queue id, as lib/queue/queue_id.c has it."""
    h = 2166136261
    for c in ident.encode():
        h = (h ^ c) * 16777619 & 0xffffffff
    return "0123456789ABCDEF"[(h ^ h >> 16) & 15]


def put(path, octets, mode=0o600, mtime=None):
    with open(path, "wb") as f:
        f.write(octets)
    own(path, mode)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
