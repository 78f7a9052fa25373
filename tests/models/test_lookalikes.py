import pytest

from regimport.errors import InvalidReference
from regimport.models.lookalikes import check_is_reference
from regimport.models.on_disk import LayoutReference
from regimport.models.reference import Reference, parse_end, target_of

_DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5000/REPOSITORY:TAG"),
        ("127.0.0.1", "127.0.0.1/REPOSITORY:TAG"),
        ("registry.example:5000", "registry.example:5000/REPOSITORY:TAG"),
        ("registry.example", "registry.example/REPOSITORY:TAG"),
        ("registry.example:latest", "registry.example/REPOSITORY:TAG"),
        (f"registry.example:5000@{_DIGEST}", "registry.example:5000/REPOSITORY:TAG"),
        ("docker://registry.example:5000", "registry.example:5000/REPOSITORY:TAG"),
        ("[::1]:5000", "[::1]:5000/REPOSITORY:TAG"),
        ("[::1]", "[::1]/REPOSITORY:TAG"),
        ("localhost", "localhost/REPOSITORY:TAG"),
        ("localhost:5000", "localhost:5000/REPOSITORY:TAG"),
        (_DIGEST, f"write REPOSITORY@{_DIGEST}"),
        ("https://r.example/app", "leave out https://"),
        ("http://r.example/app", "leave out http://; for a registry without TLS add `plain_http`"),
        ("HTTP://r.example:5000/app", "leave out http://; for a registry"),
        ("ftp://r.example/app", "leave out ftp://"),
        ("docker-image://alpine", "leave out docker-image://"),
        ("ocifile:x.tar", "write oci-archive:FILE"),
        ("tarball:x.tar", "docker-archive:FILE for a tar of `docker save`"),
        ("docker-daemon:alpine", "`docker save IMAGE | regimport copy docker-archive:- TARGET`"),
        ("docker-daemon:alpine:3", "docker-archive:-"),
        ("containers-storage:r.example/app", "oci-archive:-"),
        ("dir:/tmp/image", "write oci:DIRECTORY"),
        ("dir:image", "write oci:DIRECTORY"),
        ("oci-layout://image", "write oci:DIRECTORY"),
        ("ostree:app@/ostree/repo", "from and to registries, oci:DIRECTORY"),
        ("sif:app", "from and to registries, oci:DIRECTORY"),
    ],
)
def test_what_only_looks_like_an_image_of_docker_hub_is_refused_with_what_was_meant(
    text: str, hint: str
) -> None:
    for parse in (parse_end, lambda text: target_of(text, Reference("s.example", "app", "1"))):
        with pytest.raises(InvalidReference) as caught:
            parse(text)
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "alpine",
        "alpine:3.20",
        "repo:5000",
        "docker:dind",
        "registry:2",
        "team/registry.example:5000",
        "docker.io/library/registry.example:5000",
        "registry.example:5000/app",
        "localhost/app",
        "dir/app:1",
        f"alpine@{_DIGEST}",
    ],
)
def test_a_reference_stays_one(text: str) -> None:
    check_is_reference(text)
    assert isinstance(parse_end(text), Reference)


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_end("https://ci:s3cret@r.example/app")
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "path", "tag", "digest"),
    [
        ("oci:job@2", "job@2", None, None),
        ("oci:/var/jenkins/job@2/image:1", "/var/jenkins/job@2/image", "1", None),
        (f"oci:job@2@{_DIGEST}", "job@2", None, _DIGEST),
        (f"oci:job@2:1@{_DIGEST}", "job@2", "1", _DIGEST),
        ("oci:a@b@c", "a@b@c", None, None),
        ("oci:@home", "@home", None, None),
        ("oci:dir@", "dir@", None, None),
        ("oci:dir:app@1", "dir", "app@1", None),
    ],
)
def test_a_layouts_path_may_have_an_at_sign(
    text: str, path: str, tag: str | None, digest: str | None
) -> None:
    parsed = parse_end(text)
    assert isinstance(parsed, LayoutReference)
    assert (parsed.path, parsed.tag, parsed.digest) == (path, tag, digest)
    assert parse_end(str(parsed)) == parsed


@pytest.mark.parametrize("text", ["oci:dir@sha256:1", "oci:job@2@sha512:ab", "oci:d@sha384:aa"])
def test_a_digest_of_a_layout_that_is_cut_short_is_no_path(text: str) -> None:
    with pytest.raises(InvalidReference, match="invalid digest"):
        parse_end(text)


@pytest.mark.parametrize(
    "text", ["r.example/app:", "alpine:", "oci:dir:", f"r.example/app:@{_DIGEST}"]
)
def test_a_missing_tag_is_called_that(text: str) -> None:
    with pytest.raises(InvalidReference, match="ends in ':' without a tag"):
        parse_end(text)
