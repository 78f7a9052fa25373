"""The live display of the real command, on a real terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms, single
from support.shaky import Ways, shaky
from support.terminal import on_a_terminal

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of 25 blobs with 13 MiB in all."""
    with serving(tmp_path_factory.mktemp("source")) as registry:
        Client(registry.address).push("app", many_platforms(platforms=12, size=MIB + 1), "1")
        yield f"{registry.address}/app:1"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "target").mkdir()
    with serving(tmp_path / "target") as registry:
        yield f"{registry.address}/app"


@pytest.mark.parametrize(("width", "jobs"), [(60, "32"), (120, "2")])
def test_bars_fit_on_the_terminal_and_what_waits_is_counted(
    tmp_path: Path, image: str, target: str, width: int, jobs: str
) -> None:
    command = ("copy", "--jobs", jobs, "--limit-rate", "9M", image, target)
    shown = on_a_terminal(tmp_path, *command, width=width, height=10)
    assert shown.code == 0, shown.text
    drawn = [picture for picture in shown.pictures if any(" blobs " in line for line in picture)]
    assert len(drawn) > 3
    # The last picture is erased before the result and the summary are printed.
    for picture in drawn[:-1]:
        assert max(map(len, picture)) <= width
        assert len(picture) <= 10
    assert any("+" in picture[-1] and "waiting" in picture[-1] for picture in drawn)
    assert any(len(picture) >= 4 for picture in drawn)
    assert " MiB/s" in shown.text
    assert " MB" not in shown.text


def test_something_is_shown_before_the_plan_is_made(
    tmp_path: Path, image: str, target: str
) -> None:
    shown = on_a_terminal(tmp_path, "copy", image, target)
    assert "looking up the image" in shown.text
    assert shown.coloured


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("progress", ["auto", "tty"])
def test_no_colour_means_none(
    tmp_path: Path, image: str, target: str, environment: dict[str, str], progress: str
) -> None:
    copied = on_a_terminal(
        tmp_path,
        "copy",
        "--progress",
        progress,
        "--limit-rate",
        "20M",
        image,
        target,
        environment=environment,
    )
    assert copied.code == 0
    commands = (("--help",), ("copy", "--help"), ("copy",), ("copy", f"{image}0", target))
    shown = [copied, *(on_a_terminal(tmp_path, *one, environment=environment) for one in commands)]
    assert "error:" in shown[-1].text
    for screen in shown:
        assert not screen.coloured
        assert "TERM" not in environment or not screen.styled


def test_a_blob_that_stalls_shows_it(tmp_path: Path, target: str) -> None:
    with shaky(Ways(stall_downloads=MIB)) as source:
        source.keep(single(size=4 * MIB), "1")
        shown = on_a_terminal(
            tmp_path,
            "copy",
            f"{source.address}/app:1",
            target,
            width=60,
            until=lambda text: "stalled for 6 s" in text,
        )
    assert "stalled for 6 s" in shown.text
