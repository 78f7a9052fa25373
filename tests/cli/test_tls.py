"""TLS from the command line: each side has its own files, and hints name the options."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trustme

from support.client import Client
from support.images import many_platforms
from support.program import Program
from support.registries import DockerRegistry, certified_registry

_LOGIN = ("--target-username", "alice", "--target-password-stdin")


@pytest.fixture
def image(source: DockerRegistry, repository: str) -> str:
    Client(source.address).push(repository, many_platforms(), "v1")
    return f"{source.address}/{repository}:v1"


def test_a_target_with_an_authority_of_its_own_is_written_to(
    program: Program, image: str, tls_process: DockerRegistry, ca_file: Path, repository: str
) -> None:
    target = f"{tls_process.address}/{repository}:v1"
    ended = program(
        "copy",
        "-q",
        "--target-ca-file",
        str(ca_file),
        *_LOGIN,
        image,
        target,
        stdin="wonder:land\n",
    )
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{tls_process.address}/{repository}@sha256:")


def test_an_authority_that_is_not_trusted_leads_to_the_option(
    program: Program, image: str, tls_process: DockerRegistry, ca_file: Path, repository: str
) -> None:
    """The file is for the other side: there it does not count."""
    target = f"{tls_process.address}/{repository}:v1"
    ended = program(
        "copy", "--source-ca-file", str(ca_file), *_LOGIN, image, target, stdin="wonder:land\n"
    )
    assert ended.code == 6
    assert "signed by an authority that is not trusted here" in ended.err
    assert f"at the target: {tls_process.address}/{repository}" in ended.err
    assert "--target-ca-file" in ended.err


def test_a_certificate_that_is_not_checked_is_warned_of(
    program: Program, image: str, tls_process: DockerRegistry, repository: str
) -> None:
    target = f"{tls_process.address}/{repository}:v1"
    ended = program(
        "copy", "--insecure", tls_process.address, *_LOGIN, image, target, stdin="wonder:land\n"
    )
    assert ended.code == 0, ended.err
    assert f"warning: the certificate of {tls_process.address} is not checked" in ended.err
    within = program(
        "copy",
        "--insecure",
        tls_process.address,
        target,
        f"{target}-again",
        REGIMPORT_SOURCE_USERNAME="alice",
        REGIMPORT_SOURCE_PASSWORD="wonder:land",
        REGIMPORT_TARGET_USERNAME="alice",
        REGIMPORT_TARGET_PASSWORD="wonder:land",
    )
    assert within.code == 0, within.err
    assert within.err.count("is not checked") == 1


def test_an_address_may_be_given_and_the_name_stays(
    program: Program, authority: trustme.CA, tls_process: DockerRegistry, ca_file: Path
) -> None:
    """The certificate is for localhost: its name is what counts, wherever it is."""
    port = tls_process.address.rpartition(":")[2]
    ended = program(
        "login",
        "--ca-file",
        str(ca_file),
        "--resolve",
        f"registry.example:{port}:127.0.0.1",
        "-u",
        "alice",
        "--password-stdin",
        f"registry.example:{port}",
        stdin="wonder:land\n",
    )
    assert ended.code == 6
    assert "the certificate of registry.example" in ended.err
    assert "is for another host" in ended.err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--resolve", "registry.example"), ("--resolve", "a:1:b"), ("--source-key", "key.pem")],
)
def test_an_option_that_cannot_be_meant_is_an_error(
    option: str, value: str, program: Program, image: str
) -> None:
    ended = program("copy", option, value, image, image)
    assert ended.code == 2, ended.err
    assert "error:" in ended.err
    assert "hint:" in ended.err


def test_a_registry_that_wants_a_client_certificate_is_written_to_with_one(
    program: Program, image: str, authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    """Given as options, in certs.d as for Docker, and in the configuration file."""
    issued = authority.issue_cert("client@example.org")
    files = tmp_path / "client.cert", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(files[0])
    issued.private_key_pem.write_to_path(files[1])
    with certified_registry(tmp_path / "registry", authority) as registry:
        target = f"{registry.address}/copy"
        (tmp_path / "config.toml").write_text(
            f'[registry."{registry.address}"]\nca-file = "{ca_file}"\n'
            'cert = "client.cert"\nkey = "client.key"\n'
        )
        trusting = ("--target-ca-file", str(ca_file))
        shown = ("--target-cert", str(files[0]), "--target-key", str(files[1]))
        without = program("copy", *trusting, image, f"{target}:1")
        assert without.code == 6
        assert (
            "a client certificate: --cert (of a copy: --source-cert, --target-cert) and --key"
            in without.err
        )
        ended = program("copy", *trusting, *shown, image, f"{target}:1")
        assert ended.code == 0, ended.err
        ended = program("copy", image, f"{target}:2", REGIMPORT_CONFIG="config.toml")
        assert ended.code == 0, ended.err
        place = Path(os.environ["HOME"], ".docker/certs.d", registry.address)
        place.mkdir(parents=True)
        for file in files:
            file.rename(place / file.name)
        (place / "ca.crt").write_bytes(ca_file.read_bytes())
        ended = program("copy", image, f"{target}:3")
        assert ended.code == 0, ended.err
