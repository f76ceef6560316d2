"""contrib/postfix/setup on a copy of a real Postfix configuration; no Postfix is started.

The package is a stand-in that answers what the script asks of it, below a folder that the
filter's user (here: nobody) can read.
"""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MASTER = Path("/usr/share/postfix/master.cf.dist")
BUNDLE = "open(__file__.rpartition('/desk/')[0] + '/__pycache__/hot', 'w').close()\n"
"""A stand-in that shows it ran."""

ENTRY = """
import posix, sys
def main():
    words = sys.argv[1:]
    if words == ["config", "default"]:
        print("# The state folder\\n#state = \\"/var/lib/amavis-pipe\\"")
        print("# How mail goes on\\n#forward = \\"sendmail\\"\\n[limits]\\n#depth = 14")
    elif words == ["--version"]:
        print("amavis-pipe 0")
    elif words[:2] == ["check", "--config"]:
        print("checked", open(words[2]).read().count("state"))
    else:
        sys.stdout.write("4.3.0 what?")
    sys.stdout.flush()
    posix._exit(0)
"""
SUBMISSION = """
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
# a comment within
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
  -o receive_override_options=no_milters
  -o message_size_limit=5000000
127.0.0.1:10026 inet n - y - - smtpd -v
  -o content_filter=
"""


WRAPPER = """#!/bin/sh
# postconf; what it changed looks old, for it would wait two seconds before it reads a new file
status=0
case " $* " in {case}) {do} ;; esac
/usr/sbin/postconf "$@" || status=$?
touch -d "1 minute ago" "{config}/main.cf" "{config}/master.cf"
exit $status
"""


@dataclass
class Site:
    """A Postfix configuration, and all that the script writes, below one folder."""

    root: Path
    config: Path

    @property
    def script(self) -> Path:
        return self.root / "checkout/contrib/postfix/setup"

    def options(self) -> list[str]:
        places = {
            "--state": self.root / "state",
            "--settings": self.root / "etc/amavis-pipe.toml",
            "--launcher": self.root / "bin/amavis-pipe",
            "--package-path": self.root / "package",
            "--cron": self.root / "cron.d",
            "--user": "nobody",
        }
        return [str(word) for pair in places.items() for word in pair]

    def run(self, action: str, *more: str) -> subprocess.CompletedProcess[str]:
        words = ["sh", str(self.script), action, "--postfix-config", str(self.config)]
        if action == "install":
            words += self.options()
        return subprocess.run([*words, *more], capture_output=True, text=True, check=False)

    def install(self, *more: str) -> str:
        done = self.run("install", *more)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def undo(self, *more: str) -> str:
        done = self.run("undo", *more)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def wrap(self, case: str = "never", do: str = ":") -> None:
        """Let the script call a postconf that first does `do` when its arguments match `case`."""
        wrapper = self.root / "wrap/postconf"
        wrapper.write_text(WRAPPER.format(case=case, do=do, config=self.config))
        wrapper.chmod(0o755)

    def postconf(self, *words: str) -> str:
        return subprocess.run(
            [str(self.root / "wrap/postconf"), "-c", str(self.config), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        ).stdout

    def picture(self) -> str:
        """All that Postfix knows of its configuration."""
        return self.postconf("-n") + self.postconf("-M") + self.postconf("-P")

    def meaning(self) -> list[str]:
        """The same, whatever the order of options in master.cf, which has no meaning."""
        entries = [line.split(" -o ")[0] for line in self.postconf("-M").splitlines()]
        return [self.postconf("-n"), *entries, *sorted(self.postconf("-P").splitlines())]

    def tree(self) -> dict[str, bytes]:
        """Every file but what is compiled, with its content."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files if path.parent.name != "__pycache__"}

    def option(self, key: str) -> str:
        return self.postconf("-Ph", key).rstrip("\n")

    def main(self, name: str) -> str:
        return self.postconf("-xh", name).rstrip("\n")

    def add_master(self, text: str) -> None:
        with (self.config / "master.cf").open("a") as file:
            file.write(text)


def free_port() -> int:
    """A port of 127.0.0.1 and [::1] where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@dataclass
class Way:
    """A way back by SMTP: what --reentry gets, and the name of its entry in master.cf."""

    at: str

    @property
    def words(self) -> tuple[str, str]:
        return "--reentry", f"smtp:{self.at}"

    @property
    def entry(self) -> str:
        return f"{self.at}/inet"


SENDMAIL = ("--reentry", "sendmail")


@pytest.fixture(params=["127.0.0.1", "127.1.2.3", "[::1]"])
def way(request: pytest.FixtureRequest) -> Way:
    return Way(f"{request.param}:{free_port()}")


@pytest.fixture
def smtp() -> Way:
    return Way(f"127.0.0.1:{free_port()}")


@pytest.fixture
def site() -> Iterator[Site]:
    # Not pytest's own temporary folder, which is closed to other users.
    root = Path(tempfile.mkdtemp(prefix="amavis-pipe-setup-", dir="/var/tmp"))
    root.chmod(0o755)
    for name in ("postfix", "etc", "bin", "cron.d", "wrap", "package/amavis_pipe"):
        (root / name).mkdir(parents=True)
    shutil.copytree(CHECKOUT / "contrib", root / "checkout/contrib")
    shutil.copy2("/usr/share/postfix/main.cf.debian", root / "postfix/main.cf")
    shutil.copy(MASTER, root / "postfix/master.cf")
    (root / "package/amavis_pipe/__init__.py").write_text("")
    (root / "package/amavis_pipe/entry.py").write_text(ENTRY)
    (root / "package/amavis_pipe/bundle.py").write_text("def use(): pass\n")
    (root / "package/amavis_pipe/desk").mkdir()
    (root / "package/amavis_pipe/desk/bundle.py").write_text(BUNDLE)
    made = Site(root, root / "postfix")
    made.wrap()
    script = made.script.read_text()
    assert "\nPATH=" in script
    made.script.write_text(script.replace("\nPATH=", f"\nPATH={root}/wrap:", 1))
    yield made
    shutil.rmtree(root)


def test_install_sets_what_the_commented_pieces_say(site: Site) -> None:
    site.install()
    by_hand = pieces_of(site)
    for entry in ("amavis/unix", "pickup/unix"):
        assert site.postconf("-M", entry) == by_hand.postconf("-M", entry)
    assert site.postconf("-P", "smtp/inet") == by_hand.postconf("-P", "smtp/inet")
    for name in ("message_size_limit", "amavis_time_limit"):
        assert site.main(name) == by_hand.main(name)


def test_install_with_smtp_sets_what_the_commented_pieces_say(site: Site, way: Way) -> None:
    site.install(*way.words)
    by_hand = pieces_of(site)
    piece = by_hand.postconf("-M", "127.0.0.1:10025/inet").replace("127.0.0.1:10025", way.at)
    if way.at.startswith("["):
        piece = piece.replace("127.0.0.0/8", "[::1]/128")
    assert site.postconf("-M", way.entry).split() == piece.split()
    assert site.postconf("-M", "amavis/unix") == by_hand.postconf("-M", "amavis/unix")
    assert site.postconf("-P", "smtp/inet") == by_hand.postconf("-P", "smtp/inet")
    assert site.option("pickup/unix/content_filter") == ""
    assert site.postconf("-P", "pickup/unix").splitlines() == [
        "pickup/unix/content_filter =",
        "pickup/unix/smtputf8_autodetect_classes = verify",
    ]
    assert site.main("message_size_limit") == by_hand.main("message_size_limit")


def pieces_of(site: Site) -> Site:
    """A configuration made of the pieces alone, with this site's paths."""
    expected = (CHECKOUT / "contrib/postfix/master.cf").read_text()
    for there, here in (
        ("/etc/postfix", site.config),
        (
            "/usr/local/bin/amavis-pipe",
            f"{site.root}/bin/amavis-pipe --config {site.root}/etc/amavis-pipe.toml",
        ),
        ("user=vscan", "user=nobody"),
    ):
        assert there in expected
        expected = expected.replace(there, str(here))
    pieces = site.root / "pieces"
    pieces.mkdir()
    (pieces / "master.cf").write_text(expected)
    shutil.copy2(CHECKOUT / "contrib/postfix/main.cf", pieces)
    return Site(site.root, pieces)


def test_undo_puts_postfix_back_as_it_was(site: Site) -> None:
    site.add_master(SUBMISSION)
    before = site.picture()
    site.install()
    assert site.picture() != before
    site.undo()
    assert site.picture() == before
    assert not (site.root / "bin/amavis-pipe").exists()
    assert not (site.root / "cron.d/amavis-pipe").exists()
    assert not (site.config / "amavis-pipe.dsn").exists()
    assert (site.root / "etc/amavis-pipe.toml").exists()
    assert (site.root / "state").is_dir()


def test_undo_purge_removes_all_that_install_made(site: Site) -> None:
    before = set(site.tree())
    site.install()
    site.undo("--purge")
    assert set(site.tree()) == before
    assert not (site.root / "state").exists()


def test_purge_works_after_a_plain_undo_too(site: Site) -> None:
    before = set(site.tree())
    site.install()
    site.undo()
    site.undo("--purge")
    assert set(site.tree()) == before


def test_purge_keeps_settings_and_state_that_were_there_before(site: Site) -> None:
    settings, state = site.root / "etc/amavis-pipe.toml", site.root / "state"
    settings.write_text("# mine\n")
    state.mkdir(0o700)
    shutil.chown(state, "nobody", "nogroup")
    site.install()
    site.undo("--purge")
    assert settings.read_text() == "# mine\n"
    assert state.is_dir()


def test_a_second_install_changes_nothing_and_undo_still_goes_back(site: Site) -> None:
    site.add_master(SUBMISSION)
    before = site.picture()
    site.install()
    files = site.tree()
    site.install()
    assert site.tree() == files
    site.undo()
    assert site.picture() == before


def test_an_install_with_other_options_is_undone_to_the_beginning(site: Site) -> None:
    site.add_master(SUBMISSION)
    before = site.picture()
    site.install("--service", "smtp")
    assert site.option("submission/inet/content_filter") == ""
    site.install("--maxproc", "7")
    assert site.postconf("-M", "amavis/unix").split()[6] == "7"
    assert site.option("submission/inet/content_filter") == "amavis:dummy"
    site.undo()
    assert site.picture() == before


@pytest.mark.parametrize("before", ["20", "15"], ids=["Postfix's own", "set before"])
def test_more_filters_than_postfix_gives_one_next_hop_are_let_run(site: Site, before: str) -> None:
    name = "amavis_destination_concurrency_limit"
    if before != "20":
        site.postconf("-e", f"{name}={before}")
    picture = site.picture()
    site.install()
    assert site.main(name) == before
    site.install("--maxproc", "32")
    assert site.main(name) == "32"
    site.install("--maxproc", "20")
    assert site.main(name) == before
    site.install("--maxproc", "32")
    site.undo()
    assert site.picture() == picture


SMTP = ("smtp",)
"""Stands for a way back by SMTP in a table."""
WRITES = """*" -e "* | *" -M "*=* | *" -P "*=* | *" -MX "* | *" -PX "*"""


@pytest.mark.parametrize(
    ("first", "then", "least"),
    [
        pytest.param(None, SENDMAIL, 12, id="sendmail"),
        pytest.param(None, SMTP, 12, id="smtp"),
        pytest.param(SENDMAIL, SMTP, 2, id="sendmail to smtp"),
        pytest.param(SMTP, SENDMAIL, 2, id="smtp to sendmail"),
    ],
)
def test_an_interrupted_install_is_undone_wherever_it_stopped(
    site: Site, smtp: Way, first: tuple[str, ...] | None, then: tuple[str, ...], least: int
) -> None:
    site.add_master(SUBMISSION)
    site.postconf("-e", "mailbox_size_limit=10240000", "amavis_time_limit=99s")
    before = site.picture()
    first, then = (smtp.words if words is SMTP else words for words in (first, then))
    count = site.root / "count"
    stops = 0
    while True:
        kill = f'[ "$(wc -l <"{count}")" -le {stops} ] || kill -KILL "$PPID"'
        if first:
            site.install(*first)
        site.wrap(WRITES, f'echo >>"{count}"; {kill}')
        done = site.run("install", *then)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        stops += 1
        site.wrap()
        count.unlink()
        site.undo()
        assert site.picture() == before, f"killed before change {stops}"
    assert stops == len(count.read_text())
    assert stops >= least
    site.wrap()
    site.undo()
    assert site.picture() == before


def test_a_failing_postconf_ends_the_install_with_2_and_says_how_to_go_on(site: Site) -> None:
    site.wrap('*" -e "*', "exit 1")
    done = site.run("install")
    assert done.returncode == 2
    assert "did not finish" in done.stderr
    assert site.option("smtp/inet/content_filter") == ""


def test_old_values_are_merged_kept_and_put_back(site: Site) -> None:
    site.add_master(SUBMISSION)
    site.install()
    assert site.option("submission/inet/receive_override_options") == "no_milters,no_address_mappings"
    assert site.option("submission/inet/message_size_limit") == "5000000"
    assert site.option("submission/inet/syslog_name") == "postfix/submission"
    assert site.option("127.0.0.1:10026/inet/content_filter") == ""
    site.undo()
    assert site.option("submission/inet/receive_override_options") == "no_milters"


def test_override_options_of_main_cf_are_kept_on_the_entries(site: Site) -> None:
    site.postconf("-e", "receive_override_options=no_milters")
    site.install()
    assert site.option("smtp/inet/receive_override_options") == "no_milters,no_address_mappings"
    assert site.option("pickup/unix/receive_override_options") == "no_milters,no_header_body_checks"


def test_undo_leaves_what_the_administrator_changed_since_and_says_so(site: Site) -> None:
    site.install()
    site.postconf("-e", "message_size_limit=50000000")
    done = site.run("undo")
    assert done.returncode == 1
    assert "message_size_limit was changed since" in done.stderr
    assert site.main("message_size_limit") == "50000000"
    assert site.option("smtp/inet/content_filter") == ""


def test_a_limit_the_administrator_raised_since_is_raised_by_the_next_install(site: Site) -> None:
    site.install()
    site.postconf("-e", "message_size_limit=50000000")
    site.install()
    assert site.main("message_size_limit") == "50456161"
    assert site.option("smtp/inet/message_size_limit") == "50000000"
    site.undo()
    assert site.main("message_size_limit") == "50000000"


@pytest.mark.parametrize(
    ("set_before", "on_smtp", "main_after", "smtp_after"),
    [
        pytest.param("", "", "10385536", "10240000", id="default"),
        pytest.param("20000000", "", "20221786", "20000000", id="set"),
        pytest.param("12345678", "", "12507664", "12345678", id="uneven"),
        pytest.param("0", "", "0", "", id="unlimited stays"),
        pytest.param("0", "7000", "0", "7000", id="unlimited, but not at the door"),
        pytest.param("20000000", "7000", "20221786", "7000", id="a lower one at the door stays"),
        pytest.param("20000000", "90000000", "20221786", "20000000", id="a higher one never held"),
        pytest.param("20000000", "0", "20221786", "20000000", id="none at the door never held"),
        pytest.param("$our_limit", "", "20221786", "20000000", id="by another parameter"),
    ],
)
def test_the_size_limit_leaves_room_for_our_header(
    site: Site, set_before: str, on_smtp: str, main_after: str, smtp_after: str
) -> None:
    if set_before:
        site.postconf("-e", "our_limit=20000000", f"message_size_limit={set_before}")
    if on_smtp:
        site.postconf("-P", f"smtp/inet/message_size_limit={on_smtp}")
    before = site.picture()
    for _ in range(2):
        site.install()
        assert site.main("message_size_limit") == main_after
        assert site.option("smtp/inet/message_size_limit") == smtp_after
    site.undo()
    assert site.picture() == before


@pytest.mark.parametrize("name", ["mailbox_size_limit", "virtual_mailbox_limit"])
def test_mailbox_limits_are_never_below_the_raised_limit(site: Site, name: str) -> None:
    site.postconf("-e", f"{name}=10240000")
    before = site.picture()
    site.install()
    assert site.main(name) == "10385536"
    site.undo()
    assert site.picture() == before


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        pytest.param(
            "-e", "content_filter=smtp:[127.0.0.1]:10024", "main.cf has content_filter", id="in main.cf"
        ),
        pytest.param(
            "-P", "smtp/inet/content_filter=smtp:[127.0.0.1]:10024", "smtp/inet has content_filter", id="smtp"
        ),
        pytest.param("-P", "pickup/unix/content_filter=scan:", "pickup/unix has content_filter", id="pickup"),
        pytest.param("-M", "amavis/unix=amavis unix - - n - 2 smtp", 'entry "amavis"', id="entry amavis"),
    ],
)
def test_a_filter_of_someone_else_is_refused_and_replaced_only_by_force(
    site: Site, kind: str, words: str, said: str
) -> None:
    site.postconf(kind, words)
    before, files = site.picture(), site.tree()
    done = site.run("install")
    assert done.returncode == 2
    assert said in done.stderr
    assert site.tree() == files
    site.install("--force")
    assert site.option("smtp/inet/content_filter") == "amavis:dummy"
    site.undo()
    assert site.picture() == before


def test_behind_postscreen_the_smtpd_entry_is_filtered(site: Site) -> None:
    site.postconf("-M", "smtp/inet=smtp inet n - y - 1 postscreen")
    site.postconf("-M", "smtpd/pass=smtpd pass - - y - - smtpd")
    before = site.picture()
    site.install()
    assert site.option("smtpd/pass/content_filter") == "amavis:dummy"
    assert site.option("smtp/inet/content_filter") == ""
    site.undo()
    assert site.picture() == before


def test_an_unfinished_install_is_not_called_done_by_status(site: Site) -> None:
    assert site.run("status").returncode == 1
    site.install()
    done = site.run("status")
    assert done.returncode == 0, done.stdout
    assert "filtered      smtp/inet" in done.stdout
    (site.config / "amavis-pipe.dsn").unlink()
    assert site.run("status").returncode == 1
    site.undo()
    assert site.run("status").returncode == 1


def test_dry_run_changes_nothing(site: Site) -> None:
    before = site.tree()
    said = site.install("--dry-run")
    assert "smtp/inet/content_filter=amavis:dummy" in said
    assert site.tree() == before
    site.install()
    before = site.tree()
    said = site.undo("--dry-run", "--purge")
    assert "-PX smtp/inet/content_filter" in said
    assert site.tree() == before


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(
            '5.3.0 Command died with status 1: "x"', '4.3.0 Command died with status 1: "x"', id="traceback"
        ),
        pytest.param(
            '5.3.0 Command died with status 127: "x". Command output: a',
            '4.3.0 Command died with status 127: "x". Command output: a',
            id="wrapper",
        ),
        pytest.param(
            '5.3.0 Command time limit exceeded: "x"',
            '4.3.0 Command time limit exceeded: "x"',
            id="time limit",
        ),
        pytest.param("5.7.1 banned name", "", id="ours on purpose"),
        pytest.param("5.3.0 service unavailable", "", id="a bare 69"),
        pytest.param("4.3.0 temporary failure", "", id="temporary already"),
        pytest.param("2.0.0 delivered via amavis service", "", id="delivered"),
    ],
)
def test_the_table_makes_only_faults_of_the_filter_temporary(site: Site, status: str, answer: str) -> None:
    table = CHECKOUT / "contrib/postfix/amavis-pipe.dsn"
    done = subprocess.run(
        ["postmap", "-c", str(site.config), "-q", status, f"regexp:{table}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.rstrip("\n") == answer


def test_files_have_the_owners_and_modes_they_need(site: Site) -> None:
    site.install()

    def seen(name: str) -> tuple[str, str, str]:
        path = site.root / name
        return oct(stat.S_IMODE(path.stat().st_mode)), path.owner(), path.group()

    assert seen("state") == ("0o700", "nobody", "nogroup")
    for name in ("cache", "journal", "quarantine", "work"):
        assert seen(f"state/{name}") == ("0o700", "nobody", "nogroup")
    assert seen("etc/amavis-pipe.toml") == ("0o640", "root", "nogroup")
    assert seen("bin/amavis-pipe") == ("0o755", "root", "root")
    assert seen("cron.d/amavis-pipe") == ("0o644", "root", "root")
    assert seen("postfix/amavis-pipe.dsn") == ("0o644", "root", "root")
    assert seen("postfix/amavis-pipe.undo") == ("0o600", "root", "root")


def test_settings_name_the_state_folder_and_are_never_overwritten(site: Site) -> None:
    site.install()
    settings = site.root / "etc/amavis-pipe.toml"
    assert settings.read_text().splitlines()[1] == f'state = "{site.root}/state"'
    settings.write_text("# mine\n")
    site.install()
    assert settings.read_text() == "# mine\n"


def test_the_cron_file_names_user_program_and_settings(site: Site) -> None:
    site.install()
    line = (site.root / "cron.d/amavis-pipe").read_text().splitlines()[-1]
    assert line.split()[5] == "nobody"
    assert line.count(f"{site.root}/bin/amavis-pipe") == 2
    assert f"{site.root}/etc/amavis-pipe.toml" in line


def test_byte_code_is_made_for_a_user_who_cannot_write_it(site: Site) -> None:
    site.install()
    assert list((site.root / "package/amavis_pipe/__pycache__").glob("entry.*.pyc"))
    assert (site.root / "package/amavis_pipe/__pycache__/hot").exists()


def test_a_package_the_user_cannot_read_is_refused_before_postfix_is_touched(site: Site) -> None:
    before = site.picture()
    (site.root / "package").chmod(0o700)
    done = site.run("install")
    assert done.returncode == 2
    assert "nobody cannot read" in done.stderr
    assert site.picture() == before


def test_a_package_the_user_could_change_is_refused(site: Site) -> None:
    os.chmod(site.root / "package/amavis_pipe/entry.py", 0o666)
    done = site.run("install")
    assert done.returncode == 2
    assert "must not be able to write" in done.stderr


def test_files_of_someone_else_are_not_overwritten(site: Site) -> None:
    (site.root / "bin/amavis-pipe").write_text("#!/bin/sh\n")
    done = site.run("install")
    assert done.returncode == 2
    assert "not written by this script" in done.stderr
    assert (site.root / "bin/amavis-pipe").read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--state", "relative"], id="relative path"),
        pytest.param(["--state", "/var/lib/a b"], id="blank in a path"),
        pytest.param(["--launcher", "/usr/bin/${x}"], id="macro in a path"),
        pytest.param(["--settings", "/etc/../x"], id="dots in a path"),
        pytest.param(["--user", "root"], id="root"),
        pytest.param(["--user", "postfix"], id="postfix"),
        pytest.param(["--maxproc", "0"], id="no process"),
        pytest.param(["--service", "nosuch"], id="unknown service"),
        pytest.param(["--reentry", "smtp"], id="smtp to nowhere"),
        pytest.param(["--reentry", "smtp:10025"], id="re-entry without address"),
        pytest.param(["--reentry", "smtp:localhost:10025"], id="re-entry by name"),
        pytest.param(["--reentry", "smtp:192.0.2.1:10025"], id="re-entry for others"),
        pytest.param(["--reentry", "smtp:0.0.0.0:10025"], id="re-entry for everybody"),
        pytest.param(["--reentry", "smtp:127.0.0.256:10025"], id="no address"),
        pytest.param(["--reentry", "smtp:127.0.0.1.2:10025"], id="long address"),
        pytest.param(["--reentry", "smtp:[::]:10025"], id="re-entry for everybody by IPv6"),
        pytest.param(["--reentry", "smtp:::1:10025"], id="no brackets"),
        pytest.param(["--reentry", "smtp:127.0.0.1:0"], id="port 0"),
        pytest.param(["--reentry", "smtp:127.0.0.1:65536"], id="port too high"),
        pytest.param(["--reentry", "smtp:127.0.0.1:smtp"], id="port by name"),
        pytest.param(["--reentry", "smtp:127.0.0.1:10025\nsmtp:127.0.0.1:10025"], id="two lines"),
        pytest.param(["--reentry", "file:/x"], id="no way back"),
        pytest.param(["--nosuch", "x"], id="unknown option"),
        pytest.param(["--user"], id="missing value"),
        pytest.param(["more"], id="word too many"),
        pytest.param(["--package-path", "/var"], id="no package"),
    ],
)
def test_bad_options_end_with_2_and_change_nothing(site: Site, words: list[str]) -> None:
    before = site.tree()
    done = site.run("install", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("setup: ")
    assert site.tree() == before


def test_undo_after_smtp_puts_postfix_back_as_it_was(site: Site, way: Way) -> None:
    site.add_master(SUBMISSION)
    before = site.picture()
    site.install(*way.words)
    assert site.postconf("-M", way.entry)
    site.undo()
    assert site.picture() == before


def test_ways_are_switched_to_and_fro_as_if_there_had_been_one(site: Site, smtp: Way) -> None:
    site.add_master(SUBMISSION)
    other = Way(f"[::1]:{free_port()}")
    before = site.picture()
    meanings: dict[tuple[str, ...], list[str]] = {}
    for words in (SENDMAIL, smtp.words, other.words, SENDMAIL, other.words, smtp.words, SENDMAIL):
        site.install(*words)
        assert meanings.setdefault(words, site.meaning()) == site.meaning()
    assert smtp.at not in str(meanings[other.words])
    assert not any(way.at in str(meanings[SENDMAIL]) for way in (smtp, other))
    assert site.option("pickup/unix/receive_override_options") == "no_header_body_checks"
    site.install(*other.words)
    assert site.option("pickup/unix/receive_override_options") == ""
    site.undo()
    assert site.picture() == before


def test_a_second_install_keeps_the_way_of_the_first(site: Site, smtp: Way) -> None:
    site.install(*smtp.words)
    files = site.tree()
    assert "ATTENTION" not in site.install()
    assert site.tree() == files


def test_header_checks_that_pickup_left_out_before_stay_left_out(site: Site, smtp: Way) -> None:
    site.postconf("-P", "pickup/unix/receive_override_options=no_header_body_checks")
    before = site.picture()
    site.install(*SENDMAIL)
    site.install(*smtp.words)
    assert site.option("pickup/unix/receive_override_options") == "no_header_body_checks"
    site.undo()
    assert site.picture() == before


def test_what_was_changed_on_pickup_since_is_left_when_the_way_changes(site: Site, smtp: Way) -> None:
    site.install(*SENDMAIL)
    site.postconf("-P", "pickup/unix/receive_override_options=no_milters")
    assert "receive_override_options was changed since" in site.install(*smtp.words)
    assert site.option("pickup/unix/receive_override_options") == "no_milters"


def test_the_settings_that_are_written_name_the_way(site: Site, way: Way) -> None:
    said = site.install(*way.words)
    lines = (site.root / "etc/amavis-pipe.toml").read_text().splitlines()
    assert lines[1] == f'state = "{site.root}/state"'
    assert lines[3] == f'forward = "smtp:{way.at}"'
    assert lines[4] == "[limits]"
    assert "ATTENTION" not in said


def test_without_smtp_the_settings_keep_the_default(site: Site) -> None:
    site.install()
    assert '#forward = "sendmail"' in (site.root / "etc/amavis-pipe.toml").read_text()


@pytest.mark.parametrize(
    ("there", "to_smtp", "noted"),
    [
        pytest.param("", True, "header_checks may run twice", id="default, smtp"),
        pytest.param("forward = 'sendmail'", True, "header_checks may run twice", id="sendmail, smtp"),
        pytest.param("forward='smtp:{at}' # x", True, "", id="smtp, smtp"),
        pytest.param("forward = 'smtp:127.0.0.1:9'", True, "stays in the queue", id="elsewhere, smtp"),
        pytest.param("[x]\nforward = 'smtp:{at}'", True, "header_checks may", id="in a section, smtp"),
        pytest.param("forward = 'smtp:{at}'", False, "stays in the queue", id="smtp, sendmail"),
        pytest.param("", False, "", id="default, sendmail"),
        pytest.param("forward = ", False, 'says forward = "?"', id="faulty"),
    ],
)
def test_settings_that_were_there_are_left_with_a_loud_note_if_they_mean_another_way(
    site: Site, smtp: Way, there: str, to_smtp: bool, noted: str
) -> None:
    text = there.format(at=smtp.at) + "\n# state\n"
    (site.root / "etc/amavis-pipe.toml").write_text(text)
    words = smtp.words if to_smtp else SENDMAIL
    for said in (site.install("--dry-run", *words), site.install(*words)):
        assert ("ATTENTION" in said) is bool(noted)
        assert noted in said
    assert (site.root / "etc/amavis-pipe.toml").read_text() == text


def test_a_switch_of_the_way_leaves_the_settings_and_says_so(site: Site, smtp: Way) -> None:
    site.install(*smtp.words)
    text = (site.root / "etc/amavis-pipe.toml").read_text()
    said = site.install(*SENDMAIL)
    assert f'says forward = "smtp:{smtp.at}", Postfix is set up for "sendmail"' in said
    assert (site.root / "etc/amavis-pipe.toml").read_text() == text


@pytest.mark.parametrize("entry", ["127.0.0.1:{}", "[::1]:{}", "192.0.2.1:{}", "{}", "localhost:{}"])
def test_a_port_of_another_entry_is_refused(site: Site, smtp: Way, entry: str) -> None:
    name = entry.format(smtp.at.rpartition(":")[2])
    site.add_master(f"{name} inet n - n - - smtpd\n  -o content_filter=\n")
    files = site.tree()
    done = site.run("install", *smtp.words)
    assert done.returncode == 2
    assert name in done.stderr
    assert "another" in done.stderr
    assert site.tree() == files


@pytest.mark.parametrize("port", ["25", "587"])
def test_a_port_of_another_entry_is_refused_by_its_name_too(site: Site, port: str) -> None:
    site.add_master(SUBMISSION)
    done = site.run("install", "--reentry", f"smtp:127.0.0.1:{port}")
    assert done.returncode == 2
    assert f"port {port} is that of" in done.stderr


def test_an_entry_of_the_same_name_is_replaced_only_by_force_and_put_back(site: Site, smtp: Way) -> None:
    site.add_master(f"{smtp.at} inet n - n - 5 smtpd\n  -o content_filter=\n  -o {{ mynetworks = ::1, x }}\n")
    before = site.picture()
    assert site.run("install", *smtp.words).returncode == 2
    site.install("--force", *smtp.words)
    assert site.option(f"{smtp.entry}/mynetworks") == "127.0.0.0/8"
    site.install(*SENDMAIL)
    assert site.option(f"{smtp.entry}/mynetworks") == "::1, x"
    site.install("--force", *smtp.words)
    site.undo()
    assert site.picture() == before


def test_a_port_on_which_a_program_listens_is_refused_since_postfix_would_end(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        done = site.run("install", "--reentry", f"smtp:{at}")
    assert done.returncode == 2
    assert f"nothing can listen at {at}: Address already in use" in done.stderr


def test_what_listens_is_no_hindrance_where_the_entry_is_there_already(site: Site, smtp: Way) -> None:
    site.install(*smtp.words)
    with socket.create_server(("127.0.0.1", int(smtp.at.rpartition(":")[2]))):
        site.install(*smtp.words)


@pytest.mark.parametrize(
    ("protocols", "host", "right"),
    [
        ("ipv4", "127.0.0.1", True),
        ("ipv4", "[::1]", False),
        ("ipv6", "127.0.0.1", False),
        ("ipv4, ipv6", "[::1]", True),
    ],
)
def test_an_address_that_postfix_does_not_speak_is_refused(
    site: Site, protocols: str, host: str, right: bool
) -> None:
    site.postconf("-e", f"inet_protocols={protocols}")
    done = site.run("install", "--dry-run", "--reentry", f"smtp:{host}:{free_port()}")
    assert (done.returncode == 0) is right
    assert ("inet_protocols" in done.stderr) is not right


def test_the_way_back_is_never_filtered(site: Site, way: Way) -> None:
    site.install(*way.words)
    for words in ((), way.words, SENDMAIL):
        done = site.run("install", "--service", "smtp", "--service", way.at, *words)
        assert done.returncode == 2
        assert f"mail that was filtered comes back by {way.entry}" in done.stderr
    site.install("--service", "smtp")
    assert site.option(f"{way.entry}/content_filter") == ""
    assert "\n" + way.entry + "/content_filter =\n" in "\n" + site.postconf("-P", way.entry)


@pytest.mark.parametrize("name", ["127.0.0.1:10026", "[::1]:10026", "localhost:10026"])
def test_a_way_back_made_by_hand_is_never_filtered(site: Site, name: str) -> None:
    site.add_master(f"{name} inet n - n - - smtpd\n  -o content_filter=\n")
    done = site.run("install", "--service", "smtp", "--service", name)
    assert done.returncode == 2
    assert f"comes back by {name}/inet" in done.stderr
    site.install()
    assert site.option(f"{name}/inet/content_filter") == ""


def test_a_door_on_a_loopback_address_can_be_filtered(site: Site) -> None:
    site.add_master("127.0.0.1:10026 inet n - n - - smtpd\n")
    site.install("--service", "127.0.0.1:10026")
    assert site.option("127.0.0.1:10026/inet/content_filter") == "amavis:dummy"


def test_the_limit_where_mail_comes_back_is_the_raised_one_of_main_cf(site: Site, smtp: Way) -> None:
    site.install(*smtp.words)
    assert site.option(f"{smtp.entry}/message_size_limit") == ""
    assert site.option("smtp/inet/message_size_limit") == "10240000"
    assert site.main("message_size_limit") == "10385536"


def test_the_way_back_runs_chrooted_where_the_door_does(site: Site, smtp: Way) -> None:
    site.postconf("-F", "smtp/inet/chroot=n")
    site.install(*smtp.words)
    assert site.postconf("-M", smtp.entry).split()[4] == "n"


def test_dry_run_shows_the_way_back_and_changes_nothing(site: Site, smtp: Way) -> None:
    before = site.tree()
    said = site.install("--dry-run", *smtp.words)
    assert f"-M '{smtp.entry}={smtp.at} inet n - y - - smtpd -o content_filter= " in said
    assert site.tree() == before
    site.install(*smtp.words)
    before = site.tree()
    said = site.install("--dry-run", *SENDMAIL)
    assert f"-MX {smtp.entry}" in said or f"-MX '{smtp.entry}'" in said
    assert site.tree() == before


def test_status_tells_the_way_back(site: Site, smtp: Way) -> None:
    site.install()
    assert "way back      sendmail, says" in site.run("status").stdout
    site.undo("--purge")
    site.install(*smtp.words)
    done = site.run("status")
    assert done.returncode == 0, done.stdout
    assert f"way back      smtp:{smtp.at}, says {site.root}/etc/amavis-pipe.toml\n" in done.stdout
    assert f"comes back    {smtp.entry}\n" in done.stdout


def test_status_is_not_content_when_settings_and_postfix_mean_different_ways(site: Site, smtp: Way) -> None:
    settings = site.root / "etc/amavis-pipe.toml"
    site.install(*smtp.words)
    settings.write_text("")
    done = site.run("status")
    assert done.returncode == 1
    assert f"unused        {smtp.entry}" in done.stdout
    site.install(*SENDMAIL)
    assert site.run("status").returncode == 0
    settings.write_text(f'forward = "smtp:{smtp.at}"\n')
    done = site.run("status")
    assert done.returncode == 1
    assert f"missing       {smtp.entry} in master.cf" in done.stdout


def test_status_allows_for_a_proxy_before_the_way_back(site: Site, smtp: Way) -> None:
    site.install(*smtp.words)
    (site.root / "etc/amavis-pipe.toml").write_text('forward = "smtp:127.0.0.1:9"\n')
    done = site.run("status")
    assert done.returncode == 0
    assert f"127.0.0.1:9/inet is not in master.cf: does it lead to {smtp.entry}" in done.stdout
