"""A registry belongs to a cloud by its whole name, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.clouds.hosts import EcrHost, ecr_host, is_azure, is_google

_AZURE = ["my.azurecr.io", "my.azurecr.cn", "my.azurecr.us", "MY.azurecr.io:443"]
_AZURE += ["my-d0f3.azurecr.io", "my.westeurope.data.azurecr.io"]
_GOOGLE = ["gcr.io", "eu.gcr.io", "us-docker.pkg.dev", "europe-west3-docker.pkg.dev", "GCR.io:443"]
_ECR = {
    "123456789012.dkr.ecr.eu-central-1.amazonaws.com": EcrHost(
        "123456789012", "eu-central-1", False
    ),
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn": EcrHost(
        "123456789012", "cn-north-1", False
    ),
    "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": EcrHost(
        "123456789012", "us-gov-west-1", True
    ),
    "123456789012.dkr-ecr.us-east-1.on.aws": EcrHost("123456789012", "us-east-1", False),
}
_OTHERS = ["r.example", "docker.io", "quay.io", "localhost:5000", "127.0.0.1", "public.ecr.aws"]


@pytest.mark.parametrize("host", _AZURE)
def test_azures_registries_are_azures(host: str) -> None:
    assert is_azure(host)
    assert not is_google(host)
    assert ecr_host(host) is None


@pytest.mark.parametrize("host", _GOOGLE)
def test_googles_registries_are_googles(host: str) -> None:
    assert is_google(host)
    assert not is_azure(host)


@pytest.mark.parametrize("host", _ECR)
def test_the_name_of_an_ecr_registry_says_account_and_region(host: str) -> None:
    assert ecr_host(host) == _ECR[host]


@pytest.mark.parametrize("owned", [*_AZURE, *_GOOGLE, *_ECR])
@pytest.mark.parametrize(
    "wrap", ["{}.attacker.example", "{}.", "{}:5000", "x/{}", "{}@x", " {}", "{}\n", "{}-x", "-{}"]
)
def test_a_name_that_only_looks_like_one_is_no_clouds(owned: str, wrap: str) -> None:
    host = wrap.format(owned.removesuffix(":443"))
    assert not is_azure(host)
    assert not is_google(host)
    assert ecr_host(host) is None


@pytest.mark.parametrize(
    "host",
    [
        *_OTHERS,
        "azurecr.io",
        ".azurecr.io",
        "a..azurecr.io",
        "myazurecr.io",
        "my.azurecr.com",
        "pkg.dev",
        "evilgcr.io",
        "a.b.gcr.io",
        "1234.dkr.ecr.eu-central-1.amazonaws.com",
        "123456789012.dkr.ecr.amazonaws.com",
        "123456789012.dkr.ecr.a.b.amazonaws.com",
        "x.123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    ],
)
def test_other_registries_are_no_clouds(host: str) -> None:
    assert not is_azure(host)
    assert not is_google(host)
    assert ecr_host(host) is None


@given(st.text(max_size=60))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert not is_azure(f"{text}.attacker.example")
    assert not is_google(f"{text}.attacker.example")
    assert ecr_host(f"{text}.attacker.example") is None
