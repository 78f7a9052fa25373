"""The two honest registries that all rows of the fault matrix share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.table import Stage
from regimport.server.run import serving


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An honest source and an honest target; every test uses a repository of its own."""
    folder = tmp_path_factory.mktemp("faults")
    with serving(folder / "source") as source, serving(folder / "target") as target:
        yield Stage(source.address, target.address, folder / "target")
