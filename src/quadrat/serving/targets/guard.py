"""Which addresses connectors may reach: names are resolved once, and what is connected to is what was looked at."""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from quadrat.serving.targets.base import CONNECT_S, RefusedError, UnreachableError


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses addresses.

    Args:
        deny_private: Whether private and loopback addresses are refused, beside link-local ones, which always are.
    """

    deny_private: bool = False

    def check(self, address: str) -> None:
        """Refuse an address.

        Raises:
            RefusedError: It must not be reached.
        """
        found = _unwrap(ip_address(address.partition("%")[0]))
        if found.is_link_local or found.is_multicast or found.is_unspecified or _is_metadata(found):
            raise RefusedError(f"The address {found} is link-local or reserved, and is not connected to.")
        if self.deny_private and not found.is_global:
            raise RefusedError(f"The address {found} is private, and this server connects to public ones only.")

    def check_socket(self, path: str) -> None:
        """Refuse a socket of this machine where private addresses are refused.

        Raises:
            RefusedError: It must not be reached.
        """
        if self.deny_private:
            raise RefusedError(f"The socket {path} is on this machine, and this server connects to public hosts only.")

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each of which may be reached.

        Raises:
            UnreachableError: It has none.
            RefusedError: One of them must not be reached.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise UnreachableError(f"The host {host} cannot be found.") from error
        addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        for address in addresses:
            self.check(address)
        return addresses


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.packed[:12] == _NAT64:
        inner = IPv4Address(address.packed[12:])
    return inner or address


_NAT64 = bytes.fromhex("0064ff9b0000000000000000")


def _is_metadata(address: IPv4Address | IPv6Address) -> bool:
    """Addresses under which clouds tell machines their secrets, that are not link-local."""
    return str(address) in {"fd00:ec2::254", "100.100.100.200"}
