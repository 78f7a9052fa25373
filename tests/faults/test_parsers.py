"""Whatever a parser of foreign text is given, it gives a value or its own error, and soon.

The corpus, tests/data/hostile.json, holds what has a meaning somewhere, or once broke something;
hypothesis puts pieces of it together and adds its own.
"""

from __future__ import annotations

import json
import math
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regimport.auth import token_service
from regimport.auth.challenge import parse_challenges
from regimport.credentials.dockerconfig import DockerConfig
from regimport.errors import (
    AccessDenied,
    InvalidConfig,
    InvalidManifest,
    InvalidReference,
    RegimportError,
    RegistryError,
)
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.reference import parse_end
from regimport.redact import safe_headers, safe_text, safe_url
from regimport.registry import blobs, listing
from regimport.registry.upload_session import kept_bytes
from regimport.server.ranges import Unsatisfiable, chunk_range, wanted_range
from regimport.transport.answers import Answer, error_of, retry_after
from regimport.transport.origins import (
    Origin,
    check_realm,
    next_page,
    redirect_target,
    upload_location,
    with_digest,
)

CORPUS: list[str] = json.loads(
    (Path(__file__).parent.parent / "data" / "hostile.json").read_text("utf-8")
)
HERE = "https://registry.example/v2/team/app/x"
BLOB = Descriptor("a/b", Digest(f"sha256:{'0' * 64}"), 1000)

texts = st.one_of(
    st.sampled_from(CORPUS),
    st.lists(st.sampled_from(CORPUS) | st.text(max_size=8), max_size=6).map("".join),
    st.text(),
)
# JSON with the names that mean something to one of the readers.
NAMES = [
    "access_token",
    "annotations",
    "artifactType",
    "auth",
    "auths",
    "code",
    "config",
    "credHelpers",
    "credsStore",
    "digest",
    "errors",
    "expires_in",
    "identitytoken",
    "layers",
    "manifests",
    "mediaType",
    "message",
    "name",
    "os",
    "platform",
    "schemaVersion",
    "size",
    "subject",
    "tags",
    "token",
    "urls",
]
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(CORPUS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)
bodies = st.one_of(
    documents.map(json.dumps).map(str.encode),
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=200),
)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    named = [
        (name.replace("_", "-").encode(), value.encode("utf-8", "surrogatepass"))
        for name, value in headers.items()
    ]
    return Answer("GET", HERE, status, httpx.Headers(named), body)


def plain(text: str) -> bool:
    """Whether a terminal would only show it."""
    return not {unicodedata.category(character) for character in text} & {"Cc", "Cf", "Zl", "Zp"}


def location(text: str) -> None:
    url = upload_location(HERE, text)
    assert Origin.of(url).scheme == "https"
    assert "digest=" in with_digest(url, BLOB.digest)


def redirect(text: str) -> None:
    assert Origin.of(redirect_target(HERE, text)).scheme == "https"


def page(text: str) -> None:
    url = next_page(HERE, text)
    assert url is None or Origin.of(url) == Origin.of(HERE)


def realm(text: str) -> None:
    assert check_realm(text, Origin.of(HERE)).startswith("https://")


def wait(text: str) -> None:
    seconds = retry_after({"retry-after": text}, 1_700_000_000.0)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


def content_range(text: str) -> None:
    head = answer(206, Content_Range=text)
    if blobs._is_rest(head, BLOB, 400):
        assert text.strip() in {"bytes 400-999/1000", "bytes 400-999/*"}


def session_range(text: str) -> None:
    kept = kept_bytes(answer(204, Range=text))
    assert kept is None or kept >= 0


def reference(text: str) -> None:
    parsed = parse_end(text)
    assert parse_end(str(parsed)) == parsed


def digest(text: str) -> None:
    assert Digest(text) == text


def served_range(text: str) -> None:
    part = wanted_range(text, 100)
    assert part is None or 0 <= part[0] < part[1] <= 100
    chunk_range(text)


def shown(text: str) -> None:
    for safe in (safe_text(text), safe_url(text), *safe_headers({"Date": text}).values()):
        assert plain(safe)


class NoError(Exception):
    """For what takes anything."""


TEXTS: dict[str, tuple[Callable[[str], object], type[Exception]]] = {
    "a reference": (reference, InvalidReference),
    "a digest": (digest, InvalidReference),
    "a challenge": (parse_challenges, NoError),
    "a Link": (page, RegistryError),
    "the Location of an upload": (location, RegistryError),
    "the Location of a redirect": (redirect, RegistryError),
    "a realm": (realm, AccessDenied),
    "Retry-After": (wait, NoError),
    "Content-Range": (content_range, NoError),
    "the Range of an upload": (session_range, NoError),
    "the ranges of requests": (served_range, Unsatisfiable),
    "what is shown": (shown, NoError),
    "a configuration": (lambda text: DockerConfig.parse(text, "here"), InvalidConfig),
}


def error_body(body: bytes) -> None:
    for status in (400, 401, 404, 429, 500):
        error = error_of(answer(status, body))
        assert isinstance(error, RegimportError)
        assert plain(error.message)
        assert len(error.message) < 1500


def token(body: bytes) -> None:
    text, life = token_service.read_token(answer(200, body))
    assert text.isascii()
    assert text.isprintable()
    assert 0 < life <= 86_400


def tags(body: bytes) -> None:
    assert all(isinstance(entry, str) for entry in listing._entries(body, HERE, "tags"))


def manifest(body: bytes) -> None:
    found = Manifest.parse(body)
    assert found.raw == body
    assert found.digest == Digest.of(body)


BODIES: dict[str, tuple[Callable[[bytes], object], type[Exception]]] = {
    "an error": (error_body, NoError),
    "a token": (token, RegistryError),
    "a listing": (tags, RegistryError),
    "a manifest": (manifest, InvalidManifest),
}
fuzzed = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("what", TEXTS)
@given(text=texts)
@fuzzed
def test_no_text_raises_anything_but_its_own_error(what: str, text: str) -> None:
    parse, error = TEXTS[what]
    with suppress(error):
        parse(text)


@pytest.mark.parametrize("what", BODIES)
@given(body=bodies)
@fuzzed
def test_no_body_raises_anything_but_its_own_error(what: str, body: bytes) -> None:
    parse, error = BODIES[what]
    with suppress(error):
        parse(body)


@pytest.mark.parametrize("what", [*TEXTS, *BODIES])
def test_the_whole_corpus_is_read_or_refused(what: str) -> None:
    for piece in CORPUS:
        if what in TEXTS:
            parse, error = TEXTS[what]
            with suppress(error):
                parse(piece)
        else:
            read, error = BODIES[what]
            with suppress(error):
                read(piece.encode())


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize(
    "piece", ["a", "/", ",", '"', "\\", "<", ">;", " ", "-", "0", "[", '{"a":', "%2e", "a=b,"]
)
def test_a_long_text_is_read_in_linear_time(what: str, piece: str) -> None:
    parse, error = TEXTS[what]
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    with suppress(error):
        parse(text)
    assert time.process_time() - started < 2
