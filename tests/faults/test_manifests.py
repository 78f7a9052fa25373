"""Manifests that lie about themselves, that move, and that no registry would serve."""

from __future__ import annotations

import json
import resource

from faults.actions import END, Changed, Cut, Endless, Status, Then, error_body, flipped
from faults.lies import descriptor, manifest, served
from faults.message import CHUNKED, UNTIL_CLOSE
from faults.proxy import ALWAYS, Fault
from faults.table import IMAGE, OLD, Row, Stage, run_copy, run_row, table
from regimport.errors import ContentMismatch, InvalidManifest, RegimportError, RegistryError
from support.images import OCI_INDEX, OCI_MANIFEST, Image, digest_of, many_platforms, nested, single

ZEROS = f"sha256:{'0' * 64}"


def sized(size: int) -> Image:
    """An image whose manifest has about `size` bytes."""
    image = Image()
    config = image.blob(b"{}", "application/vnd.oci.image.config.v1+json")
    image.manifest(config, [], annotations={"filler": "x" * size})
    return image


def bad_child(**changes: object) -> Image:
    """An index whose second child's descriptor is wrong, though its digest is right."""
    image = Image()
    children = [
        image.manifest(
            image.blob(f'{{"n":{number}}}'.encode(), "application/vnd.oci.image.config.v1+json"), []
        )
        for number in range(2)
    ]
    children[1].update(changes)
    image.index(children)
    return image


def deep(levels: int) -> Image:
    image = Image()
    child = image.manifest(image.blob(b"{}", "application/vnd.oci.image.config.v1+json"), [])
    for _ in range(levels):
        child = image.index([child])
    return image


def manifest_with(member: bytes) -> bytes:
    """A manifest with one member more, written as it is."""
    return json.dumps(manifest(descriptor())).encode()[:-1] + b"," + member + b"}"


PUT = [
    *(
        Row(
            title=f"the manifest is refused for ever: {status} {code}",
            target=[Fault("PUT manifest", Status(status, body=error_body(code)), ALWAYS)],
            error=RegistryError,
            says=code,
            most={"target PUT manifest": 1},
            retries=False,
        )
        for status, code in ((400, "MANIFEST_INVALID"), (413, "SIZE_INVALID"), (400, "TAG_BAD"))
    ),
    *(
        Row(
            title=f"PUT of a manifest is answered {status}",
            target=[Fault("PUT manifest", Changed(status=status), ALWAYS)],
            most={"target PUT manifest": 1},
        )
        for status in (200, 202, 204)
    ),
    Row(
        title="PUT of a manifest is answered with another digest, but the tag is right",
        target=[Fault("PUT manifest", Changed(headers={"Docker-Content-Digest": ZEROS}), ALWAYS)],
        most={"target PUT manifest": 1},
    ),
    Row(
        title="PUT of a manifest is answered 201, and nothing is stored",
        target=[Fault("PUT manifest", Status(201), ALWAYS)],
        error=RegimportError,
        most={"target PUT manifest": 5},
    ),
]
AS_SERVED = [
    *(
        Row(
            title=f"the source's Content-Type is {value}",
            source=[Fault("* manifest", Changed(headers={"Content-Type": value}), (1, 2))],
            image=image,
            most={"source GET manifest": 4},
        )
        for value, image in (
            (f"{OCI_MANIFEST}; charset=utf-8", IMAGE),
            (f"{OCI_INDEX} ;q=1", many_platforms("p")),
            (OCI_MANIFEST.upper(), IMAGE),
            ("text/plain", IMAGE),
            ("application/octet-stream", IMAGE),
            (None, IMAGE),
        )
    ),
    *(
        Row(
            title=f"the source serves its manifest {framing.name}",
            source=[Fault("GET manifest", Changed(framing=framing), ALWAYS)],
            most={"source GET manifest": 1},
        )
        for framing in (CHUNKED, UNTIL_CLOSE)
    ),
    *(
        Row(
            title=f"the source's manifest is cut, {how}, without a length",
            source=[Fault(f"{method} manifest", Cut(250, END, UNTIL_CLOSE)) for method in methods],
            most={"source GET manifest": 3},
        )
        for how, methods in (("by digest", ("GET",)), ("by its tag", ("HEAD", "GET")))
    ),
    Row(
        title="one bit of the source's manifest is flipped, once",
        source=[Fault("GET manifest", Changed(body=flipped(100)))],
        most={"source GET manifest": 2},
    ),
    Row(title="a manifest of 3.9 MiB", image=sized(4_089_446)),
    Row(title="an index that nests three deep", image=nested()),
    Row(title="indexes that nest seven deep", image=deep(7)),
]
REFUSED = [
    Row(
        title="indexes that nest nine deep",
        image=deep(9),
        error=InvalidManifest,
        says="deep",
        most={"target POST upload": 0},
    ),
    Row(
        title="a manifest of 20 MiB",
        source=served(manifest(annotations={"filler": "x" * 20 * 1024**2})),
        error=InvalidManifest,
        says="longer",
        most={"target POST upload": 0},
    ),
    Row(
        title="a manifest without an end",
        source=[Fault("GET manifest", Endless({"Content-Type": OCI_MANIFEST}), ALWAYS)],
        error=InvalidManifest,
        says="longer",
        most={"source GET manifest": 1},
    ),
    Row(
        title="other bytes than the digest that was asked for, and headers that agree with the lie",
        source=[Fault("GET manifest", Changed(body=lambda body: body + b" "), ALWAYS)],
        error=ContentMismatch,
        says="asked for manifest",
        most={"source GET manifest": 2, "target POST upload": 0},
    ),
    Row(
        title="a child of an index with other bytes",
        source=[Fault("GET manifest", Changed(body=lambda body: body + b" "), (2, 3, 4, 5))],
        image=many_platforms("child"),
        error=ContentMismatch,
        most={"target POST upload": 0},
    ),
    Row(
        title="a child of an index that is longer than the index says",
        image=bad_child(size=7),
        error=ContentMismatch,
        says="7",
        most={"target POST upload": 0},
    ),
    Row(
        title="a manifest that is served as an index",
        source=served(manifest(descriptor()), OCI_INDEX),
        error=InvalidManifest,
        says="served as",
    ),
    Row(
        title="a manifest that calls itself an index",
        source=served({**manifest(descriptor()), "mediaType": OCI_INDEX}, None),
        error=InvalidManifest,
    ),
    Row(
        title="both a manifest and an index",
        source=served({**manifest(descriptor()), "manifests": [descriptor()]}),
        error=InvalidManifest,
        says="ambiguous",
    ),
    Row(
        title="neither a manifest nor an index",
        source=served({"schemaVersion": 2, "mediaType": OCI_MANIFEST}),
        error=InvalidManifest,
    ),
    Row(
        title="an index that names itself",
        source=served(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(digest=ZEROS)]},
            OCI_INDEX,
        ),
        error=ContentMismatch,
        says="asked for manifest",
    ),
    Row(
        title="Docker's schema 1",
        source=served(
            {"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": []},
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
        ),
        error=InvalidManifest,
        says="schema 1",
    ),
    *(
        Row(
            title=f"JSON that is {name}",
            source=served(document),
            error=InvalidManifest,
            says="manifest|10001 layers",
            most={"target POST upload": 0},
        )
        for name, document in (
            ("200 000 levels deep, in lists", b"[" * 200_000 + b"]" * 200_000),
            ("200 000 levels deep, in objects", b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
            ("deep in an unknown member", manifest_with(b'"x":' + b"[" * 5000 + b"]" * 5000)),
            ("a number of a million digits", manifest_with(b'"x":' + b"9" * 1_000_000)),
            ("not a number", manifest_with(b'"x":NaN')),
            ("infinite", manifest_with(b'"x":-Infinity')),
            ("written in UTF-16", json.dumps(manifest()).encode("utf-16")),
            ("behind a byte order mark", b"\xef\xbb\xbf" + json.dumps(manifest()).encode()),
            ("cut off", json.dumps(manifest()).encode()[:-1]),
            ("a list", [manifest()]),
            ("a text", "manifest"),
            ("nothing", b""),
            ("of two layers members", manifest_with(b'"layers":[]')),
            ("of 10 001 layers", manifest(*([descriptor()] * 10_001))),
        )
    ),
]


@table([*PUT, *AS_SERVED])
def test_a_manifest_that_is_put_or_served_oddly(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)


@table(REFUSED)
def test_a_manifest_that_must_not_be_copied(stage: Stage, row: Row, repository: str) -> None:
    before = peak_memory()
    result = run_row(stage, row, repository)
    assert result.target.count("PUT manifest") == 0
    assert peak_memory() - before < 150 * 1024**2
    assert not result.retries


def test_a_tag_that_moves_at_the_source_does_not_tear_the_image(
    stage: Stage, repository: str
) -> None:
    newer = single("newer")
    stage.set_up(repository, IMAGE, OLD)
    move = Then(lambda: stage.source.push(repository, newer, "1"))
    with stage.between([Fault("GET manifest", move)]) as (source, target):
        result = run_copy(source, target, repository)
    assert result.error is None
    assert stage.source.head(repository, "1") == newer.root
    assert stage.state(repository) == IMAGE.content()
    assert all(digest_of(IMAGE.raw) in asked.path for asked in source.asked("GET manifest"))


def test_a_tag_that_is_moved_by_somebody_else_during_the_copy_ends_at_a_whole_image(
    stage: Stage, repository: str
) -> None:
    other = single("somebody-else")
    stage.set_up(repository, IMAGE, OLD)
    move = Then(lambda: stage.target.push(repository, other, "1"))
    with stage.between(target=[Fault("PUT upload", move)]) as (source, target):
        result = run_copy(source, target, repository)
    assert result.error is None
    assert stage.state(repository) == IMAGE.content()


def peak_memory() -> int:
    """The most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
