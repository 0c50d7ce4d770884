"""What no peer of ours sends on an internal socket: garbage, lengths that lie, pieces, other protocols and versions,
every message type with fields of every kind, descriptors that nobody announced (ATTACKS J03, J05)."""
import socket, struct


def frame(body=b"", protocol=1, version=1, fds=0, type_=1, zero=0, request=1, length=None):
    return struct.pack("<IHBBHHI", 12 + len(body) if length is None else length, protocol, version, fds, type_,
                       zero, request) + body


def field(tag, kind, octets):
    return struct.pack("<HBBI", tag, kind, 0, len(octets)) + octets


def values(rnd):
    """A value for each kind, right or wrong."""
    text = rnd.choice([b"", b"x", b"a@b.example", b"\0\n\r", b"\xff" * 9, b"../../etc/passwd", b"A" * 5000])
    return [(1, rnd.randbytes(4)), (2, rnd.randbytes(8)), (3, b"\xff" * 8), (4, bytes([rnd.randrange(3)])),
            (5, text), (6, struct.pack("<I", len(text)) + text), (6, struct.pack("<I", 1 << 31) + b"x"),
            (7, rnd.randbytes(12)), (8, rnd.randbytes(24)), (rnd.randrange(256), text)]


def attacks(rnd):
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield b"\0" * 64
    yield b"\xff" * 64
    for length in (0, 11, 13, (1 << 20) - 3, 0x7fffffff, 0xffffffff):
        yield frame(length=length) + b"x" * 20
    yield frame(fds=1)
    yield frame(fds=255)
    yield frame(zero=1)
    yield frame(b"\1\0\5\0\xff\xff\xff\xff")
    yield frame(field(1, 5, b"a") + field(1, 5, b"b"))
    for protocol in range(0, 14):
        for version in (0, 2, 255):
            yield frame(protocol=protocol, version=version)
        for type_ in (*range(14), 20, 21):
            tags = [field(rnd.randrange(1, 28), k, v) for k, v in rnd.sample(values(rnd), 4)]
            yield frame(b"".join(tags), protocol=protocol, type_=type_)
            yield frame(b"".join(tags)[:rnd.randrange(1, 40)], protocol=protocol, type_=type_)


def throw(path, octets, fds=()):
    """Datagram sockets are the log's: garbage there is a line."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        s = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
        try:
            s.connect(path)
            if fds:
                socket.send_fds(s, [octets], fds)
            else:
                s.send(octets)
            s.settimeout(0.02)
            s.recv(65536)
        except (OSError, TimeoutError):
            pass
        finally:
            s.close()
