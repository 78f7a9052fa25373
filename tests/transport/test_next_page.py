"""Links to the next page of a list, in every form that registries write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import RegistryError
from regimport.transport.links import next_page
from regimport.transport.origins import Origin

_PAGE = "https://r.example/v2/a/tags/list"
_NEXT = "https://r.example/v2/a/tags/list?last=b&n=2"
_PATH = "/v2/a/tags/list?last=b&n=2"


@pytest.mark.parametrize(
    "link",
    [
        f'<{_PATH}>; rel="next"',
        f"<{_PATH}>; rel=next",
        f"<{_PATH}>;rel=next",
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
        # Forms that no specification has.
        f"<{_NEXT}>",
        f"<{_PATH}>",
        f"<{_PATH}>;",
        f"<{_PATH}>; rel='next'",
        f"<{_PATH}>; rel='prev next'",
        f"<{_PATH}>; rel=",
        f'<{_NEXT}>; title="x; rel=next"',
        f'{_PATH}; rel="next"',
        f"{_PATH}; rel=next",
        f"{_PATH}",
        "?last=b&n=2; rel='next'",
        f"{_NEXT}; rel=next",
        f'</first>; rel="first", {_PATH}; rel=next',
        f'</first>; rel="first", <{_PATH}>',
    ],
)
def test_the_next_page_is_found_in_any_form_of_the_header(link: str) -> None:
    assert next_page(_PAGE, link, _PAGE) == _NEXT


@pytest.mark.parametrize(
    "host",
    [
        "http://r.example",
        "http://r.example:80",
        "https://r.example:443",
        "https://r.example:5000",
        "https://other.example",
        "//other.example",
        "http://10.0.0.7:5000",
        "http://localhost:5000",
        "https://user:secret@r.example",
    ],
)
def test_the_next_page_is_asked_for_at_the_registry_whatever_host_is_named(host: str) -> None:
    assert next_page(_PAGE, f'<{host}{_PATH}>; rel="next"', "https://r.example/v2/") == _NEXT


@pytest.mark.parametrize(
    "link",
    ["", "  ", f'<{_NEXT}>; rel="prev"', f'<{_NEXT}>; rel="prev"; rel="next"', "</a>; rel=up, "],
)
def test_a_header_without_a_next_page_ends_the_listing(link: str) -> None:
    assert next_page(_PAGE, link, _PAGE) is None


@pytest.mark.parametrize(
    "link",
    [
        "garbage",
        "<",
        f"<{_NEXT}",
        f"<{_PATH}>, <{_PATH}&o=1>",
        '</first>; rel="first", garbage',
        '<ftp://r.example/list>; rel="next"',
        '<https://[/>; rel="next"',
        "</a\x1bb>; rel=next",
        f"<{_PATH}&o={'x' * 60_000}>; rel=next",
    ],
)
def test_a_header_that_cannot_be_understood_is_an_error(link: str) -> None:
    with pytest.raises(RegistryError):
        next_page(_PAGE, link, _PAGE)


@given(st.text() | st.text(alphabet="<>;,=\"' \\ relnxt/?"))
def test_no_link_header_raises_anything_but_a_registry_error(link: str) -> None:
    try:
        url = next_page(_PAGE, link, _PAGE)
    except RegistryError:
        return
    assert url is None or Origin.of(url) == Origin.of(_PAGE)
