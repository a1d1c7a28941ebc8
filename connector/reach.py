"""Which addresses requests may be sent to: those of the public internet, and the networks that a connection names.

A name is resolved once, and only an address that was looked at is connected to, so that a name that changes its
address meanwhile leads nowhere else.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is handed out; the rest of IPv6 is local, multicast or of no use."""
_NOT_PUBLIC: list[Network] = [
    *map(ipaddress.IPv4Network, ("192.88.99.0/24", "192.0.0.0/24", "240.0.0.0/4")),
    *map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")),
]
"""Beside what `is_global` knows in each version of Python."""
_EMBEDDING = {
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # NAT64, RFC 6052
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,  # IPv4-mapped
    ipaddress.IPv6Network("::ffff:0:0:0/96"): 0,  # IPv4-translated, RFC 2765
    ipaddress.IPv6Network("2002::/16"): 80,  # 6to4, RFC 3056
}
"""Addresses of IPv6 that lead to one of IPv4: the bits that stand behind it."""


class RefusedAddressError(OSError):
    """The connection may not reach the address."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The public internet, and `networks` beside it."""

    networks: Sequence[Network] = ()

    def require(self, address: str) -> None:
        """Raise RefusedAddressError unless requests may be sent to the address, such as `192.0.2.1`."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            raise RefusedAddressError(f"{address} is no address") from None
        if not all(self._holds(one) for one in _meant(found)):
            raise RefusedAddressError(
                f"{address} is not on the public internet; where it is yours, write in the connection: "
                f"networks: [{found}]"
            )

    def _holds(self, address: Address) -> bool:
        named = any(address in network for network in self.networks if network.version == address.version)
        return named or _is_public(address)


def _meant(address: Address) -> Iterator[Address]:
    """The address, or the one of IPv4 to which it leads."""
    if isinstance(address, ipaddress.IPv6Address):
        for network, behind in _EMBEDDING.items():
            if address in network:
                yield ipaddress.IPv4Address(int(address) >> behind & 0xFFFFFFFF)
                return
        if int(address) >> 32 & 0xFFFFFFFF in (0x5EFE, 0x2005EFE):  # ISATAP, RFC 5214
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    yield address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address not in _UNICAST or address.scope_id):
        return False
    outside = any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    return address.is_global and not address.is_multicast and not outside
