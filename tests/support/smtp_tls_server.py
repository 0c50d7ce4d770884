"""SmtpServer with TLS: STARTTLS is offered and done by Python's ssl.

    s = SmtpTlsServer(test, context, {"RCPT": ...}, wrapped=False)
    s.handshakes   one entry each: a dict of version, cipher, resumed, sni, peer (DER or None), or the error's text
A script's "STARTTLS" may be a reply of its own: then there is no handshake.
"""
import socket, ssl

from smtp_server import EHLO, Closed, SmtpServer

TLS_EHLO = EHLO.replace("250-DSN", "250-DSN\n250-STARTTLS")


def server_context(key, cert, ca=None, maximum=None, minimum=None, ciphers=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert, key)
    if ca:
        c.verify_mode = ssl.CERT_REQUIRED
        c.load_verify_locations(ca)
    if maximum:
        c.maximum_version = maximum
    if minimum:
        c.minimum_version = minimum
    if ciphers:
        c.set_ciphers(ciphers)
    return c


class SmtpTlsServer(SmtpServer):
    def __init__(self, test, context, script=None, wrapped=False, **kw):
        self.context, self.handshakes, self.names = context, [], {}
        context.sni_callback = lambda sock, name, ctx: self.names.__setitem__(id(sock), name)
        more = {"EHLO": TLS_EHLO, "LHLO": TLS_EHLO, "STARTTLS": self.starttls}
        if wrapped:
            more["connect"] = self.wrapped
        super().__init__(test, {**more, **(script or {})}, **kw)

    def handshake(self, session):
        try:
            s = self.context.wrap_socket(session.sock, server_side=True, do_handshake_on_connect=False)
            s.do_handshake()
        except (ssl.SSLError, OSError) as e:
            self.handshakes.append(str(e))
            raise Closed
        session.sock, session.buf = s, b""
        with self.lock:
            self.open.append(s)
        self.handshakes.append({"version": s.version(), "cipher": s.cipher()[0], "resumed": s.session_reused,
                                "sni": self.names.pop(id(s), None), "peer": s.getpeercert(binary_form=True)})

    def starttls(self, session, line):
        session.write(b"220 2.0.0 go ahead\r\n")
        self.handshake(session)
        return b""

    def wrapped(self, session, line):
        self.handshake(session)
        session.write(b"220 mx.test ESMTP\r\n")
        return b"2"[:0] or GREETED


class _Greeted(bytes):
    """Nothing more to write, and counted as 2xx."""
    def __getitem__(self, i):
        return b"2" if isinstance(i, slice) else 0x32


GREETED = _Greeted()
