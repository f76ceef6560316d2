"""SAVDI and drwebd by their own protocols; and what every daemon may do wrong."""

import random

import pytest
from stand_in.daemon import Daemon
from stand_in.icap import IcapServer

from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import Finding, ScannerTrouble
from amavis_pipe.scan import drweb, icap, reply, sssp
from amavis_pipe.spool import Blob
from amavis_pipe.text import ascii_of

ITEMS = [("1", Blob(b"first")), ("2", Blob(b"second"))]


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon(tmp_path / "daemon.ctl")
    yield daemon
    daemon.close()


@pytest.fixture
def scanner(settings_of, daemon):
    """A function: the scanner of that name, which asks the stand-in."""

    def make(name, **more):
        row = {"name": name, "at": daemon.at, "timeout": 20, "retry": 0, **more}
        settings = settings_of(scanners=[name], scanner=[row])
        return scanner_of(settings.rows[0], settings)

    return make


def names(answers):
    return {path: [(one.grade, one.name) for one in findings] for path, findings in answers.items()}


SSSP_OPEN = [b"OK SSSP/1.0\r\n", b"ACC 1\r\n", b"ACC 2\r\nversion:SAVDI 2.6\r\nsavversion:5.60\r\n\r\n"]
CLEAN = b"DONE OK 0000 The function call succeeded\r\n\r\n"
VIRUS = b"EVENT FILE 1\r\nVIRUS EICAR-AV-Test 1\r\nOK 0203 1\r\nDONE OK 0203 Virus found during virus scan\r\n\r\n"


class TestSssp:
    def test_parts_go_as_streams_and_answers_are_understood(self, scanner, daemon):
        daemon.script = [*SSSP_OPEN, b"ACC 3\r\n" + CLEAN, b"ACC 4\r\n" + VIRUS]
        asked = scanner("savdi")
        assert names(asked.scan(ITEMS)) == {"1": [], "2": [("virus", "EICAR-AV-Test")]}
        daemon.close()
        heard = daemon.heard[0]
        assert b"SSSP/1.0 SCANDATA 5\r\nfirst" in heard and b"SSSP/1.0 SCANDATA 6\r\nsecond" in heard
        assert asked.version == "SAVDI 2.6 5.60"

    ANSWERS = {
        "clean": ([b"DONE OK 0000 x"], []),
        "two names": (
            [b"VIRUS One a", b"VIRUS Two b", b"DONE OK 0203 x"],
            [("virus", "One"), ("virus", "Two")],
        ),
        "a virus without a name": ([b"DONE OK 0203 x"], [("virus", "unnamed")]),
        "a virus, and a failure": ([b"VIRUS One a", b"DONE FAIL 0208 x"], [("virus", "One")]),
        "encrypted": (
            [b"FAIL 0212 a", b"DONE FAIL 0212 The file was encrypted"],
            [("unchecked", "encrypted:s")],
        ),
        "damaged": ([b"DONE FAIL 0214 x"], [("unchecked", "broken:s")]),
        "a failure": ([b"DONE FAIL 0208 Could not open"], None),
        "a success that failed": ([b"DONE FAIL 0000 x"], None),
        "another code": ([b"DONE OK 0001 x"], None),
        "nothing done": ([b"OK 0000 a"], None),
        "nothing": ([], None),
        "half": ([b"DONE OK"], None),
    }

    @pytest.mark.parametrize(("lines", "expected"), ANSWERS.values(), ids=ANSWERS)
    def test_an_answer_means_what_it_says(self, lines, expected):
        found = sssp.read_answer(lines, "1", "s")
        assert (None if found is None else [(one.grade, one.name) for one in found]) == expected

    @pytest.mark.parametrize(
        "script",
        [
            [b"REJ 4\r\n"],
            [b"OK SSSP/1.0\r\n", b"REJ 1\r\n"],
            [*SSSP_OPEN, b"REJ 2\r\n"],
            [*SSSP_OPEN, b"ACC 3\r\nDONE OK 00", None],
            [*SSSP_OPEN, b"ACC 3\r\n" + b"x" * 20_000],
            [*SSSP_OPEN, b"ACC 3\r\n" + b"TYPE x\r\n" * 2000],
        ],
        ids=["refused", "no session", "no scan", "half", "a long line", "many lines"],
    )
    def test_whatever_is_no_answer_is_trouble(self, scanner, daemon, script):
        daemon.script = script
        with pytest.raises(ScannerTrouble, match=r"^savdi at "):
            scanner("savdi").scan(ITEMS)


def said(result, *texts):
    parts = [result.to_bytes(4, "big"), len(texts).to_bytes(4, "big")]
    return b"".join([*parts, *(len(text).to_bytes(4, "big") + text for text in texts)])


class TestDrWeb:
    def test_each_part_is_asked_about_on_its_own_connection(self, scanner, daemon):
        daemon.script = [b"", said(0x00100000)]
        assert names(scanner("drwebd").scan(ITEMS)) == {"1": [], "2": []}
        daemon.close()
        head = (1).to_bytes(4, "big") + (0x00280001).to_bytes(4, "big") + bytes(4)
        assert daemon.heard == [head + b"\0\0\0\5first", head + b"\0\0\0\6second"]

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (said(0x20, b"infected with One\0"), ["One"]),
            (said(0x00000040, b"Two\0", b"infected with One\0"), ["Two", "One"]),
            (said(0x80), ["unnamed"]),
            (said(0x00100000, b"One\0"), ["One"]),
        ],
    )
    def test_viruses_have_their_names(self, scanner, daemon, answer, expected):
        daemon.script = [b"", answer]
        assert names(scanner("drwebd").scan(ITEMS[:1])) == {"1": [("virus", name) for name in expected]}

    @pytest.mark.parametrize("result", [0, 1, 2, 0x200, 0x8000, 0x00100001, 0x80000000, 0xFFFFFF1F])
    def test_no_other_result_is_clean(self, scanner, daemon, result):
        daemon.script = [b"", said(result)]
        with pytest.raises(ScannerTrouble, match="failed: result"):
            scanner("drwebd").scan(ITEMS)

    def test_a_name_without_end_is_trouble(self, scanner, daemon):
        daemon.script = [b"", said(0x20)[:4] + b"\0\0\0\1\xff\xff\xff\xff"]
        with pytest.raises(ScannerTrouble, match="a name of 4294967295 bytes"):
            scanner("drwebd").scan(ITEMS)


DAEMONS = ["savdi", "drwebd", "fpscand", "icap", "clamd"]


@pytest.mark.parametrize("name", DAEMONS)
class TestEveryDaemon:
    @pytest.fixture
    def asked(self, name, settings_of, daemon):
        at = {"icap": f"icap://{daemon.at}/x"}.get(name, daemon.at)
        row = {"name": name, "at": at, "timeout": 20, "retry": 0}
        if name == "clamd":
            row["conf"] = "/nonexistent"
        settings = settings_of(scanners=[name], scanner=[row])
        return scanner_of(settings.rows[0], settings)

    @pytest.fixture
    def daemon(self, name):
        daemon = Daemon()
        yield daemon
        daemon.close()

    def test_one_that_is_not_there_is_trouble(self, name, asked, daemon):
        daemon.close()
        with pytest.raises(ScannerTrouble, match=f"^{name} at .*refused"):
            asked.scan(ITEMS)

    def test_one_that_says_nothing_is_trouble_in_time(self, name, asked, daemon):
        asked.row.timeout = 0.2
        with pytest.raises(ScannerTrouble, match=r"no answer in 0\.2 s"):
            asked.scan(ITEMS)

    def test_one_that_hangs_up_is_trouble(self, name, asked, daemon):
        daemon.script = [None]
        with pytest.raises(ScannerTrouble, match=f"^{name} at "):
            asked.scan(ITEMS)

    def test_rubbish_is_trouble(self, name, asked, daemon):
        asked.row.timeout = 1
        daemon.script = [b"", b"", random.Random(3).randbytes(3000) + b"\n" * 300]
        with pytest.raises(ScannerTrouble, match=f"^{name} at "):
            asked.scan(ITEMS)

    def test_an_answer_without_end_is_trouble(self, name, asked, daemon):
        asked.row.timeout = 5
        daemon.script = [b"", b"x" * (3 << 20)]
        with pytest.raises(ScannerTrouble, match=f"^{name} at "):
            asked.scan(ITEMS)


ICAP_OPEN = b"ICAP/1.0 200 OK\r\nISTag: x\r\nEncapsulated: null-body=0\r\n\r\n"
ICAP_CLEAN = b"ICAP/1.0 204 None\r\nISTag: x\r\n\r\n"
GOOD = {
    "savdi": [*SSSP_OPEN, b"ACC 3\r\n" + CLEAN, b"ACC 4\r\n" + CLEAN],
    "drwebd": [b"", said(0x00100000)],
    "fpscand": [b"", b"0 <clean> a\n", b"0 <clean> b\n"],
    "icap": [b"", ICAP_OPEN, ICAP_CLEAN, ICAP_CLEAN],
}


@pytest.mark.parametrize("name", GOOD)
class TestInTheMiddle:
    """A conversation that goes well, and what may befall it."""

    @pytest.fixture
    def daemon(self):
        daemon = Daemon()
        daemon.script = GOOD[self.name]
        yield daemon
        daemon.close()

    @pytest.fixture(autouse=True)
    def named(self, name):
        type(self).name = name

    @pytest.fixture
    def asked(self, name, named, settings_of, daemon):
        at = {"icap": f"icap://{daemon.at}/x"}.get(name, daemon.at)
        row = {"name": name, "at": at, "timeout": 20, "retry": 3}
        settings = settings_of(scanners=[name], scanner=[row])
        return scanner_of(settings.rows[0], settings)

    def test_one_that_is_slow_is_waited_for(self, name, asked, daemon):
        daemon.slowly = True
        assert names(asked.scan(ITEMS)) == {"1": [], "2": []}

    def test_one_that_reloads_is_asked_again(self, name, asked, daemon):
        good = GOOD[name]
        daemon.before = [[None], [*good[:-1], good[-1][:3], None]]
        assert names(asked.scan(ITEMS)) == {"1": [], "2": []}

    def test_one_that_dies_at_any_byte_of_its_last_answer_is_trouble(self, name, asked, daemon):
        asked.row.retry = 0
        # a part that ICAP has answered for is not asked about again: one alone tells
        items, script = (ITEMS[:1], GOOD[name][:-1]) if name == "icap" else (ITEMS, GOOD[name])
        *good, last = script
        for size in range(0, len(last), 7):
            daemon.script = [*good, last[:size], None]
            with pytest.raises(ScannerTrouble, match=r"closed the connection|reset|Broken"):
                asked.scan(items)


def mutants(seeds, count=3000):
    source = random.Random(11)
    for _ in range(count):
        data = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 6)):
            at = source.randrange(len(data) + 1)
            kind = source.randrange(4)
            if kind == 0 and data:
                data[at % len(data)] = source.randrange(256)
            elif kind == 1:
                del data[at : at + source.randint(1, 9)]
            elif kind == 2:
                data[at:at] = source.choice(seeds)[: source.randint(0, 30)]
            else:
                data[at:at] = bytes([source.randrange(256)])
        yield bytes(data)


def tame(findings: list[Finding] | None) -> bool:
    """Whether findings are bounded, and their names printable ASCII."""
    return findings is None or all(
        one.name.isascii() and one.name.isprintable() and 0 < len(one.name) <= 1000 for one in findings
    )


class TestRubbish:
    """Readers of replies never raise; what is not of the form that means clean is not clean."""

    def test_sssp(self):
        for data in mutants([VIRUS, CLEAN]):
            lines = data.replace(b"\r", b"").split(b"\n")
            found = sssp.read_answer(lines, "1", "s")
            assert tame(found)
            assert found != [] or lines[-1].startswith(b"DONE OK 0000")

    def test_icap(self):
        head = b"ICAP/1.0 200 OK\nISTag: x\nX-Infection-Found: Type=0; Threat=A;\nEncapsulated: res-hdr=0\n"
        for data in mutants([head, b"ICAP/1.0 204 None\nISTag: x"]):
            told = icap.read_head(data.split(b"\n"))
            if told is not None:
                found = icap.judged(*told, False, "1", "s")
                assert tame(found) and (found != [] or told[0] in (200, 204))
                assert icap.judged(*told, told[0] == 204, "1", "s") != [] or told[0] == 204

    def test_drweb(self):
        source = random.Random(5)
        for _ in range(3000):
            result = source.getrandbits(32) & source.getrandbits(32)
            found = drweb.judged(result, [], "1", "s")
            assert tame(found) and (found != [] or result & drweb.CLEAN)

    def test_programs_and_lines(self):
        judge = reply.Judge({"clean": [0], "infected": [1], "virus": r"(?m): (.*) FOUND$", "suspect": "^H"})
        for data in mutants([b"/x/p000001: OK\n/x/p000002: A.B FOUND\n", b": \xff\x00\x1b FOUND\n"]):
            for status in (-1, 0, 1, 2):
                hits = judge.read(status, data)
                assert (hits == []) == (status == 0)
                assert tame([judge.finding(hit.name, "1", "s") for hit in hits or ()])

    def test_names_from_outside_are_bounded_and_escaped(self):
        finding = reply.found(b"\x1b[31m\xe2\x80\xae" + b"x" * 5000, "1", "s")
        assert finding.name.startswith("\\x1b[31m\\xe2") and len(finding.name) < 900
        assert ascii_of(b"x" * 300, 200) == "x" * 200 + "..."


def test_the_stand_in_for_icap_speaks_it(settings_of):
    server = IcapServer()
    row = {"name": "icap", "at": server.at, "retry": 0}
    settings = settings_of(scanners=["icap"], scanner=[row])
    assert names(scanner_of(settings.rows[0], settings).scan(ITEMS)) == {"1": [], "2": []}
    server.close()
