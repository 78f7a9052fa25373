import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.redact import safe_headers, safe_text, safe_url

_SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{_SECRET}@r.example/v2/",
        f"https://{_SECRET}@r.example/v2/",
        f"https://a@b:{_SECRET}@r.example/v2/",
        f"https://r.example/v2/x?_state={_SECRET}",
        f"https://r.example/x?X-Amz-Signature={_SECRET}&n=1",
        f"https://r.example/x?n=1&sig={_SECRET}",
        f"https://r.example/x?n=1;sig={_SECRET}",
        f"https://r.example/x?{_SECRET}",
        f"https://r.example/x?scope=a&{_SECRET}",
        f"https://r.example/x?%73cope={_SECRET}",
        f"https://r.example/x?token={_SECRET}#done",
        f"https://r.example/x#access_token={_SECRET}",
        f"//user:{_SECRET}@r.example/x",
        f"https://user:{_SECRET}@[not-an-address/x",
        f"https://r.example/x?account=u&password={_SECRET}&service=r",
    ],
)
def test_a_secret_in_a_url_is_not_shown(url: str) -> None:
    assert _SECRET not in safe_url(url)


@pytest.mark.parametrize(
    "name",
    ["scope", "service", "mount", "from", "digest", "n", "last", "tag", "artifactType"],
)
def test_a_harmless_query_value_is_shown(name: str) -> None:
    url = f"https://r.example/v2/a/b?{name}=sha256:ab%2Fc"
    assert safe_url(url) == url


def test_the_host_port_and_path_of_a_url_are_shown() -> None:
    url = "https://u:p@r.example:5000/v2/a/blobs/uploads/1?_state=x&digest=sha256:1"
    assert safe_url(url) == "https://r.example:5000/v2/a/blobs/uploads/1?_state=…&digest=sha256:1"


def test_a_url_with_terminal_escapes_is_shown_without_them() -> None:
    assert "\x1b" not in safe_url("https://r.example/\x1b[31mred")
    assert "\u202e" not in safe_url("https://r.example/\u202egnp")


def test_only_headers_known_to_be_harmless_show_their_value() -> None:
    headers = {
        "Authorization": f"Basic {_SECRET}",
        "Cookie": _SECRET,
        "Location": f"https://r.example/?sig={_SECRET}",
        "Set-Cookie": _SECRET,
        "WWW-Authenticate": _SECRET,
        "X-Custom": _SECRET,
        "Content-Type": "text/plain\x1b[31m",
        "Docker-Content-Digest": "sha256:ab",
    }
    shown = safe_headers(headers)
    assert list(shown) == list(headers)
    assert _SECRET not in repr(shown)
    assert shown["Content-Type"] == "text/plain"
    assert shown["Docker-Content-Digest"] == "sha256:ab"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("Grüße, 世界", "Grüße, 世界"),
        ("a\x1b[31mb\x1b[0mc", "a b c"),
        ("a\x9b1mb", "a b"),
        ("a\x1b]0;owned\x07b", "a b"),
        ("a\x1b]8;;http://evil.example\x1b\\b", "a b"),
        ("a\x90payload\x9cb", "a b"),
        ("a\x1bcb", "a b"),
        ("a\x1b", "a"),
        ("a\rb\nc\td", "a b c d"),
        ("a\x00b\x7fc\x85d", "a b c d"),
        ("a\u202eb\u2066c\u200fd", "a b c d"),
        ("a\u2028b\u2029c", "a b c"),
        ("a\nb::set-output name=x::y", "a b::set-output name=x::y"),
    ],
)
def test_what_a_terminal_would_act_on_is_taken_out(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_long_text_is_cut_at_the_limit() -> None:
    assert safe_text("x" * 1000) == "x" * 299 + "…"
    assert safe_text("x" * 300) == "x" * 300
    assert safe_text("abcdef", 3) == "ab…"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_no_text_keeps_an_unsafe_character_or_passes_the_limit(text: str, limit: int) -> None:
    shown = safe_text(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs"}


@given(st.text() | st.text(alphabet=":/?#[]@&;=%a1"))
def test_no_text_makes_redacting_a_url_raise(url: str) -> None:
    safe_url(url)
    safe_url(f"https://{url}")
