#!/usr/bin/env python3
"""A service that speaks to master only: for tests of master itself, copied into a daemon_directory.

Arguments are those of a real daemon; what it shall do stands in further arguments of master.cf:
  crash            exit 1 before "ready"
  never-ready      wait without a word
  deaf             ignore "stop" (master must kill it)
  crash-at=FILE    while FILE is there: tell master of a session at the first connection, and die at once
  limit=N          report full at N open connections (default 100)
  dial=NAME        for each connection: ask master for service NAME and say what came
Each connection is answered by one line: name, pid, generation, options.
"""
import array, getopt, os, select, signal, socket, struct, sys

READY, LOAD, DIAL, DIALLED, STOP = 1, 2, 3, 4, 5
U32, BOOL, STR = 1, 4, 5


def frame(kind, body=b"", request=0):
    rest = struct.pack("<HBBHHI", 1, 1, 0, kind, 0, request) + body
    return struct.pack("<I", len(rest)) + rest


def field(tag, kind, octets):
    return struct.pack("<HBBI", tag, kind, 0, len(octets)) + octets


def recv_frame(sock):
    data, fds = b"", []
    while len(data) < 4 or len(data) < 4 + struct.unpack("<I", data[:4])[0]:
        want = 4 - len(data) if len(data) < 4 else 4 + struct.unpack("<I", data[:4])[0] - len(data)
        got, anc, _, _ = sock.recvmsg(want, socket.CMSG_SPACE(16))
        for level, kind, octets in anc:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds += array.array("i", octets[:len(octets) // 4 * 4]).tolist()
        if not got:
            return None, 0, b"", fds
        data += got
    _, _, _, kind, _, request = struct.unpack("<HBBHHI", data[4:16])
    return kind, request, data[16:], fds


def main():
    opts, words = getopt.getopt(sys.argv[1:], "c:n:g:o:")
    opt = dict(opts)
    options = [v for k, v in opts if k == "-o"]
    control = socket.socket(fileno=3)
    if "crash" in words:
        sys.exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in words else lambda *a: os._exit(0))
    limit = next((int(w[6:]) for w in words if w.startswith("limit=")), 100)
    dial = next((w[5:] for w in words if w.startswith("dial=")), None)
    crash_at = next((w[9:] for w in words if w.startswith("crash-at=")), "")
    listeners = [socket.socket(fileno=int(item.rpartition(":")[2]))
                 for item in os.environ.get("MERPATI_LISTEN", "").split()]
    for s in listeners:
        s.setblocking(False)
    if "never-ready" not in words:
        control.sendall(frame(READY))
    clients = []
    while True:
        full = len(clients) >= limit
        ready = select.select([control] + clients + ([] if full else listeners), [], [])[0]
        if control in ready:
            kind = recv_frame(control)[0]
            if kind is None or (kind == STOP and "deaf" not in words):
                return
        for s in ready:
            if s in clients and not s.recv(100):
                clients.remove(s)
                s.close()
                control.sendall(frame(LOAD, field(2, BOOL, b"\0")))
            elif s in listeners and s.type == socket.SOCK_STREAM:
                try:
                    c = s.accept()[0]
                except BlockingIOError:
                    continue
                if os.path.exists(crash_at):
                    control.sendall(frame(LOAD, field(1, U32, struct.pack("<I", 1)) + field(2, BOOL, b"\0")))
                    os.kill(os.getpid(), signal.SIGKILL)
                answer = f"{opt['-n']} {os.getpid()} {opt['-g']} {' '.join(options)}"
                if dial:
                    control.sendall(frame(DIAL, field(1, STR, dial.encode()), 7))
                    _, _, body, fds = recv_frame(control)
                    if fds:
                        peer = socket.socket(fileno=fds[0])
                        peer.settimeout(20)
                        answer += " dialled: " + peer.makefile().readline().strip()
                    else:
                        answer += " refused: " + body.decode("latin-1")
                c.setblocking(True)
                c.sendall(answer.encode() + b"\n")
                clients.append(c)
                if len(clients) >= limit:
                    control.sendall(frame(LOAD, field(2, BOOL, b"\1")))


main()
