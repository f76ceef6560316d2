"""Templates: a site's own come first, and a fault in one costs the site its text, not the notice."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amavis_pipe.notices import compose, render
from amavis_pipe.notices.render import BUILT_IN, KINDS, rendered

VALUES = {
    "host": "mx.example.net", "version": "1", "label": "infected", "word": "VIRUS", "names": ["Eicar"], "more": 2,
    "all_names": ["Eicar"], "count": 1, "sender": "a@example.org", "has_sender": True, "forged": False, "local": True,
    "recipients": ["b@example.net"], "more_recipients": 3, "action": "discard", "kept": "virus-1", "id": "1",
    "size": 5, "message_id": "", "for_admin": True, "place": "quarantine", "client": "", "origin": "",
    "answers": [], "detected_by": [], "scanners": [], "header": [], "sender_told": "off", "held": {"admin": 2},
    "since": "", "until": "2026-11-25 00:00", "total": 2, "labels": [{"label": "infected", "word": "VIRUS", "count": 2}],
    "domains": [], "more_domains": 1, "more_names": 1, "hits": [], "more_hits": 0, "damaged": 1, "recipient": "b@x",
}  # fmt: skip


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr("amavis_pipe.journal.log", lambda level, line: lines.append(line))
    return lines


@pytest.fixture
def site(settings_of, tmp_path):
    """A function: settings with a folder of templates, (path, content) each."""

    def made(*templates, language="en"):
        for path, content in templates:
            place = tmp_path / "templates" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return settings_of(notices={"folder": str(tmp_path / "templates"), "language": language})

    return made


def values_of(kind):
    return VALUES | (
        {"names": [{"name": "Eicar", "count": 2}], "kept": 1} if kind.startswith("digest") else {}
    )


@pytest.mark.parametrize("language", sorted(os.fsdecode(name) for name in os.listdir(BUILT_IN)))
@pytest.mark.parametrize("kind", KINDS)
def test_each_built_in_template_yields_subject_and_text(site, logged, kind, language):
    subject, text = rendered(kind, values_of(kind), site(language=language))
    assert subject
    assert not subject.startswith("Subject")
    assert "\n\n\n" not in text
    assert text == text.strip("\n") + "\n"
    assert logged == []
    assert not re.search(r"\{[{%#]|[}%#]\}", text)


def test_both_languages_have_all_kinds():
    assert sorted(os.listdir(BUILT_IN)) == [b"de", b"en"]
    for language in (b"de", b"en"):
        assert {f"{kind}.txt".encode() for kind in KINDS} <= set(os.listdir(BUILT_IN + b"/" + language))


def test_a_language_that_we_do_not_have_is_english(site):
    assert "TO YOU" in rendered("recipients", VALUES, site(language="xx"))[0]


def test_the_sites_own_template_is_used(site):
    settings = site(("en/recipients.txt", "Subject: Hi {{ names[0] }}\n\nSee {{ id }}.\n"))
    assert rendered("recipients", VALUES, settings) == ("Hi Eicar", "See 1.\n")
    assert "FROM LOCAL" in rendered("admin", VALUES, settings)[0]


def test_it_may_use_parts_of_ours_and_replace_them(site):
    own = "Subject: x\n\n{% include language ~ '/found.txt' %}"
    assert "1 virus was found" in rendered("admin", VALUES, site(("en/admin.txt", own)))[1]
    assert rendered("admin", VALUES, site(("en/found.txt", "ours\n")))[1] == "ours\n"


def test_a_template_with_crlf_is_one_with_lf(site):
    settings = site(("en/sender.txt", "Subject: x\r\n\r\na\r\nb\r\n"))
    assert rendered("sender", VALUES, settings) == ("x", "a\nb\n")


@pytest.mark.parametrize(
    "fault",
    [
        "", "no subject\n\ntext\n", "Subject:\n\ntext\n", "Subject: x\ntext\n", "Subject: {{ nothing }}\n\nx\n",
        "Subject: {{ 1 / 0 }}\n\nx\n", "Subject: {% if %}\n\nx\n", "Subject: {{ names.x.y }}\n\nx\n",
        "Subject: x\n\n{% include '../../secret' %}\n", "Subject: x\n\n{% include '/etc/passwd' %}\n",
        "Subject: x\n\n{% for a in range(99999) %}{{ 'x' * 100 }}{% endfor %}\n",
        "Subject: x\n\n{{ ''.__class__.__mro__[1].__subclasses__() }}\n", b"Subject: \xff\n\nx\n",
        "Subject: x\n\n{% for a in range(9999999) %}{% endfor %}\n",
    ],
    ids=[
        "empty", "no subject", "empty subject", "no empty line", "unknown value", "division", "syntax",
        "unknown attribute", "include above", "include absolute", "too long", "python", "no UTF-8", "too many turns",
    ],
)  # fmt: skip
def test_with_a_fault_in_it_the_built_in_one_is_used_and_the_log_says_so(site, logged, fault):
    settings = site(("en/recipients.txt", fault), ("../secret", "secret"))
    subject, text = rendered("recipients", VALUES, settings)
    assert subject == "VIRUS (Eicar and 2 more) IN MAIL TO YOU (from (a@example.org))"
    assert "secret" not in text
    assert len(logged) == 1
    assert logged[0].startswith("template ")
    assert logged[0].endswith("; the built-in one is used")
    assert "en/recipients.txt" in logged[0]
    assert logged[0].isascii()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_a_fault(site, logged, tmp_path, kind):
    settings = site(("en/x.txt", ""))
    place = tmp_path / "templates/en/admin.txt"
    if kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    assert "FROM LOCAL" in rendered("admin", VALUES, settings)[0]
    assert len(logged) == 1


def test_a_value_is_never_read_as_a_template(site):
    values = VALUES | {"names": ["{{ 7 * 7 }}"], "sender": "{% include 'x' %}"}
    subject, _ = rendered("admin", values, site())
    assert "({{ 7 * 7 }} and 2 more)" in subject
    assert "({% include 'x' %})" in subject


def jinja2_of_a_bare_interpreter(change):
    """What an interpreter says that does not look where modules are installed."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(render.__file__).parents[2])!r})\n"
        f"from amavis_pipe.jail import programs\n{change}\n"
        "from amavis_pipe.notices import render\n"
        "try:\n    print(render._jinja2().__name__)\n"
        "except render.TemplateFault as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_jinja2_is_found_where_it_is_installed():
    assert jinja2_of_a_bare_interpreter("") == "jinja2\n"


def test_without_jinja2_there_is_a_plain_word_of_it():
    said = jinja2_of_a_bare_interpreter("programs.site_folders = tuple")
    assert said == "Jinja2: No module named 'jinja2'\n"


class TestMessage:
    def test_short_ascii_lines_are_as_they_are(self, settings_of):
        text = compose.message(b"a@example.org", "s", "a\n.\nFrom x\n", settings_of())
        assert b"Content-Transfer-Encoding: 7bit" in text
        assert text.endswith(b"\n\na\n.\nFrom x\n")

    @pytest.mark.parametrize("body", ["ä\n", "x" * 999 + "\n", "a" * 5000 + " ä\nb = c\n"])
    def test_everything_else_is_quoted_and_read_back_whole(self, settings_of, body):
        import email.policy

        text = compose.message(b"", "s", body, settings_of())
        assert b"Content-Transfer-Encoding: quoted-printable" in text
        assert max(len(line) for line in text.split(b"\n")) <= 78
        assert text.isascii()
        assert email.message_from_bytes(text, policy=email.policy.default).get_content() == body

    @pytest.mark.parametrize(
        "to", [b"", b"a b@x", b"a@x\nBcc: c@x", b'"a"@x', b"a@x, b@x", b"\xff@x", b"<a@x>", b"a@x\n"]
    )
    def test_an_odd_address_stands_in_no_header(self, settings_of, to):
        text = compose.message(to, "s", "x\n", settings_of())
        assert b"\nTo: undisclosed-recipients:;\n" in text

    def test_the_configured_address_is_the_author(self, settings_of):
        settings = settings_of()
        settings.notice_sender = b"virus@example.org"
        assert b"From: amavis-pipe <virus@example.org>\n" in compose.message(b"", "s", "x\n", settings)
