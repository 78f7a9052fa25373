import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import InvalidReference
from regimport.models.digest import Digest
from regimport.models.on_disk import ArchiveReference, LayoutReference
from regimport.models.reference import (
    AnyReference,
    Reference,
    is_loopback,
    parse_end,
    registry_of,
    target_of,
    with_default_tag,
)

_CASES = json.loads((Path(__file__).parents[1] / "data" / "references.json").read_text())
_DIGEST = Digest("sha256:" + "a" * 64)
_OTHER = Digest("sha512:" + "b" * 128)


@pytest.mark.parametrize(
    "case",
    [case for case in _CASES if case["expect"]["valid"]],
    ids=lambda case: case["input"][:80],
)
def test_a_valid_reference_is_read_as_its_vector_says(case: dict[str, Any]) -> None:
    reference = Reference.parse(case["input"])
    assert {
        "valid": True,
        "registry": reference.registry,
        "repository": reference.repository,
        "tag": reference.tag or "",
        "digest": reference.digest or "",
    } == case["expect"]


@pytest.mark.parametrize(
    "text",
    [case["input"] for case in _CASES if not case["expect"]["valid"]],
    ids=lambda text: text[:80],
)
def test_an_invalid_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        Reference.parse(text)


def test_every_vector_is_tried() -> None:
    assert len(_CASES) > 300


@given(st.text() | st.text(alphabet="aA0./:@-_[]% \nsha256é"))
def test_no_text_raises_anything_but_invalid_reference(text: str) -> None:
    for given_text in (
        text,
        f"docker://{text}",
        f"oci:{text}",
        f"oci-archive:{text}",
        f"[{text}]/a",
    ):
        try:
            parsed = parse_end(given_text)
        except InvalidReference:
            continue
        assert parse_end(str(parsed)) == parsed


_COMPONENT = st.from_regex(r"[a-z0-9]{1,5}(?:(?:\.|_|__|-+)[a-z0-9]{1,5}){0,2}", fullmatch=True)
_NAMES = st.lists(_COMPONENT, min_size=1, max_size=4).map("/".join)
_REGISTRIES = st.sampled_from(
    ["localhost/", "localhost:5000/", "r.example/", "R.example:1/", "[::1]:5000/", "docker.io/"]
)
_TAGS = st.from_regex(r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?", fullmatch=True)
_DIGESTS = st.sampled_from(["", f"@{_DIGEST}", f"@{_OTHER}"])


@given(_REGISTRIES, _NAMES, _TAGS, _DIGESTS)
def test_what_is_written_is_read_back_the_same(
    registry: str, name: str, tag: str, digest: str
) -> None:
    reference = Reference.parse(f"{registry}{name}{tag}{digest}")
    assert Reference.parse(str(reference)) == reference
    assert str(reference).endswith(f"{name}{tag}{digest}")


def test_the_full_form_names_the_hub_and_its_library() -> None:
    assert str(Reference.parse("hello-world")) == "docker.io/library/hello-world"
    assert Reference.parse("hello-world").name == "docker.io/library/hello-world"


@pytest.mark.parametrize("registry", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_the_names_of_docker_hub_are_one(registry: str) -> None:
    assert Reference.parse(f"{registry}/alpine") == Reference.parse("alpine")
    assert Reference.parse(f"{registry}/a/b") == Reference.parse("a/b")


def test_a_missing_tag_becomes_latest_only_where_there_is_no_digest() -> None:
    assert with_default_tag(Reference.parse("r.example/a")).tag == "latest"
    assert with_default_tag(Reference.parse("r.example/a:1")).tag == "1"
    assert with_default_tag(Reference.parse(f"r.example/a@{_DIGEST}")).tag is None
    assert with_default_tag(LayoutReference("dir")).tag is None


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("docker://r.example/a:1", Reference("r.example", "a", "1")),
        ("docker://alpine", Reference("docker.io", "library/alpine")),
        ("oci:dir", LayoutReference("dir")),
        ("oci:/abs/dir:1", LayoutReference("/abs/dir", "1")),
        ("oci:dir:v1.0", LayoutReference("dir", "v1.0")),
        ("oci:dir:r.example/a", LayoutReference("dir", "r.example/a")),
        (f"oci:dir@{_DIGEST}", LayoutReference("dir", None, _DIGEST)),
        (f"oci:dir:1@{_DIGEST}", LayoutReference("dir", "1", _DIGEST)),
        ("ocidir://dir:1", LayoutReference("dir", "1")),
        ("oci:./Dir with space", LayoutReference("./Dir with space")),
        ("ocidir:////abs/dir", LayoutReference("/abs/dir")),
        ("oci-archive:x.tar", ArchiveReference("oci-archive", "x.tar")),
        ("oci-archive:/abs/x.tar:1", ArchiveReference("oci-archive", "/abs/x.tar", "1")),
        (f"oci-archive:-@{_DIGEST}", ArchiveReference("oci-archive", "-", None, _DIGEST)),
        ("docker-archive:-", ArchiveReference("docker-archive", "-")),
        ("docker-archive:x.tar:a/b:1", ArchiveReference("docker-archive", "x.tar", "a/b:1")),
    ],
)
def test_an_end_is_a_registry_or_on_disk(text: str, parsed: AnyReference) -> None:
    assert parse_end(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "oci:",
        "ocidir://",
        "oci::1",
        "oci:dir:",
        "oci:dir:a b",
        "oci:dir@sha256:1",
        "oci:a\nb",
        "docker://",
    ],
)
def test_a_broken_end_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse_end(text)


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        ("t.example/b", "s.example/a:1", "t.example/b:1"),
        ("t.example/b:2", "s.example/a:1", "t.example/b:2"),
        ("t.example/b", f"s.example/a:1@{_DIGEST}", "t.example/b:1"),
        ("t.example/b", f"s.example/a@{_DIGEST}", "t.example/b"),
        ("t.example/b:2", f"s.example/a@{_DIGEST}", "t.example/b:2"),
        (f"t.example/b:2@{_DIGEST}", "s.example/a:1", f"t.example/b:2@{_DIGEST}"),
        (f"t.example/b@{_DIGEST}", "s.example/a:1", f"t.example/b:1@{_DIGEST}"),
        ("t.example/", "alpine:1", "t.example/library/alpine:1"),
        ("t.example/mirror/", "s.example/x/a:1", "t.example/mirror/x/a:1"),
        ("docker://t.example:5000/", "s.example/a:1", "t.example:5000/a:1"),
        ("t.example/b", "oci:dir:1", "t.example/b:1"),
        ("t.example/b", "oci:dir", "t.example/b"),
        ("oci:dir", "s.example/a:1", "oci:dir:1"),
        ("oci:dir/", "s.example/a:1", "oci:dir/:1"),
        ("oci:dir:2", "s.example/a:1", "oci:dir:2"),
        ("oci-archive:x.tar", "s.example/a:1", "oci-archive:x.tar:1"),
        ("oci-archive:-", "docker-archive:-:a:1", "oci-archive:-:a:1"),
        ("t.example/b", "docker-archive:x.tar:s.example:5000/a:1", "t.example/b:1"),
        ("t.example/b", "docker-archive:x.tar:s.example:5000/a", "t.example/b"),
        ("t.example/mirror/", "docker-archive:x.tar:alpine:1", "t.example/mirror/library/alpine:1"),
    ],
)
def test_a_target_takes_from_the_source_what_it_leaves_out(
    target: str, source: str, expected: str
) -> None:
    assert str(target_of(target, parse_end(source))) == expected


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("t.example/", "oci:dir:1"),
        ("t.example/b", "oci:dir:r.example/a"),
        ("t.example//", "s.example/a:1"),
        ("t.example/b:/", "s.example/a:1"),
        ("", "s.example/a:1"),
        ("/", "s.example/a:1"),
    ],
)
def test_a_target_that_cannot_be_filled_in_is_refused(target: str, source: str) -> None:
    with pytest.raises(InvalidReference):
        target_of(target, parse_end(source))


def test_a_reference_is_tagged_and_pinned_anew() -> None:
    for reference in (parse_end(f"r.example/a:1@{_DIGEST}"), parse_end(f"oci:dir:1@{_DIGEST}")):
        assert (reference.tagged("2").tag, reference.tagged("2").digest) == ("2", None)
        assert reference.tagged(None).tag is None
        assert (reference.pinned(_OTHER).tag, reference.pinned(_OTHER).digest) == (None, _OTHER)
    with pytest.raises(InvalidReference):
        Reference.parse("r.example/a").tagged("not a tag")


@pytest.mark.parametrize(
    ("registry", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example:5000", False),
        ("docker.io", False),
        ("[fe80::1]", False),
    ],
)
def test_this_machine_is_known_by_its_address(registry: str, loopback: bool) -> None:
    assert is_loopback(registry) is loopback


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("r.example", "r.example"),
        ("r.example:5000", "r.example:5000"),
        ("localhost", "localhost"),
        ("[::1]:5000", "[::1]:5000"),
        ("https://r.example/v2/", "r.example"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_registry_is_read_as_users_write_it(text: str, registry: str) -> None:
    assert registry_of(text) == registry


@pytest.mark.parametrize(
    "text", ["", "name", "r.example/team", "user@r.example", "r.example:0", "a b.c", "r.example:x"]
)
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        registry_of(text)
