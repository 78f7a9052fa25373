"""Data classes that are cheap to define behave as the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from regimport import values


@values.dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    tags: list[str] = values.field(default_factory=list)
    secret: str = values.field(default="hush", repr=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x must not be negative")


@values.dataclass(frozen=True, kw_only=True)
class Options:
    jobs: int = 1
    name: str


@values.dataclass
class Counter:
    count: int = 0


def test_values_come_by_position_by_name_and_by_default() -> None:
    point = Point(1, tags=["a"])
    assert (point.x, point.y, point.tags, point.secret) == (1, 2, ["a"], "hush")
    assert Point.kind == "point"
    assert Point(1).tags is not Point(1).tags
    assert Options(name="n") == Options(jobs=1, name="n")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda make: make(),
        lambda make: make(1, 2, [], "s", "more"),
        lambda make: make(1, x=1),
        lambda make: make(1, z=1),
        lambda _: Options("n"),  # type: ignore[call-arg,arg-type]
        lambda _: Options(jobs=1),  # type: ignore[call-arg]
    ],
)
def test_a_value_that_is_missing_or_too_much_is_an_error(wrong: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError):
        wrong(Point)


def test_what_the_class_checks_is_checked() -> None:
    with pytest.raises(ValueError, match="negative"):
        Point(-1)
    with pytest.raises(ValueError, match="negative"):
        dataclasses.replace(Point(1), x=-1)


def test_a_frozen_one_cannot_be_changed_and_has_a_hash() -> None:
    options = Options(name="n")
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.jobs = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del options.jobs
    assert hash(options) == hash(Options(name="n"))
    assert {options: 1}[Options(name="n")] == 1


def test_another_one_can_be_changed_and_has_none() -> None:
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError):
        hash(counter)


def test_only_those_of_one_class_are_equal() -> None:
    @values.dataclass
    class Other:
        count: int = 0

    others: list[object] = [Other(), 0, None]
    assert all(Counter() != other for other in others)


def test_it_is_shown_without_what_is_not_to_be_shown() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2, tags=[])"


def _pickled(point: Point) -> Point:
    again = pickle.loads(pickle.dumps(point))
    assert isinstance(again, Point)
    return again


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, _pickled])
def test_a_copy_is_equal(again: Callable[[Point], Point]) -> None:
    point = Point(3, 4, ["a"], "s")
    assert again(point) == point
    assert again(point).secret == "s"


def test_the_standard_library_takes_it_for_one_of_its_own() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [field.name for field in dataclasses.fields(Point)] == ["x", "y", "tags", "secret"]
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5)
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "tags": [], "secret": "hush"}
    match Point(7):
        case Point(x, y):
            assert (x, y) == (7, 2)
