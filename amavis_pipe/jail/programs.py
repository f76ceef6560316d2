"""The programs that open what no library here opens: one row a program, one a way to call it.

They run in a jail of their own (helper.py), started by the filter when the sandboxed child asks for a job by
its name: the child says which parts and which words, the command line is made here. All write to standard
output only.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WORD = 1024
"""Bytes of a word (a password, a member's name) at most."""
WORDS = 2048
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/bin")
_DIGITS = b"0123456789"


class Program:
    """A program that may be there: its file's names, best first, and the Debian package that has it.

    reads  what it needs to read besides itself, the system's libraries and its input
    """

    __slots__ = ("files", "name", "package", "reads")

    def __init__(
        self, name: str, package: str, files: tuple[str, ...] = (), reads: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.package = package
        self.files = files or (name,)
        self.reads = reads

    def places(self) -> tuple[str, ...]:
        """Where it may be."""
        return tuple(f"{folder}/{file}" for file in self.files for folder in _FOLDERS)

    def before(self) -> list[bytes]:
        """Arguments of every job."""
        return []


class Script(Program):
    """A file of this folder for which a third party's module has to be there, run by this interpreter."""

    __slots__ = ("_modules", "script")

    def __init__(self, name: str, package: str, script: str, *modules: str) -> None:
        super().__init__(name, package)
        self.script = __file__.rpartition("/")[0] + "/" + script
        self._modules = modules

    def places(self) -> tuple[str, ...]:
        """The interpreter, if the module is there."""
        from os.path import exists

        modules = (f"{folder}/{module}" for folder in site_folders() for module in self._modules)
        return (sys.executable,) if any(map(exists, modules)) else ()

    def before(self) -> list[bytes]:
        """What the interpreter is told before the job's own arguments."""
        return [b"-I", b"-S", self.script.encode(), ":".join(site_folders()).encode()]


def site_folders() -> tuple[str, ...]:
    """Where third parties' modules may be: an interpreter without `site` doesn't look there itself."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    prefix = sys.executable.rpartition("/bin/")[0]
    own = (f"{prefix}/lib/{version}/site-packages",) if prefix and prefix != sys.base_prefix else ()
    known = (path for path in sys.path if path.endswith(("/site-packages", "/dist-packages")))
    return tuple(
        dict.fromkeys(
            [*own, *known, f"/usr/local/lib/{version}/dist-packages", "/usr/lib/python3/dist-packages"]
        )
    )


class Job:
    """One way to call a program.

    arguments  what follows its name: b"@file" is the (first) input, b"@0" in an argument the first word,
               b"@1" the second, b"@numbers" all words from the second on, which are numbers
    suffix     how the input files' names end; with several, b"%d" in it counts them
    """

    __slots__ = ("arguments", "program", "suffix")

    def __init__(self, program: Program, arguments: bytes, suffix: bytes = b"bin") -> None:
        self.program = program
        self.arguments = tuple(arguments.split())
        self.suffix = suffix

    def line(self, words: tuple[bytes, ...]) -> list[bytes] | None:
        """The arguments for these words; None if they don't do."""
        line: list[bytes] = self.program.before()
        for argument in self.arguments:
            if argument == b"@numbers":
                if not words[1:] or any(word.translate(None, _DIGITS) or not word for word in words[1:]):
                    return None
                line += words[1:]
                continue
            line.append(self._filled(argument, words))
        return line

    def _filled(self, argument: bytes, words: tuple[bytes, ...]) -> bytes:
        """The argument with what its mark stands for; there is none in the words."""
        if argument == b"@file":
            return self.files(1)[0]
        for mark, word in zip((b"@0", b"@1"), words, strict=False):
            if argument.endswith(mark):
                return argument[: -len(mark)] + word
        return argument

    def takes(self, count: int) -> bool:
        """Whether it can be given so many files."""
        return count == 1 or (count > 1 and b"%" in self.suffix)

    def files(self, count: int) -> list[bytes]:
        """Names for that many input files, in order: nothing from outside is in them."""
        if count == 1 and b"%" not in self.suffix:
            return [b"file." + self.suffix]
        return [b"file." + self.suffix % (number + 1) for number in range(count)]


SEVEN_ZIP = Program("7zz", "7zip", ("7zz", "7z", "7za"))
_USERS = ("/etc/passwd", "/etc/nsswitch.conf")
"""GNUstep ends a program that can't tell its user's name, as soon as it reads a date or a number."""
UNAR = Program("unar", "unar", reads=_USERS)
LSAR = Program("lsar", "unar", reads=_USERS)
UNRAR = Script("unrar2-cffi", "", "unrar_program.py", "unrar/cffi/__init__.py", "unrar/cffi/unrarlib.py")
LHASA = Program("lhasa", "lhasa")
CABEXTRACT = Program("cabextract", "cabextract")
LZOP = Program("lzop", "lzop")
LRZIP = Program("lrzip", "lrzip")

JOBS = {
    "7zz-list": Job(SEVEN_ZIP, b"l -slt -bd -bse1 -sccUTF-8 -p@0 -- @file"),
    "7zz-test": Job(SEVEN_ZIP, b"t -bd -y -mmt1 -spd -sccUTF-8 -p@0 -i!@1 -- @file"),
    "7zz-all": Job(SEVEN_ZIP, b"x -so -bd -y -mmt1 -p@0 -- @file"),
    "7zz-one": Job(SEVEN_ZIP, b"x -so -bd -y -mmt1 -spd -sccUTF-8 -p@0 -i!@1 -- @file"),
    "7zz-udf-list": Job(SEVEN_ZIP, b"l -slt -bd -tudf -bse1 -sccUTF-8 -p@0 -- @file"),
    "7zz-udf-test": Job(SEVEN_ZIP, b"t -bd -tudf -y -mmt1 -spd -sccUTF-8 -p@0 -i!@1 -- @file"),
    "7zz-udf-all": Job(SEVEN_ZIP, b"x -so -bd -tudf -y -mmt1 -p@0 -- @file"),
    "7zz-udf-one": Job(SEVEN_ZIP, b"x -so -bd -tudf -y -mmt1 -spd -sccUTF-8 -p@0 -i!@1 -- @file"),
    "lsar": Job(LSAR, b"-j -nr -p @0 @file"),
    "lsar-volumes": Job(LSAR, b"-j -nr -p @0 @file", b"part%d.rar"),
    "unar": Job(UNAR, b"-q -f -nr -k skip -p @0 -o - -i @file @numbers"),
    "unar-volumes": Job(UNAR, b"-q -f -nr -k skip -p @0 -o - -i @file @numbers", b"part%d.rar"),
    "unrar": Job(UNRAR, b"@0 @file", b"rar"),
    "unrar-volumes": Job(UNRAR, b"@0 @file", b"part%d.rar"),
    "lhasa": Job(LHASA, b"-pq2 @file", b"lzh"),
    "cabextract-list": Job(CABEXTRACT, b"-l -s @file", b"cab"),
    "cabextract": Job(CABEXTRACT, b"-p -q -s -f @file", b"cab"),
    "lzop": Job(LZOP, b"-d -c -q @file", b"lzo"),
    "lrzip": Job(LRZIP, b"-d -q -m 2 -p 1 -o - @file", b"lrz"),
}
"""By the names under which a decoder asks for them."""


def found(program: Program) -> str:
    """The program's file, or ""."""
    from os import X_OK, access

    return next((place for place in program.places() if access(place, X_OK)), "")


def is_job(name: str, words: "Iterable[bytes]") -> bool:
    """Whether there is such a job, and the words are ones that a command line may have."""
    words = tuple(words)
    return (
        name in JOBS
        and len(words) <= WORDS
        and all(len(word) <= WORD and b"\0" not in word for word in words)
    )
