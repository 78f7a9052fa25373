"""A row of the fault matrix, and what holds in all of them.

A row says what goes wrong at which side, how the copy must end, and how many requests it may cost.
In every row the target's tag is the new image, whole, or what it was before, whole; the source
wants a password and the target a token; and no secret is told at any verbosity.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from faults.locks import PASSWORD, SECRETS, USERNAME, Basic, Bearer, Lock
from faults.proxy import Fault, FaultyRegistry
from regimport import CopyOptions, Credential, RegimportError, Report, copy
from regimport.errors import LimitExceeded
from regimport.events import Event, Retrying
from regimport.options import RetryPolicy, Timeouts
from support.client import Client
from support.images import Image, single

SIZE = 900_000
IMAGE = single("new", size=SIZE)
LAYER = next(digest for digest, content in IMAGE.blobs.items() if len(content) == SIZE)
OLD = single("old", size=100)

# What a terminal, or a log that is read as commands, would act on.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|^::", re.MULTILINE)

PATIENCE = RetryPolicy(first_delay=0.005, longest_delay=0.02, max_wait=2.0)
# One job: so it is known which request comes first. Blobs go by size, the largest first.
OPTIONS = CopyOptions(jobs=1, retry=PATIENCE)
# For rows in which somebody says nothing for too long.
HASTY = CopyOptions(jobs=1, retry=PATIENCE, timeouts=Timeouts(connect=2.0, idle=0.4, answer=0.8))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault, and what must hold.

    `error` is how the copy ends, None for a whole image. `says` is found in the message. `most`
    bounds requests: `source GET blob` to a number; `source bytes` bounds the bytes of blobs.
    `locks` are what each side wants. `sessions` is how many upload sessions may stay open.
    """

    title: str
    source: Sequence[Fault] = ()
    target: Sequence[Fault] = ()
    error: type[RegimportError] | None = None
    says: str = ""
    most: Mapping[str, int] = field(default_factory=dict)
    image: Image = field(default_factory=lambda: IMAGE)
    before: Image | None = field(default_factory=lambda: OLD)
    options: CopyOptions = OPTIONS
    locks: tuple[type[Lock], type[Lock]] = (Basic, Bearer)
    sessions: int = 0
    retries: bool | None = None


def table(rows: Iterable[Row]) -> pytest.MarkDecorator:
    """The rows as the cases of a test, each by its title."""
    cases = [pytest.param(row, id=row.title) for row in rows]
    return pytest.mark.parametrize("row", cases)


@dataclass
class Result:
    """What came of a copy, and all that it told."""

    source: FaultyRegistry
    target: FaultyRegistry
    report: Report | None = None
    error: RegimportError | None = None
    events: list[Event] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    traceback: str = ""

    @property
    def retries(self) -> list[Retrying]:
        return [event for event in self.events if isinstance(event, Retrying)]

    def tell(self, event: Event) -> None:
        self.events.append(event)


class Stage:
    """Two honest registries, and what is at them."""

    def __init__(self, source: str, target: str, target_folder: Path) -> None:
        self.source = Client(source)
        self.target = Client(target)
        self.addresses = (source, target)
        self._uploads = target_folder / "uploads"

    def sessions(self) -> set[str]:
        """The upload sessions that are open at the target."""
        return {path.name for path in self._uploads.iterdir()} if self._uploads.is_dir() else set()

    def set_up(self, repository: str, image: Image, before: Image | None) -> None:
        self.source.push(repository, image, "1")
        if before is not None:
            self.target.push(repository, before, "1")

    @contextmanager
    def between(
        self,
        source: Iterable[Fault] = (),
        target: Iterable[Fault] = (),
        locks: tuple[Lock, Lock] | None = None,
    ) -> Iterator[tuple[FaultyRegistry, FaultyRegistry]]:
        """The two with their faults before them."""
        first, second = locks or (Basic(), Bearer())
        with FaultyRegistry(self.addresses[0], source, lock=first) as one:
            with FaultyRegistry(self.addresses[1], target, lock=second) as other:
                yield one, other

    def state(self, repository: str, reference: str = "1") -> dict[str, bytes] | None:
        """All bytes under a tag of the target, each hashed; None if there is no such tag."""
        if self.target.head(repository, reference) is None:
            return None
        return self.target.read_all(repository, reference)


def run_row(stage: Stage, row: Row, repository: str) -> Result:
    """Play a row, and check all that it says."""
    stage.set_up(repository, row.image, row.before)
    open_before = stage.sessions()
    locks = (row.locks[0](), row.locks[1]())
    with stage.between(row.source, row.target, locks) as (source, target):
        result = run_copy(source, target, repository, row.options)
        check_end(row, result)
        check_requests(row, result)
    held = row.before if row.error else row.image
    assert stage.state(repository) == (held.content() if held else None)
    assert len(stage.sessions() - open_before) <= row.sessions, "an upload session was left open"
    return result


def run_copy(
    source: FaultyRegistry,
    target: FaultyRegistry,
    repository: str,
    options: CopyOptions = OPTIONS,
    run: Callable[..., Report] = copy,
) -> Result:
    """Copy tag 1 from one to the other, and listen to all that is told; no secret may be."""
    result = Result(source, target)
    credential = Credential(USERNAME, PASSWORD)
    with _listening(result.told):
        try:
            result.report = run(
                f"{source.address}/{repository}:1",
                f"{target.address}/{repository}",
                options=options,
                source_credential=credential,
                target_credential=credential,
                reporter=result,
            )
        except RegimportError as error:
            result.error = error
            result.traceback = "".join(traceback.format_exception(error))
            result.told.append(f"{error.message} {error.hint} {error!r} {vars(error)}")
    result.told.extend([*map(str, result.events), repr(result.report)])
    for text in (*result.told, result.traceback):
        assert not [secret for secret in SECRETS if secret in text], f"a secret was told: {text}"
    for text in result.told:
        assert not UNSAFE.search(text), f"a terminal would obey {text!r}"
    return result


def check_end(row: Row, result: Result) -> None:
    if row.error is None:
        assert result.error is None, [result.error, *result.source.log, *result.target.log]
        return
    error = result.error
    assert error is not None, "the copy did not fail"
    assert isinstance(error, row.error), (type(error), error.message)
    if row.error is not RegimportError:
        assert error.exit_code == row.error.exit_code
    assert re.search(row.says, error.message), error.message
    if isinstance(error, LimitExceeded):
        return
    assert error.side is not None, "the error does not say at which side"
    assert error.registry in {result.source.address, result.target.address}


def check_requests(row: Row, result: Result) -> None:
    for what, most in row.most.items():
        side, _, kind = what.partition(" ")
        registry = result.source if side == "source" else result.target
        if kind == "bytes":
            count = sum(asked.sent for asked in registry.asked("GET blob"))
        else:
            count = registry.count(kind)
        assert count <= most, (what, count, [str(asked) for asked in registry.log])
    if row.retries is not None:
        assert bool(result.retries) == row.retries, result.retries


@contextmanager
def _listening(told: list[str]) -> Iterator[None]:
    """Hear what is logged at the highest verbosity."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(self.format(record))

    logger, ear = logging.getLogger("regimport"), Ear()
    level = logger.level
    logger.addHandler(ear)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(ear)
