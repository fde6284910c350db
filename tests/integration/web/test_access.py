"""Who may do what, and who read an account: the report, and a log that nobody rewrites."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from keizoku.db.tables.web import http_request
from keizoku.web.application import operations
from keizoku.web.identity.access_report import access_report
from keizoku.web.identity.keys import end_key, new_key
from tests.integration.web.browsers import MemberBrowser
from tests.integration.web.conftest import NOW, House

BY_NUMBER = {
    "payments.invoice": "SELECT account, id FROM invoice ORDER BY id LIMIT 1",
    "payments.show_demand": "SELECT account, id FROM demand ORDER BY id LIMIT 1",
    "documents.letter": "SELECT account, 'N' || id FROM user_notice ORDER BY id LIMIT 1",
    "documents.invoice": "SELECT account, id FROM invoice ORDER BY id LIMIT 1",
    "claims.show": "SELECT account, id FROM claim ORDER BY id LIMIT 1",
    "claims.explanation": "SELECT account, id FROM claim ORDER BY id LIMIT 1",
}
"""Questions that name somebody's thing by its number: (whose, the number)."""


def _newest(house: House) -> Any:
    house.door.log.flush()
    with house.engine.connect() as session:
        return session.execute(sa.select(http_request).order_by(http_request.c.id.desc()).limit(1)).one()


def test_each_read_of_an_account_is_in_the_log_with_who_what_and_when(house: House) -> None:
    house.door.settings = house.door.settings.model_copy(update={"issuer_name": "Keizoku"})
    missing = []
    for operation in operations():
        if operation.kind == "act" or operation.streams or operation.with_tokens:
            continue
        query: dict[str, str] = {}
        if operation.name in BY_NUMBER:
            with house.engine.connect() as session:
                account, thing = session.exec_driver_sql(BY_NUMBER[operation.name]).one()
            path = "/v1" + operation.path.replace("{number}", str(thing)).replace("{claim}", str(thing))
        elif "account" in operation.in_path:
            account, path = "u01", "/v1" + operation.path.replace("{account}", "u01").replace("{month}", "2026-04")
        elif operation.fields is not None and "account" in operation.fields.model_fields:
            account, query, path = (
                "u01",
                {"account": "u01"},
                "/v1" + operation.path.replace("{plan}", "monthly").replace("{month}", "2026-04"),
            )
        else:
            continue
        if operation.fields is not None and "at" in operation.fields.model_fields:
            query = {**query, "at": NOW.isoformat()}
        status, told = house.ask("GET", path, operation.roles[-1], params=query)
        row = _newest(house)
        if operation.name != "contracts.offer":
            assert status == 200, (operation.name, told)
        found = (row.principal.split(":")[0], row.role, row.route, row.account, row.received_at, row.act)
        if found != ("key", operation.roles[-1], operation.path, account, NOW, False) or row.status != status:
            missing.append((operation.name, found, status))
    assert not missing


def test_what_was_refused_is_in_the_log_too_and_as_whom(house: House) -> None:
    member = MemberBrowser.of(house, "a1")
    assert member.get("/v1/accounts/a2/owed")[0] == 403
    row = _newest(house)
    found = (row.principal, row.account, row.status, row.session_id, row.as_member)
    assert found == ("member", "a2", 403, member.session().id, None)


def test_the_log_is_only_ever_added_to(house: House) -> None:
    house.get("/v1/accounts/a0/owed")
    house.door.log.flush()
    for role in ("worker", "support", "finance"):
        for statement in ("UPDATE http_request SET account = 'x'", "DELETE FROM http_request", "TRUNCATE http_request"):
            with house.door.connect(role) as session, pytest.raises(DBAPIError):
                session.execute(sa.text(statement))
    with house.engine.connect() as session, pytest.raises(DBAPIError, match="only ever added"):
        session.execute(sa.text("DELETE FROM http_request"))  # the owner, too


def test_the_log_is_asked_by_account_and_by_who(house: House) -> None:
    house.get("/v1/accounts/coupon/owed", "finance")
    house.door.log.flush()
    [row] = house.get("/v1/requests", account="coupon", act="false", limit=200)["data"][-1:]
    assert (row["route"], row["account"], row["status"]) == ("/accounts/{account}/owed", "coupon", 200)
    mine = house.get("/v1/requests", who=row["principal"], limit=200)["data"]
    assert {each["principal"] for each in mine} == {row["principal"]}
    assert house.get("/v1/requests", account="coupon", from_at="2026-05-08T00:00:00+09:00")["data"] == []


def test_the_report_names_keys_people_members_and_logins(house: House) -> None:
    MemberBrowser.of(house, "a4")
    with house.engine.connect() as session:
        until = NOW + timedelta(days=1)
        made = new_key(session, "report", "finance", ["ledger:read"], expires_at=until, by="t", now=NOW)
        gone = new_key(session, "gone", "support", ["*"], by="t", now=NOW)
        end_key(session, gone.id, by="t", ground="x", now=NOW)
        login = session.exec_driver_sql("SELECT current_user").scalar_one()
        session.exec_driver_sql(f"GRANT {house.door.prefix}_finance TO {login}")
        session.commit()
    told = house.get("/v1/access-report", "finance")
    rows = {(row["kind"], row["who"], row["account"]): row for row in told["data"]}
    key = rows["key", f"key:report:{made.id}", None]
    assert (key["roles"], key["scopes"], key["may"], key["since"], key["until"], key["last_used_at"]) == (
        ["finance"], ["ledger:read"], True, "2026-05-07T09:00:00+09:00", "2026-05-08T09:00:00+09:00", None,
    )  # fmt: skip
    assert rows["key", f"key:gone:{gone.id}", None]["may"] is False
    member = rows["member", "member", "a4"]
    assert (member["roles"], member["may"], member["until"]) == (["member"], True, "2026-05-07T10:00:00+09:00")
    assert rows["login", login, None]["roles"] == ["finance"]
    with house.engine.connect() as session:
        later = {row.account: row.may for row in access_report(session, NOW + timedelta(hours=2)) if row.account}
    assert later["a4"] is False
