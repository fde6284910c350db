"""Jobs: a night over HTTP is the night of the command, with its checks and limits; its progress is told to the end."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from time import sleep
from typing import Any

import pytest
from starlette.types import Message

from keizoku.terms.calendar import parse_instant
from keizoku.web.calls import streaming
from keizoku.web.calls.streaming import Stream
from tests.integration.web.conftest import House


def finished(house: House, job: str) -> dict[str, Any]:
    for _ in range(300):
        state: dict[str, Any] = house.get(f"/v1/jobs/{job}")
        if state["state"] in ("done", "failed"):
            return state
        sleep(0.1)
    raise AssertionError(state)


def test_a_night_over_http_catches_up_no_more_nights_than_the_command(house: House) -> None:
    last = date.fromisoformat(house.get("/v1/last-night")["business_date"])
    on, kept = date(2026, 5, 10), house.door.settings
    assert (on - last).days > 1
    house.now = parse_instant("2026-05-10 09:00")
    house.door.settings = kept.model_copy(update={"most_missed_nights": 0})
    try:
        status, told = house.act("/v1/nights", {"on": str(on)})
        assert (status, told["type"]) == (409, "/v1/problems/night.many_missed")
        assert "KEIZOKU_MOST_MISSED_NIGHTS" in told["detail"]
        status, told = house.act("/v1/nights", {"on": str(on), "catch_up": True})
        assert (status, told["job"]) == (200, "night-2026-05-10")
        state = finished(house, told["job"])
        assert (state["state"], state["said"][:2]) == ("done", "ok"), state
        assert (state["business_date"], state["stage"], state["rows"] > 0) == ("2026-05-10", "audit", True)
    finally:
        house.door.settings = kept
    assert house.get("/v1/last-night") == {"business_date": "2026-05-10"}


def test_a_night_over_http_is_not_run_on_tables_that_people_changed(house: House) -> None:
    with house.engine.begin() as session:
        session.exec_driver_sql("ALTER TABLE plan ADD COLUMN added integer")
    try:
        status, told = house.act("/v1/nights", {"on": "2026-05-10"})
    finally:
        with house.engine.begin() as session:
            session.exec_driver_sql("ALTER TABLE plan DROP COLUMN added")
    assert (status, told["type"]) == (409, "/v1/problems/unfit")
    assert "plan" in told["detail"]


def test_the_events_of_a_job_go_to_its_end_and_on_from_where_they_were_left(house: House) -> None:
    assert house.ask("GET", "/v1/jobs/night-2020-01-01/events")[0] == 404
    house.act("/v1/nights", {"on": "2026-05-10"})
    finished(house, "night-2026-05-10")
    headers = {"Authorization": f"Bearer {house.keys['support']}"}
    told = house.client.get("/v1/jobs/night-2026-05-10/events", headers=headers)
    assert told.headers["content-type"] == "text/event-stream; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in told.text.splitlines() if line)
    assert (fields["event"], json.loads(fields["data"])["state"]) == ("end", "done")
    again = house.client.get("/v1/jobs/night-2026-05-10/events", headers={**headers, "Last-Event-ID": fields["id"]})
    assert again.text == told.text


class Watcher:
    """A client on the other side of a stream: what it got, how slowly it takes."""

    def __init__(self, pause: float = 0) -> None:
        self.got: list[str] = []
        self.pause = pause
        self.goes = asyncio.Event()

    async def receive(self) -> Message:
        await self.goes.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await asyncio.sleep(self.pause)
        self.got.append(message.get("body", b"").decode())

    def ids(self) -> list[str]:
        return [line[4:] for text in self.got for line in text.splitlines() if line.startswith("id: ")]


def watch(watcher: Watcher, states: Any, last: str = "", leaves_after: float | None = None) -> None:
    async def go() -> None:
        answer = Stream(states, lambda state: state["state"] == "done").response(last)
        task = asyncio.ensure_future(answer({"type": "http"}, watcher.receive, watcher.send))
        if leaves_after is not None:
            await asyncio.sleep(leaves_after)
            watcher.goes.set()
        await asyncio.wait_for(task, 5)

    asyncio.run(go())


def test_a_slow_client_is_told_the_newest_state_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LOOKS_EVERY_S", 0.001)
    turn = 0

    def states() -> tuple[str, dict[str, Any]]:
        nonlocal turn
        turn += 1
        return f"a-{turn}", {"state": "done" if turn >= 40 else "running", "rows": turn}

    slow = Watcher(pause=0.01)
    watch(slow, states)
    assert slow.ids()[-1] == "a-40"
    assert slow.ids() == sorted(slow.ids(), key=lambda each: int(each[2:]))
    assert "event: end" in slow.got[-2]


def test_a_stream_says_that_it_lives_tells_nothing_twice_and_ends_with_its_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "LOOKS_EVERY_S", 0.001)
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.02)
    idle = Watcher()
    watch(idle, lambda: ("a-7", {"state": "running"}), last="a-7", leaves_after=0.2)
    assert idle.ids() == []
    assert idle.got.count(": still here\n\n") >= 2
    monkeypatch.setattr(streaming, "TAKES_WITHIN_S", 0.05)
    stuck = Watcher(pause=10)
    monkeypatch.setattr(Watcher, "send", lambda self, m: asyncio.sleep(10 if m["type"].endswith("body") else 0))
    watch(stuck, lambda: ("a-8", {"state": "running"}))
    assert stuck.got == []
