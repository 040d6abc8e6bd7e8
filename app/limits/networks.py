"""Whom an address belongs to, as far as it can be told."""

import ipaddress

CUSTOMER = 64
"""With IPv6, everybody has at least a /64."""
SITE = 48
"""What a provider gives a site that asks for it (RFC 6177): 65,536 times a /64."""


def network(address: str, prefix: int = CUSTOMER) -> str:
    """The network of this size with IPv6; with IPv4, the address itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:  # as a socket for both sees it (RFC 4291, section 2.5.5.2)
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), prefix), strict=False))
