"""Who does not sit on this machine cannot send a password in the clear: a second address in a network namespace
of our own, so that no traffic leaves the machine. Needs root and ip(8).
"""
import ctypes, os, shutil, socket, subprocess, unittest
from instance import Instance, main

CLONE_NEWNET = 0x40000000
FAR = "192.0.2.7"


def own_network():
    """This process, and what it starts, in a network of its own; why not, else."""
    if os.getuid() != 0 or not shutil.which("ip"):
        return "needs root and ip(8)"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return "no network namespace: " + os.strerror(ctypes.get_errno())
    for args in (("link", "set", "lo", "up"), ("addr", "add", FAR + "/32", "dev", "lo")):
        if subprocess.run(["ip", *args]).returncode != 0:
            return "ip " + " ".join(args)
    return None


class Remote(unittest.TestCase):
    def test_plaintext(self):
        why = own_network()
        if why:
            self.skipTest(why)
        m = Instance(self, main_cf={"inet_interfaces": "all"})
        m.user("anna")
        m.start()
        for source, target, allowed in ((FAR, FAR, False), (FAR, "127.0.0.1", False), ("127.0.0.2", "127.0.0.1", True)):
            with self.subTest(source=source, target=target):
                said = self.talk(m, "imap", source, target, b"a LOGIN anna secret\r\nb AUTHENTICATE PLAIN\r\nc LOGOUT\r\n")
                self.assertEqual("LOGINDISABLED" not in said, allowed, said)
                self.assertEqual("a OK" in said, allowed, said)
                if not allowed:
                    self.assertIn("a NO [PRIVACYREQUIRED]", said)
                    self.assertIn("b NO [PRIVACYREQUIRED]", said)
                said = self.talk(m, "pop3", source, target, b"CAPA\r\nUSER anna\r\nPASS secret\r\nQUIT\r\n")
                self.assertEqual("Logged in" in said, allowed, said)
                self.assertEqual("SASL PLAIN" in said, allowed, said)
        self.assertNotIn("secret", m.log())

    @staticmethod
    def talk(m, service, source, target, octets):
        with socket.create_connection((target, m.port(service)), 20, (source, 0)) as s:
            s.sendall(octets)
            said = b""
            while got := s.recv(4096):
                said += got
            return said.decode()


if __name__ == "__main__":
    main()
