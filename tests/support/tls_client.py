"""TLS for tests of whole instances: a client over Raw, certificates by openssl(1), versions of the peers.

    c = TlsRaw(port); c.reply(); c.cmd("EHLO x"); c.starttls()
    c = TlsRaw(port, wrapped=True)
"""
import os, shutil, ssl, subprocess
from instance import Raw


def versions():
    """Which programs the tests speak with; one line each, for the log of the test."""
    print("peer: Python ssl,", ssl.OPENSSL_VERSION)
    for argv in (["openssl", "version"], ["curl", "--version"], ["swaks", "--version"]):
        if shutil.which(argv[0]):
            out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60).stdout
            print("peer:", out.decode(errors="replace").splitlines()[0])


def context(ca=None, minimum=None, maximum=None, ciphers=None, alpn=None, cert=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = ca is not None
    c.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        c.load_verify_locations(ca)
    if ciphers:
        c.set_ciphers(ciphers)
    if minimum:
        c.minimum_version = minimum
    if maximum:
        c.maximum_version = maximum
    if alpn:
        c.set_alpn_protocols(alpn)
    if cert:
        c.load_cert_chain(cert[1], cert[0])
    return c


class TlsRaw(Raw):
    """Raw with STARTTLS; WRAPPED: TLS from the first octet."""

    def __init__(self, port, timeout=30, wrapped=False, ctx=None, name=None, session=None):
        super().__init__(port, timeout)
        if wrapped:
            self.wrap(ctx, name, session)

    def wrap(self, ctx=None, name=None, session=None):
        assert not self.buf, self.buf
        self.s = (ctx or context()).wrap_socket(self.s, server_hostname=name, session=session,
                                                suppress_ragged_eofs=False)

    def starttls(self, ctx=None, name=None, session=None):
        code, text = self.cmd("STARTTLS")
        if code != 220:
            raise AssertionError(f"STARTTLS: {code} {text}")
        self.wrap(ctx, name, session)

    def certificate(self):
        """What the server showed, DER."""
        return self.s.getpeercert(binary_form=True)


def openssl(*args, input=None):
    r = subprocess.run(["openssl", *args], input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if r.returncode != 0:
        raise AssertionError(f"openssl {' '.join(args)}: {r.stderr.decode(errors='replace')}")
    return r.stdout


class Authority:
    """A certificate authority in DIR, and what it signs."""

    def __init__(self, dir, name="ca"):
        self.dir, self.name = dir, name
        self.key, self.cert = os.path.join(dir, name + ".key"), os.path.join(dir, name + ".pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN=Test {name}", "-addext", "basicConstraints=critical,CA:TRUE",
                "-keyout", self.key, "-out", self.cert)

    def sign(self, name, san=None, kind="ec", days="30", usage="serverAuth,clientAuth", cn=None):
        """(key file, certificate file) for NAME."""
        base = os.path.join(self.dir, f"{self.name}.{name.replace('*', '_')}.{kind}")
        new = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-newkey", *new, "-nodes", "-subj", f"/CN={cn or name}", "-keyout", base + ".key",
                "-out", base + ".csr")
        with open(base + ".ext", "w") as f:
            f.write(f"extendedKeyUsage={usage}\n")
            if san is None:
                san = f"DNS:{name}"
            if san:
                f.write(f"subjectAltName={san}\n")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                "-days", days, "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".key", base + ".pem"


def install(instance, files, mode=0o600):
    """Make FILES readable for the instance's owner alone."""
    for f in files:
        os.chmod(f, mode)
        if os.getuid() == 0:
            st = os.stat(instance.conf)
            os.chown(f, st.st_uid, st.st_gid)


def fingerprint(cert):
    out = openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", cert).decode()
    return out.strip().split("=", 1)[1]
