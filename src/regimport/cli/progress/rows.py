"""The lines of the live display, laid out for the width and height of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from regimport.cli.printer import counted
from regimport.cli.progress.speed import Speed, time_left
from regimport.cli.progress.totals import STALLED, MovingBlob, Totals
from regimport.redact import safe_text

__all__ = ["Screen", "draw"]

# The smallest blob that gets a bar at once, in bytes, and the age at which any other gets one, in
# seconds: bars of small blobs would only flicker.
_LARGE = 1024 * 1024
_OLD = 1.0
# Lines besides the bars: the whole, what waits, what is tried again, and the cursor's.
_OTHER_LINES = 4
_SIZES, _RATE, _LEFT = 13, 10, 7
# Colours that can be read on black and on white; red is for errors.
_DONE, _REST, _STALLED = "green", "dim", "bold magenta"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal: its size in characters, and whether it can show more than ASCII."""

    width: int
    height: int
    ascii_only: bool = False


def draw(totals: Totals, now: float, screen: Screen, cause: str | None = None) -> list[Text]:
    """Return the lines that show how far a copy is, none of them wider than the screen."""
    lines = [_reading(totals, now, screen)] if not totals.planned else _moving(totals, now, screen)
    if cause is not None:
        lines.append(Text(safe_text(cause, screen.width), style=_STALLED))
    for line in lines:
        line.truncate(screen.width, overflow="crop" if screen.ascii_only else "ellipsis")
    return lines


def _reading(totals: Totals, now: float, screen: Screen) -> Text:
    spinner = "-\\|/" if screen.ascii_only else _SPINNER
    sign = spinner[int(now * 10) % len(spinner)]
    if (importing := totals.import_line(now)) is not None:
        return Text(f"{sign} {importing}")
    if totals.source is None:
        return Text(f"{sign} looking up the image")
    count = totals.manifests_to_read
    manifests = counted(count, "manifest") if count else "manifests"
    return Text(f"{sign} reading {manifests} of {safe_text(totals.source, screen.width)}")


def _moving(totals: Totals, now: float, screen: Screen) -> list[Text]:
    ages = [
        moving
        for moving in totals.moving.values()
        if moving.blob.size >= _LARGE or now - moving.started_at >= _OLD
    ]
    shown = ages[: max(1, screen.height - _OTHER_LINES)]
    label = _label_width(shown, screen)
    lines = [_whole(totals, now, screen, label)]
    lines += [_blob(moving, now, screen, label) for moving in shown]
    rest = ", ".join(_rest(totals, len(ages) - len(shown)))
    return [*lines, Text(f"  {rest}", style=_REST)] if rest else lines


def _rest(totals: Totals, hidden: int) -> Iterator[str]:
    if hidden:
        yield f"+{hidden} moving"
    if totals.waiting:
        yield f"+{totals.waiting} waiting"
    elif totals.manifests and not totals.checking and not totals.moving:
        yield f"{totals.manifests_put} of {totals.manifests} manifests"


def _whole(totals: Totals, now: float, screen: Screen, label: int) -> Text:
    name = f"{totals.finished} of {totals.blobs} {'checked' if totals.checking else 'blobs'}"
    stalled = now - totals.moved_at if totals.moving else 0.0
    ending = _ending(totals.size - totals.moved, totals.speed, now, stalled)
    return _row(name, totals.moved, totals.size, ending, screen, label)


def _blob(moving: MovingBlob, now: float, screen: Screen, label: int) -> Text:
    size = moving.blob.size
    if moving.complete:
        ending = Text("finishing", style=_REST)
    else:
        stalled = now - moving.moved_at
        ending = _ending(size - moving.moved, moving.speed, now, stalled)
    return _row(_name(moving, screen), moving.moved, size, ending, screen, label)


def _ending(left: int, speed: Speed, now: float, stalled: float) -> Text:
    """Return the rate and the time left, or for how long nothing has moved."""
    if stalled >= STALLED:
        return Text(f"stalled for {stalled:.0f} s", style=_STALLED)
    rate = speed.rate(now)
    unit = _unit(rate)
    until = time_left(left, rate) or ("-:--" if left > 0 else "")
    return Text(f"{_number(rate, unit)} {_UNITS[unit]}/s".rjust(_RATE) + until.rjust(_LEFT + 1))


def _row(name: str, done: int, size: int, ending: Text, screen: Screen, label: int) -> Text:
    unit = _unit(size)
    sizes = f"{_number(done, unit)}/{_number(size, unit)} {_UNITS[unit]}".rjust(_SIZES)
    room = screen.width - label - _SIZES - _RATE - _LEFT - 4
    bar = _bar(done, size, max(0, room), ascii_only=screen.ascii_only)
    return Text.assemble(name[:label].ljust(label), " ", bar, " ", sizes, " ", ending)


def _bar(done: int, size: int, room: int, *, ascii_only: bool) -> Text:
    """Return a bar whose two parts differ in their characters, not in their colours alone."""
    full, rest = ("#", ".") if ascii_only else ("━", "╌")
    part = room if done >= size else int(room * done / size)
    return Text.assemble((full * part, _DONE), (rest * (room - part), _REST))


def _name(moving: MovingBlob, screen: Screen) -> str:
    digest = f"  {moving.blob.digest.encoded[:12]}"
    platform = moving.blob.platform
    if platform is None or not platform.known or screen.width < 80:
        return digest
    return f"{digest} {platform}"


def _label_width(shown: list[MovingBlob], screen: Screen) -> int:
    """Return the width of the first column: as wide as its names, but leaving room for a bar."""
    widest = max([16, *(len(_name(moving, screen)) for moving in shown)])
    return min(widest, max(16, screen.width - _SIZES - _RATE - _LEFT - 20))


def _unit(size: float) -> int:
    """Return the place in `_UNITS` of the unit in which a number has at most four digits."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return unit


def _number(size: float, unit: int) -> str:
    value = size / 1024**unit
    return f"{value:.0f}" if unit == 0 or value >= 99.95 else f"{value:.1f}"
