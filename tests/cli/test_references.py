"""References as people type them: what is refused before anything is asked, and layouts' paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from regimport.server.run import serving
from support.client import Client
from support.images import single
from support.program import Program


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5000/REPOSITORY:TAG"),
        ("registry.example:5000", "registry.example:5000/REPOSITORY:TAG"),
        ("ocifile:x.tar", "write oci-archive:FILE"),
        ("docker-daemon:alpine", "regimport copy docker-archive:- TARGET"),
        ("https://registry.example/app", "leave out https://"),
        ("r.example/app:", "add a tag, or leave out the colon"),
    ],
)
def test_an_address_or_another_transport_ends_with_code_2_and_what_was_meant(
    program: Program, text: str, hint: str
) -> None:
    commands = [
        ("copy", text, "r.example/app"),
        ("copy", "r.example/app", text),
        ("verify", "r.example/app", text),
        ("inspect", text),
        ("digest", text),
        ("tags", text),
        ("auth", "explain", text),
    ]
    for command in commands:
        ended = program(*command)
        assert (ended.code, ended.out) == (2, ""), (command, ended)
        assert hint in " ".join(ended.err.split()), (command, ended)


def test_a_layout_in_a_folder_with_an_at_sign_is_copied_to_and_from(
    program: Program, tmp_path: Path
) -> None:
    image = single()
    layout = f"oci:{tmp_path}/job@2/image"
    with serving(tmp_path / "source") as source, serving(tmp_path / "target") as target:
        Client(source.address).push("app", image, "1")
        assert program("copy", f"{source.address}/app:1", layout).code == 0
        assert program("copy", f"{layout}:1", f"{target.address}/one").code == 0
        assert program("copy", f"{layout}@{image.root}", f"{target.address}/two:2").code == 0
        assert Client(target.address).read_all("one", "1") == image.content()
        assert Client(target.address).read_all("two", "2") == image.content()
