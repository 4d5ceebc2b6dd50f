"""From where something may be fetched: the hosts that the administrator lists, and no address behind the firewall.

A name must be listed (`example.org`, or `*.example.org` for all below it); an address is reached only if it is a public
one, or lies in a network that is listed itself (`192.168.1.20`, `10.0.0.0/8`). So neither a redirection, nor a name
that resolves to something else the second time, leads anywhere else. Pure; raises `ValueError` for a wrong listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True)
class Hosts:
    """The listing, taken apart."""

    names: frozenset[str]
    endings: tuple[str, ...]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, listed: Iterable[str]) -> Hosts:
        """Take a listing apart. Raises `ValueError` with words for a person."""
        names, endings, networks = set(), [], []
        for entry in listed:
            try:
                networks.append(ip_network(entry.strip()))
                continue
            except ValueError:
                pass
            name = _ascii(entry.strip())
            if not _NAME.fullmatch(name):
                raise ValueError(f"{entry!r} is no host; write example.org, *.example.org, 192.168.1.20 or 10.0.0.0/8")
            if name.startswith("*."):
                endings.append(name[1:])
            else:
                names.add(name)
        return cls(frozenset(names), tuple(endings), tuple(networks))

    def allow(self, host: str) -> bool:
        """May a link name this host?"""
        try:
            return self._lists(ip_address(host))
        except ValueError:
            name = _ascii(host)
            return name in self.names or name.endswith(self.endings)

    def reach(self, address: str) -> bool:
        """May a connection go to this address, that a listed host has?"""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return (found.is_global and not found.is_multicast) or self._lists(found)

    def _lists(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.networks)


def _ascii(name: str) -> str:
    """As DNS knows it: lower case, without the root's dot, in ASCII."""
    plain = name.lower().rstrip(".")
    try:
        return plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain
