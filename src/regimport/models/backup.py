"""The tags under which a copy keeps the old images of the tags that it moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from regimport.errors import InvalidOptions
from regimport.models.digest import Digest
from regimport.models.reference import AnyReference, Reference
from regimport.models.tag import is_layout_name, is_tag
from regimport.values import dataclass

__all__ = ["BackupNames", "check_template"]

_FIELDS = ("tag", "date", "time", "digest")
_FIELD = re.compile(r"\{([^{}]*)\}")
# How many hexadecimal digits of a digest are in a name, as in what `docker images` shows.
_SHORT = 12
# In the place of what is known only when the target has answered.
_ANY = Digest.of(b"")


@dataclass(frozen=True, slots=True)
class BackupNames:
    """The names that a template makes; `when` is the time of the copy, in UTC."""

    template: str
    when: datetime

    def name(self, tag: str, old: Digest) -> str:
        """Return the tag that keeps the image `old` of a tag."""
        values = {
            "tag": tag,
            "date": f"{self.when:%Y%m%d}",
            "time": f"{self.when:%H%M%S}",
            "digest": old.encoded[:_SHORT],
        }
        return _FIELD.sub(lambda field: values[field[1]], self.template)

    def check(self, targets: Sequence[AnyReference]) -> None:
        """Raise `InvalidOptions` unless each target's tag gets a name that is valid and its own."""
        tags = {(target.name, target.tag) for target in targets}
        for target in targets:
            if target.tag is None:
                continue
            name = self.name(target.tag, _ANY)
            valid = is_tag if isinstance(target, Reference) else is_layout_name
            if not valid(name):
                raise _invalid(self.template, f"it makes {name[:160]!r} of {target.tag!r}")
            if (target.name, name) in tags:
                raise InvalidOptions(
                    f"`backup` {self.template!r} makes {name}, which is itself a target",
                    hint="the old image needs a tag of its own: {tag}-{date}",
                )


def check_template(template: object) -> None:
    """Raise `InvalidOptions` for a template that has unknown fields or never makes a valid tag."""
    if not isinstance(template, str):
        raise InvalidOptions(f"backup must be a template for a tag, not {template!r}")
    for field in _FIELD.findall(template):
        if field not in _FIELDS:
            raise _invalid(template, f"unknown field {{{field}}}")
    name = BackupNames(template, datetime(2026, 1, 1, tzinfo=UTC)).name("tag", _ANY)
    if not is_tag(name):
        raise _invalid(template, f"it makes {name[:160]!r}, for example")


def _invalid(template: str, reason: str) -> InvalidOptions:
    return InvalidOptions(
        f"invalid `backup` {template[:160]!r}: {reason}",
        hint="write a tag with the fields {tag}, {date}, {time}, {digest}: {tag}-{date}",
    )
