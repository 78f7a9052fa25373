import pytest

from regimport.models.platform import Platform


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
