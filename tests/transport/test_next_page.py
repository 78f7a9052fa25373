import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import RegistryError
from regimport.transport.origins import Origin, next_page

_PAGE = "https://r.example/v2/a/tags/list"
_NEXT = "https://r.example/v2/a/tags/list?last=b&n=2"


@pytest.mark.parametrize(
    "link",
    [
        '</v2/a/tags/list?last=b&n=2>; rel="next"',
        "</v2/a/tags/list?last=b&n=2>; rel=next",
        "</v2/a/tags/list?last=b&n=2>;rel=next",
        '<?last=b&n=2>; rel="next"',
        f'<{_NEXT}>; rel="next"',
        f'<{_NEXT}> ; REL = "NEXT"',
        f'<{_NEXT}>; rel="last next"',
        f'<{_NEXT}>; title="a, b; c"; rel="next"',
        f'<{_NEXT}>; title="an \\" in it"; rel="next"',
        f'<{_NEXT}>; crossorigin; rel="next"',
        f'</first>; rel="first", <{_NEXT}>; rel="next"',
        f'<{_NEXT}>; rel=next, </last>; rel="last"',
        f'</odd>; title="<x>; rel=next", <{_NEXT}>; rel=next',
        f'< {_NEXT} >; rel="next"',
        '<http://r.example/v2/a/tags/list?last=b&n=2>; rel="next"',
        # Without a relation, and with one in other quotes (pulp_container#220).
        f"<{_NEXT}>",
        f"<{_NEXT}>; title=x",
        f"<{_NEXT}>; rel='next'",
        f"<{_NEXT}>; rel='last next'",
        f'</first>; rel="first", <{_NEXT}>',
        f'<{_NEXT}>, </last>; rel="last"',
        # Without angle brackets.
        _NEXT,
        f'{_NEXT}; rel="next"',
        "/v2/a/tags/list?last=b&n=2; rel=next",
        "?last=b&n=2",
        '/first; rel="first", /v2/a/tags/list?last=b&n=2; rel="next"',
        # A host, port or scheme that is known in the registry's own network only.
        '<http://registry.internal:5000/v2/a/tags/list?last=b&n=2>; rel="next"',
        "<https://127.0.0.1/v2/a/tags/list?last=b&n=2>; rel=next",
        "<//other.example/v2/a/tags/list?last=b&n=2>; rel=next",
        "<https://r.example:5000/v2/a/tags/list?last=b&n=2>; rel=next",
        "<https://user:word@r.example/v2/a/tags/list?last=b&n=2>; rel=next",
    ],
)
def test_the_next_page_is_found_in_any_form_of_the_header(link: str) -> None:
    assert next_page(_PAGE, link) == _NEXT


@pytest.mark.parametrize(
    "link",
    [
        "",
        " ",
        f'<{_NEXT}>; rel="prev"',
        f'<{_NEXT}>; rel="nextcloud"',
        f'<{_NEXT}>; rel="prev"; rel="next"',
        f'{_NEXT}; rel="first"',
    ],
)
def test_a_header_without_a_next_page_ends_the_listing(link: str) -> None:
    assert next_page(_PAGE, link) is None


@pytest.mark.parametrize(
    "link",
    [
        "garbage",
        "<",
        "<ftp://r.example/list>; rel=next",
        "<https://[/>; rel=next",
        # Longer than is read: 60 kB.
        f"<{_NEXT}&token={'x' * 60_000}>; rel=next",
        '<>;a="\\"' * 8_000,
    ],
)
def test_a_header_that_cannot_be_read_is_an_error(link: str) -> None:
    with pytest.raises(RegistryError):
        next_page(_PAGE, link)


def test_a_long_cursor_is_followed() -> None:
    url = f"{_NEXT}&token={'x' * 4_000}"
    assert next_page(_PAGE, f"<{url}>; rel=next") == url


@given(st.text() | st.text(alphabet='<>;,="\\ relnxt/'))
def test_no_link_header_raises_anything_but_a_registry_error(link: str) -> None:
    try:
        url = next_page(_PAGE, link)
    except RegistryError:
        return
    assert url is None or Origin.of(url) == Origin.of(_PAGE)
