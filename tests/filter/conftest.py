"""A fresh site for each test of the filter form."""

import shutil

import pytest
from stand_in import filter_site


@pytest.fixture
def site():
    """A site whose scanner is the built-in check and whose mail goes into a folder."""
    made = filter_site.make()
    yield made
    shutil.rmtree(made.folder)
