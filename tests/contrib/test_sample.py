"""contrib/sample.py, the mail that contrib/try shows."""

import email
import email.policy
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"


def sample() -> bytes:
    command = ["/usr/bin/python3", "-I", str(CONTRIB / "sample.py")]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_the_sample_is_the_same_every_time() -> None:
    assert sample() == sample()


def test_the_test_file_lies_in_a_zip_in_a_tar_gz() -> None:
    mail = email.message_from_bytes(sample(), policy=email.policy.default)
    assert not mail.defects
    (attachment,) = mail.iter_attachments()
    with tarfile.open(fileobj=io.BytesIO(attachment.get_content())) as outer:
        inner = outer.extractfile("documents.zip")
        assert inner is not None
        with zipfile.ZipFile(inner) as archive:
            content = archive.read("eicar.com")
    assert len(content) == 68
    assert content[27:49] == b"$EICAR-" + b"STANDARD-ANTIVI"


def test_no_file_of_ours_holds_the_test_string() -> None:
    forbidden = b"EICAR-STANDARD-" + b"ANTIVIRUS"
    files = [path for path in CONTRIB.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [path for path in files if forbidden in path.read_bytes()] == []
