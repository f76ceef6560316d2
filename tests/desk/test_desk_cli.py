"""The commands as typed: names, options, help, statuses."""

import json

import click
import pytest
from stand_in import mails

from amavis_pipe import __version__
from amavis_pipe.desk import cli, front


def every_command(group=cli.commands, before=()):
    """(words, command) of each, those of groups included."""
    for name, command in sorted(group.commands.items()):
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))


COMMANDS = list(every_command())


def test_the_front_knows_the_same_commands():
    assert set(cli.commands.commands) == front.COMMANDS


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_every_command_takes_a_settings_file_and_explains_itself(words, command):
    options = {name for parameter in command.params for name in parameter.opts}
    assert {"-c", "--config"} <= options
    assert command.help
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


def test_help_first_explains_the_three_forms(desk):
    done = desk.run("--help", config=False)
    assert done.returncode == 0
    places = [done.stdout.index(f"  {word} ") for word in ("filter", "trial", "commands", "prune", "scan")]
    assert places == sorted(places)
    assert "amavis-pipe [--json] [--debug] < msg.eml" in done.stdout
    assert "_AMAVIS_PIPE_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    "words",
    [("-h",), ("scan", "--help"), ("cache", "-h"), ("config", "show", "--help"), ("-c", "/x", "--help")],
    ids=" ".join,
)
def test_help_is_given_everywhere(desk, words):
    done = desk.run(*words, config=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: amavis-pipe" in done.stdout


def test_the_version_is_told(desk):
    assert desk.run("--version", config=False).stdout == f"amavis-pipe {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [("scan",), ("scan", "--nonsense"), ("cache",), ("cache", "nonsense"), ("check", "more"), ("config",)],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_said_on_stderr(desk, words):
    done = desk.run(*words, config=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


@pytest.mark.parametrize("words", [("nonsense",), ("-c", "/x", "nonsense"), ("--nonsense",)], ids=" ".join)
def test_an_unknown_command_is_status_2(desk, words):
    done = desk.run(*words, config=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("-c", "{}", "config", "show"), ("--config", "{}", "config", "show"), ("--config={}", "config", "show"),
     ("config", "-c", "{}", "show"), ("config", "show", "-c", "{}"), ("config", "show", "--config={}"),
     ("-c", "/nonexistent", "config", "show", "-c", "{}")],
    ids=" ".join,
)  # fmt: skip
def test_the_settings_file_may_stand_before_or_behind_the_command(desk, words):
    desk.configure("[limits]\ndepth = 7")
    done = desk.run(*[word.format(desk.settings) for word in words], config=False)
    assert done.returncode == 0, done.stderr
    assert "depth = 7" in done.stdout


def test_a_relative_settings_file_is_found_from_where_the_user_is(desk):
    desk.put("mail.eml", mails.infected())
    done = desk.run("scan", "-c", "settings.toml", "files/mail.eml", config=False, cwd=desk.folder)
    assert (done.returncode, done.stderr) == (1, "")
    trial = desk.run(
        "--config", "settings.toml", "--json", config=False, cwd=desk.folder, stdin=mails.plain()
    )
    assert (trial.returncode, trial.stderr) == (0, "")


def test_faulty_settings_are_status_2_with_every_fault(desk):
    desk.configure("[limits]\ndepth = 0\nfiles = 0")
    done = desk.run("scan", "/dev/null")
    assert done.returncode == 2
    assert "limits.depth" in done.stderr
    assert "limits.files" in done.stderr
    assert "Traceback" not in done.stderr


def test_completion_is_offered_whatever_stdin_is(desk):
    done = desk.run(config=False, env={"_AMAVIS_PIPE_COMPLETE": "bash_complete", "COMP_WORDS": "amavis-pipe sc",
                                       "COMP_CWORD": "1", "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert "plain,scan" in done.stdout
    assert "plain,scanners" in done.stdout


def test_a_command_started_by_pipe_is_refused_with_75(desk):
    environment = {"MAIL_CONFIG": "/etc/postfix", "PATH": "/usr/bin:/bin"}
    done = desk.run("scan", "-", stdin=mails.plain(), env=environment)
    assert done.returncode == 75
    assert done.stdout.startswith("4.3.5 ")


def test_a_reader_that_leaves_is_no_traceback(desk):
    import subprocess
    import sys

    from stand_in.desk_site import START

    command = [sys.executable, "-I", "-c", START.format(str(desk.package)), "config", "default"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 2
    assert b"Traceback" not in errors


class TestTrial:
    """The trial form, as far as it belongs to the desk."""

    def test_it_gives_an_account_for_people(self, desk):
        done = desk.trial(mails.infected())
        assert (done.returncode, done.stderr) == (0, "")
        for word in ("a.zip", "eicar.com", "infected", mails.EICAR_NAME, "would discard"):
            assert word in done.stdout

    def test_json_is_one_record(self, desk):
        done = desk.trial(mails.infected(), "--json")
        assert json.loads(done.stdout)["verdict"] == "infected"
        assert done.stdout.count("\n") == 1

    @pytest.mark.parametrize(
        ("mail", "more", "status"),
        [
            (mails.plain(), "", 0),
            (mails.infected(), "", 0),
            (mails.infected(), '[infected]\naction = "bounce"', 0),
            (mails.infected(), '[infected]\naction = "defer"', 75),
            (mails.encrypted(), '[unchecked]\naction = "bounce"', 69),
        ],
        ids=["clean", "discard", "bounce of a virus", "defer", "bounce"],
    )
    def test_its_status_is_what_the_filter_would_leave_with(self, desk, mail, more, status):
        desk.configure(more)
        assert desk.trial(mail).returncode == status

    def test_trouble_is_told_and_75(self, desk):
        desk.configure('[[scanner]]\nname = "clamd"\nat = "/nonexistent"', scanners='["clamd"]')
        done = desk.trial(mails.plain())
        assert done.returncode == 75
        assert "clamd at /nonexistent" in done.stdout
        record = json.loads(desk.trial(mails.plain(), "--json").stdout)
        assert record["verdict"] is None
        assert record["trouble"]

    def test_it_stores_and_sends_nothing(self, desk):
        desk.configure('forward = "file:/nonexistent"')
        desk.trial(mails.infected())
        assert list((desk.state / "quarantine").iterdir()) == []
        assert list((desk.state / "journal").iterdir()) == []

    def test_without_settings_it_says_so_and_uses_defaults(self, desk):
        done = desk.run("--config", "/nonexistent.toml", config=False, stdin=mails.infected())
        assert done.stdout.startswith(
            "no settings: /nonexistent.toml: No such file or directory; using defaults"
        )
        assert mails.EICAR_NAME in done.stdout

    def test_as_any_user_it_works_without_a_place_of_its_own(self, desk):
        done = desk.run("--json", config=False, stdin=mails.infected(), user="nobody")
        assert json.loads(done.stdout)["verdict"] == "infected"

    def test_debug_tells_each_step_on_stderr(self, desk):
        done = desk.trial(mails.plain(), "--debug")
        for word in ("read ", "settings: ", "scanner builtin", "decoder: ", "sandbox"):
            assert f"debug: {word}" in done.stderr
        assert "debug" not in done.stdout

    def test_nothing_on_stdin_is_status_2_and_no_record(self, desk):
        done = desk.trial(b"", "--json")
        assert done.returncode == 2
        assert done.stdout == ""
