"""Hosts: what is listed may be fetched from, and nothing that only looks like it."""

from __future__ import annotations

import pytest

from clipd.model.hosts import Hosts

LISTED = Hosts.of(("example.org", "*.cdn.example.net", "192.168.1.20", "10.0.0.0/8", "bücher.example", "fd00::/8"))


@pytest.mark.parametrize(
    "host",
    ["example.org", "EXAMPLE.org.", "a.cdn.example.net", "a.b.cdn.example.net", "192.168.1.20", "10.1.2.3",
     "bücher.example", "xn--bcher-kva.example", "fd00::1"],
)  # fmt: skip
def test_what_is_listed_is_allowed(host: str) -> None:
    assert LISTED.allow(host)


@pytest.mark.parametrize(
    "host",
    ["www.example.org", "example.org.evil.test", "evilexample.org", "cdn.example.net", "xcdn.example.net", "", ".",
     "192.168.1.21", "11.0.0.1", "0xc0a80114", "3232235796", "8.8.8.8", "localhost", "example.org@evil.test",
     "fe80::1"],
)  # fmt: skip
def test_what_is_not_listed_is_not(host: str) -> None:
    assert not LISTED.allow(host)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "192.168.1.20", "10.9.9.9", "::ffff:10.0.0.1"])
def test_public_addresses_and_listed_networks_are_reached(address: str) -> None:
    assert LISTED.reach(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "192.168.1.21", "169.254.169.254", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "fe80::1%eth0", "::ffff:127.0.0.1", "", "example.org", "/run/nscd/socket"],
)  # fmt: skip
def test_other_addresses_are_not(address: str) -> None:
    assert not LISTED.reach(address)


@pytest.mark.parametrize(
    "wrong", ["", "https://example.org", "example.org/path", "*", "*.", "a b", "a..b", "*.*.org", "-a"]
)
def test_what_is_no_host_cannot_be_listed(wrong: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        Hosts.of((wrong,))


def test_an_empty_list_allows_nothing() -> None:
    assert not Hosts.of(()).allow("example.org")
