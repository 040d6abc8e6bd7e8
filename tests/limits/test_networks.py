"""Whom an address belongs to."""

import pytest

from app.limits.networks import SITE, network


@pytest.mark.parametrize(
    ("address", "its", "site"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::1", "::/64", "::/48"),
        ("", "", ""),
        ("unix", "unix", "unix"),
    ],
)
def test_network(address: str, its: str, site: str) -> None:
    assert (network(address), network(address, SITE)) == (its, site)
