"""What tests of several rooms share: settings from a mapping, a site for commands, a stand-in clamd."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from stand_in import desk_site
from stand_in.clamd import Clamd

from amavis_pipe import settings as hot_settings
from amavis_pipe.config import load
from amavis_pipe.settings import Settings

# the same cases in each run: new ones are looked for by SEARCH=1, and by the fuzzers
hypothesis.settings.register_profile("no clock", deadline=None, derandomize="SEARCH" not in os.environ)
hypothesis.settings.load_profile("no clock")


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    """A function: the Settings of a TOML tree; built-in check and a state folder unless told otherwise."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)

    def make(**tree: object) -> Settings:
        values = load.read({"state": str(state), "scanners": ["builtin"], **tree}, "settings.toml", "")[0]
        settings = Settings(values)
        hot_settings.prepare(settings)
        return settings

    return make


@pytest.fixture
def clamd(tmp_path: Path) -> Iterator[Clamd]:
    """A stand-in clamd on a unix socket."""
    server = Clamd(tmp_path / "clamd.ctl")
    yield server
    server.close()


@pytest.fixture
def clamd_tcp() -> Iterator[Clamd]:
    """A stand-in clamd on a TCP port."""
    server = Clamd()
    yield server
    server.close()


@pytest.fixture(scope="session")
def package_copy() -> Iterator[Path]:
    """A folder with a copy of the package that every user can read."""
    folder = desk_site.copied()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def desk(package_copy: Path) -> Iterator[desk_site.DeskSite]:
    """A site to run commands on."""
    site = desk_site.DeskSite(package_copy)
    yield site
    shutil.rmtree(site.folder)
