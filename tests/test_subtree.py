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
from amavis_pipe.subtree import Memory


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
            (folder / name).mkdir(exist_ok=True)
        self.cache = Cache(str(folder / "cache").encode(), 7)
        self.opened = 0
        real = sandbox.unpack_in_child

        def counted(parts, *rest):
            self.opened += len(parts)
            return real(parts, *rest)

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


def test_of_several_archives_opened_by_one_child_none_is_remembered(site):
    """A child that one of them took over could lie about the other."""
    archives = [zipped(**{"a.txt": b"one"}), zipped(**{"b.txt": b"two"})]
    site.facts(mail_with(zipped(**{"in.zip": archives[0]})))  # opened alone: remembered
    site.opened = 0

    from email.message import EmailMessage

    both = EmailMessage()
    both["Subject"] = "x"
    for archive in archives:
        both.add_attachment(archive, maintype="application", subtype="zip", filename="a.zip")
    site.facts(both.as_bytes())
    site.facts(mail_with(archives[0]))
    assert site.opened == 3


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


def container(path="1.2", **more):
    return Part(path, (b"a.zip",), kind="application/zip", size=10, sha256="ab" * 32, **more)


def member(path, size=3, sha256="cd" * 32):
    return Part(path, (b"a",), kind="text/plain", size=size, sha256=sha256, decoder="zip")


def memory(tmp_path, knows=lambda sha256: True, context=b"c", depth=14):
    return Memory(Cache(str(tmp_path).encode(), 7), context, knows, depth)


def budget(quota=1000, files=100):
    return Budget(quota, files, 14, float("inf"))


def test_what_is_recalled_is_charged(tmp_path):
    memory(tmp_path).remember(container(), [member("1.2.1"), member("1.2.2"), member("1.3.1")], [])
    left = budget()
    parts = memory(tmp_path).recall(container("1.7"), left)
    assert [part.path for part in parts] == ["1.7.1", "1.7.2"]
    assert (left.used, left.files) == (6, 98)


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
    memory(tmp_path).remember(container(), [member("1.2.1"), member("1.2.2")], [])
    before = (left.used, left.files)
    assert memory(tmp_path, **made).recall(container(), left) is None
    assert (left.used, left.files) == before


@pytest.mark.parametrize("place", ["1.2", "1.2.1", "1.2.1.4"])
def test_a_container_with_a_finding_is_not_remembered(tmp_path, place):
    finding = Finding("unchecked", "encrypted:zip", place)
    memory(tmp_path).remember(container(), [member("1.2.1")], [finding])
    assert memory(tmp_path).recall(container(), budget()) is None


def test_a_partial_container_is_not_remembered(tmp_path):
    memory(tmp_path).remember(container(flags=("partial",)), [member("1.2.1")], [])
    assert memory(tmp_path).recall(container(), budget()) is None
