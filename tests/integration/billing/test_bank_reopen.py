"""Two people take back at once what was said of a line: it waits once, and its money is back in 2145 once."""

from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import note_act
from keizoku.billing.receivables.bank.match_reversal import reopen
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.bank_files import BY_MUFG, MUFG, NOW, payout, states, take
from tests.worlds.world import balances, open_world, services_on


def test_of_two_who_reopen_a_line_at_once_one_finds_it_open(engine: sa.Engine, tmp_path: Path) -> None:
    refused: list[str] = []
    with services_on(engine) as services:
        open_world(services)
        payout(services, "po_1", 48_200, "2026-04-09")
        rows = '"2026/4/9","振込３","ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ","","48,200","1,036,370","","","入金"\n'
        take(services, tmp_path, MUFG + rows, BY_MUFG)
        assert [state for *_, state in states(services)] == ["payout"]
        before = balances(services, "1110", "2145")
        services.session.commit()

        def second() -> None:
            with engine.connect() as session:
                try:
                    reopen(session, Rules(Terms.load("premium")), 1, "abe", "wrong", NOW)
                except Refused as error:
                    refused.append(error.code)

        with engine.connect() as first:
            first.execute(sa.text("SELECT id FROM bank_line WHERE id = 1 FOR UPDATE"))
            note_act(first, 1, "reopened", NOW, "keiri", "wrong")
            meanwhile = Thread(target=second)
            meanwhile.start()
            meanwhile.join(1)
            first.commit()
            meanwhile.join(20)
        assert (refused, balances(services, "1110", "2145")) == (["transfer.not_matched"], before)
        with pytest.raises(Refused, match="not matched to anybody"):
            reopen(services.session, services.rules, 1, "abe", "wrong", NOW)
