from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from pellucid.service.desk import AbandonedError, Desk, Ticket
from pellucid.service.problems import Problem

from ..faults import fault


async def stays() -> bool:
    return False


async def leaves() -> bool:
    return True


def test_one_at_a_time_in_order():
    done: list[int] = []
    inside = threading.Semaphore(1)

    def work(number: int) -> int:
        assert inside.acquire(blocking=False)
        done.append(number)
        inside.release()
        return number

    async def run() -> list[int]:
        desk = Desk(waiting=9, seconds=5)
        return await asyncio.gather(*(desk.serve(lambda _, n=n: work(n), stays) for n in range(10)))

    assert asyncio.run(run()) == done == list(range(10))


@fault("server", "more requests than may wait", "503 with a time to come back")
def test_too_many_are_sent_away_with_a_time_to_come_back():
    async def run() -> list[Any]:
        desk = Desk(waiting=1, seconds=5)
        hold = threading.Event()
        asyncio.get_running_loop().call_later(0.05, hold.set)
        asked = (desk.serve(lambda _: hold.wait(5), stays) for _ in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert first is True and second is True
    assert isinstance(third, Problem)
    assert third.status_code == 503 and third.headers == {"Retry-After": "10"}


@fault("server", "a client that leaves while its photo is worked on", "its work ends")
def test_a_client_that_leaves_cancels_its_work():
    ended: list[str] = []

    def work(ticket: Ticket) -> None:
        try:
            for _ in range(500):
                threading.Event().wait(0.01)
                ticket.check()
        except AbandonedError:
            ended.append("early")
            raise

    async def run() -> str:
        desk = Desk(waiting=4, seconds=5)
        with pytest.raises(Problem, match="left"):
            await desk.serve(work, leaves)
        return await desk.serve(lambda _: "next", stays)  # and its turn ends only then

    assert asyncio.run(run()) == "next"
    assert ended == ["early"]


@fault("server", "a client that leaves while it waits", "its work never starts")
def test_work_that_waits_and_is_left_never_starts():
    started: list[str] = []

    async def run() -> None:
        desk = Desk(waiting=4, seconds=5)
        slow = asyncio.create_task(desk.serve(lambda _: threading.Event().wait(0.5), stays))
        await asyncio.sleep(0.01)
        with pytest.raises(Problem, match="left"):
            await desk.serve(lambda _: started.append("left"), leaves)
        await slow
        await desk.serve(lambda _: started.append("stayed"), stays)

    asyncio.run(run())
    assert started == ["stayed"]


@fault("server", "work that takes too long", "503 in time")
def test_an_answer_comes_in_time_or_not_at_all():
    async def run() -> None:
        await Desk(waiting=0, seconds=0.1).serve(lambda _: threading.Event().wait(0.6), stays)

    with pytest.raises(Problem, match="not done within"):
        asyncio.run(run())


def test_errors_of_the_work_are_the_callers():
    def work(_: Ticket) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(Desk(waiting=0, seconds=5).serve(work, stays))
