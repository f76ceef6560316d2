"""Archives in archives, mails in archives: the child goes on until a limit is met."""

import gzip

import archives
import pytest

MAIL = b"""From: a@example.org
Subject: with a file
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

text
--b
Content-Type: application/octet-stream; name="in.txt"
Content-Transfer-Encoding: base64

aGVsbG8=
--b--
"""


def test_a_zip_in_a_tar_gz_in_a_zip_is_opened(take, either):
    inner = archives.zipped({"deep.txt": b"deep"})
    packed = gzip.compress(archives.tarred({"inner.zip": inner, "b.txt": b"b"}))
    result = take(archives.zipped({"a.tgz": packed, "a.txt": b"a"}))
    shown = {path: (part.names, part.decoder) for path, part in result.parts.items()}
    assert shown == {
        "1.1": ((b"a.tgz",), "zip"),
        "1.1.1": ((b"a.tar",), "gzip"),
        "1.1.1.1": ((b"inner.zip",), "tar"),
        "1.1.1.1.1": ((b"deep.txt",), "zip"),
        "1.1.1.2": ((b"b.txt",), "tar"),
        "1.2": ((b"a.txt",), "zip"),
    }
    assert result.parts["1.1.1.1.1"].blob.head(9) == b"deep" and result.findings == []


def test_a_mail_in_an_archive_is_taken_apart(take):
    result = take(archives.zipped({"a.eml": MAIL}))
    assert [(part.kind, part.decoder) for part in result.parts.values()] == [
        ("message/rfc822", "zip"), ("multipart/mixed", "mime"), ("text/plain", "mime"), ("text/plain", "mime"),
    ]  # fmt: skip
    last = list(result.parts.values())[-1]
    assert last.names == (b"in.txt",) and last.blob.head(9) == b"hello" and result.findings == []


def test_a_uuencoded_file_in_an_archive_is_decoded(take):
    result = take(archives.zipped({"a.txt": b"look:\nbegin 644 b.bin\n%:&5L;&\\\n`\nend\n"}))
    assert [(part.names, part.blob.head(9)) for path, part in result.parts.items() if path != "1.1"] == [
        ((b"b.bin",), b"hello")
    ]


def test_a_container_that_nothing_can_open_is_said_so(take):
    result = take(archives.zipped({"a.rar": b"Rar!\x1a\x07\x01\x00 and so on"}))
    assert result.findings == [("broken:rar", "1.1")]


def test_depth_ends_what_goes_ever_deeper_but_not_its_neighbours(take):
    data = b"core"
    for _ in range(10):
        data = gzip.compress(data)
    result = take(archives.tarred({"deep.gz": data, "next.txt": b"next"}), depth=5)
    assert max(result.parts) == "1.2" and result.parts["1.2"].blob.head(9) == b"next"
    assert result.findings == [("limit:depth", "1.1.1.1.1")] and result.budget.hit == ["depth"]


@pytest.mark.parametrize("build", [archives.zipped, archives.tarred], ids=["zip", "tar"])
def test_ten_thousand_members_end_at_the_limit_of_files(build, take, either):
    result = take(build({f"{n}.txt": b"x" for n in range(10_000)}), files=100)
    assert len(result.parts) == 100 and result.findings == [("limit:files", "1")]
    assert result.budget.hit == ["files"] and result.budget.files == 0


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\..\\evil", "a\nb", "-rf", "%s%n", "a" * 300]
)
@pytest.mark.parametrize("build", [archives.zipped, archives.tarred], ids=["zip", "tar"])
def test_names_are_data(build, name, take, either, tmp_path):
    result = take(build({name: b"x"}))
    assert result.names() == [name.encode()] and result.findings == []
    assert list(tmp_path.iterdir()) == []
