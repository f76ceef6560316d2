"""What `check` says of an smtpd that takes checked mail back, and of its entry in master.cf."""

import json
import socket
import threading

import pytest

from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, ok, postfix, reentry
from amavis_pipe.settings import Settings

OFFERS = b"250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 XFORWARD NAME ADDR\r\n"
REPLIES = {"": b"220 mx ESMTP\r\n", "EHLO": OFFERS}
"""By the command's first word; "" is the greeting. Others get 250; None hangs up."""


class Smtpd:
    """Listens on a loopback port, and says what its script says; `heard` are the commands."""

    def __init__(self, replies, host="127.0.0.1"):
        self.heard = []
        self._replies = REPLIES | replies
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.bind((host, 0))
        self._listener.listen()
        port = self._listener.getsockname()[1]
        self.at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        try:
            client = self._listener.accept()[0]
            with client, client.makefile("rb") as lines:
                client.sendall(self._replies[""])
                for line in lines:
                    self.heard.append(line.decode().strip())
                    word = self.heard[-1].split()[0].upper()
                    reply = self._replies.get(word, b"250 2.1.0 Ok\r\n")
                    if reply is None:
                        return
                    client.sendall(reply)
        except OSError:
            pass  # it was closed, or the other side has heard enough

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)


@pytest.fixture
def answers():
    """A function: the results for an smtpd with these replies; `answers.smtpd` is the last one."""

    def asked(**replies):
        asked.smtpd = Smtpd({word.replace("greeting", ""): reply for word, reply in replies.items()})
        try:
            return list(reentry.check_answers("forward", asked.smtpd.at))
        finally:
            asked.smtpd.close()

    return asked


def problems(results):
    return "\n".join(f"{one.what} | {one.advice}" for one in results if one.level != OK)


def levels(results):
    return [result.level for result in results]


class TestAnswers:
    def test_an_smtpd_that_takes_mail_for_anybody_is_right_and_gets_no_mail(self, answers):
        assert levels(answers()) == [OK]
        assert answers.smtpd.heard == [
            "ehlo localhost",
            "MAIL FROM:<>",
            "RCPT TO:<postmaster@example.invalid>",
            "RSET",
            "QUIT",
        ]

    def test_on_ipv6_too(self):
        smtpd = Smtpd({}, host="::1")
        assert levels(reentry.check_answers("forward", smtpd.at)) == [OK]
        smtpd.close()

    @pytest.mark.parametrize("keyword", [b"PIPELINING", b"8BITMIME", b"XFORWARD"])
    def test_each_keyword_that_is_not_offered_is_a_warning(self, answers, keyword):
        found = answers(EHLO=OFFERS.replace(keyword, b"OTHER"))
        assert levels(found) == [WARNING, OK]
        assert f"does not offer {keyword.decode()}" in problems(found)

    def test_a_refused_recipient_is_a_problem_since_mail_would_wait_or_bounce(self, answers):
        found = answers(RCPT=b"554 5.7.1 <x>: Relay access denied\r\n")
        assert levels(found) == [PROBLEM]
        assert "554 5.7.1 <x>: Relay access denied" in problems(found)
        assert "would wait or bounce" in problems(found)
        assert answers.smtpd.heard[-2:] == ["RSET", "QUIT"]

    @pytest.mark.parametrize(
        "replies",
        [
            {"greeting": b"421 4.3.2 closing\r\n"},
            {"greeting": b"554 5.7.1 no\r\n"},
            {"EHLO": b"500 what?\r\n"},
            {"MAIL": b"550 5.1.0 no null sender\r\n"},
            {"RCPT": b"450 4.7.1 greylisted\r\n"},
            {"RCPT": b"nonsense\r\n"},
        ],
        ids=["busy", "refused at once", "no EHLO", "null sender", "greylisted", "no SMTP"],
    )
    def test_what_makes_mail_wait_is_a_problem_that_says_so(self, answers, replies):
        found = answers(**replies)
        assert levels(found) == [PROBLEM]
        assert "waits in the queue" in problems(found)

    def test_a_refused_connection_is_a_problem(self, answers):
        answers()
        found = list(reentry.check_answers("forward", answers.smtpd.at))
        assert levels(found) == [PROBLEM]
        assert "Connection refused | start the smtpd" in problems(found)

    @pytest.mark.parametrize("word", ["EHLO", "MAIL", "RCPT"])
    def test_a_server_that_hangs_up_is_a_problem(self, answers, word):
        assert levels(answers(**{word: None})) == [PROBLEM]

    @pytest.mark.parametrize("word", ["RSET", "QUIT"])
    def test_what_it_says_after_the_recipient_does_not_matter(self, answers, word):
        assert levels(answers(**{word: None})) == [OK]

    def test_a_server_that_says_nothing_is_not_waited_for_without_end(self, answers, monkeypatch):
        monkeypatch.setattr(reentry, "SECONDS", 0.1)
        found = answers(greeting=b"220-")
        assert levels(found) == [PROBLEM]
        assert "timed out" in problems(found)

    @pytest.mark.parametrize(
        "reply", [b"250-x\r\n" * 100_000, b"250 " + b"x" * 100_000], ids=["lines", "one line"]
    )
    def test_a_reply_without_end_is_not_read_to_its_end(self, answers, reply):
        assert levels(answers(MAIL=reply)) == [PROBLEM]

    def test_replies_are_bounded_and_can_not_harm_the_terminal(self, answers):
        found = answers(RCPT=b"554-\x1b[2J\r\n554 " + b"x" * 1000 + b"\r\n")
        assert "554 \\x1b[2J xxx" in problems(found)
        assert len(problems(found)) < 500


class TestRoutes:
    @pytest.fixture
    def site_of(self, settings_of):
        def made(forward, notify):
            return Settings(settings_of().values | {"forward": forward, "notify": notify})

        return made

    def test_only_smtp_is_asked(self, site_of):
        assert list(reentry.check(site_of("sendmail", "file:/x"), None)) == []

    @pytest.mark.parametrize(
        ("other", "names"),
        [("sendmail", "forward"), ("", "forward and notify"), ("smtp:127.0.0.1:x", "forward")],
        ids=["forward alone", "both alike", "both apart"],
    )
    def test_each_server_is_asked_once(self, site_of, other, names):
        smtpd = Smtpd({})
        route = f"smtp:{smtpd.at}"
        first, *more = reentry.check(site_of(route, other or route), None)
        smtpd.close()
        assert first == ok(f"{names} = {route}: an smtpd answers, and takes mail for any recipient")
        assert levels(more) == ([PROBLEM] if other.startswith("smtp:") else [])


PIPE = "amavis unix - n n - 2 pipe flags=q user=vscan argv=/x/amavis-pipe -f ${sender} -- ${recipient}"
DOOR = "smtp inet n - y - - smtpd"
BACK = "127.0.0.1:10025 inet n - y - - smtpd"
RIGHT = {
    "smtp/inet/content_filter": "amavis:dummy",
    "smtp/inet/receive_override_options": "no_address_mappings",
    "smtp/inet/message_size_limit": "10240000",
    "127.0.0.1:10025/inet/content_filter": "",
    "127.0.0.1:10025/inet/receive_override_options": ", ".join(reentry.OVERRIDES),
}
MAIN = {"message_size_limit": "10385536"}


class TestEntry:
    @pytest.fixture
    def look(self, monkeypatch):
        """A function: the results for these options (those that are None are not there) and main.cf."""

        def looked(options=None, main=None, entries=(BACK,), at="127.0.0.1:10025"):
            lines = [DOOR, PIPE, *entries]
            shown = [
                f"{key} = {value}" for key, value in (RIGHT | (options or {})).items() if value is not None
            ]
            values = MAIN | (main or {})

            def said(words):
                if words[1] == "-M":
                    return "\n".join(lines)
                return "\n".join(shown) if words[1] == "-P" else values.get(words[3], "")

            monkeypatch.setattr(postfix, "_said", said)
            return list(reentry.check_entry("forward", at, postfix.Postfix(None)))

        return looked

    def test_the_entry_that_set_up_makes_is_right(self, look):
        assert levels(look()) == [OK]

    @pytest.mark.parametrize(
        ("options", "main"),
        [
            ({"127.0.0.1:10025/inet/content_filter": "amavis:dummy"}, {}),
            ({"127.0.0.1:10025/inet/content_filter": None}, {"content_filter": "amavis:"}),
            ({"127.0.0.1:10025/inet/content_filter": "scan:[127.0.0.1]:10024"}, {}),
        ],
        ids=["on the entry", "in main.cf", "another filter"],
    )
    def test_a_filter_behind_it_is_a_problem(self, look, options, main):
        assert levels(look(options, main)) == [PROBLEM]

    def test_a_door_is_no_way_back(self, look):
        found = look(at="127.0.0.1:25")
        assert "smtp/inet: mail that comes back is filtered again, without end" in problems(found)

    @pytest.mark.parametrize("word", reentry.OVERRIDES)
    def test_each_check_that_is_made_twice_is_a_warning(self, look, word):
        words = ",".join(one for one in reentry.OVERRIDES if one != word)
        found = look({"127.0.0.1:10025/inet/receive_override_options": words})
        assert levels(found) == [WARNING]
        assert f"no {word} in" in problems(found)

    @pytest.mark.parametrize(
        ("door", "back", "level", "said"),
        [
            (True, True, PROBLEM, "never applied"),
            (True, False, OK, ""),
            (False, False, WARNING, "automatic copies go out twice"),
            (False, True, OK, ""),
        ],
        ids=["nowhere", "when it comes back", "twice", "before the filter"],
    )
    def test_addresses_must_be_mapped_once(self, look, door, back, level, said):
        words = [*reentry.OVERRIDES, *([reentry.UNMAPPED] if back else [])]
        found = look(
            {
                "smtp/inet/receive_override_options": reentry.UNMAPPED if door else None,
                "127.0.0.1:10025/inet/receive_override_options": ",".join(words),
            }
        )
        assert levels(found) == [level]
        assert said in problems(found)

    def test_mappings_are_never_applied_if_nothing_is_filtered_and_it_leaves_them_too(self, look):
        words = ",".join([*reentry.OVERRIDES, reentry.UNMAPPED])
        found = look(
            {
                "smtp/inet/content_filter": None,
                "127.0.0.1:10025/inet/receive_override_options": words,
            }
        )
        assert levels(found) == [PROBLEM]

    @pytest.mark.parametrize(
        ("door", "back", "main", "level"),
        [
            ("1000", None, "2000", OK),
            ("1000", "2000", "1000", OK),
            ("1000", "0", "1000", OK),
            ("1000", "999", "2000", PROBLEM),
            ("0", "999", "0", PROBLEM),
            ("1000", None, "1000", WARNING),
            (None, None, "1000", WARNING),
            (None, None, "0", OK),
        ],
        ids=[
            "main.cf's", "its own", "none", "lower", "none at the door", "equal", "main.cf's at both", "none at all",
        ],
    )  # fmt: skip
    def test_what_the_door_took_must_fit_when_it_comes_back(self, look, door, back, main, level):
        options = {
            "smtp/inet/message_size_limit": door,
            "127.0.0.1:10025/inet/message_size_limit": back,
        }
        assert levels(look(options, {"message_size_limit": main})) == [level]

    @pytest.mark.parametrize(
        ("name", "at"),
        [
            ("localhost:10025", "127.0.0.1:10025"),
            ("10025", "127.0.0.1:10025"),
            ("[::1]:10025", "[::1]:10025"),
            ("127.0.0.1:submission", "127.0.0.1:587"),
        ],
        ids=["by name", "on all addresses", "IPv6", "port by name"],
    )
    def test_the_entry_is_found_by_its_address(self, look, name, at):
        options = {key.replace("127.0.0.1:10025", name): value for key, value in RIGHT.items()}
        found = look(options, entries=[f"{name} inet n - y - - smtpd"], at=at)
        assert found == [ok(f"master.cf: mail comes back by {name}/inet, and is not filtered again")]

    @pytest.mark.parametrize(
        ("at", "level"),
        [("127.0.0.1:10026", [WARNING]), ("[::1]:10025", [WARNING]), ("192.0.2.7:10025", [])],
        ids=["another port", "another address", "another host"],
    )
    def test_no_entry_for_a_loopback_address_is_a_warning(self, look, at, level):
        assert levels(look(at=at)) == level


def test_the_command_looks_at_the_way_back(desk):
    smtpd = Smtpd({})
    desk.configure()
    desk.settings.write_text(f'forward = "smtp:{smtpd.at}"\n' + desk.settings.read_text())
    done = desk.run("check", "--json", "--postfix-config", "/nonexistent")
    smtpd.close()
    told = [one["what"] for one in json.loads(done.stdout)["checks"]]
    assert f"forward = smtp:{smtpd.at}: an smtpd answers, and takes mail for any recipient" in told
