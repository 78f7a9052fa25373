"""`stop`: an event that ends what a public function does, from another thread."""

from __future__ import annotations

import ast
import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from regimport import Interrupted, api, comparison, deletion, listings
from regimport.stopping import stopped_by

ROOT = Path(__file__).parents[1]
SECONDS = 2.0


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a registry that lets everybody connect, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def functions(address: str) -> dict[str, Callable[[threading.Event], object]]:
    image = f"{address}/app:1"
    return {
        "copy": lambda stop: api.copy(image, f"{address}/copy", stop=stop),
        "verify": lambda stop: api.verify(image, f"{address}/copy", stop=stop),
        "inspect": lambda stop: api.inspect(image, stop=stop),
        "manifest": lambda stop: api.manifest(image, stop=stop),
        "digest": lambda stop: api.digest(image, stop=stop),
        "tags": lambda stop: list(listings.tags(f"{address}/app", stop=stop)),
        "diff": lambda stop: comparison.diff(image, f"{address}/other", stop=stop),
        "diff_tags": lambda stop: comparison.diff_tags(f"{address}/a", f"{address}/b", stop=stop),
        "find_use": lambda stop: deletion.find_use(image, stop=stop),
        "delete": lambda stop: deletion.delete(image, stop=stop),
        "repositories": lambda stop: list(listings.repositories(address, stop=stop)),
    }


@pytest.mark.parametrize("name", functions(""))
def test_an_event_ends_every_public_function_within_two_seconds(name: str, silent: str) -> None:
    stop = threading.Event()
    set_at: list[float] = []

    def set_it() -> None:
        set_at.append(time.monotonic())
        stop.set()

    timer = threading.Timer(0.3, set_it)
    timer.start()
    with pytest.raises(Interrupted):
        functions(silent)[name](stop)
    assert time.monotonic() - set_at[0] < SECONDS
    timer.join()


def test_an_event_that_is_set_before_ends_the_copy_before_anything_is_asked(silent: str) -> None:
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        api.copy(f"{silent}/app", f"{silent}/copy", stop=stop)
    assert time.monotonic() - started < SECONDS


def test_an_event_that_is_set_after_the_end_stops_nothing() -> None:
    stop, called = threading.Event(), threading.Event()
    before = set(threading.enumerate())
    with stopped_by(stop, called.set):
        (watching,) = set(threading.enumerate()) - before
    watching.join(SECONDS)
    assert not watching.is_alive()
    stop.set()
    assert not called.is_set()


def recipe() -> Callable[[str, str], Awaitable[str]]:
    """The function of the recipe for asyncio."""
    page = (ROOT / "src/regimport/help/python.md").read_text()
    (code,) = (
        text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "async" in text
    )
    tree = ast.parse(code)
    tree.body = [node for node in tree.body if not isinstance(node, (ast.Assign, ast.Expr))]
    names: dict[str, Any] = {}
    exec(compile(tree, "python.md", "exec"), names)
    function: Callable[[str, str], Awaitable[str]] = names["copy_image"]
    return function


def test_the_recipe_for_asyncio_copies(tmp_path: Path) -> None:
    layout = f"oci:{ROOT}/examples/hello-world/layout:latest"

    async def run() -> str:
        return await recipe()(layout, f"oci:{tmp_path}/copied")

    assert asyncio.run(run()).startswith(f"oci:{tmp_path}/copied@sha256:")


def test_a_task_of_the_recipe_that_is_cancelled_ends_the_copy(silent: str) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(recipe()(f"{silent}/app", f"{silent}/copy"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    # It waits for its threads at the end: for that of the copy too.
    asyncio.run(run())
    assert time.monotonic() - started < 0.3 + SECONDS + 1
