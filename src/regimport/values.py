"""Data classes that are cheap to define, for programs that start often.

`dataclasses.dataclass` writes and compiles up to seven methods for each class, which takes nearly a
millisecond; a start defines eighty. Here all classes share the same functions, which look the
fields up when they run. `dataclasses.fields`, `replace` and `asdict` work as with the others.
Classes with very many instances are better off with the standard library's and its slots.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

__all__ = ["dataclass", "field"]

_T = TypeVar("_T")

if TYPE_CHECKING:
    # To whoever checks types they are the standard library's.
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, kw_only=False, slots=False):  # noqa: ARG001
        """Return the class with what makes it a data class; `slots` changes nothing."""
        make = partial(_made, frozen=frozen, kw_only=kw_only)
        return make if cls is None else make(cls)


def _made(cls: type[_T], *, frozen: bool, kw_only: bool) -> type[_T]:
    own = dict(cls.__dict__)
    annotations = own.get("__annotations__", {})
    names = [name for name in annotations if not annotations[name].startswith("ClassVar")]
    # What a field specifies is no attribute of the class.
    specified = {name: own[name] for name in names if isinstance(own.get(name), Field)}
    for name in specified:
        delattr(cls, name)
    makers: dict[str, Callable[[], Any]] = {
        name: spec.default_factory if spec.default_factory is not MISSING else _always(spec.default)
        for name, spec in specified.items()
        if spec.default_factory is not MISSING or spec.default is not MISSING
    }
    defaults = {name: own[name] for name in names if name in own and name not in specified}
    shown = [name for name in names if name not in specified or specified[name].repr]
    methods: dict[str, Any] = {
        "__value_fields__": tuple(names),
        "__init__": _initialiser(names, defaults, makers, positional=0 if kw_only else len(names)),
        "__repr__": _shower(shown),
        "__eq__": _equal,
        "__match_args__": () if kw_only else tuple(names),
        "__dataclass_fields__": _StandardFields(
            {name: annotations[name] for name in names},
            defaults,
            specified,
            frozen=frozen,
            kw_only=kw_only,
        ),
    }
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
    # What `typing.get_type_hints` and `help` are told.
    methods["__init__"].__annotations__ = {**annotations, "return": "None"}
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    if "__eq__" not in own and "__hash__" not in own:
        cls.__hash__ = _hash if frozen else None  # type: ignore[method-assign,assignment]
    return cls


def _initialiser(
    names: list[str],
    defaults: dict[str, Any],
    makers: dict[str, Callable[[], Any]],
    *,
    positional: int,
) -> Callable[..., None]:
    known = frozenset(names)

    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        if len(args) > positional:
            raise TypeError(f"{type(self).__name__}() takes at most {positional} positional values")
        placed = dict(zip(names, args, strict=False))
        if not given.keys() <= known or given.keys() & placed.keys():
            unknown = ", ".join(sorted(given.keys() - known | given.keys() & placed.keys()))
            raise TypeError(f"{type(self).__name__}() got a value it does not take: {unknown}")
        values = defaults | placed | given
        for name, make in makers.items():
            if name not in values:
                values[name] = make()
        if len(values) != len(names):
            missing = ", ".join(name for name in names if name not in values)
            raise TypeError(f"{type(self).__name__}() misses a value for {missing}")
        self.__dict__.update(values)
        if (check := getattr(self, "__post_init__", None)) is not None:
            check()

    return __init__


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


def _shower(names: list[str]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({shown})"

    return __repr__


def _values(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in type(value).__value_fields__)


def _equal(self: object, other: object) -> bool:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot change {name!r} of {type(self).__name__}")


class _StandardFields:
    """What `dataclasses` wants to know of a class, made when it asks."""

    def __init__(
        self,
        annotations: dict[str, str],
        defaults: dict[str, Any],
        specified: dict[str, Field[Any]],
        *,
        frozen: bool,
        kw_only: bool,
    ) -> None:
        self._namespace = {"__annotations__": annotations, **defaults, **specified}
        self._frozen = frozen
        self._kw_only = kw_only
        self._made: dict[str, Field[Any]] | None = None

    def __get__(self, instance: object, owner: type | None = None) -> dict[str, Field[Any]]:
        if self._made is None:
            template: type = type("Template", (), dict(self._namespace))
            decorate = dataclasses.dataclass(frozen=self._frozen, kw_only=self._kw_only)
            made: dict[str, Field[Any]] = vars(decorate(template))["__dataclass_fields__"]
            self._made = made
        return self._made
