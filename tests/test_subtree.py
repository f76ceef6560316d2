"""subtree: a container that was opened before is not opened again, unless somebody needs its bytes."""

import io
import zipfile

import pytest

from amavis_pipe import intake
from amavis_pipe.budget import Budget
from amavis_pipe.cache import Cache
from amavis_pipe.config import load
from amavis_pipe.jail import sandbox
from amavis_pipe.model import Finding, Part
from amavis_pipe.settings import Settings
from amavis_pipe.subtree import Memory, is_volume


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def mail_with(attachment: bytes, text: str = "hello", name: str = "a.zip") -> bytes:
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content(text)
    message.add_attachment(attachment, maintype="application", subtype="zip", filename=name)
    return message.as_bytes()


class Site:
    """Settings with the built-in check, a cache, and a count of how often a child was forked."""

    def __init__(self, folder, monkeypatch, **values):
        tree = {"state": str(folder), "scanners": ["builtin"], **values}
        self.settings = Settings(load.read(tree, "", "")[0])
        for name in ("work", "cache"):
            (folder / name).mkdir(exist_ok=True, parents=True)
        self.cache = Cache(str(folder / "cache").encode(), 7)
        self.opened = 0
        real = sandbox.unpack_in_child

        def counted(parts, *rest, **more):
            self.opened += len(parts)
            return real(parts, *rest, **more)

        monkeypatch.setattr(sandbox, "unpack_in_child", counted)

    def facts(self, mail: bytes):
        from amavis_pipe.examine import examine

        found = examine(intake.of_bytes(mail, self.settings.work), self.settings, self.cache)
        return found.facts


@pytest.fixture
def site(tmp_path, monkeypatch):
    return Site(tmp_path, monkeypatch)


def shown(facts):
    return [(part.path, part.names, part.kind, part.size, part.sha256) for part in facts.parts]


def test_the_same_archive_in_another_mail_is_not_opened_again(site):
    archive = zipped(**{"a.txt": b"one", "b.txt": b"two"})
    first, second = site.facts(mail_with(archive)), site.facts(mail_with(archive, "other text"))
    assert site.opened == 1
    assert shown(first)[3:] == shown(second)[3:]
    assert second.used > 0


def test_the_same_archive_twice_in_a_mail_is_found_in_both_places(site):
    archive = zipped(**{"a.txt": b"one"})
    site.facts(mail_with(archive))
    facts = site.facts(mail_with(zipped(**{"in.zip": archive, "out.txt": b"x"})))
    assert [part.path for part in facts.parts if part.names == (b"a.txt",)] == ["1.2.1.1"]


def test_another_name_is_another_hint_and_opens_it_again(site):
    archive = zipped(**{"a.txt": b"one"})
    site.facts(mail_with(archive))
    site.facts(mail_with(archive, "other", "b.zip"))
    assert site.opened == 2


def mail_with_two(first: bytes, second: bytes, text: str = "hello", names=("a.zip", "b.zip")) -> bytes:
    from email.message import EmailMessage

    both = EmailMessage()
    both["Subject"] = "x"
    both.set_content(text)
    for archive, name in zip((first, second), names, strict=True):
        both.add_attachment(archive, maintype="application", subtype="zip", filename=name)
    return both.as_bytes()


def test_archives_that_came_together_are_known_together_and_not_one_by_one(site):
    """A child that one of them took over could lie about the other, but not about both to itself."""
    one, two = zipped(**{"a.txt": b"one"}), zipped(**{"b.txt": b"two"})
    first = site.facts(mail_with_two(one, two))
    again = site.facts(mail_with_two(one, two, "other text"))
    assert site.opened == 2
    assert shown(first)[2:] == shown(again)[2:]
    site.facts(mail_with(one))
    assert site.opened == 3
    site.facts(mail_with_two(one, zipped(**{"c.txt": b"three"})))
    assert site.opened == 4


def test_archives_that_came_together_in_another_order_are_opened_again(site):
    one, two = zipped(**{"a.txt": b"one"}), zipped(**{"b.txt": b"two"})
    site.facts(mail_with_two(one, two, names=("a.zip", "a.zip")))
    site.facts(mail_with_two(two, one, names=("a.zip", "a.zip")))
    assert site.opened == 4


def test_an_archive_with_encrypted_members_is_opened_each_time(site):
    from stand_in import mails

    attached = mails.encrypted()
    for text in (b"one", b"two"):
        facts = site.facts(attached.replace(b"Subject: ", b"Subject: " + text, 1))
        assert [found.name for found in facts.findings] == ["encrypted:zip"]
    assert site.opened == 2


@pytest.mark.parametrize("sibling", ["a.z01", "a.part2.rar", "a.001", "a.r00"])
def test_where_a_piece_of_a_split_archive_is_about_nothing_is_known_again(site, sibling):
    archive = zipped(**{"a.txt": b"one"})
    site.facts(mail_with(archive))
    assert site.opened == 1
    for text in ("two", "three"):
        site.facts(mail_with_two(archive, b"a piece of something", text, ("a.zip", sibling)))
    assert site.opened == 3
    site.facts(mail_with(archive, "four", sibling))
    site.facts(mail_with(archive, "five", sibling))
    assert site.opened == 5


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        (b"a.z01", True),
        (b"A.R00", True),
        (b"a.001", True),
        (b"a.7z.002", True),
        (b"a.part1.rar", True),
        (b"a.part01.exe", True),
        (b"a.vol3.rar", True),
        (b"a.s01", True),
        (b"a.c00", True),
        (b"a.a01", True),
        (b" a.z01 ", True),
        (b"a.zip", False),
        (b"a.rar", False),
        (b"part1.pdf", False),
        (b"a.mp3", False),
        (b"a.p7s", False),
        (b"a.h264", False),
        (b"a.1", False),
        (b"a", False),
        (b"", False),
        (b"party.rar", False),
        (b"a.party.rar", False),
    ],
)
def test_a_piece_is_known_by_its_name(name, expect):
    assert is_volume(name) is expect


def test_a_helper_that_was_installed_since_opens_it_again(site, tmp_path):
    helper = tmp_path / "helper"
    site.settings.decoder_files = (*site.settings.decoder_files, str(helper).encode())
    archive = zipped(**{"a.txt": b"one"})
    site.facts(mail_with(archive))
    helper.write_bytes(b"a new decoder")
    site.facts(mail_with(archive, "other"))
    assert site.opened == 2


def test_an_infected_member_is_found_again_under_its_new_path(site):
    from amavis_pipe.scan.builtin import eicar

    archive = zipped(**{"e.com": eicar()})
    site.facts(mail_with(archive))
    found = site.facts(mail_with(archive, "other")).findings
    assert [(one.grade, one.part) for one in found] == [("virus", "1.2.1")]
    assert site.opened == 1


def test_an_archive_with_anything_wrong_is_opened_each_time(site):
    archive = zipped(**{"a.txt": bytes(range(256)) * 9})[:200]
    for text in ("one", "two"):
        assert site.facts(mail_with(archive, text)).findings
    assert site.opened == 2


def test_other_limits_open_it_again(site, tmp_path, monkeypatch):
    archive = zipped(**{"a.txt": b"one"})
    site.facts(mail_with(archive))
    other = Site(tmp_path, monkeypatch, limits={"depth": 9})
    other.facts(mail_with(archive, "other"))
    assert other.opened == 1


def test_what_a_limit_leaves_out_does_not_depend_on_what_was_known(tmp_path, monkeypatch):
    """The archive that is known is charged, and so are the others: in the order of the mail."""
    from amavis_pipe.scan.builtin import eicar

    filler = [bytes((number,)) * 120_000 for number in (1, 2)]
    known, other = zipped(a=filler[0]), zipped(b=filler[1], e=eicar())
    limits = {"min_quota": 200_000, "max_quota": 200_000, "min_factor": 1, "max_factor": 1}
    fresh = Site(tmp_path / "fresh", monkeypatch, limits=limits)
    used = Site(tmp_path / "used", monkeypatch, limits=limits)
    used.facts(mail_with(known))
    both = mail_with_two(known, other)
    expect = [(one.name, one.part) for one in fresh.facts(both).findings]
    assert "limit:quota" in [name for name, _ in expect]
    assert [(one.name, one.part) for one in used.facts(both).findings] == expect


def test_what_met_a_limit_is_not_known(tmp_path, monkeypatch):
    archive = zipped(a=bytes(150_000))
    tight = {"min_quota": 100_000, "max_quota": 100_000, "min_factor": 1, "max_factor": 1}
    site = Site(tmp_path, monkeypatch, limits=tight)
    for text in ("one", "two"):
        assert [one.name for one in site.facts(mail_with(archive, text)).findings] == ["limit:quota"]
    assert site.opened == 2


def test_another_claimed_type_is_another_hint(site):
    archive = zipped(**{"a.txt": b"one"})
    site.facts(mail_with(archive))
    site.facts(mail_with(archive, "other").replace(b"application/zip", b"application/x-zip"))
    assert site.opened == 2


def container(path="1.2", **more):
    return Part(path, (b"a.zip",), kind="application/zip", size=10, sha256="ab" * 32, **more)


def member(path, size=3, sha256="cd" * 32):
    return Part(path, (b"a",), kind="text/plain", size=size, sha256=sha256, decoder="zip")


def memory(tmp_path, knows=lambda sha256: True, context=b"c", depth=14):
    return Memory(Cache(str(tmp_path).encode(), 7), context, knows, depth)


def budget(quota=1000, files=100):
    return Budget(quota, files, 14, float("inf"))


def test_what_is_recalled_is_charged(tmp_path):
    memory(tmp_path).remember([container()], [member("1.2.1"), member("1.2.2"), member("1.3.1")], [])
    left = budget()
    parts = memory(tmp_path).recall([container("1.7")], left)
    assert [part.path for part in parts] == ["1.7.1", "1.7.2"]
    assert (left.used, left.files) == (6, 98)


def test_a_member_that_is_not_whole_is_not_remembered(tmp_path):
    torn = member("1.2.1")
    torn.flags = ("partial",)
    memory(tmp_path).remember([container()], [torn], [])
    assert memory(tmp_path).recall([container()], budget()) is None


@pytest.mark.parametrize(
    ("left", "made"),
    [
        (budget(quota=5), {}),
        (budget(files=1), {}),
        (budget(), {"depth": 2}),
        (budget(), {"knows": lambda sha256: False}),
        (budget(), {"context": b"other"}),
    ],
    ids=["quota", "files", "depth", "an answer is missing", "other decoders"],
)
def test_what_does_not_fit_is_not_recalled_and_not_charged(tmp_path, left, made):
    memory(tmp_path).remember([container()], [member("1.2.1"), member("1.2.2")], [])
    before = (left.used, left.files)
    assert memory(tmp_path, **made).recall([container()], left) is None
    assert (left.used, left.files) == before


def test_what_is_recalled_of_several_hangs_below_each(tmp_path):
    found = [member("1.2.1"), member("1.3.1"), member("1.3.2")]
    memory(tmp_path).remember([container("1.2"), container("1.3")], found, [])
    parts = memory(tmp_path).recall([container("2.1"), container("2.4")], budget())
    assert [part.path for part in parts] == ["2.1.1", "2.4.1", "2.4.2"]
    assert memory(tmp_path).recall([container("1.2")], budget()) is None


@pytest.mark.parametrize("place", ["1.2", "1.2.1", "1.2.1.4"])
def test_a_container_with_a_finding_is_not_remembered(tmp_path, place):
    finding = Finding("unchecked", "encrypted:zip", place)
    memory(tmp_path).remember([container()], [member("1.2.1")], [finding])
    assert memory(tmp_path).recall([container()], budget()) is None


def test_a_partial_container_is_not_remembered(tmp_path):
    memory(tmp_path).remember([container(flags=("partial",))], [member("1.2.1")], [])
    assert memory(tmp_path).recall([container()], budget()) is None
