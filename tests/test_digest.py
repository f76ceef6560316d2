"""digest: SHA-256 by either implementation."""

import hashlib

import pytest

from amavis_pipe import digest


@pytest.mark.parametrize("size", [0, 1, 1000, digest.LARGE, digest.LARGE + 1])
@pytest.mark.parametrize("before", [0, digest.LARGE], ids=["own", "OpenSSL"])
def test_the_digest_is_sha256_whichever_implementation_is_used(monkeypatch, size, before):
    monkeypatch.setattr(digest, "_total", before)
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    expected = hashlib.sha256(data).hexdigest()
    assert digest.sha256(data, size) == expected
    assert digest.sha256_of((data[:7], data[7:]), size) == expected
