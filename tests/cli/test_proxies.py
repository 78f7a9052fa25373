"""A copy through a company's proxy, as a process with the environment that such a network has."""

from __future__ import annotations

from pathlib import Path

from support.client import Client
from support.images import many_platforms
from support.program import Program
from support.proxy import RecorderProxy
from support.registries import DockerRegistry

_PASSWORD = "pr0xy-s3cret"


def _pushed(registry: DockerRegistry, repository: str) -> None:
    Client(registry.address).push(repository, many_platforms(), "v1")
    registry.clear()


def test_no_proxy_is_for_one_side_and_the_other_goes_through(
    program: Program,
    source: DockerRegistry,
    tls_process: DockerRegistry,
    ca_file: Path,
    repository: str,
) -> None:
    """The target is in the company's net; the names are known to the proxy alone."""
    _pushed(source, repository)
    port = tls_process.address.rpartition(":")[2]
    with RecorderProxy({"source.example:80": source.address}) as proxy:
        ended = program(
            "copy",
            "--plain-http",
            "source.example",
            "--insecure",
            f"target.example:{port}",
            "--resolve",
            f"target.example:{port}:127.0.0.1",
            "--target-username",
            "alice",
            "--target-password-stdin",
            f"source.example/{repository}:v1",
            f"target.example:{port}/{repository}",
            stdin="wonder:land\n",
            HTTP_PROXY=proxy.url,
            HTTPS_PROXY=proxy.url,
            NO_PROXY="target.example",
        )
        assert ended.code == 0, ended.err
        assert ended.out.startswith(f"target.example:{port}/{repository}@sha256:")
        assert proxy.lines
        assert all(" http://source.example/v2/" in line for line in proxy.lines)
    assert [one.method for one in source.requests()].count("GET") == len(
        [line for line in proxy.lines if line.startswith("GET")]
    )


def test_the_proxys_password_is_never_printed(
    program: Program, tls_process: DockerRegistry, repository: str
) -> None:
    url = f"http://carol:{_PASSWORD}@"
    said = ""
    with RecorderProxy({"a.example:443": tls_process.address}) as proxy:
        for refuses in (None, 407, 403):
            proxy.refuses = refuses
            ended = program(
                "digest",
                "-vv",
                "--insecure",
                "a.example",
                f"a.example/{repository}:v1",
                HTTPS_PROXY=url + proxy.address,
            )
            assert ended.code != 0
            said += ended.out + ended.err
            assert proxy.passed[-1].authorization is not None
    assert "wants a user name and a password" in said
    assert "Traceback" in said, "the most that is ever printed"
    told = str(proxy.passed[-1].authorization)
    for secret in (_PASSWORD, told.removeprefix("Basic ")):
        assert secret not in said
