#!/usr/bin/env python3
"""What a spam checker adds to one run of the filter: CPU time, as a ratio to a bare interpreter.

    /usr/bin/python3 contrib/bench/spam_checker.py [RUNS]

As run.py, mail never seen before, without a checker and with spamd and rspamd. A thread of this process
stands in for them and answers at once, so that nothing but the filter's own work is counted: putting the
mail together, asking, reading the answer, the fields. What a real checker takes comes on top, beside the
virus scanners.
"""

import socket
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from run import BARE, cost, mails, site

TESTS = b"BAYES_99,HTML_MESSAGE,RDNS_NONE"
SPAMD = b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: True ; 7.1 / 5.0\r\n\r\n%s" % (len(TESTS), TESTS)
JSON = (
    b'{"is_skipped":false,"score":7.1,"required_score":15.0,"action":"add header","symbols":{'
    b'"ARC_NA":{"name":"ARC_NA","score":0.0,"description":"ARC signature absent"},'
    b'"MIME_GOOD":{"name":"MIME_GOOD","score":-0.1,"description":"Known content-type"},'
    b'"HFILTER_HELO_5":{"name":"HFILTER_HELO_5","score":3.0,"description":"Helo host checks"}}}'
)
RSPAMD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(JSON), JSON)
ANSWERS = {"spamd": SPAMD, "rspamd": RSPAMD}


@contextmanager
def answering(answer: bytes, asked: list[int]) -> Iterator[str]:
    """Where something listens that takes a question and says this; `asked` gets the size of each."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection, suppress(OSError):
                    asked.append(_taken(connection))
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _taken(connection: socket.socket) -> int:
    """Take a whole question: its head, and as many bytes as it says."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16) or b"\r\n\r\n"
    head, _, rest = data.partition(b"\r\n\r\n")
    wanted = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    size = len(rest)
    while size < wanted:
        size += len(connection.recv(1 << 16)) or wanted
    return size


def main(runs: int) -> None:
    """Print the table."""
    print(f"median of {runs} runs, mail never seen before: ratio of CPU time to a bare interpreter")
    print(f"{'':<22}{'no checker':>12}{'spamd':>10}{'rspamd':>10}")
    asked: list[int] = []
    with (
        site() as (folder, command),
        answering(SPAMD, asked) as spamd,
        answering(RSPAMD, asked) as rspamd,
    ):
        settings = folder / "settings.toml"
        plain = settings.read_text()
        commands = [command]
        for via, at in (("spamd", spamd), ("rspamd", rspamd)):
            own = folder / f"{via}.toml"
            own.write_text(plain + f'[spam]\nchecker = "{via}"\nat = "{at}"\nmax_size = "1 MiB"\n')
            commands.append([str(own) if word == str(settings) else word for word in command])
        shapes = mails()
        for name, mail in shapes.items():
            rows: list[list[float]] = [[] for _ in (*commands, BARE)]
            for number in range(runs + 1):
                for row, words in zip(rows, (*commands, BARE), strict=True):
                    del mail["Subject"]
                    mail["Subject"] = f"run {number} {len(asked)} {id(row)}"
                    row.append(cost(words, mail.as_bytes()))
            *ours, bare = (statistics.median(row[1:]) for row in rows)  # the first run warms up
            print(f"{name:<22}{''.join(f'{one / bare:>11.2f}' for one in ours)}")
            for sent in (folder / "out").iterdir():
                sent.unlink()
        if len(asked) != 2 * len(shapes) * (runs + 1):
            raise SystemExit(f"asked {len(asked)} times: something else was measured")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
