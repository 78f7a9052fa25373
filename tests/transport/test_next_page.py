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
    ],
)
def test_the_next_page_is_found_in_any_form_of_the_header(link: str) -> None:
    assert next_page(_PAGE, link, set()) == _NEXT


@pytest.mark.parametrize(
    "link",
    [
        "",
        "garbage",
        "<",
        f"<{_NEXT}>",
        f'<{_NEXT}>; rel="prev"',
        f'<{_NEXT}>; rel="nextcloud"',
        f'<{_NEXT}>; title="x; rel=next"',
        f'<{_NEXT}>; rel="prev"; rel="next"',
        f'{_NEXT}; rel="next"',
    ],
)
def test_a_header_without_a_next_page_ends_the_listing(link: str) -> None:
    assert next_page(_PAGE, link, set()) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://other.example/v2/a/tags/list?last=b",
        "//other.example/v2/a/tags/list",
        "https://r.example:5000/v2/a/tags/list",
        "http://other.example/v2/a/tags/list",
        "https://127.0.0.1/v2/a/tags/list",
        "ftp://r.example/list",
        "https://[/",
    ],
)
def test_a_next_page_on_another_origin_is_an_error(target: str) -> None:
    with pytest.raises(RegistryError):
        next_page(_PAGE, f'<{target}>; rel="next"', set())


def test_a_page_that_was_there_before_ends_the_listing() -> None:
    assert next_page(_PAGE, f"<{_NEXT}>; rel=next", {_PAGE, _NEXT}) is None
    assert next_page(_PAGE, "<>; rel=next", {_PAGE}) is None


@given(st.text() | st.text(alphabet='<>;,="\\ relnxt/'))
def test_no_link_header_raises_anything_but_a_registry_error(link: str) -> None:
    try:
        url = next_page(_PAGE, link, set())
    except RegistryError:
        return
    assert url is None or Origin.of(url) == Origin.of(_PAGE)
