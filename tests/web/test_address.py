"""Addresses that this machine alone reaches, and others."""

import pytest

from mrsal.web.address import is_private


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]"])
def test_what_only_this_machine_reaches(host):
    assert is_private(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "10.0.0.1", "2001:db8::1"])
def test_what_others_reach(host):
    assert not is_private(host)
