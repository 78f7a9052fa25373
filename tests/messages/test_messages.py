"""Every message, in one file that can be read through: messages.md."""

from __future__ import annotations

import re

import pytest

from messages.make import FILE, make
from messages.sites import not_made


@pytest.fixture(scope="module")
def made() -> tuple[str, set[tuple[str, int]]]:
    """The file as it would be written now, and where its messages come from."""
    return make()


def test_the_file_has_every_message_as_it_is_printed(made: tuple[str, object]) -> None:
    assert made[0] == FILE.read_text(), "run tests/messages/make.py, and read what has changed"


@pytest.mark.parametrize(
    "said",
    [
        "wrong user name or password for registry.example (user alice)",
        "leave out http://; for a registry without TLS add --plain-http HOST",
        "of linux/arch0 is 2.0 KiB; the limit is 1 KiB (--max-layer-size)",
        "uses a self-signed certificate that this machine does not trust",
        "the disk is full",
        "'registry.example/app:' ends in ':' without a tag",
        "conf0.toml: unknown key `mirror`; did you mean `mirrors`?",
        "plain.example reports no pull limit",
        "unknown field .Foo; there are .Digest,",
        "tags are overwritten by default; --no-clobber prevents it",
        "`regimport tags REPOSITORY` lists the tags of a repository",
        "the registry does not accept writes",
    ],
)
def test_what_people_meet_often_is_said_in_these_words(said: str, made: tuple[str, object]) -> None:
    assert said in made[0]


def test_no_message_speaks_of_what_only_programmers_know(made: tuple[str, object]) -> None:
    text = made[0]
    for word in ("None ", "Errno", "Traceback", "Exception", "NoneType", "object at 0x"):
        assert word not in text, word
    for line in text.splitlines():
        urls = re.findall(r"https?://[^\s;,()]+", line)
        if line.startswith(("error:", "warning:")):
            assert len(urls) == len(set(urls)), line


def test_a_message_that_is_not_in_the_file_is_a_known_one(
    made: tuple[str, set[tuple[str, int]]],
) -> None:
    missing = set(not_made(made[1]))
    known = set((FILE.parent / "not-made.txt").read_text().splitlines())
    assert not missing - known, "make it by a failure in this folder"
    assert not known - missing, "it is made now: take it out of not-made.txt"
