"""`regimport diff`: its table, its document and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from regimport.server.run import serving
from support.client import Client
from support.images import single
from support.program import Program


def test_the_exit_code_says_whether_two_images_differ(program: Program, tmp_path: Path) -> None:
    with serving(tmp_path / "registry") as registry:
        client, name = Client(registry.address), f"{registry.address}/app"
        client.push("app", single("a"), "1", "also")
        client.push("app", single("b"), "2")
        same = program("diff", f"{name}:1", f"{name}:also")
        assert (same.code, same.out) == (0, "")
        assert "the same" in same.err
        different = program("diff", f"{name}:1", f"{name}:2")
        assert different.code == 10
        lines = different.out.splitlines()
        assert lines[:2] == [f"- {name}@{single('a').root}", f"+ {name}@{single('b').root}"]
        assert [line.split() for line in lines[2:4]] == [
            ["digest", "-", single("a").root],
            ["+", single("b").root],
        ]
        document = json.loads(program("diff", "-o", "json", f"{name}:1", f"{name}:2").out)
        assert document["same"] is False
        assert document["changes"][0]["first"] == single("a").root
        tags = program("diff", "--tags", name, name)
        assert (tags.code, tags.out) == (0, "")
        assert program("diff", "--match", "1", f"{name}:1", f"{name}:2").code == 2
        assert program("diff", f"{name}:1", f"{name}:none").code == 5
