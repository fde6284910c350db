"""A quarter that is lived, with its faults: what was planted, what was found, what people did, how each month closed.

    week    the banks' truth ──faults──> files ──import──> findings, breaks of balances, lines that wait: all expected,
            no other ──people's acts──> every line is what it is
    month   night, stores' reports, reconciliation, close; 1110 of each account is what the bank states

`differences` holds every sentence of what was not as it has to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random

from keizoku.billing.closing.bank_control import bank_control
from keizoku.billing.closing.reconciliation_run import reconcile_month, resolve
from keizoku.billing.gateway.books import Movement
from keizoku.billing.gateway.events import record_movements
from keizoku.billing.receivables.bank.bank_list import statement_lines
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import MoneyImport
from keizoku.billing.receivables.read_models import BankLineView
from keizoku.billing.statements.values import even
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import Month
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.quarter import faults
from tests.quarter.company import MONTHS, PATIENT, Company, Size, at, weeks
from tests.quarter.judged import check_waiting, end_month, judge
from tests.quarter.people import BY, deal_with
from tests.quarter.truth import PLAIN, Line, Paper, Week

RULES = Rules(Terms.load("premium"), PATIENT)
RETAKEN = ("wrong_balance", "swapped_days", "doubled_row", "changed_mapping")
Key = tuple[str, date, int, str]


@dataclass
class Quarter:
    """What came of it."""

    services: Services
    folder: Path
    seed: int
    size: Size
    company: Company = field(init=False)
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    truth: list[tuple[str, Line]] = field(default_factory=list)
    waiting: list[tuple[str, Line]] = field(default_factory=list)
    missing: dict[str, Paper] = field(default_factory=dict)
    done_with: list[tuple[str, Line]] = field(default_factory=list)
    left: int = 0  # faults still to be planted this week
    acts: int = 0
    closed: list[str] = field(default_factory=list)
    to_come: list[tuple[date, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = Random(self.seed)  # noqa: S311 - not secret
        self.company = Company(self.services, rng, self.size)
        self.rows = faults.deck(faults.ROW, rng)
        self.files = faults.deck(faults.FILE, rng)
        self.money = faults.deck(faults.MONEY, rng)
        self.stores = faults.deck(faults.STORE, rng)

    # what people see and do ------------------------------------------------------------------------------------

    def differs(self, *said: object) -> None:
        """Note what was not as it has to be."""
        self.differences.append(" ".join(str(each) for each in said))

    @property
    def of_stores(self) -> int:
        """Faults of a month's two reports."""
        return 2 if self.size.faults < 100 else len(faults.STORE)

    def expect(self, what: str, found: object, expected: object) -> None:
        """Note where they are not equal."""
        if found != expected:
            self.differs(what, ": found", found, ", expected", expected)

    def plant(self, kind: str) -> None:
        """A fault is there."""
        self.planted[kind] += 1
        self.left -= 1

    def import_bank(self, name: str, raw: bytes, on: date, layout: Layout | None = None, key: str = "") -> MoneyImport:
        """People take a file."""
        file = self.folder / name
        file.write_bytes(raw)
        ours = (*(each.key for each in self.company.accounts.values()), "wise")
        return self.services.billing.import_bank(
            file, layout=layout, author="keiri", now=at(on), account=key, ours=ours
        )

    def types(self, done: MoneyImport) -> Counter[str]:
        """The types of what a file's import found."""
        return Counter(faults.typed(each) for each in done.findings)

    def open_lines(self) -> dict[Key, list[BankLineView]]:
        """Lines that wait for people, by what they are."""
        found: dict[Key, list[BankLineView]] = {}
        for each in statement_lines(self.services.session):
            if each.state == "open":
                signed = each.amount if each.direction == "in" else -each.amount
                found.setdefault((each.bank_account, each.paid_on, signed, each.payer), []).append(each)
        self.services.session.rollback()
        return found

    # the life --------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """The whole quarter; commits as it goes."""
        company, services = self.company, self.services
        services.gateway.fee_per_mille = 36  # type: ignore[attr-defined]
        company.open()
        parts = len(MONTHS) * len(self.size.parts)
        per_week, more = divmod(self.size.faults - len(MONTHS) * self.of_stores, parts)
        number = 0
        for month in MONTHS:
            for week in weeks(month, self.size.parts):
                self.left += per_week + (number < more)
                for on in range(week.first_on.toordinal(), week.last_on.toordinal() + 1):
                    day = date.fromordinal(on)
                    if day.day in self.size.nights and day > MONTHS[0].first_on:
                        self.expect(f"the night of {day}", company.night(day), "ok")
                if week.first_on.day == 1 and month != MONTHS[0]:
                    end_month(self, month.previous())
                self.live_week(month, week, last=week.last_on.day > 25)
                number += 1
        self.expect("the last night", company.night(MONTHS[-1].end_on), "ok")
        end_month(self, MONTHS[-1])
        judge(self)

    def live_week(self, month: Month, week: Week, last: bool) -> None:
        """One week: what happened, what the files say, what people do."""
        for _, paid in [each for each in self.to_come if each[0] <= week.last_on]:
            paid()
        self.to_come = [each for each in self.to_come if each[0] > week.last_on]
        lines = self.lines_of(week)
        strange = self.plant_money(lines, week)
        imported: list[tuple[Paper, list[str], int]] = []
        papers = self.papers_of(week, lines)
        for paper, kinds in self.plant_papers(papers, last, strange):
            if "missing_file" in kinds:
                self.missing[paper.account.key] = paper
            else:
                imported.append((paper, kinds, self.take(paper, kinds)))
        self.strange_files(strange, week)
        self.mend_papers(imported, week)
        self.check_exceptions(month, week, strange)
        check_waiting(self)
        deal_with(self, week)

    def lines_of(self, week: Week) -> list[tuple[str, Line]]:
        """The truth of a week: (account, line)."""
        company = self.company
        lines = company.members_lines(week) + company.others_lines(week)
        if (paid := company.payout(week)) is not None:
            lines.append(("C", paid))
        return lines

    def plant_money(self, lines: list[tuple[str, Line]], week: Week) -> Counter[str]:
        """About a third of the week's faults are strange money, as far as there are lines for them."""
        wanted, strange = max(1, self.left // 2), Counter[str]()
        for _ in range(3 * len(faults.MONEY)):
            if not wanted:
                break
            kind = next(self.money)
            if kind in ("dollars", "foreign_account"):
                done = strange[kind] == 0
            elif kind == "strange_charge":
                done = strange[kind] == 0
                if done:
                    self.strange_charge(week)
            else:
                done = faults.plant_in_money(self.company, lines, kind, week)
            if done:
                self.plant(kind)
                strange[kind] += 1
                wanted -= 1
        return strange

    def strange_charge(self, week: Week) -> None:
        """The gateway took money that we asked nobody for."""
        when, number = at(week.first_on + timedelta(days=2), "12:00"), self.company.number()
        moved = Movement(
            f"txn_x{number}", "charge", 800, 0, 0, 800, "jpy", f"ch_x{number}", f"pi_x{number}", None, when, when
        )
        record_movements(self.services.session, [moved], when)

    def papers_of(self, week: Week, lines: list[tuple[str, Line]]) -> list[Paper]:
        """The files that the banks would give, truly."""
        made = []
        for home, account in self.company.accounts.items():
            own = sorted((each for of, each in lines if of == home), key=lambda each: (each.on, each.id))
            made.append(Paper(account, week, self.company.rng.choice(account.formats), account.held, own))
            account.lines += own
            self.truth += [(home, each) for each in own]
        return made

    def plant_papers(self, papers: list[Paper], last: bool, strange: Counter[str]) -> Iterator[tuple[Paper, list[str]]]:
        """The same files with the rest of the week's faults."""
        rng = self.company.rng
        whole = {paper.account.key: "" for paper in papers}
        for paper in papers:
            if self.left > 3 or (self.left > 0 and rng.random() < 0.4):
                kind = next(self.files)
                fits = len(paper.truth) > 2 and paper.account.key not in self.missing
                fits &= kind not in ("other_format", "changed_mapping") or paper.format == "mufg"
                seen = strange["payout_less_fee"] or strange["strange_charge"]
                fits &= kind != "missing_file" or not (seen or last or paper.week.first_on == MONTHS[0].first_on)
                fits &= kind != "broken_letters" or paper.format in (
                    "mufg",
                    "zengin",
                    self.company.accounts["B"].formats[0],
                )
                if fits:
                    whole[paper.account.key] = kind
                    self.plant(kind)
        planted: dict[str, list[str]] = {paper.account.key: [] for paper in papers}
        used: dict[str, set[int]] = {paper.account.key: set() for paper in papers}
        for _ in range(120):
            if self.left <= 0:
                break
            paper, kind = rng.choice(papers), next(self.rows)
            key = paper.account.key
            if whole[key] not in ("", "doubled_file") or key in self.missing:
                continue
            if faults.plant_in_paper(paper, kind, rng, used[key]):
                planted[key].append(kind)
                self.plant(kind)
        for paper in papers:
            kind = whole[paper.account.key]
            yield paper, planted[paper.account.key] + ([kind] if kind else [])

    def take(self, paper: Paper, kinds: list[str]) -> int:
        """Import a file as it was given, and hold what was found against what was planted; the import's number."""
        raw, on, key = paper.bytes(), paper.week.after, paper.account.key
        expected = Counter(each for kind in kinds for each in (self.shows(kind, paper),) if each in faults.TYPES)
        if "broken_letters" in kinds:
            middle = raw.index("ﾌﾘｺﾐ".encode("cp932")) if "ﾌﾘｺﾐ".encode("cp932") in raw else len(raw) // 2
            raw = raw[:middle] + b"\x81\x20" + raw[middle + 2 :]
        if "changed_mapping" in kinds:
            return self.take_by_two_mappings(paper, raw)
        done = self.import_bank(paper.name, raw, on, key=key)
        found = self.types(done)
        if "broken_letters" in kinds and paper.format == "zengin":
            expected += Counter(file_not_whole=1)
        if "file_not_whole" in found:
            found["file_not_whole"] = 1
        self.expect(f"{paper.name} with {kinds}", found, expected)
        if "doubled_file" in kinds:
            again = self.import_bank(f"again {paper.name}", raw, on, key=key)
            self.expect(f"{paper.name} twice", (again.lines_new, self.types(again)), (0, self.types(done)))
            self.found["doubled_file"] += 1
        if "other_format" in kinds:
            again = self.import_bank(f"{paper.name}.zengin", paper.true_bytes("zengin"), on, key=key)
            self.expect(f"{paper.name} as 全銀", (again.lines_new, again.findings), (0, ()))
            self.found["other_format"] += 1
        for kind in kinds:
            if self.shows(kind, paper) in found:
                self.found[kind] += 1
        return done.id

    def shows(self, kind: str, paper: Paper) -> str:
        """As what type of finding a fault of a file shows; empty: by the balances alone."""
        if kind in ("missing_line", "wrong_sign") and paper.format in PLAIN:
            return "" if paper.format == "ofx" else "file_not_whole"
        return kind if kind in ("wrong_sign", "spoilt_amount", "cut_row", "broken_letters") else ""

    def take_by_two_mappings(self, paper: Paper, raw: bytes) -> int:
        """The column of payments out is taken for that of money in; then the right mapping meets what that took."""
        head = raw.decode("cp932")
        for name, plain in (("支払い金額", "B"), ("預かり金額", "A"), ("差引残高", "C"), ("入払区分", "D")):
            head = head.replace(name, plain)
        text = head.encode("cp932")
        wrong = Layout(columns={"date": "日付", "payer": "摘要内容", "amount": "B"})
        right = Layout(columns={"date": "日付", "payer": "摘要内容", "amount": "A", "amount_out": "B", "balance": "C"})
        on, key = paper.week.after, paper.account.key
        out = sum(each.yen < 0 for each in paper.truth)
        first = self.import_bank(paper.name, text, on, wrong, key)
        self.expect(f"{paper.name} by the wrong column", (first.lines_new, first.findings), (out, ()))
        second = self.import_bank(paper.name, text, on, right, key)
        self.expect(f"{paper.name} by the right one", self.types(second), Counter(changed_mapping=out))
        self.found["changed_mapping"] += 1
        self.services.billing.take_import_back(first.id, **BY, now=at(on))
        again = self.import_bank(paper.name, text, on, right, key)
        self.expect(f"{paper.name} after that", (again.lines_new, again.findings), (out, ()))
        self.acts += 1
        return 0

    def strange_files(self, strange: Counter[str], week: Week) -> None:
        """Dollars stay out of the books; another's file is not taken."""
        if strange["dollars"]:
            done = self.import_bank(
                f"wise-{week.first_on}.csv", faults.dollars(week, self.company.number()), week.after, key="wise"
            )
            self.expect("dollars", (done.lines_new, done.rows_new, done.findings), (1, 0, ()))
            states = [e.state for e in statement_lines(self.services.session, "wise") if e.paid_on == week.first_on]
            self.expect("a line in dollars", states, ["not in yen"])
            self.found["dollars"] += 1
        if strange["foreign_account"]:
            done = self.import_bank(f"foreign-{week.first_on}", faults.foreign(week).true_bytes(), week.after)
            self.expect("another's file", (done.lines_new, self.types(done)), (0, Counter(foreign_account=1)))
            self.found["foreign_account"] += 1

    def mend_papers(self, imported: list[tuple[Paper, list[str], int]], week: Week) -> None:
        """What the balances show, then the files as they ought to have been."""
        control = bank_control(self.services.session, week.last_on)
        shown = {each.account: each.breaks for each in control.accounts}
        for paper, kinds, number in imported:
            key = paper.account.key
            lacked = self.missing.get(key)
            off = sum(each.yen for each in lacked.truth) if lacked else 0
            expected = self.unread(paper) if "broken_letters" in kinds else faults.breaks_of(paper, off)
            breaks = [(each.on, each.yen) for each in shown.get(key, ())]
            # which balance ends such a day, the file does not say
            if "swapped_days" in kinds or ("wrong_balance" in kinds and len(kinds) > 1):
                breaks, expected = breaks[:1], expected[:1]
                self.expect(f"days of {paper.name}", [on for on, _ in breaks], [on for on, _ in expected])
            else:
                self.expect(f"breaks of {paper.name} with {kinds}", breaks, expected)
            for kind in kinds:
                if self.shows(kind, paper) not in faults.TYPES and kind in faults.ROW and expected:
                    self.found[kind] += 1
            if lacked:
                self.found["missing_file"] += bool(expected)
                self.take_true(lacked, week.after, lines=len(lacked.truth))
                del self.missing[key]
            if set(kinds) & {*RETAKEN} - {"changed_mapping"} or paper.turned:
                self.services.billing.take_import_back(number, **BY, now=at(week.after))
                self.acts += 1
            if set(kinds) - {"doubled_file", "other_format", "changed_mapping"}:
                self.take_true(paper, week.after)
        control = bank_control(self.services.session, week.last_on)
        for each in control.accounts:
            lacks = self.missing.get(each.account)
            if lacks is None:
                self.expect(
                    f"{each.account} after people's acts", (each.breaks, each.stated_yen), ((), self.held(each.account))
                )

    def unread(self, paper: Paper) -> list[tuple[date, int]]:
        """The breaks of a file of which nothing, or of records all but one, could be read."""
        if paper.format not in PLAIN:
            return []
        broken = next(each for each in paper.truth if "ﾌﾘｺﾐ" in each.name)
        return [(paper.week.last_on, broken.yen)]

    def held(self, key: str) -> int:
        """What an account truly holds."""
        return next(each.held for each in self.company.accounts.values() if each.key == key)

    def take_true(self, paper: Paper, on: date, lines: int | None = None) -> None:
        """The bank gives the file again, as it ought to be."""
        done = self.import_bank(f"true {paper.name}", paper.true_bytes(), on, key=paper.account.key)
        self.expect(f"{paper.name} as it ought to be", done.findings, ())
        if lines is not None:
            self.expect(f"{paper.name} found again", done.lines_new, lines)
        self.acts += 1

    def check_exceptions(self, month: Month, week: Week, strange: Counter[str]) -> None:
        """What the reconciliation finds of the week, and what people do about the gateway's part of it."""
        if not strange["payout_less_fee"] and not strange["strange_charge"]:
            return
        session, now = self.services.session, at(week.after, "11:00")
        reconciled = reconcile_month(session, self.services.gateway, month, now)
        kinds = Counter(each.type.value for each in reconciled.open if each.type.value != "cutoff")
        expected = Counter(
            payout_differs_from_bank=strange["payout_less_fee"], metadata_missing=strange["strange_charge"]
        )
        self.expect(f"exceptions after {week}", +kinds, +expected)
        self.found["payout_less_fee"] += kinds["payout_differs_from_bank"]
        for each in reconciled.open:
            if each.type.value == "metadata_missing":
                self.found["strange_charge"] += 1
                resolve(session, reconciled, each.key, "keiri", "a gift card", now, lines={"1131": 800, "7120": -800})
                self.acts += 1

    def key_of(self, home: str, each: Line) -> Key:
        """A line as the book names it."""
        return self.company.accounts[home].key, each.on, each.yen, even(each.name)
