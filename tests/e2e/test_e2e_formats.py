"""Every container that ClamAV's own test files come in, by mail: what is in it is found."""

from pathlib import Path

import pytest
from harness import mails
from harness.clamd import SAMPLE_NAME
from harness.site import Site

FILES = sorted(Path("/usr/share/clamav-testfiles").iterdir())


def test_the_files_are_there() -> None:
    assert len(FILES) > 40


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_clam_exe_is_found_in(file: Path, site: Site) -> None:
    site.send(mails.with_attachment(b"sample.bin", file.read_bytes()))
    assert site.finished() == []
    (record,) = site.journal()
    assert record["verdict"] == "infected"
    assert SAMPLE_NAME in {found["name"] for found in record["findings"] if found["grade"] == "virus"}
