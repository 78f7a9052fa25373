"""Ten copies through random faults; `sh tests/soak/run.sh` makes two hundred."""

from __future__ import annotations

import pytest

from faults.table import Stage
from soak.copies import copy_through_chaos


@pytest.mark.parametrize("number", range(10))
def test_a_copy_through_random_faults_ends_whole_or_with_the_right_code(
    stage: Stage, repository: str, number: int
) -> None:
    copy_through_chaos(stage, f"ten/{number}", repository)
