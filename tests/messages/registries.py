"""What registries answer."""

from __future__ import annotations

import json
from collections.abc import Callable

from messages.stage import Stage, refuse
from support.images import single
from support.miniature import BasicDoor, TokenDoor, complaint
from support.scripted import Heard, Say

CASES: list[Callable[[Stage], None]] = []
_COPY = "regimport copy --jobs 1 source.example/app target.example/app"


def _case(case: Callable[[Stage], None]) -> Callable[[Stage], None]:
    CASES.append(case)
    return case


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@_case
def absent(stage: Stage) -> None:
    """The source is not there"""
    stage.registry("app")
    stage.run("regimport copy registry.example/app:2 oci:b")
    stage.run("regimport copy registry.example/other oci:b")
    stage.run("regimport digest registry.example/app:2")
    stage.run("regimport inspect --platform linux/arm64 registry.example/app:2")


@_case
def wrong_password(stage: Stage) -> None:
    """A wrong password, or none"""
    stage.registry("app", door=BasicDoor({"ci": "right"}))
    stage.registry("app", name="tokens.example", door=TokenDoor({"ci": "right"}))
    for host in ("registry.example", "tokens.example"):
        stage.run(f"regimport login --username alice --password-stdin {host}", stdin="wrong")
        stage.run(f"regimport copy {host}/app oci:b")
        stage.run(f"regimport inspect --username alice --password-stdin {host}/app", stdin="x")


@_case
def not_allowed(stage: Stage) -> None:
    """An account that may not do it"""
    body = _error("DENIED", "requested access to the resource is denied")
    stage.registry("app", name="source.example")
    stage.registry(name="target.example", door=refuse(403, body, "POST"))
    stage.run(_COPY)
    stage.registry("app", door=refuse(403, body))
    stage.run("regimport copy registry.example/app oci:b")
    stage.run("regimport tags registry.example/app")


@_case
def read_only(stage: Stage) -> None:
    """A registry that is read-only"""
    stage.registry("app", name="source.example")
    body = _error("UNSUPPORTED", "The operation is unsupported.")
    stage.registry(name="target.example", door=refuse(405, body, "POST"))
    stage.run(_COPY)


@_case
def no_repository(stage: Stage) -> None:
    """A repository that has to be created first"""
    stage.registry("app", name="source.example")
    stage.registry(name="target.example").must_exist = set()
    stage.run(_COPY)


@_case
def failing(stage: Stage) -> None:
    """A registry that fails"""
    stage.registry("app", door=refuse(500, b"<html><title>Internal error</title></html>"))
    stage.run("regimport copy registry.example/app oci:b")
    stage.run("regimport copy -v registry.example/app oci:b")
    stage.registry("app", name="gateway.example", door=refuse(503, b"upstream timed out"))
    stage.run("regimport tags gateway.example/app")


@_case
def full_target(stage: Stage) -> None:
    """A target whose disk is full"""
    stage.registry("app", name="source.example")
    body = _error("UNKNOWN", "write /var/lib/registry/data: no space left on device")
    stage.registry(name="target.example", door=refuse(500, body, "PUT"))
    stage.run(_COPY)
    stage.run(_COPY.replace("copy", "copy -v"))


@_case
def too_large(stage: Stage) -> None:
    """A proxy that limits the size of a request"""
    stage.registry("app", name="source.example")
    stage.registry(name="target.example", door=refuse(413, b"too large", "PUT"))
    stage.run(_COPY)


@_case
def too_many(stage: Stage) -> None:
    """A pull limit that is reached"""
    body = _error("TOOMANYREQUESTS", "You have reached your pull rate limit.")
    stage.registry("app", door=refuse(429, body, Retry_After="3600"))
    stage.run("regimport copy --max-wait 1s registry.example/app oci:b")
    stage.registry("app", name="plain.example")
    stage.run("regimport ratelimit plain.example/app")


@_case
def exists(stage: Stage) -> None:
    """A tag that is there"""
    stage.registry("app", name="source.example")
    target = stage.registry(name="target.example")
    target.hold("app", single("another"))
    stage.run(f"{_COPY} --no-clobber")
    stage.run(f"{_COPY.replace('target.example/app', 'target.example/app@sha256:' + '1' * 64)}")

    def shy(heard: Heard) -> Say | None:
        asked = heard.method in {"HEAD", "GET"} and "/manifests/" in heard.path
        return complaint(403, "DENIED", "not for you") if asked else None

    stage.registry(name="shy.example", door=shy)
    stage.run("regimport copy --no-clobber source.example/app shy.example/app")

    def immutable(heard: Heard) -> Say | None:
        put = heard.method == "PUT" and "/manifests/" in heard.path
        return complaint(409, "TAG_INVALID", "the tag is immutable") if put else None

    stage.registry(name="fixed.example", door=immutable)
    stage.run("regimport copy source.example/app fixed.example/app")


@_case
def backups(stage: Stage) -> None:
    """An old image that cannot be kept"""
    stage.registry("app", name="source.example")
    target = stage.registry(name="target.example")
    target.hold("app", single("another"))
    target.hold("app", single("third"), "latest-old")
    stage.run(f"{_COPY} --backup '{{tag}}-old'")
    stage.run(f"{_COPY} --backup '{{tag}}'")
    stage.run(f"{_COPY} --backup '{{name}}-{{date}}'")
    stage.run(f"{_COPY} --backup '{{tag}}:old'")
    stage.run(f"{_COPY}:{'1' * 125} --backup '{{tag}}-old'")


@_case
def keeping(stage: Stage) -> None:
    """A registry that keeps wrong bytes"""
    stage.registry("app", name="source.example")
    blob = next(iter(stage.image.blobs))

    def wrong(heard: Heard) -> Say | None:
        asked = heard.method == "HEAD" and heard.path.endswith(blob)
        return Say(200, {"Content-Length": "1"}) if asked else None

    target = stage.registry(name="target.example", door=wrong)
    target.hold("app", stage.image)
    stage.run(f"{_COPY} --repair")


@_case
def several(stage: Stage) -> None:
    """One of two targets that fails"""
    stage.registry("app", name="source.example")
    stage.registry(name="target.example")
    stage.registry(name="broken.example", door=refuse(403, _error("DENIED", "no"), "POST"))
    stage.run(f"{_COPY} broken.example/app")


@_case
def odd_answers(stage: Stage) -> None:
    """Answers that no registry gives"""
    for number, (where, status, headers, body) in enumerate(
        (
            ("GET /v2/app/tags", 200, {}, b"<html>log in</html>"),
            ("GET /v2/app/tags", 200, {"Link": "nothing"}, b'{"tags": ["1"]}'),
            ("GET /v2/app/tags", 200, {"Link": '</v2/app/tags/list>; rel="next"'}, b'{"tags": []}'),
        )
    ):
        stage.registry(
            "app", name=f"odd{number}.example", door=refuse(status, body, where, **headers)
        )
        stage.run(f"regimport tags odd{number}.example/app")
    sent = {
        "uploads.example": refuse(202, b"", "POST"),
        "elsewhere.example": refuse(307, b"", "POST", Location="http://10.0.0.1/x"),
        "started.example": refuse(200, b"", "POST"),
        "odd.example": refuse(202, b"", "POST", Location="ftp://x/y"),
        "user.example": refuse(202, b"", "POST", Location="http://u:p@x.example/y"),
    }
    stage.registry("app", name="source.example")
    for name, door in sent.items():
        stage.registry(name=name, door=door)
        stage.run(f"regimport copy --jobs 1 source.example/app {name}/app")
    led = {
        "nowhere.example": refuse(307, b"", "GET /v2/app/blobs"),
        "loop.example": refuse(307, b"", "GET /v2/app/blobs", Location="/v2/app/blobs/x"),
        "metadata.example": refuse(
            307, b"", "GET /v2/app/blobs", Location="http://169.254.169.254/x"
        ),
        "coded.example": refuse(200, b"x", "GET /v2/app/manifests", Content_Encoding="br"),
    }
    for name, door in led.items():
        stage.registry("app", name=name, door=door)
        stage.run(f"regimport copy --jobs 1 {name}/app oci:b")


@_case
def token_services(stage: Stage) -> None:
    """Token services that cannot be used"""

    def wants(realm: str) -> Callable[[Heard], Say | None]:
        def door(heard: Heard) -> Say | None:
            if heard.path.startswith("/token") or heard.authorization:
                return None
            place = f"http://{heard.headers['Host']}" if realm.startswith("/") else ""
            challenge = f'Bearer realm="{place}{realm}",service="s"'
            return complaint(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

        return door

    for number, realm in enumerate(("/missing", "http://169.254.169.254/token", "ftp://x", "")):
        name = f"tokens{number}.example"
        stage.registry("app", name=name, door=wants(realm))
        stage.run(f"regimport digest {name}/app")

    def empty(heard: Heard) -> Say | None:
        return Say(200, body=b"{}") if heard.path.startswith("/token") else wants("/token")(heard)

    stage.registry("app", name="empty.example", door=empty)
    stage.run("regimport digest empty.example/app")
    door = BasicDoor({"ci": "x"})
    stage.registry("app", door=door)
    stage.write(
        "auth.json", json.dumps({"auths": {stage.address(): {"registrytoken": "some-token"}}})
    )
    stage.run("regimport digest --authfile auth.json registry.example/app")
