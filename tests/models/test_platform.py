import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import InvalidReference
from regimport.models.platform import Platform


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm64/v8", Platform("linux", "arm64", "v8")),
        ("Linux/x86_64", Platform("linux", "amd64")),
        ("linux/x86-64", Platform("linux", "amd64")),
        ("linux/AMD64", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/armhf", Platform("linux", "arm", "v7")),
        ("linux/ARMHF", Platform("linux", "arm", "v7")),
        ("linux/arm/V6", Platform("linux", "arm", "v6")),
        ("linux/i386", Platform("linux", "386")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("windows/amd64:10.0.20348.1", Platform("windows", "amd64", None, "10.0.20348.1")),
        ("linux/arm/v7:6.1", Platform("linux", "arm", "v7", "6.1")),
    ],
)
def test_a_platform_is_read_in_the_spellings_of_the_field(text: str, platform: Platform) -> None:
    assert Platform.parse(text) == platform


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/arm/v7/x",
        "linux//v8",
        "li nux/amd64",
        "all",
        "a/b\n",
        "windows/amd64:",
        "windows/amd64:10 0",
        "windows:10.0/amd64",
    ],
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        Platform.parse(text)


@given(st.text() | st.text(alphabet="aA/.:\n"))
def test_no_text_raises_anything_but_invalid_reference(text: str) -> None:
    try:
        platform = Platform.parse(text)
    except InvalidReference:
        return
    assert Platform.parse(str(platform)) == platform


@pytest.mark.parametrize(
    ("value", "platform"),
    [
        ({"os": "linux", "architecture": "amd64"}, Platform("linux", "amd64")),
        (
            {"os": "linux", "architecture": "arm", "variant": "v7"},
            Platform("linux", "arm", "v7"),
        ),
        (
            {"os": "windows", "architecture": "amd64", "os.version": "10.0.1"},
            Platform("windows", "amd64", None, "10.0.1"),
        ),
        ({"os": "linux", "architecture": "amd64", "variant": ""}, Platform("linux", "amd64")),
        ({"os": "linux", "architecture": "amd64", "variant": 7}, Platform("linux", "amd64")),
        ({"os": "linux"}, None),
        ({"os": 1, "architecture": "amd64"}, None),
        ({}, None),
        (None, None),
        ("linux/amd64", None),
    ],
)
def test_the_platform_of_a_descriptor_is_read_leniently(
    value: object, platform: Platform | None
) -> None:
    assert Platform.from_json(value) == platform


@pytest.mark.parametrize(
    ("listed", "wanted", "matches"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("windows/amd64", "linux/amd64", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64/v9", "linux/arm64/v8", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm/v6", "linux/arm", True),
        ("linux/amd64", "linux/amd64/v2", False),
    ],
)
def test_a_platform_matches_what_is_asked_for(listed: str, wanted: str, matches: bool) -> None:
    assert Platform.parse(listed).matches(Platform.parse(wanted)) is matches


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (None, True),
        ("10.0.20348.1", True),
        ("10.0.20348", True),
        ("10.0.20348.", True),
        ("10", True),
        ("10.0.2034", False),
        ("10.0.20348.2", False),
        ("10.0.20348.1.1", False),
    ],
)
def test_a_version_of_the_system_matches_itself_and_its_first_components(
    wanted: str | None, matches: bool
) -> None:
    listed = Platform("windows", "amd64", None, "10.0.20348.1")
    assert listed.matches(Platform("windows", "amd64", None, wanted)) is matches
    assert not Platform("windows", "amd64").matches(Platform("windows", "amd64", None, "10"))


def test_an_attestation_is_for_no_known_platform() -> None:
    assert not Platform("unknown", "unknown").known
    assert Platform("linux", "amd64").known
