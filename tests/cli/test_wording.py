"""Messages name options on the command line, and parameters in the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from regimport import CopyOptions, LimitExceeded, Limits, copy
from regimport.cli.copy import copy as copy_command
from regimport.cli.groups import flatten
from regimport.cli.wording import _OPTIONS, with_options
from support.program import Program

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
    known = flatten(copy_command).__annotations__
    for name, option in _OPTIONS.items():
        assert option.startswith("--")
        assert name.removesuffix("s") in {parameter.removesuffix("s") for parameter in known}
    assert with_options("`ulimit -n` and `regimport tags` stay, `jobs` does not") == (
        "`ulimit -n` and `regimport tags` stay, --jobs does not"
    )
