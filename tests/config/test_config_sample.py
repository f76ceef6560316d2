"""The commented default file, against the option table it is made from."""

import tomllib

import pytest

from amavis_pipe.config import load
from amavis_pipe.config.sample import main, sample, toml
from amavis_pipe.config.schema import OPTIONS


def uncommented():
    """The sample with every option uncommented; the scanner row, which has no defaults of its own, is not."""
    lines = sample().partition("# A further scanner")[0].splitlines()
    return "\n".join(line[1:] if line.startswith("#") and line[1:2].isalpha() else line for line in lines)


def test_as_it_is_it_means_the_defaults():
    assert load.read(tomllib.loads(sample()), "x", sample())[0] == load.defaults()


def test_uncommented_it_means_the_defaults_and_names_every_option():
    tree = tomllib.loads(uncommented())
    assert load.read(tree, "x", uncommented())[0] == load.defaults()
    assert set(load._flat(tree)) == {option.key for option in OPTIONS}


def test_given_values_stand_uncommented():
    text = sample({"state": "/srv/x", "limits.depth": 3})
    tree = tomllib.loads(text)
    assert tree["state"] == "/srv/x"
    assert tree["limits"] == {"depth": 3}


@pytest.mark.parametrize("value", [True, False, 3, "a", 'q"\\uote', ["a", "b"], []])
def test_values_are_written_as_toml_reads_them(value):
    assert tomllib.loads(f"x = {toml(value)}")["x"] == value


def test_the_check_tells_whether_a_file_is_up_to_date(tmp_path, capsys):
    path = tmp_path / "sample.toml"
    path.write_text(sample())
    assert main(["--check", str(path)]) == 0
    path.write_text("old")
    assert main(["--check", str(path)]) == 1
    assert "out of date" in capsys.readouterr().err
