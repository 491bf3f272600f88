"""Where a request came from: its peer, or who a trusted proxy says that it speaks for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and CIDR ranges as networks. Raises ValueError with a sentence."""
    return tuple(_network(text.strip()) for text in texts)


def client_address(scope: Mapping[str, Any], trusted: Sequence[Network]) -> Address | None:
    """Return the address that an ASGI request came from; None where it has none (a Unix socket).

    X-Forwarded-For counts only where the peer is a trusted proxy. Read from its right end, each
    trusted proxy vouches for the address to its left; the first that is not trusted is the client.
    What stands further left anybody may have written. Where an entry cannot be read, the proxy
    that sent it stands for the client.
    """
    peer = scope.get("client")
    found = _address(peer[0]) if peer else None
    if found is None or not is_in(found, trusted):
        return found
    for text in _forwarded(scope):
        before = _address(text)
        if before is None:
            break
        found = before
        if not is_in(found, trusted):
            break
    return found


def is_in(address: Address, ranges: Iterable[Network]) -> bool:
    """Say whether an address lies in one of some networks."""
    return any(address in each for each in ranges)


def _forwarded(scope: Mapping[str, Any]) -> Iterator[str]:
    """Give the entries of X-Forwarded-For, the last that was added first."""
    for name, value in reversed(list(scope["headers"])):
        if name == b"x-forwarded-for":
            yield from reversed(value.decode("latin-1").split(","))


def _address(text: str) -> Address | None:
    """Return an address, perhaps written with a port; one of IPv4 that came as IPv6 as IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no address or range of addresses, such as 127.0.0.1 or 10.0.0.0/8"
        ) from error
