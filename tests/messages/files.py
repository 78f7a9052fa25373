"""Files: settings, credentials, certificates, layouts."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from messages.stage import Stage
from support.miniature import complaint
from support.scripted import Heard, Say

CASES: list[Callable[[Stage], None]] = []
_LAYOUT = Path(__file__).parents[2] / "examples" / "hello-world" / "layout"


def _case(case: Callable[[Stage], None]) -> Callable[[Stage], None]:
    CASES.append(case)
    return case


@_case
def settings(stage: Stage) -> None:
    """A configuration file that cannot be used"""
    for number, text in enumerate(
        (
            '[registry."r.example"]\nmirror = ["https://m.example"]\n',
            "retries = 5\n",
            "= 5\n",
            '[registry."r.example"]\nmirrors = ["ftp://m.example"]\n',
            '[registry."r.example/app"]\nplain-http = true\n',
            '[registry."r.example"]\nconcurrency = 0\n',
            '[registry."r.example"]\nplain-http = "yes"\n',
            '[registry."r.example"]\n[registry."R.example"]\n',
            "[" * 2000,
            "\udcff",
        )
    ):
        name = f"conf{number}.toml"
        stage.write(name, text.encode("utf-8", "surrogateescape"))
        stage.run("regimport config check", REGIMPORT_CONFIG=name)
    stage.run("regimport copy r.example/a oci:b", REGIMPORT_CONFIG="missing.toml")
    stage.write("large.toml", b"#" * 2_000_000)
    stage.run("regimport copy r.example/a oci:b", REGIMPORT_CONFIG="large.toml")


@_case
def credentials(stage: Stage) -> None:
    """A file of credentials that cannot be used"""
    stage.registry("app", door=_refused)
    address = stage.address()
    for number, text in enumerate(
        (
            "{",
            "[]",
            json.dumps({"auths": {address: {"auth": "%%"}}}),
            json.dumps({"auths": {address: {"auth": "Y2kKeDpzZWNyZXQ="}}}),
            json.dumps({"credsStore": "../evil"}),
            json.dumps({"credsStore": "missing"}),
        )
    ):
        name = f"auth{number}.json"
        stage.write(name, text)
        stage.run(f"regimport digest --authfile {name} registry.example/app")
    stage.run("regimport digest --authfile missing.json registry.example/app")
    stage.write("utf16.json", "{}".encode("utf-16"))
    stage.run("regimport digest --authfile utf16.json registry.example/app")
    stage.write("large.json", b" " * 1_100_000)
    stage.run("regimport digest --authfile large.json registry.example/app")
    stage.run("regimport digest --authfile home registry.example/app")


def _refused(_: Heard) -> Say:
    return complaint(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="r"')


@_case
def certificates(stage: Stage) -> None:
    """Certificates that cannot be used"""
    stage.write("none.pem", "no certificate")
    stage.run("regimport digest --ca-file missing.pem r.example/app")
    stage.run("regimport digest --ca-file none.pem r.example/app")
    stage.run("regimport digest --cert none.pem r.example/app")
    stage.run("regimport digest --key none.pem r.example/app")
    stage.run("regimport digest r.example/app", SSL_CERT_FILE="missing.pem")


@_case
def no_layout(stage: Stage) -> None:
    """A layout that is none, or is not whole"""
    stage.write("folder/x", "x")
    stage.run("regimport copy oci:missing oci:b")
    stage.run("regimport copy oci:folder oci:b")
    stage.write("file", "x")
    (stage.folder / "layout").symlink_to(_LAYOUT)
    stage.run("regimport copy oci:layout:other oci:b")
    stage.run("regimport copy oci:layout:latest oci:folder")
    stage.run("regimport copy oci:layout:latest oci:file")


@_case
def broken_layout(stage: Stage) -> None:
    """A layout whose files are damaged"""
    for name, text in (
        ("a", "{"),
        ("b", "{}"),
        ("c", json.dumps({"schemaVersion": 2, "manifests": [{}]})),
    ):
        stage.write(f"{name}/oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        stage.write(f"{name}/index.json", text)
        stage.run(f"regimport copy oci:{name}:x oci:target")


@_case
def unwritable(stage: Stage) -> None:
    """A folder that cannot be written"""
    (stage.folder / "layout").symlink_to(_LAYOUT)
    stage.run("regimport copy --jobs 1 oci:layout:latest oci:/proc/x")
    stage.registry()
    stage.run(
        "regimport login -u ci --password-stdin --authfile /proc/x registry.example", stdin="x"
    )


@_case
def archives(stage: Stage) -> None:
    """An archive that cannot be read"""
    stage.write("text.tar", "no archive at all")
    stage.write("empty.tar", b"")
    stage.write("cut.tar.gz", b"\x1f\x8b\x08\x00")
    for name in ("missing.tar", "text.tar", "empty.tar", "cut.tar.gz"):
        stage.run(f"regimport copy oci-archive:{name} oci:b")
    stage.run("regimport copy docker-archive:text.tar oci:b")


@_case
def full_disk(stage: Stage) -> None:
    """A disk that is full"""
    (stage.folder / "layout").symlink_to(_LAYOUT)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with patch.object(os, "fsync", full), patch.object(os, "write", full):
        stage.run("regimport copy --jobs 1 oci:layout:latest oci:b")
