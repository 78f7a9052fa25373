"""What registries warn of in their answers: shown once, and fit to be shown."""

from __future__ import annotations

import pytest

import regimport
from regimport import CopyOptions
from regimport.events import Event, Warned
from regimport.registry.notices import Notices
from regimport.registry.request import Request
from registry.conftest import IMPATIENT, Sessions
from support.images import single
from support.miniature import Miniature
from support.peers import Reply, web
from support.scripted import Heard, Say, Scripted


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ('299 - "moving to r2.example"', ["moving to r2.example"]),
        ('299 - "one, two", 299 - "three"', ["one, two", "three"]),
        ('299 - "said \\"so\\""', ['said "so"']),
        ('299 - "a\x1b[31mred\x07\u202e"', ["a red"]),
        ('299 - "same", 299 - "same"', ["same"]),
        ("299 - ", []),
        ('299 - ""', []),
        ('299 - "never closed', []),
        ('199 - "other code"', []),
        ('1299 - "other code"', []),
        ('299 proxy "of an agent"', []),
        ("", []),
    ],
)
def test_the_texts_of_a_field_are_found(field: str, texts: list[str]) -> None:
    assert Notices().new("r.example", {"warning": field}) == texts


def test_a_text_is_cut_off_and_texts_are_counted() -> None:
    notices = Notices()
    (text,) = notices.new("r.example", {"warning": f'299 - "{"x" * 5000}"'})
    assert len(text) == 300
    others = [notices.new("r.example", {"warning": f'299 - "{n}"'}) for n in range(50)]
    assert sum(map(len, others)) == 9
    assert notices.new("other.example", {"warning": '299 - "0"'}) == ["0"]


def test_a_notice_is_shown_once_in_a_session(sessions: Sessions) -> None:
    with web(lambda _: Reply(200, {"Warning": '299 - "moving"'})) as server:
        session = sessions.open(server.address)
        for _ in range(3):
            session.ask(Request("GET", "app/thing"))
    assert sessions.told == [Warned(f"{server.address} says: moving")]


def test_storage_is_not_asked_for_notices(sessions: Sessions) -> None:
    with web(lambda _: Reply(200, {"Warning": '299 - "moving"'})) as storage:
        with web(lambda _: Reply(307, {"Location": f"{storage.url}/x"})) as server:
            assert sessions.open(server.address).ask(Request("GET", "app/thing")).ok
    assert sessions.told == []


def test_a_notice_is_shown_once_in_a_copy_within_a_registry() -> None:
    class Told:
        def __init__(self) -> None:
            self.warnings: list[str] = []

        def tell(self, event: Event) -> None:
            if isinstance(event, Warned):
                self.warnings.append(event.message)

    registry, told = Miniature(), Told()
    registry.hold("app", single())

    def answer(heard: Heard) -> Say:
        say = registry(heard)
        return Say(say.status, {**say.headers, "Warning": '299 - "moving"'}, say.body)

    with Scripted(answer) as server:
        ends = f"{server.address}/app", f"{server.address}/copy"
        regimport.copy(*ends, options=CopyOptions(retry=IMPATIENT), reporter=told)
        assert told.warnings == [f"{server.address} says: moving"]
