"""contrib/bench: mails that are made up, what is counted, and what is written down of it."""

import email
import email.policy
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "contrib/bench"))
import account
import chart
import corpus
import filler
import load
import memory
import results
import scale_mails


def made(kind, number=6, **what):
    return list(islice(corpus.mails(kind, **what), number))


def opened(data):
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert not mail.defects
    return mail


def shape(data):
    """Kinds and sizes of the parts of a mail, contents left out."""
    return [
        (part.get_content_type(), len(part.get_payload(decode=True)) // 4096)
        for part in opened(data).walk()
        if not part.is_multipart()
    ]


@pytest.mark.parametrize("kind", corpus.CORPORA)
def test_a_corpus_is_the_same_every_time(kind):
    assert made(kind) == made(kind)


@pytest.mark.parametrize("kind", "SMAR")
def test_no_two_mails_of_a_corpus_are_the_same(kind):
    assert len(set(made(kind))) == 6


def test_one_mail_comes_again_and_again():
    assert len(set(made("D"))) == 1


@pytest.mark.parametrize("kind", "SMA")
def test_another_salt_changes_what_is_in_the_mails_and_not_their_shapes(kind):
    first, second = made(kind), made(kind, salt="x")
    assert set(first).isdisjoint(second)
    if kind == "M":
        assert [shape(one) for one in first] == [shape(one) for one in second]


def test_the_same_attachments_come_in_different_mails():
    contents = [tuple(part.get_content() for part in opened(data).iter_attachments()) for data in made("R")]
    assert len(set(contents)) == 1
    assert [len(one) // 1024 for one in contents[0]] == [150, 40]


def test_archives_lie_in_archives_in_every_second_mail():
    flat, nested = (next(opened(data).iter_attachments()).get_content() for data in made("A", 2))
    with zipfile.ZipFile(io.BytesIO(flat)) as archive:
        assert len(archive.namelist()) == 20
    with zipfile.ZipFile(io.BytesIO(nested)) as archive:
        packed = archive.read("data.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(packed)) as inner:
        assert len(inner.getnames()) == 10


def test_the_infected_mail_has_the_test_file():
    (attachment,) = opened(corpus.infected()).iter_attachments()
    assert attachment.get_content() == corpus.EICAR
    assert len(corpus.EICAR) == 68


def test_signatures_are_as_many_as_asked_for():
    lines = {name: text.split("\n") for name, text in filler.signatures(5).items()}
    assert {name: len(set(one)) for name, one in lines.items()} == {
        "filler.ndb": 5,
        "filler.hdb": 5 * filler.HASHES,
    }


@pytest.mark.parametrize("size", [1000, 10**5, 3 * 10**6])
@pytest.mark.parametrize(
    "make",
    [memory.plain, lambda size: memory.attached(size, False), lambda size: memory.attached(size, True)],
    ids=["text", "attachment", "zip"],
)
def test_a_mail_has_the_size_that_was_asked_for(make, size):
    assert abs(len(make(size)) - size) < 0.03 * size + 3500


@pytest.mark.parametrize("make", [scale_mails.attachments, scale_mails.packed])
def test_a_mail_has_the_parts_that_were_asked_for(make):
    attached = list(opened(make(12)).iter_attachments())
    if make is scale_mails.packed:
        with zipfile.ZipFile(io.BytesIO(attached[0].get_content())) as archive:
            attached = archive.namelist()
    assert len(attached) == 12


def test_a_mail_goes_by_smtp_with_its_dots_doubled():
    assert load._wire(b"a: b\n\n.c\nd.\n") == b"a: b\r\n\r\n..c\r\nd.\r\n.\r\n"


def test_memory_is_that_of_a_process_with_all_below_it():
    command = ["/bin/sh", "-c", "/bin/cat; true"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        started.stdin.write(b"x")
        started.stdin.flush()
        assert started.stdout.read(1) == b"x"  # both are there
        (child,) = map(int, Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split())
        found = account.trees([started.pid, child], os.geteuid())
        alone = account.trees([child], os.geteuid())
        assert found.keys() == {started.pid}
        assert found[started.pid] > alone[child] > 0
        started.stdin.close()


def test_what_belongs_to_another_user_does_not_count():
    assert account.trees([os.getpid()], os.geteuid() + 1) == {}


def test_a_process_that_has_gone_has_no_memory():
    done = subprocess.Popen(["/bin/true"])
    done.wait()
    assert account.trees([done.pid], os.geteuid()) == {}
    assert account.anonymous(done.pid) == 0


def test_a_table_has_its_numbers_to_the_right():
    assert results.table(["what", "ms"], [["a", 1], ["long", 100]]) == "what   ms\na       1\nlong  100"


@pytest.mark.parametrize("draw", ["bars", "lines"])
def test_a_chart_needs_nothing_from_elsewhere_and_names_its_series(draw, tmp_path):
    path = tmp_path / "chart.svg"
    words = ("mails",) if draw == "lines" else ()
    getattr(chart, draw)(path, "title", ["1", "2"], {"ours": [1.0, 2.0], "theirs": [3.0, None]}, "ms", *words)
    root = ElementTree.parse(path).getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "image", "use", "foreignObject"}
    assert {"title", "ours", "theirs"} <= {element.text for element in root.iter()}
    assert b"url(http" not in path.read_bytes()


@pytest.mark.parametrize(
    ("numbers", "wanted"), [([3, 4], [2, 5]), ([1, 10], [1, 2, 5, 10]), ([0.3, 1.5], [0.2, 0.5, 1, 2])]
)
def test_a_logarithmic_scale_has_steps_around_all_numbers(numbers, wanted):
    assert chart.steps(numbers) == pytest.approx(wanted)


def test_without_the_library_there_is_no_chart_and_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chart, "pygal", None)
    chart.bars(tmp_path / "chart.svg", "title", ["1"], {"ours": [1.0]}, "ms")
    assert not list(tmp_path.iterdir())
    assert "python3-pygal" in capsys.readouterr().err


def test_figures_are_kept_with_what_made_them(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write("some", "contrib/bench/some.py", ["a table"], {"rows": [1]})
    text = (tmp_path / "some.txt").read_text()
    assert "contrib/bench/some.py" in text
    assert text.endswith("a table\n")
    kept = (tmp_path / "some.json").read_text()
    assert '"kernel"' in kept
    assert os.uname().nodename not in kept.replace(os.uname().release, "")
