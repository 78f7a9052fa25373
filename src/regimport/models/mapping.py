"""A mapping for frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

__all__ = ["FrozenMapping"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class FrozenMapping(Mapping[_Key, _Value]):
    """A mapping that cannot be changed, and that, unlike `MappingProxyType`, can be pickled."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[_Key, _Value] | Iterable[tuple[_Key, _Value]] = ()) -> None:
        self._members = dict(members)

    def __getitem__(self, key: _Key) -> _Value:
        return self._members[key]

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(self._members)
