"""contrib/postfix/amavis-pipe, what pipe(8) starts: it finds the package, or ends with 75."""

import os
import shutil
import subprocess
from ast import literal_eval
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).resolve().parents[2] / "contrib/postfix/amavis-pipe"
REFUSAL = b"4.3.0 amavis-pipe cannot start\n"
TELLING = """
import posix, sys
def main():
    posix.write(1, repr((__file__, sys.path, sys.argv, sorted(sys.modules))).encode())
    posix._exit(0)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """A checkout with a package that can only tell where it is."""
    (tmp_path / "contrib/postfix").mkdir(parents=True)
    (tmp_path / "amavis_pipe").mkdir()
    (tmp_path / "amavis_pipe/__init__.py").write_text("")
    (tmp_path / "amavis_pipe/bundle.py").write_text("def use(): pass")
    (tmp_path / "amavis_pipe/entry.py").write_text(TELLING)
    return Path(shutil.copy(LAUNCHER, tmp_path / "contrib/postfix"))


def start(
    launcher: Path, cwd: str = "/", piped: bool = False, **more: object
) -> subprocess.CompletedProcess[bytes]:
    environment = {"MAIL_CONFIG": "/etc/postfix"} if piped else {}
    return subprocess.run(
        ["/usr/bin/python3", "-I", "-S", str(launcher), "-f", "", "--", "-x@example.org"],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        **({"stdout": subprocess.PIPE} | more),  # type: ignore[call-overload]
    )


def break_package(launcher: Path, text: str | None) -> None:
    entry = launcher.parents[2] / "amavis_pipe/entry.py"
    if text is None:
        entry.unlink()
    else:
        entry.write_text(text)


def test_in_a_checkout_the_package_above_contrib_is_started(launcher: Path) -> None:
    done = start(launcher)
    assert done.returncode == 0
    assert str(launcher.parents[2] / "amavis_pipe/entry.py").encode() in done.stdout
    assert b"'-f', '', '--', '-x@example.org'" in done.stdout


def test_it_is_found_through_a_symbolic_link_and_from_its_own_folder(launcher: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(launcher)
    assert start(link).returncode == 0
    assert start(Path("amavis-pipe"), cwd=str(launcher.parent)).returncode == 0


def test_it_can_be_executed_without_naming_an_interpreter(launcher: Path) -> None:
    assert os.access(LAUNCHER, os.X_OK)
    assert subprocess.run([launcher], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_it_imports_nothing_beside_the_package(launcher: Path) -> None:
    bare = ["/usr/bin/python3", "-I", "-S", "-c", "import sys; print(sorted(sys.modules))"]
    allowed = set(literal_eval(subprocess.run(bare, capture_output=True, text=True, check=True).stdout))
    seen = set(literal_eval(start(launcher).stdout.decode())[3])
    assert seen - allowed == {"amavis_pipe", "amavis_pipe.bundle", "amavis_pipe.entry"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="missing"),
        pytest.param("def main(:\n", id="syntax error"),
        pytest.param("import nosuch\n", id="missing library"),
        pytest.param("def main(): 1 / 0\n", id="exception"),
        pytest.param("import sys\ndef main(): sys.exit(0)\n", id="sys.exit"),
        pytest.param("def main(): raise KeyboardInterrupt\n", id="interrupt"),
        pytest.param("def main(): raise MemoryError\n", id="no memory"),
        pytest.param("def main(): pass\n", id="returns"),
        pytest.param("import posix\ndef main(): posix.close(2); raise OSError\n", id="no stderr"),
    ],
)
def test_a_package_that_cannot_start_or_comes_back_defers_the_mail(launcher: Path, text: str | None) -> None:
    break_package(launcher, text)
    done = start(launcher, piped=True)
    assert (done.returncode, done.stdout, done.stderr) == (75, REFUSAL, b"")


def test_by_hand_the_reason_is_shown(launcher: Path) -> None:
    break_package(launcher, "import nosuch\n")
    done = start(launcher)
    assert done.returncode == 75
    assert b"No module named 'nosuch'" in done.stderr


def test_a_full_output_does_not_change_the_status(launcher: Path) -> None:
    break_package(launcher, None)
    with open("/dev/full", "wb") as full:
        assert start(launcher, piped=True, stdout=full).returncode == 75
