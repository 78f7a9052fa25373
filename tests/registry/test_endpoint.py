"""Where a registry is spoken to, and with which scheme: https unless all is clear."""

from __future__ import annotations

import pytest

from regimport.network import Network, RegistrySettings
from regimport.options import CopyOptions
from regimport.registry.endpoint import Endpoint, endpoint_of


@pytest.mark.parametrize(
    ("registry", "url"),
    [
        ("registry.example", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("docker.io", "https://registry-1.docker.io"),
        # Neither a port, nor a private address, nor a name that looks like this machine's.
        ("registry.example:80", "https://registry.example:80"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ("192.168.1.1", "https://192.168.1.1"),
        ("registry.local", "https://registry.local"),
        ("127.0.0.1.example", "https://127.0.0.1.example"),
        ("localhost.example", "https://localhost.example"),
        ("127.1", "https://127.1"),
        ("2130706433", "https://2130706433"),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]:5000"),
        ("0.0.0.0:5000", "https://0.0.0.0:5000"),
        ("localhost.:5000", "https://localhost.:5000"),
        ("notlocalhost", "https://notlocalhost"),
        ("localhost:5000", "http://localhost:5000"),
        ("registry.localhost:5000", "http://registry.localhost:5000"),
        ("K3d-Registry.localhost", "http://K3d-Registry.localhost"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("127.255.0.9", "http://127.255.0.9"),
        ("[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_plain_http_is_for_loopback_alone(registry: str, url: str) -> None:
    assert endpoint_of(registry, CopyOptions()) == Endpoint(url, url.startswith("http:"))


def test_not_checking_a_certificate_is_not_doing_without_tls() -> None:
    network = Network(insecure=frozenset({"registry.example"}))
    assert endpoint_of("registry.example", CopyOptions(network=network)).url.startswith("https:")


@pytest.mark.parametrize("named", ["registry.example", "Registry.Example", "registry.example:443"])
def test_plain_http_is_for_what_the_user_names(named: str) -> None:
    options = CopyOptions(plain_http=frozenset({named}))
    assert endpoint_of("registry.example", options) == Endpoint("http://registry.example")
    assert endpoint_of("registry.example:5000", options).url.startswith("https:")
    assert endpoint_of("other.example", options).url.startswith("https:")


def test_an_endpoint_that_is_set_counts_before_all() -> None:
    settings = RegistrySettings(endpoint="https://10.0.0.1:8443/base/")
    options = CopyOptions(
        plain_http=frozenset({"docker.io"}), network=Network(registries={"docker.io": settings})
    )
    found = endpoint_of("docker.io", options)
    assert found == Endpoint("https://10.0.0.1:8443/base")
    assert found.origin == ("10.0.0.1", 8443)
