"""What a copy waits for, in round trips: over TLS, with tokens at both sides."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from regimport import api
from regimport.models.credential import Credential
from regimport.network import Network, RegistrySettings, Tls
from regimport.options import CopyOptions
from support.images import many_platforms
from support.miniature import Miniature, TokenDoor
from support.scripted import Heard, Scripted
from support.waves import Waves

_KINDS = {
    "/token": "token",
    "/manifests/": "manifest",
    "/blobs/uploads/": "upload",
    "/blobs/": "blob",
}


def _kind(heard: Heard) -> str:
    what = next(kind for part, kind in _KINDS.items() if part in heard.path)
    tag = " by tag" if heard.path.endswith("/latest") else ""
    return f"{heard.method} {what}{tag}"


def _context(authority: trustme.CA, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def _options(ca_file: Path, *registries: Scripted, jobs: int = 32) -> CopyOptions:
    tls = Tls(ca_file=str(ca_file))
    settings = {
        registry.address: RegistrySettings(endpoint=f"https://{registry.address}", tls=tls)
        for registry in registries
    }
    return CopyOptions(jobs=jobs, network=Network(registries=settings))


def _guarded() -> Miniature:
    return Miniature(TokenDoor({"alice": "wonderland"}, realm="/token", anonymous=True))


def _copied(
    authority: trustme.CA, ca_file: Path, version: ssl.TLSVersion, jobs: int
) -> tuple[Waves, Scripted, Scripted]:
    held, context = _guarded(), _context(authority, version)
    held.hold("app", many_platforms())
    with (
        Waves() as waves,
        Scripted(waves.of("source", held, _kind), context) as source,
        Scripted(waves.of("target", _guarded(), _kind), context) as target,
    ):
        api.copy(
            f"{source.address}/app",
            f"{target.address}/app",
            options=_options(ca_file, source, target, jobs=jobs),
            target_credential=Credential("alice", "wonderland"),
        )
    return waves, source, target


def test_a_copy_waits_for_nothing_but_what_it_needs(authority: trustme.CA, ca_file: Path) -> None:
    """Each line is a round trip; what stands in one does not wait for the rest of it."""
    waves, _, _ = _copied(authority, ca_file, ssl.TLSVersion.TLSv1_3, 32)
    assert waves.all == [
        ["source HEAD manifest by tag", "target HEAD manifest by tag"],
        ["source GET token", "target GET token"],
        ["source HEAD manifest by tag", "target HEAD manifest by tag"],
        # The index, while the target is asked for it.
        ["source GET manifest", "target HEAD manifest"],
        # Its children are read only if the target lacks them: registries count that.
        ["target HEAD manifest"],
        ["source GET manifest"],
        # What is there is neither read nor sent.
        ["target POST upload"],
        ["source GET blob"],
        ["target PUT upload"],
        ["target PUT manifest"],
        ["target PUT manifest by tag"],
        ["target HEAD manifest by tag"],
    ]


def test_tls_1_3_takes_no_more_connections_than_tls_1_2(
    authority: trustme.CA, ca_file: Path
) -> None:
    """Its tickets come behind the handshake, and look as if the peer had spoken."""
    jobs = 4
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        _, source, target = _copied(authority, ca_file, version, jobs)
        assert source.connections <= jobs
        assert target.connections <= jobs
