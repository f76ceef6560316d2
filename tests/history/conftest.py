"""A state folder with a journal."""

from pathlib import Path

import pytest
from stand_in.journal_site import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")
