"""Webhooks out, over real HTTP: signed so that the specification's own verifiers take it, in order, at least once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook, WebhookVerificationError
from typer.testing import CliRunner

from keizoku.db.session import Session
from keizoku.db.tables.money import review_task
from keizoku.db.tables.web import event_batch, webhook_delivery, webhook_secret, webhook_waiting
from keizoku.terms.refusal import Refused
from keizoku.web.event_feed import Cursor
from keizoku.web.webhook_cli import app
from keizoku.web.webhooks import endpoints
from keizoku.web.webhooks.delivering import RETRY_AFTER, Rules, serve_endpoint
from keizoku.web.webhooks.signing import key_ring
from tests.integration.web.conftest import House
from tests.integration.web.receiver import (
    Behaviour,
    Got,
    Receiver,
    answers,
    drips,
    floods,
    hangs,
    hangs_up,
    huge,
    no_http,
)
from tests.worlds.link_world import key_file_in

NOW = datetime(2026, 5, 7, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return key_file_in(tmp_path_factory.mktemp("keys"))


class Desk:
    """An endpoint of its own, served by hand at a time that the test moves; `1-1` is the first event behind it."""

    def __init__(
        self,
        session: Session,
        file: Path,
        receiver: Receiver,
        seconds: float = 5,
        types: Sequence[str] = ("invoice.paid", "invoice.issued"),
    ) -> None:
        self.session, self.ring, self.receiver = session, key_ring(file), receiver
        self.now = NOW
        self.rules = Rules((f"127.0.0.1:{receiver.port}",), seconds, chance=lambda: 0.5)
        self.number, self.secret = endpoints.add_endpoint(
            session, self.ring, "shop", receiver.url, types, allowed=self.rules.allowed, by="t", now=NOW
        )
        session.commit()
        self.before = session.execute(sa.select(sa.func.max(event_batch.c.id))).scalar_one() or 0
        self.batches: list[int] = []

    def happens(self, *accounts: str | None, kind: str = "invoice.paid", subjects: Sequence[str] = ()) -> None:
        """One event for each account, in this order, all of one statement."""
        told = [
            [each, subjects[place] if subjects else str(place + 1), NOW.isoformat()]
            for place, each in enumerate(accounts)
        ]
        made = sa.insert(event_batch).values(type=kind, items=told, recorded_at=NOW).returning(event_batch.c.id)
        self.batches.append(self.session.execute(made).scalar_one())
        self.session.commit()

    def name(self, event: str) -> str:
        """What the test calls an event: the first batch that happened is 1."""
        batch, _, place = event.partition("-")
        return f"{self.batches.index(int(batch)) + 1}-{place}"

    def serve(self, after: timedelta = timedelta()) -> tuple[int, int]:
        """Serve it after a while; (delivered, failed)."""
        self.now += after
        done = serve_endpoint(self.session, self.ring, self.number, self.rules, lambda: self.now)
        return done["delivered"], done["failed"]

    def row(self) -> endpoints.EndpointRow:
        """The endpoint as it stands."""
        return endpoints.endpoint_of(self.session, self.number)

    def got(self) -> list[tuple[str | None, str]]:
        """(account, id) of each request, as they came in."""
        return [
            (json.loads(each.body)["data"]["account"], self.name(each.headers["webhook-id"]))
            for each in self.receiver.got
        ]

    def outcomes(self) -> list[tuple[str, int | None, str | None]]:
        """(outcome, status, why) of each attempt, in the order in which they were made."""
        rows = self.session.execute(
            sa.select(webhook_delivery)
            .where(webhook_delivery.c.endpoint_id == self.number)
            .order_by(webhook_delivery.c.id)
        )
        return [(row.outcome, row.status, row.why) for row in rows]

    def tasks(self) -> list[tuple[str, str]]:
        """(kind, why) of the tasks about it."""
        rows = self.session.execute(sa.select(review_task).where(review_task.c.kind.like("webhook%")))
        return [(row.kind, row.detail["why"]) for row in rows if row.detail["endpoint"] == self.number]


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    with house.engine.connect() as session:
        yield session


@pytest.fixture
def desk(session: Session, key_file: Path) -> Iterator[Callable[..., Desk]]:
    with ExitStack() as opened:

        def open_desk(behaves: Callable[[Got], Behaviour] = lambda _: answers(200), **more: Any) -> Desk:
            return Desk(session, key_file, opened.enter_context(Receiver(behaves)), **more)

        yield open_desk


NODE = """
const {Webhook} = require('standardwebhooks');
const {secret, headers, body} = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
new Webhook(secret).verify(body, headers);
"""


def verified(secret: str, got: Got) -> Any:
    return Webhook(secret).verify(got.body, got.headers)


def test_an_event_is_signed_as_the_specifications_own_verifier_wants_it(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.now = datetime.now(UTC)
    made.happens("hanako")
    assert made.serve() == (1, 0)
    [got] = made.receiver.got
    told = verified(made.secret, got)
    assert (told["type"], told["timestamp"]) == ("invoice.paid", "2026-05-07T09:00:00+09:00")
    assert told["data"] == {
        "id": got.headers["webhook-id"],
        "account": "hanako",
        "subject": "1",
        "occurred_at": "2026-05-07T09:00:00+09:00",
        "recorded_at": "2026-05-07T09:00:00+09:00",
        "link": "/v1/invoices/1",
    }
    assert got.path == "/hooks?of=shop"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(got.body, got.headers)
    modules = os.environ.get("KEIZOKU_TEST_NODE_MODULES")  # a folder with npm's standardwebhooks in it
    if modules is not None and shutil.which("node") is not None:
        given = json.dumps({"secret": made.secret, "headers": got.headers, "body": got.body.decode()})
        subprocess.run(
            ["node", "-e", NODE], input=given.encode(), check=True, timeout=30, env={**os.environ, "NODE_PATH": modules}
        )


def test_both_secrets_sign_for_a_while_after_one_was_changed(desk: Callable[..., Desk], session: Session) -> None:
    made = desk()
    made.now = datetime.now(UTC)
    new = endpoints.rotate_secret(session, made.ring, made.number, by="t", now=made.now, both=timedelta(hours=1))
    session.commit()
    made.happens("hanako")
    made.serve()
    for secret in (made.secret, new):
        assert verified(secret, made.receiver.got[0])["data"]["account"] == "hanako"
    made.happens("taro")
    made.serve(timedelta(hours=2))
    last = made.receiver.got[-1]
    assert last.headers["webhook-signature"].count("v1,") == 1
    own = sa.select(webhook_secret.c.sealed).where(webhook_secret.c.endpoint_id == made.number)
    sealed = session.execute(own).scalars().all()
    assert len(sealed) == 2
    assert not any(secret[6:].encode() in each for each in sealed for secret in (made.secret, new))


def test_one_account_waits_in_its_order_behind_what_was_not_taken_and_others_go_on(
    desk: Callable[..., Desk], session: Session
) -> None:
    refuses = {"hanako"}
    made = desk(lambda got: answers(500 if json.loads(got.body)["data"]["account"] in refuses else 200))
    made.happens("hanako", "taro", "hanako", None, "hanako", "taro")
    assert made.serve() == (3, 1)
    assert made.row().waiting == 3
    made.happens("hanako", "jiro")
    assert made.serve() == (1, 0)
    assert made.serve(timedelta(seconds=4)) == (0, 0)
    assert made.serve(timedelta(seconds=2)) == (0, 1)
    refuses.clear()
    assert made.serve(timedelta(minutes=4)) == (0, 0)
    assert made.serve(timedelta(minutes=2)) == (4, 0)
    taken = [name for (account, name) in made.got() if account == "hanako"][2:]
    assert taken == ["1-1", "1-3", "1-5", "2-1"]
    assert [name for account, name in made.got() if account == "taro"] == ["1-2", "1-6"]
    assert made.row().waiting == 0
    assert {each.status for each in endpoints.deliveries(session, made.number, limit=50)} == {200, 500}


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (answers(302, "Location: http://127.0.0.1:1/"), "it answered 302"),
        (hangs(3), "it did not answer within 0.4 s"),
        (drips, "it did not answer within 0.4 s"),
        (floods, "the head of its answer has more than 32,768 bytes"),
        (hangs_up, "it closed the connection without an answer"),
        (no_http, "what it answers is not HTTP"),
        (answers(404), "it answered 404"),
    ],
)
def test_a_hostile_answer_is_one_failed_attempt_within_its_time(
    desk: Callable[..., Desk], behaviour: Behaviour, why: str
) -> None:
    made = desk(lambda _: behaviour, seconds=0.4)
    made.happens("hanako")
    began = datetime.now(UTC)
    assert made.serve() == (0, 1)
    assert datetime.now(UTC) - began < timedelta(seconds=2)
    [(outcome, _, said)] = made.outcomes()
    assert (outcome, said) == ("failed", why)
    assert made.receiver.connections == 1


def test_a_huge_answer_is_taken_without_being_read(desk: Callable[..., Desk]) -> None:
    made = desk(lambda _: huge)
    made.happens("hanako", "hanako")
    assert made.serve() == (2, 0)
    assert made.receiver.connections == 2


def test_an_endpoint_that_takes_nothing_rests_and_is_switched_off_and_goes_on_from_there(
    desk: Callable[..., Desk], session: Session
) -> None:
    down = [answers(503)]
    made = desk(lambda _: down[0])
    made.happens(*[f"u{each}" for each in range(30)])
    assert made.serve()[1] <= 4 + 3
    tried = len(made.receiver.got)
    made.happens("late")
    assert made.serve() == (0, 0)
    for _ in range(400):
        if not made.row().enabled:
            break
        made.serve(timedelta(minutes=45))
    row = made.row()
    assert (row.enabled, row.changed_by) == (False, "keizoku")
    assert made.now - NOW > sum(RETRY_AFTER, timedelta())
    assert tried < len(made.receiver.got) < 110
    [(kind, why)] = made.tasks()
    assert kind == "webhook_off"
    assert why.startswith("nothing was taken since 2026-05-07 00:00 UTC")
    down[0] = answers(200)
    made.receiver.got.clear()
    endpoints.switch(session, made.number, on=True, by="t", ground="it works again", now=made.now)
    session.commit()
    made.serve()
    assert sorted(account or "" for account, _ in made.got()) == sorted([*(f"u{each}" for each in range(30)), "late"])
    assert made.row().waiting == 0


def test_an_event_that_alone_is_never_taken_is_given_up_and_its_account_goes_on(desk: Callable[..., Desk]) -> None:
    made = desk(lambda got: answers(500 if json.loads(got.body)["data"]["subject"] == "poison" else 200))
    made.happens("hanako", "hanako", subjects=("poison", "later"))
    for _ in range(90):
        made.happens("taro")
        made.serve(timedelta(hours=1))
    assert [name for account, name in made.got() if account == "hanako"] == ["1-1"] * 10 + ["1-2"]
    assert made.tasks() == [("webhook_given_up", "it answered 500")]
    assert made.row().enabled


def test_gone_switches_it_off_and_too_many_is_waited_for(desk: Callable[..., Desk], session: Session) -> None:
    said = [answers(429, "Retry-After: 3600")]
    made = desk(lambda _: said[0])
    made.happens("hanako")
    assert made.serve() == (0, 1)
    assert made.serve(timedelta(minutes=59)) == (0, 0)
    said[0] = answers(410)
    assert made.serve(timedelta(minutes=2)) == (0, 1)
    assert made.serve(timedelta(days=1)) == (0, 0)
    row = made.row()
    assert (row.enabled, row.ground, row.waiting) == (False, "it answered 410: it wants no more", 1)
    assert made.tasks() == [("webhook_off", "it answered 410: it wants no more")]


def test_set_back_it_sends_again_under_the_same_ids_and_only_what_it_wants(
    desk: Callable[..., Desk], session: Session
) -> None:
    made = desk(types=["invoice.paid"])
    made.happens("hanako", "taro")
    made.happens("hanako", kind="invoice.issued")
    made.happens("taro")
    assert made.serve() == (3, 0)
    assert sorted(made.got()) == [("hanako", "1-1"), ("taro", "1-2"), ("taro", "3-1")]
    with pytest.raises(Refused, match="ahead"):
        endpoints.replay(session, made.number, Cursor(10**6, 1))
    session.rollback()
    endpoints.replay(session, made.number, Cursor(made.batches[0], 1))
    session.commit()
    assert made.serve() == (2, 0)
    assert made.got()[3:] == [("taro", "1-2"), ("taro", "3-1")]
    waits = sa.select(webhook_waiting.c.id).where(webhook_waiting.c.endpoint_id == made.number)
    assert session.execute(waits).first() is None


def test_endpoints_over_http_show_a_secret_once_and_refuse_what_is_not_public(house: House, key_file: Path) -> None:
    status, told = house.act("/v1/endpoints", {"name": "shop", "url": "https://shop.example/hooks"})
    assert (status, told["type"]) == (409, "/v1/problems/webhook.keys")
    with Receiver() as receiver:
        house.door.settings = house.door.settings.model_copy(
            update={"webhook_key_file": key_file, "webhook_allowed_hosts": (f"127.0.0.1:{receiver.port}",)}
        )
        for url in ("http://shop.example/", "https://169.254.169.254/x", "https://2130706433/", "https://a@b.example/"):
            status, told = house.act("/v1/endpoints", {"name": "shop", "url": url})
            assert (status, told["type"]) == (409, "/v1/problems/webhook.unfit"), url
        status, made = house.act("/v1/endpoints", {"name": "shop", "url": receiver.url}, key="k")
        assert (status, made["secret"][:6]) == (200, "whsec_")
        number = made["endpoint"]
        assert house.act("/v1/endpoints", {"name": "shop", "url": receiver.url}, key="k") == (
            200,
            {"endpoint": number, "secret": None},
        )
        status, tried = house.act(f"/v1/endpoints/{number}/test")
        assert (status, tried["outcome"], tried["status"]) == (200, "delivered", 200)
        assert verified(made["secret"], receiver.got[0])["type"] == "endpoint.test"
        status, changed = house.act(f"/v1/endpoints/{number}/change", {"types": ["invoice.paid"], "ground": "less"})
        assert (status, changed["types"], changed["url"]) == (200, ["invoice.paid"], receiver.url)
        status, off = house.act(f"/v1/endpoints/{number}/switch", {"on": False, "ground": "moves"})
        assert (status, off["enabled"]) == (200, False)
        assert house.act(f"/v1/endpoints/{number}/switch", {"on": False, "ground": "moves"})[0] == 409
        status, new = house.act(f"/v1/endpoints/{number}/rotate")
        assert (status, new["secret"] != made["secret"]) == (200, True)
        assert house.act(f"/v1/endpoints/{number}/replay", {"after": "0-0"})[0] == 200
        assert house.act("/v1/endpoints/99/test")[0] == 404
        assert [each["outcome"] for each in house.get(f"/v1/endpoints/{number}/deliveries", "support")["data"]] == [
            "delivered"
        ]
        row = house.get("/v1/endpoints", "support")["data"][-1]
        assert (row["name"], row["enabled"], row["waiting"]) == ("shop", False, 0)
        assert made["secret"] not in json.dumps(row)


def test_deliveries_behind_what_is_no_number_are_refused_in_a_line(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", house.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", house.door.schema)
    done = CliRunner().invoke(app, ["deliveries", "1", "--after", "x"])
    assert (done.exit_code, "'x' is no number of the kind: write 12, #12 or delivery 12" in done.stderr) == (2, True)
