"""`keizoku link`: a customer is linked, data are shown, an order is passed on; on the command line, in one life."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from keizoku.db.migrate import upgrade
from keizoku.link.partner.simulated import code_of
from keizoku.scheduler import cli
from tests.worlds.link_world import KEY_LINE

Keizoku = Callable[..., Any]
SIGNED = ("--author", "desk", "--ground", "seen")


@pytest.fixture
def keizoku(
    engine_for_schema: Callable[[], sa.Engine],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Keizoku:
    """Runs a command in this process: what it prints, or, where it ends otherwise than well, its code and the error."""
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n{KEY_LINE}\n", encoding="ascii")
    keys.chmod(0o600)
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        schema = str(session.exec_driver_sql("SELECT current_schema()").scalar_one())
    url = engine.url.render_as_string(hide_password=False)
    for name, value in (
        ("DATABASE_URL", url),
        ("DATABASE_SCHEMA", schema),
        ("LINK_PARTNER", "simulated"),
        ("LINK_KEY_FILE", str(keys)),
    ):
        monkeypatch.setenv(f"KEIZOKU_{name}", value)

    def run(*arguments: str, stdin: str = "", fails: bool = False) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main(["link", *arguments])
        out, err = capsys.readouterr()
        if fails:
            assert ended.value.code in (1, 2), out
            return out if out else err.splitlines()[-1]
        assert ended.value.code == 0, err
        return json.loads(out) if "--json" in arguments else out.strip()

    return run


def admit(keizoku: Keizoku, account: str) -> None:
    keizoku("record", account, "partner_account_opened")
    keizoku("record", account, "rules_consented", "--rules", "2026-01")
    for clause in ("4.3", "4.4", "api_link/4.5"):
        keizoku("rule", account, clause, "met", *SIGNED)


def authorise(keizoku: Keizoku, account: str, scope: str) -> None:
    begun = keizoku("begin", account, "--scope", scope, "--back", "https://app.example/back", "--json")
    state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
    keizoku("finish", stdin=f"https://app.example/back?state={state}&code={code_of(account)}\n")


def test_a_link_from_the_first_fact_to_its_end_on_the_command_line(keizoku: Keizoku) -> None:
    said = keizoku("begin", "u1", "--back", "https://app.example/back", fails=True)
    assert said.startswith("error: account u1: No account at the partner is recorded.")
    assert said.endswith("record what is missing: `keizoku link` (api_link/4.2)")
    admit(keizoku, "u1")
    authorise(keizoku, "u1", "orders")
    shown = keizoku("show", "u1", "--json")
    assert (shown["state"], shown["scopes"], shown["generation"]) == ("active", ["data", "orders"], 1)
    assert [each["outcome"] for each in shown["decisions"]] == ["open", "open"]
    assert "→ open" in keizoku("show", "u1", "--lang", "ja")

    for field in ("positions.Symbol", "balance.StockAccountWallet"):
        keizoku("designate", "field", field, *SIGNED)
    [found] = keizoku("fetch", "u1", "positions", "--json")
    assert (found["kind"], found["content"], found["dropped"]) == ("positions", [{"Symbol": "0000"}], 3)

    keizoku("designate", "product", "1306", *SIGNED)
    assert [row["holds_today"] for row in keizoku("designations", "--json")] == [True, True, True]
    order = str(keizoku("order", "draft", "u1", "1306", "buy", "10", "--price", "2840", "--json")["order"])
    assert "not confirmed" in keizoku("order", "send", order, fails=True)
    digest = keizoku("order", "show", order, "--json")["digest"]
    keizoku("order", "confirm", f"order {order}", "--digest", digest)
    sent = keizoku("order", "send", order, "--json")
    assert (sent["state"], sent["partner_id"][0]) == ("accepted", "S")
    assert keizoku("order", "withdraw", order, fails=True).endswith("here it cannot be done. (api_link/6.5)")
    assert keizoku("order", "settle", order, "--json")["state"] == "accepted"
    second = str(keizoku("order", "draft", "u1", "1306", "sell", "1", "--json")["order"])
    keizoku("order", "withdraw", second)
    assert [row["state"] for row in keizoku("order", "list", "--account", "u1", "--json")] == ["accepted", "withdrawn"]

    assert keizoku("renew", "u1", "--json")["outcome"] == "renewed"
    assert keizoku("renew", "--json")["renewed"] == 0
    purposes = [row["purpose"] for row in keizoku("uses", "--json")]
    assert purposes == ["fetch", "look_up", "order", "look_up", "refresh"]
    assert [row["fetches"] for row in keizoku("load", "show", "--json")] == [1]
    keizoku("record", "u1", "base_account_closed")
    ended = keizoku("show", "u1", "--json")
    assert (ended["state"], ended["ended_cause"]) == ("ended", "base_account_closed")
    assert [row["state"] for row in keizoku("list", "--json")] == ["ended"]


def test_stops_events_and_keys_on_the_command_line(keizoku: Keizoku) -> None:
    stop = str(keizoku("stop", "add", "partner", "--what", "new API", "--clause", "11.2", *SIGNED, "--json")["stop"])
    late = ("stop", "announce", stop, "--place", "site", "--author", "desk")
    keizoku(*late, "--ground", "told late")
    keizoku("stop", "lift", f"stop {stop}", "--author", "desk")
    [row] = keizoku("stop", "list", "--json")
    assert (row["clause"], row["what"], row["ended_at"] is None) == ("api_link/11.2", "new API", False)
    admit(keizoku, "u2")
    event = str(
        keizoku("event", "add", "misuse", "--what", "a stranger", "--account", "u2", *SIGNED, "--json")["event"]
    )
    keizoku("event", "disclose", event, "u2", "--what", "device", "--to", "the partner", *SIGNED)
    [row] = keizoku("event", "list", "--json")
    assert (row["clause"], row["disclosed"]) == ("api_link/5.7.2", ["u2: device to the partner"])
    ruled = ("load", "rule", "u2", "allowed", "--from", "2026-04-01", "--to", "2026-04-02", *SIGNED, "--json")
    assert keizoku(*ruled) == {"account": "u2", "finding": "allowed", "fetches": 0}
    name, _, key = keizoku("key").partition(" = ")
    assert (name[0], len(key)) == ("k", 44)
    assert keizoku("rotate-keys", "--json") == {"sealed": 0}
    assert "no state or no code" in keizoku("finish", stdin="https://app.example/back\n", fails=True)
