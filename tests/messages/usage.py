"""How the command is typed."""

from __future__ import annotations

from collections.abc import Callable

from messages.stage import Stage

CASES: list[Callable[[Stage], None]] = []


def _typed(title: str, *lines: str, stdin: str = "", **environment: str) -> None:
    def case(stage: Stage) -> None:
        for line in lines:
            stage.run(line, stdin=stdin, **environment)

    case.__doc__ = title
    CASES.append(case)


_typed(
    "References that are not valid",
    "regimport copy https://registry.example/app oci:folder",
    "regimport copy http://registry.example/app oci:folder",
    "regimport copy ftp://registry.example/app oci:folder",
    "regimport copy registry.example/app: oci:folder",
    "regimport copy registry.example/app:a/b oci:folder",
    "regimport copy registry.example/app:-x oci:folder",
    "regimport copy registry.example/App oci:folder",
    "regimport copy 'registry.example/my app' oci:folder",
    "regimport copy '' oci:folder",
    "regimport copy registry.example:5000 oci:folder",
    "regimport copy registry.example oci:folder",
    "regimport copy registry.example:port/app oci:folder",
    "regimport copy registry.example/app@sha256:12 oci:folder",
    f"regimport copy sha256:{'1' * 64} oci:folder",
    "regimport copy docker-daemon:alpine oci:folder",
    "regimport copy dir:/tmp/x oci:folder",
    "regimport copy https://ci:secret@registry.example/app oci:folder",
    "regimport copy oci: oci:folder",
    "regimport copy oci:here registry.example/",
    "regimport tags registry.example/app:1",
    "regimport login 'https://ci:secret@registry.example/'",
    "regimport ratelimit oci:folder",
    "regimport auth explain oci:folder",
)
_typed(
    "Words of other tools",
    "regimport list registry.example/app",
    "regimport manifest registry.example/app",
    "regimport sync a b",
    "regimport pull registry.example/app",
    "regimport export a b",
    "regimport copi a b",
    "regimport copy --force a b",
    "regimport copy --all a b",
    "regimport copy --dest-creds u:p a b",
    "regimport copy --tls-verify=false a b",
    "regimport copy --colour a b",
)
_typed(
    "Options that are not valid",
    "regimport copy registry.example/app",
    "regimport copy --jobs 0 a/b oci:c",
    "regimport copy --jobs many a/b oci:c",
    "regimport copy --max-layer-size big a/b oci:c",
    "regimport copy --max-layer-size -1 a/b oci:c",
    "regimport copy --max-manifests few a/b oci:c",
    "regimport copy --max-wait soon a/b oci:c",
    "regimport copy --deadline 0 a/b oci:c",
    "regimport copy --idle-timeout 0 a/b oci:c",
    "regimport copy --limit-rate fast a/b oci:c",
    "regimport copy --limit-rate 0 a/b oci:c",
    "regimport copy --platform linux a/b oci:c",
    "regimport copy --resolve nowhere a/b oci:c",
    "regimport copy --resolve registry.example:443:nowhere a/b oci:c",
    "regimport copy --registry-mirror ftp://mirror.example a/b oci:c",
    "regimport copy --format '{{.Foo}}' a/b oci:c",
    "regimport copy --format '{{digest}}' a/b oci:c",
    "regimport copy --format '{{.Digest}}' -o json a/b oci:c",
    "regimport copy --source-registry other --username x docker.io/a/b oci:c",
    "regimport copy --source-registry other docker.io/a/b oci:c",
    "regimport copy --source-registry 'a b' app oci:c",
    "regimport copy --progress loud a/b oci:c",
    "regimport help xyzzy",
)
_typed(
    "Transports that cannot do it",
    "regimport copy --resolve a.example:443:127.0.0.1 a.example/b oci:c",
    REGIMPORT_TRANSPORT="httpx",
)
_typed(
    "A transport that there is not",
    "regimport copy a.example/b oci:c",
    REGIMPORT_TRANSPORT="fast",
)
_typed(
    "User names and passwords that are not whole",
    "regimport copy --source-username ci a.example/b oci:c",
    "regimport copy --source-username ci --source-password-stdin a.example/b oci:c",
    "regimport inspect --username ci a.example/b",
    "regimport login a.example",
    "regimport login --username ci a.example",
    "regimport login --password-stdin a.example",
)
_typed(
    "Two that want standard input",
    "regimport copy --source-username ci --source-password-stdin oci-archive:- oci:c",
    "regimport copy --target-username ci --target-password-stdin --from-file -",
    "regimport inspect --username ci --password-stdin docker-archive:-",
    stdin="secret",
)
_typed("A password, but no user name", "regimport login --password-stdin a.example", stdin="secret")
_typed(
    "Options for several images",
    "regimport copy --from-file list.txt a/b oci:c",
    "regimport copy --target a.example/x a/b oci:c",
    "regimport copy --exclude-tags 'v*' a/b oci:c",
    "regimport copy --all-tags a/b",
    "regimport copy --from-file missing.txt",
    "regimport copy --from-file -",
)
_typed(
    "Lines of a list that cannot be used",
    "regimport copy --from-file -",
    stdin="a.example/app\n--force a b\na b c\na.example/App a.example/app\n",
)
_typed(
    "Lines of a list that has a target already",
    "regimport copy --from-file - --target b.example/x",
    stdin="a.example/app c.example/app\n",
)
_typed("No configuration file", "regimport config check")
_typed(
    "A user name with a line break",
    "regimport copy --source-username 'ci\nx' --source-password-stdin 127.0.0.1:1/b oci:c",
    "regimport login --username 'ci:x' --password-stdin 127.0.0.1:1",
    stdin="secret",
)
_typed(
    "A password without a user name",
    "regimport inspect --password-stdin 127.0.0.1:1/b",
    stdin="secret",
)
_typed(
    "Half of the variables for a user",
    "regimport copy 127.0.0.1:1/b oci:c",
    REGIMPORT_SOURCE_USERNAME="ci",
)
_typed(
    "One password for two registries",
    "regimport copy a.example/b c.example/b d.example/b",
    REGIMPORT_TARGET_USERNAME="ci",
    REGIMPORT_TARGET_PASSWORD="secret",
)
_typed(
    "A proxy that is none",
    "regimport copy a.example/b oci:c",
    HTTPS_PROXY="proxy.example:port",
)
