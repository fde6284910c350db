"""Reports of stores to the books: orders joined to terms, refunds taken back, totals of products reconciled."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.contracts.store_files import Payout
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import MoneyImport
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.unit.billing.statements.test_store_files import FINANCIAL, GOOGLE, financial, google
from tests.worlds.world import balances, night_is_ok, open_world, services_on

NOW = parse_instant("2026-11-30 10:00")
AT = {"author": "keiri", "now": NOW}
OURS = "store,account,term,gross,fee,currency,paid_out_on,payout_id\n"


def begin(services: Services, *accounts: str, on: str = "2026-11-02 10:00") -> None:
    for account in accounts:
        services.billing.approve(account, "monthly", "app_store", now=parse_instant(on))


def take(services: Services, folder: Path, text: str, **wanted: object) -> MoneyImport:
    file = folder / "report"
    file.write_text(text, encoding="utf-8")
    return services.billing.import_store_reports(file, author="keiri", now=NOW, **wanted)  # type: ignore[arg-type]


CHARGE = google("GPA.1-1..0", "Nov 1, 2026", "Charge", "500.00", time="5:00:00 PM PST")
FEE = google("GPA.1-1..0", "Nov 1, 2026", "Google fee", "-75.00", time="5:00:00 PM PST")
REFUND = google("GPA.1-1..0", "Nov 9, 2026", "Charge refund", "-500.00")
FEE_BACK = google("GPA.1-1..0", "Nov 9, 2026", "Google fee refund", "75.00")


def test_5_1__an_order_of_google_finds_its_term_and_its_refund_takes_revenue_1133_and_the_use_back(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "g1", "g2")
        unknown = take(services, tmp_path, GOOGLE + CHARGE + FEE)
        assert (unknown.preset, unknown.rows_new, len(unknown.findings)) == ("google_play", 0, 1)
        assert services.billing.store_orders({"GPA.1-1": "g1"}, by="keiri", now=NOW) == 1
        done = take(services, tmp_path, GOOGLE + CHARGE + FEE)
        assert (done.rows_new, done.findings) == (1, ())
        assert balances(services, "1133", "6111", "1180") == [1000 - 75, 75, 0]  # a fee without tax
        refunded = take(services, tmp_path, GOOGLE + CHARGE + FEE + REFUND + FEE_BACK)
        assert (refunded.rows_new, refunded.rows_known, refunded.findings) == (1, 1, ())
        # of g1, 466 yen of 28 days stay in 2120 until the nights of those days recognise them
        assert balances(services, "1133", "6111", "2120") == [500, 0, -966]
        ended = services.session.execute(sa.text("SELECT ended_on, ended_reason FROM contract WHERE account = 'g1'"))
        assert tuple(ended.one()) == (date(2026, 11, 30), "sale_void")
        services.session.rollback()
        night_is_ok(services, date(2026, 12, 1))
        left = balances(services, "1133", "2120", "4110", "2170")
        assert left[0] == 500
        assert sum(int(str(each)) for each in left) == 0  # of g1 nothing is left in any of them


def test_5_1__a_refund_leaves_the_use_where_the_setting_says_so_and_a_part_always(
    engine: sa.Engine, tmp_path: Path
) -> None:
    stays = Rules(Terms.load("premium"), discretion=Discretion(store_refund="term_stays"))
    with services_on(engine, stays) as services:
        open_world(services)
        begin(services, "g1", "g2")
        rows = "apple,g1,2026-11-02,500,75,JPY,,\napple,g2,2026-11-02,500,75,JPY,,\n"
        assert take(services, tmp_path, OURS + rows).rows_new == 2
        assert take(services, tmp_path, OURS + "apple,g1,2026-11-02,-500,-75,JPY,,\n").rows_new == 1
        services.billing.store_refund("g2", date(2026, 11, 2), yen=100, by="keiri", ground="the store's mail", now=NOW)
        assert balances(services, "1133", "6111", "1180") == [500 - 75 - 100, 68, 7]
        running = services.session.scalar(sa.text("SELECT count(*) FROM contract WHERE ended_on IS NULL"))
        assert running == 2
        services.session.rollback()
        night_is_ok(services, date(2026, 12, 1))


def test_a_refund_that_is_known_names_its_payout_later_once(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "g1", "g2")
        services.billing.store_orders({"GPA.1-1": "g1", "GPA.1-2": "g2"}, by="keiri", now=NOW)
        other = google("GPA.1-2..0", "Nov 1, 2026", "Charge", "500.00", time="5:00:00 PM PST")
        text = GOOGLE + CHARGE + FEE + REFUND + FEE_BACK + other
        assert (take(services, tmp_path, text).rows_new, balances(services, "1110", "1133")) == (3, [0, 500])
        paid = Payout("GP-11", date(2026, 11, 28))
        assert take(services, tmp_path, text, payout=paid).findings == ()
        assert balances(services, "1110", "1133") == [500, 0]
        night_is_ok(services, date(2026, 12, 1))
        assert take(services, tmp_path, text + "\n", payout=paid).rows_new == 0
        moved = take(services, tmp_path, text, payout=Payout("GP-12", date(2026, 11, 29)))
        assert (moved.rows_new, [each.rule[-27:] for each in moved.findings]) == (
            0, ["d out on 2026-11-28 with GP-11 already"[-27:]] * 2,
        )  # fmt: skip
        with pytest.raises(Refused, match="payout GP-13 of 2026-12-15 lies ahead"):
            take(services, tmp_path, text, payout=Payout("GP-13", date(2026, 12, 15)))


def test_a_refund_in_a_payout_lowers_it_and_is_recorded_once(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "s1", "s2")
        rows = "apple,s1,2026-11-02,500,75,JPY,2026-11-20,AP-1\napple,s2,2026-11-02,500,75,JPY,2026-11-20,AP-1\n"
        refund = "apple,s1,2026-11-02,-500,-75,JPY,2026-11-20,AP-1\n"
        assert take(services, tmp_path, OURS + rows + refund).rows_new == 3
        assert balances(services, "1110", "1133") == [425, 0]
        bank = tmp_path / "bank.csv"
        bank.write_text(
            "日付,内容,出金金額(円),入金金額(円),残高(円),メモ\n2026/11/20,振込＊アイチユ－ンズ（カ,,425,1425,-\n",
            "utf-8",
        )
        services.billing.import_bank(bank, **AT)  # type: ignore[arg-type]
        assert balances(services, "1110", "2145") == [425, 0]
        again = take(services, tmp_path, OURS + refund)
        assert (again.rows_new, again.rows_known) == (0, 1)
        other = take(services, tmp_path, OURS + "apple,s1,2026-11-02,-400,-75,JPY,,\n")
        assert ["back already" in each.rule for each in other.findings] == [True]


@pytest.mark.parametrize(
    ("account", "yen", "fee", "code"),
    [
        ("g2", 500, 0, "store.not_reported"),
        ("g1", 501, 0, "store.refund_amount"),
        ("g1", 500, 76, "store.refund_amount"),
        ("g1", 50, 60, "store.refund_amount"),
    ],
)
def test_a_refund_that_cannot_be_is_refused(
    engine: sa.Engine, tmp_path: Path, account: str, yen: int, fee: int, code: str
) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "g1", "g2")
        take(services, tmp_path, OURS + "apple,g1,2026-11-02,500,75,JPY,,\n")
        with pytest.raises(Refused) as refused:
            services.billing.store_refund(account, date(2026, 11, 2), yen=yen, fee=fee, by="k", ground="g", now=NOW)
        assert refused.value.code == code


def test_an_order_is_one_account_s_for_ever(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "g1", "g2")
        assert services.billing.store_orders({"GPA.1..4": "g1", "GPA.1": "g1", "GPA.2": "g1"}, by="k", now=NOW) == 2
        for orders, code in (({"GPA.1..9": "g2"}, "store.order_taken"), ({"GPA.3": "x"}, "account.unknown")):
            with pytest.raises(Refused) as refused:
                services.billing.store_orders(orders, by="k", now=NOW)
            assert refused.value.code == code


def test_totals_of_apple_are_reconciled_with_the_terms_of_the_plan_or_nothing_is_booked(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "s1", "s2", "s3", on="2026-10-05 10:00")
        layout = Layout(products={"jp.example.monthly": "monthly"})
        text = FINANCIAL + financial("jp.example.monthly", 3, "1275.00") + "Total_Rows\t1\n"
        fewer = take(services, tmp_path, text.replace("\t3\t425.00\t1275.00", "\t2\t425.00\t850.00"), layout=layout)
        assert (fewer.rows_new, [each.rule for each in fewer.findings]) == (
            0,
            ["3 terms of the plan monthly of 1500 yen began 2026-09-27 to 2026-10-31"],
        )
        paid = Payout("AP-10", date(2026, 11, 5))
        done = take(services, tmp_path, text, layout=layout, payout=paid)
        assert (done.preset, done.rows_new, done.findings) == ("apple_financial", 3, ())
        assert balances(services, "1110", "1133", "6111", "1180") == [1275, 0, 204, 21]
        returned = take(services, tmp_path, FINANCIAL + financial("jp.example.monthly", -1, "-425.00"), layout=layout)
        assert [each.remedy for each in returned.findings] == [
            "find whose they are, and record each: `keizoku store refund`"
        ]


def test_6_1__an_order_of_google_after_the_contract_s_end_is_a_task_and_its_refund_ends_it(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        begin(services, "g1", on="2026-10-02 10:00")
        services.billing.store_orders({"GPA.1-1": "g1"}, by="keiri", now=NOW)
        services.billing.store_stop("g1", now=parse_instant("2026-10-20 10:00"))
        night_is_ok(services, date(2026, 11, 2))
        done = take(services, tmp_path, GOOGLE + CHARGE + FEE)
        assert (done.rows_new, done.findings) == (1, ())
        again = take(services, tmp_path, GOOGLE + CHARGE + FEE + "\n")
        assert (again.rows_new, again.rows_known) == (0, 1)
        tasks = "SELECT subject, detail ->> 'why', closed_ground FROM review_task"
        subject = "account g1 term 2026-11-02"
        why = "the store charged 500 yen for 2026-11-02; the contract ended on 2026-11-02"
        assert [tuple(row) for row in services.session.execute(sa.text(tasks))] == [(subject, why, None)]
        assert balances(services, "6111", "1180") == [0, 0]  # of a charge that is not ours nothing is booked
        part = take(
            services, tmp_path, GOOGLE + CHARGE + FEE + google("GPA.1-1..0", "Nov 9, 2026", "Charge refund", "-1")
        )
        assert ["it gave back 1" in each.rule for each in part.findings] == [True]
        refunded = take(services, tmp_path, GOOGLE + CHARGE + FEE + REFUND + FEE_BACK)
        assert (refunded.rows_new, refunded.rows_known, refunded.findings) == (1, 1, ())
        [row] = services.session.execute(sa.text(tasks))
        assert (row.subject, row.closed_ground) == (subject, "given back: the store's report report")
        services.session.rollback()
        night_is_ok(services, date(2026, 12, 1))


def test_5_1_2__an_order_kept_with_the_application_joins_the_store_s_row_to_its_contract(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine) as services:
        open_world(services)
        then = parse_instant("2026-11-02 10:00")
        services.billing.register("g1", "monthly", "app_store", order="GPA.1-1..0", now=then)
        services.billing.approve("g1", now=then)
        done = take(services, tmp_path, GOOGLE + CHARGE + FEE)
        assert (done.rows_new, done.findings) == (1, ())
        assert balances(services, "1133", "6111") == [500 - 75, 75]
        with pytest.raises(Refused, match="is g1's already"):
            services.billing.register("g2", "monthly", "app_store", order="GPA.1-1..3", now=NOW)
        with pytest.raises(Refused, match="an order is an app store's, and the method is card"):
            services.billing.register("g2", "monthly", "card", order="GPA.9", now=NOW)
        file = tmp_path / "applications.csv"
        file.write_text("account,plan,method,order\ng3,monthly,app_store,GPA.3\ng4,monthly,app_store,GPA.3\n")
        read = services.billing.import_applications(file, now=NOW)
        assert (read.taken, [each.line for each in read.findings]) == (1, [3])
        orders = services.session.execute(sa.text("SELECT order_id, account FROM store_order ORDER BY 1")).all()
        assert [tuple(each) for each in orders] == [("GPA.1-1", "g1"), ("GPA.3", "g3")]
