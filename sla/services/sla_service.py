"""The service that takes facts for Article 9: evidence, and with it claims and rulings on them.

Each method takes one kind of fact and `now`, checks it, records it with both its times, and commits. A fact that cannot
be taken is Refused, with its finding; what a method returns are doubts, as a rule none. The night decides claims.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

import sqlalchemy as sa

from keizoku.db.act_keys import KeyFormError, KeyTakenError, once
from keizoku.db.tables.claims import claim as claim_table
from keizoku.db.tables.claims import claim_decision, claim_ruling, claim_withdrawal
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.evidence import claim_form_outage, environment_ruling, incident, unknown_ruling
from keizoku.sla.evidence.form_outages import form_outages
from keizoku.sla.evidence.incident_files import Incident
from keizoku.sla.evidence.notice_store import add_issues, issues_of, spans_of_issues
from keizoku.sla.evidence.unknown_store import add_unknown, recorded_unknown
from keizoku.sla.review_queue import ask_for_review, months_touched, policy_of
from keizoku.sla.rules.announcements import EventIssue
from keizoku.sla.rules.intervals import Span, Spans, as_iso, clip, intersect, normalise, subtract
from keizoku.sla.rules.unknown_time import UnknownTimeDecision
from keizoku.sla.services.evidence import PEOPLE
from keizoku.sla.services.fact_checks import (
    announcing,
    at_line,
    finding,
    nearest_of,
    needed,
    not_negative,
    period,
    spans_of,
)  # fmt: skip
from keizoku.sla.services.remedies import RemedyService
from keizoku.terms.calendar import Month, epoch, epoch_up, from_epoch, iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused

Window = Sequence[datetime]  # [from, to]


@guard_acts(sa.exc.DataError)
class SlaService(RemedyService):
    """Takes facts for Article 9 on one session; `rules` say how far they reach."""

    def claim(
        self,
        id: str,  # noqa: A002
        account: str,
        month: Month | str,
        *,
        now: datetime,
        windows: Sequence[Window] | None = None,
        received_at: datetime | None = None,
        by: str | None = None,
        ground: str | None = None,
    ) -> list[Finding]:
        """A user's claim for a month, for all its windows or those stated; decided when the month is over."""
        return self.submit_claim(account, month, id, windows, received_at, by=by, ground=ground, now=now)[1]

    def submit_claim(
        self,
        account: str,
        month: Month | str,
        id: str | None = None,  # noqa: A002
        windows: Sequence[Window] | None = None,
        received_at: datetime | None = None,
        *,
        now: datetime,
        by: str | None = None,
        ground: str | None = None,
        key: str | None = None,
    ) -> tuple[str, list[Finding]]:
        """The same, with the claim's id: without one it gets account, month, number, however many come at once.

        `by`: who took it down; `ground`: what the user says. With a `key` the same claim said again is the one that
        was recorded; its doubts are those of then, and are not told again.
        """
        if key is not None:
            content = {"account": account, "month": str(month), "id": id, "windows": windows, "received": received_at}
            new: list[Finding] = []

            def take() -> str:
                name, doubts = self.submit_claim(
                    account, month, id, windows, received_at, now=now, by=by, ground=ground
                )
                new.extend(doubts)
                return name

            try:
                return once(self._session, key, "claim", {**content, "by": by, "ground": ground}, take, now), new
            except KeyFormError as error:
                raise Refused("key.unfit", f"key {key!r}: 1 to 100 letters, digits and . _ : -") from error
            except KeyTakenError as error:
                remedy = "say what you said before, or give it a new key"
                raise Refused("key.other_content", str(error), remedy) from error
        received_at = received_at or now
        about = self._claimed_month(month, received_at, now)
        needed("claim", id=id if id is not None else "to be found", account=account)
        spans = spans_of("claim", windows or ())
        values = {
            "account": account,
            "month": str(about),
            "received_at": received_at,
            "windows": as_iso(spans) if spans else None,
            "author": by,
            "ground": ground,
            "recorded_at": now,
        }
        name = id or self._free_claim_id(account, about)
        while not self._add(claim_table, {"id": name, **values}):
            if id is not None:
                remedy = "give the new one an id of its own"
                raise Refused.fact("claim.duplicate", "claim", name, "a claim of this id is recorded", remedy)
            name = self._free_claim_id(account, about)  # another one took it just now
        findings = self._claim_doubts(account, about, spans)
        self._commit([about], f"claim {name}", now, account)
        return name, findings

    def take_unknown(self, spans: Spans, source: str, *, now: datetime, by: str = PEOPLE) -> Spans:
        """Time for which a series has no sample, as far as terms reach it: what is new; nothing is committed."""
        reached: list[Span] = []
        for span in spans:
            for month in months_touched(span):
                try:
                    self._month_in_terms(source, month)
                except Refused:
                    continue
                reached += clip((span,), epoch(month.start_at), epoch(month.end_at))
        new = add_unknown(self._session, normalise(reached), source, by, now)
        ask_for_review(self._session, self._months(new), f"unknown time of {source}", now)
        return normalise(new)

    def is_known_outage(self, stated: Incident) -> bool:
        """Whether the outage is recorded with just these values."""
        last = self._last_outage(stated.id)
        return last is not None and _is_same(last, stated) and epoch_up(last.to_at) == stated.end

    def take_monitored(self, stated: Incident, source: str, *, by: str, now: datetime) -> bool:
        """Record an outage as a monitor has it; False: it says nothing new.

        Nothing new is what it said before, corrected since or not, and an outage as still open whose end is known. One
        that was recorded while it was open gets its end; cause and number of users stay as people corrected them.
        """
        revisions = self._revisions(stated.id)
        if any(_is_same(each, stated) for each in revisions):
            was_open = _was_open(revisions)
            if stated.end in {epoch_up(each.to_at) for each in revisions} or (stated.is_open and not was_open):
                return False
            if was_open:
                ground = f"its end, as {source} has it"
                self.correct_outage(stated.id, to_at=from_epoch(stated.end), ground=ground, by=by, now=now)
                return True
        self.take_incident(stated, now=now)
        return True

    def _revisions(self, incident_id: str) -> Sequence[sa.Row[Any]]:
        query = sa.select(incident).where(incident.c.incident_id == incident_id).order_by(incident.c.revision)
        return self._session.execute(query).all()

    def take_issues(self, issues: Sequence[EventIssue], *, now: datetime, by: str = PEOPLE) -> list[EventIssue]:
        """Events as a calendar has them; what was known of these events before. Nothing is committed.

        A window that no terms reach is recorded and excludes nothing; `refused_spans` has the finding for it.
        """
        needed("notices", by=by)
        for issue in issues:
            announcing("notices", issue)
        uids = {issue.uid for issue in issues}
        before = issues_of(self._session, uids)
        if add_issues(self._session, issues, by, now):
            spans = spans_of_issues([*before, *issues])
            ask_for_review(self._session, self._months(normalise(spans)), "notices of a calendar", now)
        return before

    def refused_spans(self, spans: Sequence[Span], source: str) -> list[Finding]:
        """Findings, with the place of their span from 1 on, for those that no terms reach."""
        findings = []
        for place, (start, end) in enumerate(spans, start=1):
            try:
                self._covered_span(source, from_epoch(start), from_epoch(end))
            except Refused as refused:
                findings.append(at_line(refused, place))
        return findings

    def decide_unknown(
        self,
        from_at: datetime,
        to_at: datetime,
        decision: str,
        by: str,
        ground: str,
        *,
        now: datetime,
        affected: int | None = None,
    ) -> list[Finding]:
        """People decide what unknown time was: up, down (so many users affected), excluded; unknown: taken back.

        The newest decision on a second holds. Down is an outage if more than the threshold of users were unable.
        """
        source = "unknown time"
        needed(source, by=by, ground=ground)
        span = self._covered_span(source, from_at, to_at)
        if decision not in list(UnknownTimeDecision):
            raise Refused.fact(
                "unknown_time.verdict",
                source,
                repr(decision),
                f"it was {', '.join(UnknownTimeDecision)}",
                nearest_of(decision, list(UnknownTimeDecision)),
            )
        if (decision == UnknownTimeDecision.DOWN) != (affected is not None):
            raise Refused.fact(
                "unknown_time.users",
                source,
                f"{decision}, {affected} users",
                "down has a number of affected users, the others none",
                "say it",
            )
        not_negative(source, affected or 0)
        missing = recorded_unknown(self._session, (from_at, to_at), now)
        if subtract((span,), missing):
            known = "; ".join("/".join(pair) for pair in as_iso(missing)) or "none of it"
            value = f"{iso_jst(from_at)} to {iso_jst(to_at)}"
            rule = f"only time without a sample is decided; of this, that is {known}"
            raise Refused.fact("unknown_time.known", source, value, rule, "see keizoku sla unknown list")
        values = {
            "from_at": from_at,
            "to_at": to_at,
            "verdict": decision,
            "affected": affected,
            "author": by,
            "ground": ground,
            "recorded_at": now,
        }
        self._session.execute(sa.insert(unknown_ruling).values(values))
        self._commit(self._months([span]), f"unknown time decided: {decision}", now)
        return []

    def _free_claim_id(self, account: str, month: Month) -> str:
        """An id for a claim that brought none: account, month, number."""
        stem = f"{account}-{month}-"
        query = sa.select(claim_table.c.id).where(claim_table.c.id.startswith(stem, autoescape=True))
        used = set(self._session.execute(query).scalars())
        return next(name for number in count(1) if (name := f"{stem}{number}") not in used)

    def recognise(self, claim: str, windows: Sequence[Window], by: str, ground: str, *, now: datetime) -> list[Finding]:
        """People recognise only these windows of a claim; the newest ruling on a claim holds."""
        return self._rule_on_claim("recognise", claim_ruling, claim, windows, by, ground, now)

    def withdraw_claim(self, claim: str, by: str, ground: str, *, now: datetime) -> list[Finding]:
        """A claim that was recorded by mistake is taken back: no night decides on it, and it stays on record.

        Raises Refused for one that is unknown, or decided already: what was awarded is never lowered (premium/9.2);
        and for one by which another remedy stands agreed or was performed.
        """
        needed("withdraw_claim", by=by, ground=ground)
        row = self._claim_row(claim)
        if row is None:
            raise self._unknown_claim("withdraw_claim", claim)
        decided = sa.select(sa.exists().where(claim_decision.c.claim_id == claim))
        if self._session.execute(decided).scalar_one():
            rule = "the claim is decided already"
            remedy = "rule on it: `keizoku claim recognise`"
            raise Refused.fact("claim.decided", "withdraw_claim", claim, rule, remedy)
        self._no_remedy_by("withdraw_claim", row)
        values = {"claim_id": claim, "author": by, "ground": ground, "recorded_at": now}
        if self._add(claim_withdrawal, values):
            self._commit([Month.parse(row.month)], f"withdrawn {claim}", now, row.account)
        return []

    def environment(
        self,
        windows: Sequence[Window],
        by: str,
        ground: str,
        *,
        now: datetime,
        claim: str | None = None,
        outage: str | None = None,
    ) -> list[Finding]:
        """People rule that time of a claim or outage depends on users' environment; no windows: taken back."""
        if (claim is None) == (outage is None):
            rule = "a ruling is on one of the two"
            raise Refused.fact("ruling.subject", "environment", "claim and outage", rule, "name one of them")
        if claim is not None:
            return self._rule_on_claim("environment", environment_ruling, claim, windows, by, ground, now)
        needed("environment", by=by, ground=ground)
        spans = spans_of("environment", windows)
        last = self._last_outage(str(outage))
        if last is None:
            raise self._unknown_outage("environment", str(outage))
        values = {
            "incident_id": outage,
            "windows": as_iso(spans),
            "author": by,
            "ground": ground,
            "recorded_at": now,
        }
        self._session.execute(sa.insert(environment_ruling).values(**values))
        self._commit(self._months([(epoch(last.from_at), epoch_up(last.to_at))]), f"ruling on outage {outage}", now)
        return []

    def claim_form_down(
        self, from_at: datetime, to_at: datetime, *, now: datetime, by: str = PEOPLE, ground: str | None = None
    ) -> list[Finding]:
        """Our claim form was down: a deadline shortly after moves by as long."""
        span = period("claim_form_down", from_at, to_at)
        values = {"from_at": from_at, "to_at": to_at, "author": by, "ground": ground, "recorded_at": now}
        if self._add(claim_form_outage, values):
            self._commit(self._months_with_deadline_near(span), "claim form down", now)
        return []

    def _rule_on_claim(
        self,
        source: str,
        table: sa.Table,
        claim_id: str,
        windows: Sequence[Window],
        by: str,
        ground: str,
        now: datetime,
    ) -> list[Finding]:
        needed(source, by=by, ground=ground)
        spans = spans_of(source, windows)
        row = self._claim_row(claim_id)
        if row is None:
            raise self._unknown_claim(source, claim_id)
        self._session.execute(
            sa.insert(table).values(claim_id=claim_id, windows=as_iso(spans), author=by, ground=ground, recorded_at=now)
        )
        self._commit([Month.parse(row.month)], f"{source} {claim_id}", now, row.account)
        return []

    def _claimed_month(self, month: Month | str, received_at: datetime, now: datetime) -> Month:
        """The month that a claim is about. Raises Refused for none, one not begun, one before the terms."""
        try:
            about = Month.parse(month) if isinstance(month, str) else month
        except ValueError as error:
            raise Refused.fact("claim.month_form", "claim", str(month), "not a month", str(error)) from None
        self._month_in_terms("claim", about)
        if received_at > now:
            raise Refused.fact(
                "claim.received_ahead", "claim", f"received {iso_jst(received_at)}", "it lies ahead", "correct the time"
            )
        if about > Month.of(received_at):
            raise Refused.fact(
                "claim.month_ahead",
                "claim",
                str(about),
                "the month has not begun",
                "claim once there was an outage in it",
            )
        return about

    def _claim_doubts(self, account: str, month: Month, spans: Spans) -> list[Finding]:
        """What looks like a mistake in a claim that is taken all the same: its time of receipt counts."""
        doubts = []
        query = sa.select(sa.exists().where(account_table.c.id == account))
        if not self._session.execute(query).scalar_one():
            rule = "no account has this id; the claim is recorded and will be rejected"
            doubts.append(finding("claim", account, rule, "claim again under the right account"))
        if spans and not clip(spans, epoch(month.start_at), epoch(month.end_at)):
            windows = ", ".join("/".join(pair) for pair in as_iso(spans))
            rule = f"no window lies in {month}; the claim is recorded"
            doubts.append(finding("claim", windows, rule, "claim again with windows of that month"))
        return doubts

    def _months_with_deadline_near(self, down: Span) -> list[Month]:
        """The months whose claims' deadline the outage of the form moves, now that it is on record."""
        first, last = (Month.of(from_epoch(at)) for at in down)
        months = []
        for month in first.shift(-12).through(last.next()):
            try:
                policy = policy_of(self._rules, month)
            except UncoveredDateError:
                continue
            if intersect(form_outages(self._session, month, policy), (down,)):
                months.append(month)
        return months


def _is_same(revision: sa.Row[Any], stated: Incident) -> bool:
    """Whether it is what was stated, but for the end."""
    recorded = (epoch(revision.from_at), revision.affected, revision.cause)
    return recorded == (stated.start, stated.affected, stated.cause)


def _was_open(revisions: Sequence[sa.Row[Any]]) -> bool:
    """Whether the newest end of an outage is the time at which it was recorded: nobody has said that it was over."""
    first = next(each for each in revisions if each.to_at == revisions[-1].to_at)
    return epoch_up(first.to_at) >= epoch(first.recorded_at)
