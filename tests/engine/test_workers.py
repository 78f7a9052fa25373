"""The pool: order, errors, stopping, and several that use it at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from regimport.engine.tasks import Task
from regimport.engine.workers import Workers
from regimport.errors import DeadlineExceeded, Interrupted


def test_results_come_in_the_order_of_the_items() -> None:
    with Workers(4) as workers:
        assert workers.map(lambda number: number * 2, range(50)) == [n * 2 for n in range(50)]


def test_a_task_runs_only_after_all_that_it_needs() -> None:
    done: list[str] = []
    tasks = [
        Task("c", lambda: done.append("c"), frozenset({"a", "b"})),
        Task("b", lambda: done.append("b"), frozenset({"a"})),
        Task("a", lambda: done.append("a"), frozenset({"not a task"})),
    ]
    with Workers(3) as workers:
        workers.run(tasks)
    assert done == ["a", "b", "c"]


def test_heavy_tasks_go_first() -> None:
    done: list[int] = []
    with Workers(1) as workers:
        workers.run(Task(n, partial(done.append, n), weight=n) for n in (1, 5, 3))
    assert done == [5, 3, 1]


def test_no_more_than_the_number_of_jobs_run_at_once() -> None:
    lock, running, most = threading.Lock(), [0], [0]
    together = threading.Barrier(3)

    def work(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait(10)
        with lock:
            running[0] -= 1

    with Workers(3) as workers:
        workers.map(work, range(9))
    assert most[0] == 3


def test_the_first_error_ends_the_rest_and_is_raised() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 2:
            raise ValueError("two")
        done.append(number)

    with Workers(1) as workers, pytest.raises(ValueError, match="two"):
        workers.map(work, range(10))
    assert done == [0, 1]


def test_a_pause_ends_at_once_when_the_work_is_stopped() -> None:
    with Workers(1) as workers:
        workers.stop.set()
        with pytest.raises(Interrupted):
            workers.pause(3600)


def test_an_interrupt_from_another_thread_ends_the_work_now_and_later() -> None:
    with Workers(1) as workers:

        def work(_: int) -> None:
            threading.Thread(target=workers.interrupt).start()
            workers.pause(3600)

        with pytest.raises(Interrupted):
            workers.map(work, [1, 2])
        with pytest.raises(Interrupted):
            workers.map(work, [3])


def test_a_pool_that_is_widened_does_more_at_once_and_never_less() -> None:
    together = threading.Barrier(3)
    with Workers(1) as workers:
        workers.map(str, range(2))
        workers.widen(3)
        workers.widen(2)
        assert workers.jobs == 3
        workers.map(lambda _: together.wait(10), range(3))


def test_at_the_deadline_run_raises_in_the_midst_and_ever_after() -> None:
    with Workers(2, 0.05) as workers:
        with pytest.raises(DeadlineExceeded) as caught:
            workers.run([Task("waits", lambda: workers.pause(60))])
        assert caught.value.seconds == 0.05
        with pytest.raises(DeadlineExceeded):
            workers.map(str, [1])


def test_a_deadline_that_is_not_reached_changes_nothing() -> None:
    with Workers(2, 3600) as workers:
        assert workers.map(str, [1, 2]) == ["1", "2"]
    assert not any(isinstance(one, threading.Timer) for one in threading.enumerate())


def test_an_error_ends_what_others_are_waiting_for() -> None:
    def act(number: int) -> None:
        if number == 0:
            assert waiting.wait(10)
            raise ValueError("mine")
        waiting.set()
        workers.pause(60)

    waiting = threading.Event()
    started = time.monotonic()
    with pytest.raises(ValueError, match="mine"), Workers(2) as workers:
        workers.map(act, range(2))
    assert workers.stop.is_set()
    assert time.monotonic() - started < 30


def test_a_call_is_made_by_the_pool_and_ended_at_the_deadline() -> None:
    with Workers(1, 0.05) as workers:
        assert workers.call(lambda: 3) == 3
        with pytest.raises(DeadlineExceeded):
            workers.call(lambda: workers.pause(60))


def test_an_iterator_is_asked_for_the_next_item_only_when_that_is_wanted() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            asked.append(number)
            yield number
        raise KeyError("end")

    with Workers(1) as workers:
        found = workers.iterate(items())
        assert next(found) == 0
        assert asked == [0]
        assert [next(found), next(found)] == [1, 2]
        with pytest.raises(KeyError):
            next(found)
        assert list(workers.iterate(iter([]))) == []


def test_calls_in_the_background_are_not_waited_for_and_all_made_at_once() -> None:
    together, done = threading.Barrier(5), threading.Semaphore(0)

    def call() -> None:
        together.wait(20)
        done.release()

    with Workers(1) as workers:
        workers.start([call] * 4)
        assert workers.map(str, [1]) == ["1"]
        together.wait(20)
        assert all(done.acquire(timeout=20) for _ in range(4))


def test_a_call_in_the_background_does_not_hold_up_the_end() -> None:
    going_on = threading.Event()
    started = time.monotonic()
    with Workers(1) as workers:
        workers.start([partial(_wait, going_on)])
    assert time.monotonic() - started < 30
    going_on.set()


def _wait(event: threading.Event) -> None:
    event.wait(20)


def test_several_calls_go_on_at_once_and_may_use_the_pool_themselves() -> None:
    together = threading.Barrier(3)

    def call(number: int) -> list[int]:
        together.wait(10)
        return workers.map(lambda factor: factor * number, range(3))

    with Workers(1) as workers:
        found = list(workers.several(call, [1, 2, 3], 3))
    assert found == [[0, 1, 2], [0, 2, 4], [0, 3, 6]]


def test_the_result_of_a_call_is_there_before_those_after_it_end() -> None:
    first_is_seen = threading.Event()

    def call(number: int) -> int:
        if number:
            assert first_is_seen.wait(10)
        return number

    with Workers(1) as workers:
        results = workers.several(call, range(3), 3)
        assert next(results) == 0
        first_is_seen.set()
        assert list(results) == [1, 2]


def test_the_first_error_of_several_calls_ends_those_that_have_not_begun() -> None:
    begun: list[int] = []

    def call(number: int) -> None:
        begun.append(number)
        raise ValueError(number)

    with Workers(1) as workers, pytest.raises(ValueError, match="0"):
        list(workers.several(call, range(50), 1))
    assert begun == [0]


def test_several_calls_are_not_waited_for_once_the_work_is_interrupted() -> None:
    held = threading.Event()
    with Workers(1) as workers:
        results = workers.several(lambda _: held.wait(10), range(3), 2)
        timer = threading.Timer(0.05, workers.interrupt)
        timer.start()
        with pytest.raises(Interrupted):
            next(results)
        held.set()
        timer.join()


def test_tasks_that_are_to_be_alone_are_done_one_at_a_time_whoever_wants_them() -> None:
    lock, running, most = threading.Lock(), [0], [0]
    other = threading.Event()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        # The others are free to run meanwhile.
        assert other.wait(10)
        with lock:
            running[0] -= 1

    def tasks(name: str) -> list[Task]:
        return [Task(f"{name}{n}", work, alone="same") for n in range(3)]

    with Workers(4) as workers:
        calls = workers.several(lambda name: workers.run(tasks(name)), ["a", "b"], 2)
        workers.run([Task("free", other.set, alone="another")])
        list(calls)
    assert most[0] == 1
