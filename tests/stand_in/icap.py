"""An ICAP server as RFC 3507 has it: finds the EICAR test file, and can be told to fail in many ways."""

import socket
import threading

from amavis_pipe.scan.builtin import eicar


class IcapServer:
    """On a port of 127.0.0.1.

    preview   what OPTIONS tells, None for no preview
    allows    whether it answers 204; else it sends back what it got
    field     the field that tells of a virus, a format for its name
    most      questions that one connection is given
    fault     "": none; "odd", "half", "silent", "closes", "500", "blocks" (a page, and no field)
    asked     method and body of each question
    """

    def __init__(self) -> None:
        self.preview: int | None = 1024
        self.allows = True
        self.field = "X-Infection-Found: Type=0; Resolution=2; Threat={};"
        self.most = 100
        self.fault = ""
        self.tag = '"tag-1"'
        self.asked: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.at = f"icap://127.0.0.1:{self._socket.getsockname()[1]}/avscan"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, connection.makefile("rb") as lines:
            for _ in range(self.most + 1):
                head = self._head(lines)
                if not head:
                    return
                try:
                    if not self._answer(connection, lines, head):
                        return
                except OSError:
                    return

    @staticmethod
    def _head(lines) -> list[bytes]:
        head = []
        while (line := lines.readline().rstrip(b"\r\n")) or not head:
            if not line:
                return []
            head.append(line)
        return head

    def _answer(self, connection: socket.socket, lines, head: list[bytes]) -> bool:
        method, _, version = head[0].split(b" ")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head[1:])
        }
        assert version == b"ICAP/1.0" and b"host" in fields
        if method == b"OPTIONS":
            told = b"ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nService: stand-in\r\n"
            told += b"ISTag: %s\r\nEncapsulated: null-body=0\r\n" % self.tag.encode()
            told += b"Allow: 204\r\n" + (b"" if self.preview is None else b"Preview: %d\r\n" % self.preview)
            connection.sendall(told + b"\r\n")
            return True
        parts = [part.strip().partition(b"=")[::2] for part in fields[b"encapsulated"].split(b",")]
        assert [name for name, _ in parts] in (
            [b"req-hdr", b"res-hdr", b"res-body"],
            [b"req-hdr", b"req-body"],
        )
        http = lines.read(int(parts[-1][1]))
        body, ended = self._body(lines)
        if b"preview" in fields:
            assert len(body) <= int(fields[b"preview"])
            if not ended:
                connection.sendall(b"ICAP/1.0 100 Continue\r\n\r\n")
                body += self._body(lines)[0]
        self.asked.append((method, body))
        return self._judge(connection, http, body)

    @staticmethod
    def _body(lines) -> tuple[bytes, bool]:
        """The chunks, and whether the whole fitted into the preview."""
        body = b""
        while True:
            size, _, extension = lines.readline().strip().partition(b";")
            data = lines.read(int(size, 16))
            assert lines.readline() == b"\r\n"
            if not data:
                return body, extension.strip() == b"ieof"
            body += data

    def _judge(self, connection: socket.socket, http: bytes, body: bytes) -> bool:
        tag = b"ISTag: %s\r\n" % self.tag.encode()
        page = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n"
        blocked = b"ICAP/1.0 200 OK\r\n" + tag + b"%sEncapsulated: res-hdr=0, res-body=%d\r\n\r\n"
        if self.fault == "odd":
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif self.fault == "half":
            connection.sendall(b"ICAP/1.0 204 No modif")
            return False
        elif self.fault == "silent":
            connection.recv(1)
        elif self.fault == "closes":
            return False
        elif self.fault == "500":
            connection.sendall(b"ICAP/1.0 500 Server error\r\n" + tag + b"\r\n")
        elif self.fault == "blocks":
            connection.sendall(blocked % (b"", len(page)) + page + b"5\r\nsorry\r\n0\r\n\r\n")
        elif eicar() in body:
            field = self.field.format("Eicar-Test").encode() + b"\r\n"
            connection.sendall(blocked % (field, len(page)) + page + b"5\r\nvirus\r\n0\r\n\r\n")
        elif self.allows:
            connection.sendall(b"ICAP/1.0 204 No modifications needed\r\n" + tag + b"\r\n")
        else:
            answer = blocked % (b"", len(page)) + page + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            connection.sendall(answer if body else blocked % (b"", len(page)) + page + b"0\r\n\r\n")
        return True
