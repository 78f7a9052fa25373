"""Messages name options on the command line, and parameters in the library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, LimitExceeded, Limits, copy
from regimport.cli.wording import _OPTIONS, with_options
from support.program import Program, program_options

LAYOUT = f"oci:{Path(__file__).parents[2]}/examples/hello-world/layout:latest"


def test_a_limit_is_named_as_its_option_and_as_its_parameter(
    program: Program, tmp_path: Path
) -> None:
    ended = program("copy", "--max-layer-size", "1KiB", LAYOUT, "oci:copied")
    assert ended.code == 3
    assert "of linux/amd64 is" in ended.err
    assert "the limit is 1 KiB (--max-layer-size)" in ended.err
    assert "(--max-layer-size)" in program("inspect", "--max-layer-size", "1KiB", LAYOUT).out
    options = CopyOptions(limits=Limits(max_layer_size=1024))
    with pytest.raises(LimitExceeded) as caught:
        copy(LAYOUT, f"oci:{tmp_path}/copied", options=options)
    assert "the limit is 1 KiB (`max_layer_size`)" in caught.value.message
    assert "--" not in f"{caught.value.message}{caught.value.hint}"


def test_a_url_with_http_is_answered_with_the_option_for_it(program: Program) -> None:
    ended = program("copy", "http://r.example/app", "oci:copied")
    assert "leave out http://; for a registry without TLS add --plain-http HOST" in ended.err


def test_an_unknown_field_of_a_template_is_answered_with_those_that_there_are(
    program: Program,
) -> None:
    ended = program("copy", "--format", "{{.Foo}}", LAYOUT, "oci:copied")
    assert ended.code == 2
    assert "unknown field .Foo; there are .Digest, .MediaType, .Pinned," in ended.err


def test_every_option_that_is_put_in_place_of_a_parameter_exists() -> None:
    known = program_options()
    for option in _OPTIONS.values():
        assert option.startswith("--")
        assert set(re.findall(r"--[a-z-]+", option)) <= known
    assert with_options("`ulimit -n` and `regimport tags` stay, `jobs` does not") == (
        "`ulimit -n` and `regimport tags` stay, --jobs does not"
    )
    assert with_options("`plain_http` or `plain_http=r.example:5000`") == (
        "--plain-http HOST or --plain-http r.example:5000"
    )


def test_no_message_of_the_library_names_an_option() -> None:
    """But as a part of a command to run, or where it is about the command line itself."""
    source = Path(regimport.__file__).parent
    files = set(source.rglob("*.py")) - set((source / "cli").rglob("*.py"))
    about_options = {source / "clouds" / "names.py", source / "credentials" / "keychain.py"}
    for path in files - about_options:
        for text in strings(ast.parse(path.read_text())):
            assert not re.search(r"(?<![-\w])--[a-z]", re.sub(r"`[a-z]+ [^`]*`", "", text)), path


def strings(tree: ast.AST) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
