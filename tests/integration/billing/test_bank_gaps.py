"""What is missing from a statement is seen since its day; what a match paid, and whom it will know."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.bank_control import bank_control
from keizoku.billing.closing.month_close import checks_of
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.billing.receivables.bank.bank_list import lines
from keizoku.billing.receivables.bank.suggestions import suggestions
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.bank_files import BY_MUFG, MUFG, NOW, take
from tests.worlds.world import open_world, services_on


def test_a_line_that_is_missing_is_seen_since_its_day_and_keeps_the_month_open(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        first = MUFG + '"2026/3/5","振込","ｱ","","500","100,500","","","入金"\n'
        later = MUFG + '"2026/4/9","振込","ｲ","","500","101,700","","","入金"\n'
        take(services, tmp_path, first, BY_MUFG)
        [missing] = bank_control(services.session, date(2026, 4, 30)).faults(Month(2026, 4))
        assert missing == "account 0005: no statement of 2026-04, the last one ends 2026-03-05"
        take(services, tmp_path, later, BY_MUFG)
        [broken] = bank_control(services.session, date(2026, 4, 30)).faults(Month(2026, 4))
        assert broken == "account 0005: lines do not make the stated balance since 2026-04-09 (+700 yen)"
        reconciled = reconcile_month(services.session, services.gateway, Month(2026, 4), NOW)
        check = next(
            each for each in checks_of(services.session, Month(2026, 4), reconciled, NOW) if each.name == "bank"
        )
        assert (check.ok, check.found) == (False, broken)
        take(services, tmp_path, MUFG + '"2026/4/2","振込","ｳ","","700","101,200","","","入金"\n', BY_MUFG)
        assert bank_control(services.session, date(2026, 4, 30)).faults(Month(2026, 4)) == []


def test_a_match_tells_what_it_paid_and_knows_the_payer_next_time(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        for account in ("taro", "jiro"):
            services.billing.approve(account, "yearly", "other", now=parse_instant("2026-03-16 10:00"))
        columns = {"date": "d", "amount": "a", "payer": "p"}
        assert take(services, tmp_path, "d,a,p\n2026-04-09,6000,ﾔﾏﾀﾞ ﾀﾛｳ\n", columns) == (1, 0, 0, 0)
        assert suggestions(services.session) == []
        done = services.billing.match_payment(1, "taro", by="keiri", ground="told", now=NOW, remember=True)
        assert done.sentence() == (
            "payment 1 is taro's: 6,000 of 2026-04-09 paid interest 21 on the fee of 2026-03-16, 5,300 of the fee of "
            "2026-03-16 and left a deposit of 679; rule 1 knows the payer from now on"
        )
        rows = "2026-04-10,100,ヤマダ　タロウ\n2026-04-10,5300,ﾔﾏﾀﾞ ﾀﾛ\n2026-04-11,9,ｻﾄｳ\n"
        assert take(services, tmp_path, "d,a,p\n" + rows, columns) == (3, 0, 0, 0)
        assert [(each.account, each.by, each.state) for each in lines(services.session)] == [
            ("taro", "keiri", "matched"),
            (None, None, "open"),
            ("taro", "rule", "matched"),
            (None, None, "open"),
        ]
        assert [(each.account, each.reasons) for each in suggestions(services.session)] == [
            ("jiro", ("owes it",)),
            ("taro", ("a like name paid before: ヤマダタロウ",)),
        ]
        services.billing.forget_payer(1, by="keiri", ground="moved", now=NOW)
        assert take(services, tmp_path, "d,a,p\n2026-04-12,100,ﾔﾏﾀﾞ ﾀﾛｳ\n", columns) == (1, 0, 0, 0)
        assert [each.state for each in lines(services.session)][-1] == "open"
        with pytest.raises(Refused, match="there is no rule 1 in force"):
            services.billing.forget_payer(1, by="keiri", ground="again", now=NOW)


def test_a_name_that_two_members_have_decides_nothing(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        for account in ("taro", "jiro"):
            services.billing.approve(account, "yearly", "other", now=parse_instant("2026-03-16 10:00"))
        of_jiro = services.session.scalar(sa.text("SELECT number FROM account WHERE id = 'jiro'"))
        reference = str(Reference(ACCOUNT, of_jiro))
        columns = {"date": "d", "amount": "a", "payer": "p", "reference": "r"}

        def taken(rows: str) -> list[tuple[object, ...]]:
            take(services, tmp_path, "d,a,p,r\n" + rows, columns)
            return [(each.account, each.by, each.why) for each in lines(services.session)]

        taken("2026-04-09,100,ﾔﾏﾀﾞ ﾀﾛｳ,\n")
        services.billing.match_payment(1, "taro", by="keiri", ground="told", now=NOW, remember=True)
        assert taken("2026-04-10,110,ﾔﾏﾀﾞ ﾀﾛｳ,\n")[-1][:2] == ("taro", "rule")
        found = taken(f"2026-04-11,120,ﾔﾏﾀﾞ ﾀﾛｳ,{reference}\n2026-04-11,130,ﾔﾏﾀﾞ ﾀﾛｳ,\n")
        assert found[-2:] == [
            (None, None, "no reference, and a name that several members have"),  # written before the members' lines
            ("jiro", "reference", None),
        ]
        [ended] = services.session.execute(sa.text("SELECT author, ground FROM payer_rule WHERE says = 'withdrawn'"))
        assert tuple(ended) == ("keizoku", "a payment under this name is jiro's, so it is a name of several")
        with pytest.raises(Refused, match=r"payments of ヤマダ タロウ are jiro's too: a rule cannot know which"):
            services.billing.match_payment(3, "taro", by="keiri", ground="told", now=NOW, remember=True)
        assert services.billing.match_payment(3, "taro", by="keiri", ground="told", now=NOW).rule is None
        assert taken("2026-04-12,140,ﾔﾏﾀﾞ ﾀﾛｳ,\n")[-1] == (None, None, "no reference")
