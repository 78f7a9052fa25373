"""Groups of options: a command takes a group as one value, and Typer sees the options in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

__all__ = ["flatten"]


def flatten(command: Callable[..., None]) -> Callable[..., None]:
    """Return a function that takes the options of a command's groups one by one.

    A group is a `NamedTuple` whose fields are annotated like Typer's parameters, or are groups
    themselves. The command is called with the groups, each of them put together again.
    """
    hints = get_type_hints(command, include_extras=True)
    own = signature(command).parameters
    options = [
        option
        for name, parameter in own.items()
        for option in _options(name, hints[name], parameter.default)
    ]

    @wraps(command)
    def flat(**values: Any) -> None:
        command(**{name: _value(name, hints[name], values) for name in own})

    # Typer reads both of them, whichever the arguments of the function itself.
    vars(flat)["__signature__"] = Signature(options)
    flat.__annotations__ = {option.name: option.annotation for option in options}
    return flat


def _options(name: str, hint: Any, default: object) -> Iterator[Parameter]:
    if not _is_group(hint):
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        return
    for field, field_hint in _fields(hint).items():
        yield from _options(field, field_hint, hint._field_defaults.get(field, Parameter.empty))


def _value(name: str, hint: Any, values: Mapping[str, Any]) -> Any:
    if not _is_group(hint):
        return values[name]
    return hint(**{field: _value(field, inner, values) for field, inner in _fields(hint).items()})


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


@cache
def _fields(group: Any) -> dict[str, Any]:
    return get_type_hints(group, include_extras=True)
