"""Run as a program in the jail of helpers: unpacks RAR by the unrar library, which only reads files by name.

    python -I unrar_program.py FOLDERS PASSWORD FILE

Writes to standard output, for each file: a line `file SIZE NAME` (NAME in hex, SIZE as declared), its bytes
in pieces with a line `data SIZE` before each, and `whole`, `partial` or `locked`; in the end a line `end`,
`locked` or `bad`. FOLDERS, joined by colons, are where the module may be.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LOCKED = (22, 24)
"""Codes of the library: a password is missing, or wrong."""
_DATA = 1
_ASK = 0
"""What a question for a volume or a password passes, in place of telling of one that was opened."""
_QUESTIONS = (0, 3, 2, 4)


def run(folders: str, password: str, file: str) -> None:
    """Write all that is in the file."""
    sys.path += folders.split(":")
    from unrar.cffi import unrarlib

    out = sys.stdout.buffer
    word = password.encode("ascii", "replace").decode() or None  # all that the module takes
    try:
        with unrarlib.RarArchive.open_for_processing(file, pwd=word) as archive:
            asked = _answers(unrarlib, archive)
            for header in archive.iterate_headers():
                _write(unrarlib, archive, header)
            del asked
        out.write(b"end\n")
    except unrarlib.BadRarFile as error:
        out.write(b"locked\n" if error.code in _LOCKED else b"bad\n")
    out.flush()


def _answers(lib: "Any", archive: "Any") -> object:
    """Have the library write to us; keep what is returned. A volume that isn't there is not waited for."""
    out = sys.stdout.buffer

    def answer(message: int, first: int, second: int) -> int:
        if message == _DATA:
            data = bytes(lib.ffi.buffer(lib.ffi.cast("char *", first), second))
            out.write(b"data %d\n" % len(data) + data)
        elif message in _QUESTIONS and (second == _ASK or message in _QUESTIONS[2:]):
            return -1
        return 1

    handle = lib.ffi.new_handle(answer)
    lib.RARSetCallbackPtr(archive.handle, lib.PyUNRARCALLBACKStub, handle)
    return handle


def _write(lib: "Any", archive: "Any", header: "Any") -> None:
    if header.Flags & lib.FLAGS_RHDF_DIRECTORY:
        header.skip()
        return
    out = sys.stdout.buffer
    name = header.FileNameW.encode("utf-8", "surrogateescape").hex() or "-"
    out.write(b"file %d %s\n" % (header.UnpSize + (header.UnpSizeHigh << 32), name.encode()))
    result = lib.RARProcessFileW(archive.handle, lib.C_RAR_TEST, lib.ffi.NULL, lib.ffi.NULL)
    out.write(
        b"whole\n" if result == lib.FLAGS_SUCCESS else b"locked\n" if result in _LOCKED else b"partial\n"
    )


if __name__ == "__main__":
    run(*sys.argv[1:4])
