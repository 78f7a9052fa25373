"""What is measured: which image, and what the target has of it before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    name: str
    image: str
    #: The target has the very image already.
    there: bool = False
    #: The target is another repository of the source registry.
    one_registry: bool = False

    @property
    def moves(self) -> bool:
        """Whether bytes have to move."""
        return not (self.there or self.one_registry)


CASES = {
    case.name: case
    for case in (
        Case("hello", "hello"),
        Case("many", "many"),
        Case("app", "app"),
        Case("big", "big"),
        Case("again", "app", there=True),
        Case("retag", "app", one_registry=True),
    )
}
