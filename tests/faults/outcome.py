"""What became of a mail while something failed, and in the end: counted, and judged."""

import gzip
import os

ALL = os.environ.get("STEP") == "1"
"""Whether all forms and places are wanted: `make faults`."""
HEAD = b"From: a@example.org\nSubject: faults\nDate: Wed, 25 Nov 2026 08:00:00 +0000\n"


def plain(content):
    """A text."""
    return HEAD + b"\n" + content + b"\n"


def packed(content):
    """What a decoder has to open."""
    return HEAD + b"Content-Type: application/gzip\n\n" + gzip.compress(content, mtime=0) + b"\n"


def large(content):
    """What is spooled on disk."""
    parts = b"--x\n\n" + content + b"\n--x\n\n" + b"long lines of text\n" * 200_000 + b"--x--\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=x\n\n" + parts


class Run:
    """One start of the filter: its end, and the copies that there are."""

    def __init__(self, site, mail, words):
        done = site.launch(mail, words)
        # strace(1) ends as what it traced; prlimit(1) and sh(1) become it
        self.status, self.said = done.status, done.out
        self.sent, self.kept = site.taken(), site.kept()


def outcome(run, mail, infected):
    """The one thing that became of the mail; AssertionError if it is none that may be."""
    assert all(copy.endswith(mail) for copy in (*run.sent, *run.kept)), "cut or changed"
    assert not (infected and run.sent), "a virus was passed"
    if run.status == 0:
        assert len(run.sent) + len(run.kept) == 1, f"taken, and lost or doubled: {run.said}"
        return "delivered" if run.sent else "kept"
    if run.status == 69 or run.said.startswith(b"5."):
        assert not run.sent and not run.kept and run.said.startswith(b"5.")
        return "refused"
    if run.status in (1, 2, 127):
        assert not run.sent and not run.kept and not run.said, "not before our first line"
        return "deferred by the table"
    assert run.status == 75 or run.status < 0, f"status {run.status} would bounce"
    return "deferred"


def became(site, fault, mail, infected):
    """What becomes of the mail while the fault is there, and after it in the end."""
    site.clear()
    with fault(site) as words:
        first = Run(site, mail, words)
    inside = len(first.sent) + len(first.kept)
    first.sent, first.kept = max(first.sent, site.taken(), key=len), max(first.kept, site.kept(), key=len)
    gone = max(0, inside - len(site.taken()) - len(site.kept()))  # with the file system that was there
    found = outcome(first, mail, infected)
    if not found.startswith("deferred"):
        return found
    again = Run(site, mail, None)
    assert again.status == 0, f"not mended: {again.said}"
    copies = again.sent + again.kept
    assert all(copy.endswith(mail) for copy in copies)
    assert not (infected and again.sent)
    assert 1 <= len(copies) + gone <= 2, "lost"
    if len(copies) + gone == 2:
        return "delivered twice"
    return found
