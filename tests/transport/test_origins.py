import contextlib
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import RegistryError
from regimport.transport.origins import (
    Origin,
    redirect_target,
    upload_location,
    with_digest,
)

_HERE = "https://r.example/v2/a/blobs/uploads/"
_DIGEST = "sha256:" + "a" * 64

# Origins ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://r.example", "https://r.example:443/v2/"),
        ("http://r.example/", "http://r.example:80/x?y"),
        ("https://r.example/", "HTTPS://R.EXAMPLE/"),
        ("https://r.example/", "https://r.example./"),
        ("https://r.example/", "https://user:password@r.example/"),
        ("https://[::1]/", "https://[::1]:443/"),
    ],
)
def test_two_spellings_are_one_origin(one: str, other: str) -> None:
    assert Origin.of(one) == Origin.of(other)


@pytest.mark.parametrize(
    "other",
    [
        "http://r.example/",
        "https://r.example:5000/",
        "https://www.r.example/",
        "https://r.example.attacker.example/",
        "https://r.example@attacker.example/",
        "http://r.example:443/",
    ],
)
def test_another_scheme_host_or_port_is_another_origin(other: str) -> None:
    assert Origin.of(other) != Origin.of("https://r.example/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v2/",
        "r.example",
        "//r.example/",
        "ftp://r.example/",
        "file:///etc/passwd",
        "https://",
        "https:///v2/",
        "https://./",
        "https://r.example:0/",
        "https://r.example:99999/",
        "https://r.example:port/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://r example/",
        "https://%72.example/",
        "https://r\\@x.example\\/",
        "https://ｒ.example/",  # noqa: RUF001 - a wide letter, on purpose
    ],
)
def test_what_is_no_plain_http_url_has_no_origin(url: str) -> None:
    with pytest.raises(RegistryError):
        Origin.of(url)


def test_an_origin_is_written_with_its_port() -> None:
    assert str(Origin.of("https://R.example/x")) == "https://r.example:443"
    assert str(Origin.of("http://[::1]:5000/")) == "http://[::1]:5000"


# Location of an upload --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "resolved"),
    [
        ("/v2/a/blobs/uploads/1", "https://r.example/v2/a/blobs/uploads/1"),
        ("1?_state=x", "https://r.example/v2/a/blobs/uploads/1?_state=x"),
        ("?_state=x", "https://r.example/v2/a/blobs/uploads/?_state=x"),
        ("https://r.example/v2/u", "https://r.example/v2/u"),
        ("https://r.example:443/v2/u", "https://r.example:443/v2/u"),
        ("https://r.example:8443/v2/u", "https://r.example:8443/v2/u"),
        ("//storage.example/u", "https://storage.example/u"),
        ("https://storage.example/u?sig=1", "https://storage.example/u?sig=1"),
        ("https://10.0.0.7/u", "https://10.0.0.7/u"),
        (" /v2/u ", "https://r.example/v2/u"),
    ],
)
def test_a_location_is_resolved_against_the_url_that_answered(location: str, resolved: str) -> None:
    assert upload_location(_HERE, location) == resolved


@pytest.mark.parametrize("query", ["_state=a%2Bb+c/d==&x=%20", "a=1&&b", "k=ü", "x=1?y=2;z"])
def test_the_query_of_a_location_stays_byte_for_byte(query: str) -> None:
    assert upload_location(_HERE, f"/v2/u?{query}") == f"https://r.example/v2/u?{query}"
    assert urlsplit(with_digest(f"https://r.example/u?{query}", _DIGEST)).query.startswith(query)


@pytest.mark.parametrize("location", ["", "  "])
def test_an_upload_without_a_location_is_an_error(location: str) -> None:
    with pytest.raises(RegistryError, match="no Location"):
        upload_location(_HERE, location)


@pytest.mark.parametrize(
    ("answered", "location", "resolved"),
    [
        ("https://r.example/v2/", "http://r.example/u?q=1", "https://r.example/u?q=1"),
        ("https://r.example:8443/v2/", "http://r.example/u", "https://r.example:8443/u"),
        ("https://r.example/v2/", "http://r.example:5000/u", "https://r.example/u"),
        ("https://r.example/v2/", "http://u:p@R.EXAMPLE/u", "https://r.example/u"),
    ],
)
def test_a_registry_that_names_itself_with_http_is_still_spoken_to_with_tls(
    answered: str, location: str, resolved: str
) -> None:
    assert upload_location(answered, location) == resolved


def test_a_plain_http_registry_may_name_itself_or_a_better_place() -> None:
    assert upload_location("http://r.example/v2/", "/u") == "http://r.example/u"
    assert upload_location("http://r.example/v2/", "https://x.example/u") == "https://x.example/u"


_REFUSED_HOPS = [
    "http://other.example/u",
    "http://r.example.attacker.example/u",
    "ftp://r.example/u",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://user:secret@other.example/u",
    "https://user@r.example/u",
    "https://[::1/u",
    "https://127.0.0.1/u",
    "https://localhost:5000/u",
    "https://[::ffff:127.0.0.1]/u",
    "https://169.254.169.254/latest/meta-data/",
    "https://0.0.0.0/u",
    "https://2130706433/u",
    "https://r.example\\@other.example/u",
    "/u\x00",
    "/u\x1b[31m",
    "https://r.example:0/u",
]


@pytest.mark.parametrize("location", _REFUSED_HOPS)
def test_a_location_that_is_not_safe_is_refused_without_showing_secrets(location: str) -> None:
    for resolve in (upload_location, redirect_target):
        with pytest.raises(RegistryError) as caught:
            resolve(_HERE, location)
        assert "secret" not in caught.value.message


def test_a_registry_on_this_machine_may_send_us_to_its_neighbour() -> None:
    here = "http://127.0.0.1:5000/v2/a/blobs/uploads/"
    assert upload_location(here, "http://127.0.0.1:5001/u") == "http://127.0.0.1:5001/u"
    assert redirect_target(here, "http://localhost:9000/b") == "http://localhost:9000/b"


@pytest.mark.parametrize(
    ("location", "closed"),
    [
        ("https://r.example/u", "https://r.example/u?digest=sha256%3Aab"),
        ("https://r.example/u?_state=a%3D", "https://r.example/u?_state=a%3D&digest=sha256%3Aab"),
        ("https://r.example/u?", "https://r.example/u?digest=sha256%3Aab"),
        ("https://r.example/u?a=1#part", "https://r.example/u?a=1&digest=sha256%3Aab"),
    ],
)
def test_the_digest_is_added_to_the_query_encoded(location: str, closed: str) -> None:
    assert with_digest(location, "sha256:ab") == closed


# Redirects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (
            "https://cdn.example/b?X-Amz-Signature=a%2Fb",
            "https://cdn.example/b?X-Amz-Signature=a%2Fb",
        ),
        ("/elsewhere", "https://r.example/elsewhere"),
        ("//cdn.example/b", "https://cdn.example/b"),
        ("http://r.example/v2/b", "https://r.example/v2/b"),
        ("https://192.168.1.4/b", "https://192.168.1.4/b"),
    ],
)
def test_a_redirect_is_followed_over_tls(location: str, target: str) -> None:
    assert redirect_target("https://r.example/v2/a/blobs/x", location) == target


def test_a_redirect_to_nowhere_is_an_error() -> None:
    with pytest.raises(RegistryError, match="redirects to nowhere"):
        redirect_target("https://r.example/v2/a/blobs/x", "")


_HOSTS = st.sampled_from(
    ["r.example", "cdn.example", "127.0.0.1", "[::1]", "169.254.1.1", "u:p@x.example", "10.1.1.1"]
)


@given(st.lists(st.tuples(st.sampled_from(["http:", "https:", ""]), _HOSTS), max_size=6))
def test_no_chain_of_redirects_leaves_tls_or_comes_to_this_machine(
    hops: list[tuple[str, str]],
) -> None:
    url = "https://r.example/v2/a/blobs/x"
    for scheme, host in hops:
        try:
            url = redirect_target(url, f"{scheme}//{host}/next")
        except RegistryError:
            continue
        parts = urlsplit(url)
        assert parts.scheme == "https"
        assert "@" not in parts.netloc
        assert parts.hostname in {"r.example", "cdn.example", "10.1.1.1"}


@given(st.text() | st.text(alphabet=":/?#[]@%\\.1ax"))
def test_no_location_raises_anything_but_a_registry_error(location: str) -> None:
    for text in (location, f"https://{location}", f"//{location}"):
        with contextlib.suppress(RegistryError):
            Origin.of(redirect_target(_HERE, text))
