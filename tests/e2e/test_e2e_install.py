"""What the set-up script does to a Postfix that runs, and that it takes it back."""

import stat

from harness import mails
from harness.site import Site

MAIL = mails.mail(b"a mail")


def test_undo_puts_a_postfix_back_that_delivers_unfiltered_and_install_goes_again(site: Site) -> None:
    after = site.postfix.picture()
    assert after != site.before
    site.setup("undo")
    try:
        assert site.postfix.picture() == site.before
        site.postfix.reload()
        site.send(MAIL)
        (arrived,) = site.finished()
        assert arrived.field(b"X-Virus-Scanned") is None
        assert arrived.data.endswith(MAIL)
    finally:
        site.install()
        site.postfix.reload()
    assert site.postfix.picture() == after
    site.send(MAIL)
    assert site.finished()[1].field(b"X-Virus-Scanned") == b"by amavis-pipe"


def test_install_again_changes_nothing(site: Site) -> None:
    before = site.postfix.picture()
    site.install()
    assert site.postfix.picture() == before


def test_status_says_that_all_is_set_up(site: Site) -> None:
    said = site.setup("status")
    assert f"filtered      {site.postfix.service}/inet" in said
    assert str(site.program) in said


def test_the_filters_user_owns_its_state_alone_and_can_change_nothing_it_runs(site: Site) -> None:
    for path in (site.package, site.program, site.settings, *site.package.rglob("*")):
        found = path.lstat()
        assert found.st_uid == 0, path
        assert not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
    assert stat.S_IMODE(site.state.stat().st_mode) == 0o700
    assert site.state.stat().st_uid != 0
