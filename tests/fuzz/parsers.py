"""The parsers of what somebody else writes, and input for each that is nearly what it expects."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

from regimport.auth.challenge import parse_challenges
from regimport.credentials.dockerconfig import DockerConfig
from regimport.errors import RegimportError
from regimport.layout.index import Index
from regimport.models.digest import Digest
from regimport.models.image_config import ImageConfig
from regimport.models.manifest import Manifest
from regimport.models.platform import Platform
from regimport.models.reference import parse_end
from regimport.redact import safe_text, safe_url
from regimport.transport.answers import Answer, error_of, retry_after
from regimport.transport.codings import UnknownCoding, decode
from regimport.transport.origins import next_page

__all__ = ["PARSERS"]

_DIGEST = st.sampled_from(["sha256:" + "a" * 64, "sha512:" + "b" * 128, "sha256:", "x"])
_MEMBERS = (
    "schemaVersion mediaType config layers manifests blobs subject annotations digest size urls "
    "platform os architecture variant os.version artifactType LAYERS Digest data errors code "
    "message detail auths auth credsStore credHelpers created Labels Env history"
)
_NAMES = st.sampled_from(_MEMBERS.split())
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    _DIGEST,
    st.sampled_from(
        [
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "dXNlcjpwdw==",
        ]
    ),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(_NAMES, st.text()), inner, max_size=8),
    ),
    max_leaves=30,
)
_JSON = st.one_of(
    _VALUES.map(lambda value: json.dumps(value).encode()),
    _VALUES.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")),
    st.binary(),
)
_TEXT = st.text(st.characters(exclude_categories=()))


def _of_pieces(*pieces: str) -> st.SearchStrategy[str]:
    """Texts of pieces that matter to a grammar, and of any others."""
    return st.lists(st.one_of(st.sampled_from(pieces), st.text(max_size=3))).map("".join)


def _rendered(raw: bytes) -> None:
    Index.parse(Index.parse(raw).render())


def _printed(raw: bytes) -> None:
    """What is shown of a manifest can be printed, and put into a document."""
    manifest = Manifest.parse(raw)
    for part in (*manifest.blobs(), *manifest.manifests):
        f"{part.platform} {part.artifact_type} {dict(part.annotations)}".encode()


def _answered(raw: bytes) -> None:
    error_of(Answer("GET", "http://r.example/v2/", 404, {}, raw)).message.encode()


def _decoded(pair: tuple[str, bytes]) -> None:
    with suppress(zlib.error, UnknownCoding):
        for _ in decode(pair[0], [pair[1]]):
            pass


def _safe(text: str) -> None:
    safe_text(text).encode()
    safe_url(text).encode()


def _refusing(parse: Callable[[Any], object]) -> Callable[[Any], None]:
    def run(value: Any) -> None:
        with suppress(RegimportError):
            parse(value)

    return run


PARSERS: Mapping[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]] = {
    name: (inputs, _refusing(parse))
    for name, inputs, parse in (
        ("manifest", _JSON, _printed),
        ("index", _JSON, _rendered),
        ("configuration", _JSON, ImageConfig.parse),
        ("error", _JSON, _answered),
        (
            "logins",
            _JSON.map(lambda raw: raw.decode("utf-8", "replace")),
            lambda text: DockerConfig.parse(text, "config.json"),
        ),
        ("digest", st.one_of(_TEXT, _DIGEST), Digest),
        ("platform", _of_pieces("linux", "/", "arm64", ":", "v8"), Platform.parse),
        (
            "reference",
            _of_pieces("r.example", "/", ":", "@", "sha256:" + "a" * 64, "oci:", "[::1]", "5000"),
            parse_end,
        ),
        (
            "challenge",
            _of_pieces("Bearer ", "Basic ", "realm=", '"', "\\", ",", "=", "scope", "https://r/"),
            parse_challenges,
        ),
        (
            "link",
            _of_pieces("<", ">", ";", "rel=", '"next"', ",", "/v2/", "//", "http://r.example"),
            lambda text: next_page("http://r.example/v2/a/tags/list", text),
        ),
        (
            "retry",
            _of_pieces("1", "Fri, 31 Dec 9999 23:59:59 GMT", "-", "+9999"),
            lambda text: retry_after({"retry-after": text}, 0.0),
        ),
        (
            "coding",
            st.tuples(st.sampled_from(["gzip", "deflate", "br"]), st.binary(max_size=4000)),
            _decoded,
        ),
        ("text", st.one_of(_TEXT, _of_pieces("\x1b[", "\x9d", "http://", "@", "?", "#")), _safe),
    )
}
