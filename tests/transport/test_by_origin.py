"""httpx's own transport fits in the place of ours: one exchange each, with the wire mocked."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import respx

from regimport.auth.lookup import CredentialLookup
from regimport.errors import NotFound, Side
from regimport.events import Silent
from regimport.models.mediatype import ACCEPT_MANIFESTS
from regimport.options import CopyOptions
from regimport.registry.repository import Repository
from regimport.registry.session import Session
from regimport.transport.by_origin import TransportByOrigin
from regimport.transport.dial import Dialer
from support.images import single

IMAGE = single()
URL = "https://registry-1.docker.io/v2/library/hello-world"


@pytest.fixture
def hub() -> Iterator[Repository]:
    """Docker Hub, as respx plays it."""
    transport = TransportByOrigin(Dialer())
    session = Session(
        "docker.io",
        Side.SOURCE,
        CopyOptions(),
        CredentialLookup(lambda _: None),
        Silent(),
        threading.Event(),
        transport,
    )
    with respx.mock:
        yield Repository(session, "library/hello-world")
    session.close()


def test_docker_hub_is_asked_at_the_host_that_serves_it(hub: Repository) -> None:
    headers = {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": IMAGE.root}
    length = {"Content-Length": str(len(IMAGE.raw))}
    route = respx.head(f"{URL}/manifests/latest").respond(200, headers=headers | length)
    found = hub.head_manifest("latest")
    assert found is not None
    assert (found.digest, found.size) == (IMAGE.root, len(IMAGE.raw))
    request = route.calls.last.request
    assert request.headers["Accept"] == ACCEPT_MANIFESTS
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["User-Agent"].startswith("regimport/")
    assert "Authorization" not in request.headers


def test_a_manifest_is_read_whole(hub: Repository) -> None:
    headers = {"Content-Type": f"{IMAGE.media_type}; charset=utf-8"}
    respx.get(f"{URL}/manifests/{IMAGE.root}").respond(200, headers=headers, content=IMAGE.raw)
    assert hub.get_manifest(IMAGE.root).raw == IMAGE.raw


def test_what_is_missing_is_not_found(hub: Repository) -> None:
    errors = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
    respx.get(f"{URL}/manifests/no").respond(404, json=errors)
    with pytest.raises(NotFound) as caught:
        hub.get_manifest("no")
    assert caught.value.codes == ("MANIFEST_UNKNOWN",)


def _loaded(transport: str) -> str:
    script = f"""
import sys
from regimport import CopyOptions, RegimportError, RetryPolicy, copy
try:
    copy("127.0.0.1:1/a", "127.0.0.1:1/b", options=CopyOptions(
        transport={transport!r}, retry=RetryPolicy(attempts=1)))
except RegimportError as error:
    print(type(error).__name__, *("httpx" in sys.modules, "httpcore" in sys.modules))
"""
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(("transport", "loaded"), [("pooled", False), ("httpx", True)])
def test_httpx_own_transport_is_loaded_where_it_is_asked_for_and_only_there(
    transport: str, loaded: bool
) -> None:
    assert _loaded(transport) == f"Unreachable True {loaded}\n"
