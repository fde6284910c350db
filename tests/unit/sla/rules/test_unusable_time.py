"""Article 9.4: which seconds of an outage do not count, and that every second lands in exactly one bucket.

The figures follow the readings night_hours, short_stop, flapping, update_window, announcement_days and month_length
in docs/reference/readings.md.
"""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from keizoku.sla.counting.outage_threshold import Population, outages_from
from keizoku.sla.evidence.incident_files import Incident
from keizoku.sla.rules.intervals import as_iso, length
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption
from keizoku.sla.rules.unusable_time import (
    CLAIMANT_BUCKETS,
    Claimant,
    MonthFacts,
    announced_by,
    claimant_month,
    if_unknown_was_down,
    service_month,
)
from keizoku.terms.calendar import Month, epoch, from_epoch, iso_jst
from tests.unit.sla.rules.april_outages import APRIL, POLICY, at, filled, month_of, notice, outage

VECTORS = Path(__file__).parents[5] / "shared" / "vectors" / "sla.json"
# One outage of so many of 1,000 users: from, to, unusable seconds, percent of the fee.
ORACLE = {
    "13min outage 00:55-01:08 straddling 01:00": (51, "00:55:00", "01:08:00", 300, 0),
    "exactly 5% 12:00-18:00": (50, "12:00:00", "18:00:00", 0, 0),
    "5.1% 12:00-18:00": (51, "12:00:00", "18:00:00", 21_600, 20),
    "12960s exactly": (51, "12:00:00", "15:36:00", 12_960, 0),
    "12961s": (51, "12:00:00", "15:36:01", 12_961, 20),
    "25920s exactly": (51, "12:00:00", "19:12:00", 25_920, 20),
    "25921s": (51, "12:00:00", "19:12:01", 25_921, 40),
    "9m59s": (51, "12:00:00", "12:09:59", 0, 0),
    "10m00s": (51, "12:00:00", "12:10:00", 600, 0),
}


@pytest.mark.parametrize("name", ORACLE)
def test_9_2__the_oracles_seconds_and_tiers(name: str) -> None:
    affected, start, end, unusable, percent = ORACLE[name]
    incident = Incident("i", at(f"2026-04-10 {start}"), at(f"2026-04-10 {end}"), affected, Cause.FAULT, "", "a")
    outages = outages_from((), [incident], Population.always(1_000), POLICY)
    seconds = length(month_of(*outages).unusable)
    tier = POLICY.sla.tier(seconds)
    assert (seconds, tier.rate if tier else Fraction(0)) == (unusable, Fraction(percent, 100))


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not beside this checkout")
def test_9_2__the_oracles_cases_are_those_above() -> None:
    cases = {
        case["name"]: (
            case["affected_users"],
            case["from"][11:19],
            case["to"][11:19],
            case["unusable_seconds"],
            case["tier_percent"],
        )
        for case in json.loads(VECTORS.read_text())["cases"]
    }
    assert cases == ORACLE


def test_9_4_1__a_stop_over_night_leaves_thirteen_hours() -> None:
    service = month_of(outage("2026-04-10 20:00", "2026-04-11 14:00"))
    assert filled(service) == {"night": 5 * 3600, "unusable": 13 * 3600}
    assert as_iso(service.unusable) == [
        ["2026-04-10T20:00:00+09:00", "2026-04-11T01:00:00+09:00"],
        ["2026-04-11T06:00:00+09:00", "2026-04-11T14:00:00+09:00"],
    ]


def test_9_4_1__the_first_second_of_the_night_is_out_and_six_oclock_is_in() -> None:
    service = month_of(outage("2026-04-10 00:50:00", "2026-04-10 06:00:01"))
    assert as_iso(service.unusable) == [
        ["2026-04-10T00:50:00+09:00", "2026-04-10T01:00:00+09:00"],
        ["2026-04-10T06:00:00+09:00", "2026-04-10T06:00:01+09:00"],
    ]


def test_9_4_2__one_second_less_than_ten_minutes_is_short() -> None:
    assert filled(month_of(outage("2026-04-10 12:00:00", "2026-04-10 12:09:59"))) == {"short_stop": 599}


def test_9_4_2__ten_minutes_exactly_counts() -> None:
    assert filled(month_of(outage("2026-04-10 12:00", "2026-04-10 12:10"))) == {"unusable": 600}


def test_9_4_2__length_is_judged_before_the_night_is_carved_out() -> None:
    assert filled(month_of(outage("2026-04-10 00:52", "2026-04-10 01:05"))) == {"night": 300, "unusable": 480}


def test_9_4_2__length_is_judged_before_the_month_is_cut() -> None:
    over_the_end = outage("2026-04-30 23:54", "2026-05-01 00:06")
    assert filled(month_of(over_the_end)) == {"unusable": 360}
    assert filled(month_of(over_the_end, month=Month(2026, 5))) == {"unusable": 360}


def test_9_4_2__flapping_is_separate_stops() -> None:
    flapping = (outage("2026-04-10 12:00", "2026-04-10 12:08"), outage("2026-04-10 12:09", "2026-04-10 12:17"))
    assert filled(month_of(*flapping)) == {"short_stop": 960}


def test_9_4_2__a_gap_that_the_evidence_cannot_see_is_no_gap() -> None:
    flapping = (outage("2026-04-10 12:00", "2026-04-10 12:08"), outage("2026-04-10 12:09", "2026-04-10 12:17"))
    assert filled(month_of(*flapping, resolution=60)) == {"short_stop": 960}
    assert filled(month_of(*flapping, resolution=61)) == {"unusable": 1020}


def test_9_4_2__a_gap_between_exact_edges_stays_a_gap() -> None:
    first, second = (
        outage("2026-04-10 12:00", "2026-04-10 12:08"),
        outage("2026-04-10 12:09", "2026-04-10 12:17"),
    )
    confirmed = (replace(first, exact=True), replace(second, exact=True))
    assert filled(month_of(*confirmed, resolution=61)) == {"short_stop": 960}
    assert filled(month_of(confirmed[0], second, resolution=61)) == {"unusable": 1020}


def test_9_4_2__overlapping_and_adjacent_stops_are_one() -> None:
    service = month_of(
        outage("2026-04-10 12:00", "2026-04-10 12:05"),
        outage("2026-04-10 12:05", "2026-04-10 12:09", "system_update"),
        outage("2026-04-10 12:08", "2026-04-10 12:11", "partner"),
    )
    assert filled(service) == {"unusable": 660}


def test_9_4_4__an_overrun_of_an_announced_update_counts() -> None:
    service = month_of(
        outage("2026-04-10 10:00", "2026-04-10 12:08", "system_update"),
        notices=(notice("2026-04-04 23:00", "2026-04-10 10:00", "2026-04-10 12:00"),),
    )
    assert filled(service) == {"announced_update": 7200, "unusable": 480}


def test_9_4_4__a_fault_inside_an_announced_window_counts() -> None:
    announced = notice("2026-04-01 00:00", "2026-04-10 10:00", "2026-04-10 12:00")
    assert filled(month_of(outage("2026-04-10 10:00", "2026-04-10 11:00"), notices=(announced,))) == {"unusable": 3600}


def test_9_4_4__where_a_fault_overlaps_the_update_the_fault_holds() -> None:
    service = month_of(
        outage("2026-04-10 10:00", "2026-04-10 12:00", "system_update"),
        outage("2026-04-10 11:30", "2026-04-10 11:45", "fault"),
        notices=(notice("2026-04-01 00:00", "2026-04-10 10:00", "2026-04-10 12:00"),),
    )
    assert filled(service) == {"announced_update": 6300, "unusable": 900}


@pytest.mark.parametrize(
    ("published", "counts"),
    [("2025-04-05 00:00:00", 0), ("2025-04-05 00:00:01", 14_400)],
)
def test_9_4_4__announced_five_clear_days_before_the_day_of_the_update(published: str, counts: int) -> None:
    service = month_of(
        outage("2025-04-10 06:00", "2025-04-10 10:00", "system_update"),
        notices=(notice(published, "2025-04-10 02:00", "2025-04-10 10:00"),),
        month=Month(2025, 4),
    )
    assert length(service.unusable) == counts


@pytest.mark.parametrize(
    ("published", "filled_with"),
    [
        ("2026-04-04 00:00:00", {"announced_update": 3600, "unusable": 1800}),
        ("2026-04-04 00:00:01", {"unusable": 5400}),
        ("2026-04-05 00:00:00", {"unusable": 5400}),
    ],
)
def test_9_4_4__an_update_that_began_before_its_window_is_counted_from_its_own_start(
    published: str, filled_with: dict[str, int]
) -> None:
    service = month_of(
        outage("2026-04-09 23:30", "2026-04-10 01:00", "system_update"),
        notices=(notice(published, "2026-04-10 00:00", "2026-04-10 01:00"),),
    )
    assert filled(service) == filled_with


def test_9_4_4__another_update_in_the_same_window_is_covered_all_the_same() -> None:
    service = month_of(
        outage("2026-04-09 20:00", "2026-04-10 00:30", "system_update"),
        outage("2026-04-10 06:00", "2026-04-10 07:00", "system_update"),
        notices=(notice("2026-04-05 00:00", "2026-04-10 00:00", "2026-04-10 08:00"),),
    )
    assert filled(service) == {"announced_update": 3600, "unusable": 4 * 3600 + 1800}


def test_9_4_4__an_update_hidden_by_a_fault_at_first_began_when_it_began() -> None:
    service = month_of(
        outage("2026-04-09 23:00", "2026-04-10 00:00", "fault"),
        outage("2026-04-09 23:30", "2026-04-10 01:00", "system_update"),
        notices=(notice("2026-04-05 00:00", "2026-04-10 00:00", "2026-04-10 01:00"),),
    )
    assert filled(service) == {"unusable": 7200}


def test_9_4_4__the_latest_instant_of_publication_is_told() -> None:
    late = notice("2025-04-06 00:00", "2025-04-10 02:00", "2025-04-10 10:00")
    assert iso_jst(from_epoch(announced_by(late.start, POLICY))) == "2025-04-05T00:00:00+09:00"


def test_9_4_4__a_late_edit_does_not_cover_what_it_added() -> None:
    service = month_of(
        outage("2026-04-10 10:00", "2026-04-10 13:00", "system_update"),
        notices=(
            notice("2026-04-01 00:00", "2026-04-10 10:00", "2026-04-10 12:00"),
            notice("2026-04-09 00:00", "2026-04-10 10:00", "2026-04-10 14:00"),
        ),
    )
    assert filled(service) == {"announced_update": 7200, "unusable": 3600}
    assert [piece.sources for piece in service.parts] == [("notice n", "s"), ("s",)]


def test_9_4_4__a_bridged_gap_inside_an_update_belongs_to_the_update() -> None:
    service = month_of(
        outage("2026-04-10 10:00", "2026-04-10 10:20", "system_update"),
        outage("2026-04-10 10:21", "2026-04-10 10:40", "system_update"),
        notices=(notice("2026-04-01 00:00", "2026-04-10 10:00", "2026-04-10 12:00"),),
        resolution=120,
    )
    assert filled(service) == {"announced_update": 2400}


def test_9_4_5__an_interruption_needs_a_ground_and_an_approver() -> None:
    down = outage("2026-04-10 10:00", "2026-04-10 11:00")
    span = (at("2026-04-10 10:00"), at("2026-04-10 10:30"))
    recorded = Interruption(*span, "earthquake", "cto")
    assert filled(month_of(down, interruptions=(recorded,))) == {"interruption": 1800, "unusable": 1800}
    for missing in (replace(recorded, ground=" "), replace(recorded, approved_by="")):
        assert filled(month_of(down, interruptions=(missing,))) == {"unusable": 3600}


def test_9_4_3__only_people_or_a_stop_of_no_other_cause_are_the_users_environment() -> None:
    environment = outage("2026-04-10 10:00", "2026-04-10 11:00", "user_environment")
    fault = outage("2026-04-10 10:30", "2026-04-10 11:30")
    assert filled(month_of(environment, fault)) == {"environment": 1800, "unusable": 3600}
    ruling = EnvironmentRuling(((at("2026-04-10 11:00"), at("2026-04-10 11:10")),), "suzuki", "carrier", "r1")
    service = month_of(environment, fault, environments=(ruling,))
    assert filled(service) == {"environment": 2400, "unusable": 3000}
    assert (
        month_of(environment, fault, environments=(replace(ruling, ground=""),)).buckets
        == month_of(environment, fault).buckets
    )


def test_9_4__each_second_lands_in_the_first_bucket_that_takes_it() -> None:
    window = (at("2026-04-10 00:00"), at("2026-04-10 08:00"))
    service = month_of(
        outage("2026-04-10 00:00", "2026-04-10 08:00", "system_update", "incident 7"),
        outage("2026-04-11 12:00", "2026-04-11 12:05", "system_update"),
        notices=(notice("2026-04-01 00:00", "2026-04-10 00:00", "2026-04-10 06:30"),),
        interruptions=(Interruption(at("2026-04-10 06:00"), at("2026-04-10 07:00"), "flood", "cto"),),
        environments=(EnvironmentRuling((window,), "suzuki", "carrier", "ruling 3"),),
    )
    assert filled(service) == {
        "short_stop": 300,
        "night": 5 * 3600,
        "announced_update": 5400,
        "interruption": 1800,
        "environment": 3600,
    }
    told = [(piece.bucket, piece.clause, piece.end - piece.start, piece.sources) for piece in service.parts]
    assert told == [
        ("announced_update", "premium/9.4.4", 3600, ("incident 7", "notice n")),
        ("night", "premium/9.4.1", 18_000, ("incident 7",)),
        ("announced_update", "premium/9.4.4", 1800, ("incident 7", "notice n")),
        ("interruption", "premium/9.4.5", 1800, ("incident 7", "interruption: flood (cto)")),
        ("environment", "premium/9.4.3", 3600, ("incident 7", "ruling 3")),
        ("short_stop", "premium/9.4.2", 300, ("s",)),
    ]


def test_9_2__a_claimants_seconds_go_to_the_first_bucket_that_takes_them() -> None:
    service = month_of(outage("2026-04-10 00:00", "2026-04-10 14:00"))
    hours = {hour: at(f"2026-04-10 {hour:02}:00") for hour in range(15)}
    claimant = Claimant(
        member=((hours[7], hours[14]),),
        suspended=((hours[6], hours[8]),),
        card=((hours[9], hours[14]),),
        claimed=((hours[10], hours[14]),),
        environment=((hours[0], hours[1]), (hours[12], hours[13])),
        recognised=((hours[11], hours[14]),),
    )
    assert {bucket: length(spans) // 3600 for bucket, spans in claimant_month(service, claimant).items()} == {
        "short_stop": 0,
        "night": 5,
        "announced_update": 0,
        "interruption": 0,
        "environment": 2,
        "not_member": 1,
        "suspended": 1,
        "not_card": 1,
        "not_claimed": 1,
        "not_recognised": 1,
        "recognised": 2,
    }


def test_9_2__a_claim_that_names_only_the_month_claims_every_window() -> None:
    service = month_of(outage("2026-04-10 12:00", "2026-04-10 14:00"))
    whole = ((epoch(APRIL.start_at), epoch(APRIL.end_at)),)
    buckets = claimant_month(service, Claimant(whole, (), whole, None, (), None))
    assert buckets["recognised"] == service.unusable
    assert list(buckets) == list(CLAIMANT_BUCKETS)


def a_ruling(start: str, end: str, incident: str) -> EnvironmentRuling:
    return EnvironmentRuling(((at(start), at(end)),), "suzuki", "carrier", f"ruling on outage {incident}", incident)


def test_9_4_3__a_ruling_on_one_stop_excuses_no_other_evidence_of_the_same_seconds() -> None:
    ruled = replace(outage("2026-04-10 10:00", "2026-04-10 12:00"), incident="carrier")
    beside = replace(outage("2026-04-10 11:30", "2026-04-10 13:00"), incident="disk")
    ruling = a_ruling("2026-04-10 10:00", "2026-04-10 13:00", "carrier")
    assert filled(month_of(ruled, beside, environments=(ruling,))) == {"environment": 5_400, "unusable": 5_400}
    both = (ruling, a_ruling("2026-04-10 11:00", "2026-04-10 13:00", "disk"))
    assert filled(month_of(ruled, beside, environments=both)) == {"environment": 10_800}
    observed = replace(beside, incident="")
    assert filled(month_of(ruled, observed, environments=(ruling,))) == {"environment": 5_400, "unusable": 5_400}


UPDATE = ("2026-04-10 10:00", "2026-04-10 14:00", "system_update")


@pytest.mark.parametrize(
    ("edits", "covered_minutes"),
    [
        ((), 120),
        ((("2026-04-08 00:00", "10:00", "14:00", False),), 120),  # widened too late: what both say
        ((("2026-04-08 00:00", "11:00", "11:30", False),), 30),  # narrowed: what is left
        ((("2026-04-08 00:00", "12:00", "14:00", False),), 0),  # moved too late
        ((("2026-04-04 00:00", "12:00", "14:00", False),), 120),  # moved in time
        ((("2026-04-10 11:00", "10:00", "12:00", True),), 60),  # cancelled in the middle
        ((("2026-04-10 13:00", "10:00", "12:00", True),), 120),  # cancelled when it was over
        ((("2026-04-08 00:00", "10:00", "12:00", True), ("2026-04-09 00:00", "10:00", "12:00", False)), 0),
    ],
)
def test_9_4_4__each_instant_has_the_newest_announcement_and_what_of_it_was_in_time(
    edits: tuple[tuple[str, str, str, bool], ...], covered_minutes: int
) -> None:
    first = notice("2026-04-01 00:00", "2026-04-10 10:00", "2026-04-10 12:00")
    later = [
        replace(notice(published, f"2026-04-10 {start}", f"2026-04-10 {end}"), cancelled=cancelled)
        for published, start, end, cancelled in edits
    ]
    another = replace(first, calendar="another", start=at("2026-04-11 10:00"), end=at("2026-04-11 12:00"))
    month = month_of(outage(*UPDATE), notices=(first, *later, another))
    assert length(month.buckets["announced_update"]) == covered_minutes * 60


def test_9_3__unknown_time_is_neither_down_nor_up() -> None:
    facts = MonthFacts(
        APRIL,
        (outage("2026-04-10 10:00", "2026-04-10 10:05"),),
        unknown=((at("2026-04-10 10:04"), at("2026-04-10 10:10")), (at("2026-05-01 00:00"), at("2026-05-01 01:00"))),
    )
    service = service_month(facts, POLICY, 0)
    assert filled(service) == {"short_stop": 300}
    assert service.unknown == ((at("2026-04-10 10:05"), at("2026-04-10 10:10")),)
    assert filled(service_month(if_unknown_was_down(facts), POLICY, 0)) == {"unusable": 600}


def test_9_4_4__a_gap_that_the_evidence_cannot_tell_has_the_cause_of_either_neighbour() -> None:
    covered = notice("2026-04-01 00:00", "2026-04-10 10:00", "2026-04-10 11:00")
    before, after = ("2026-04-10 10:00", "2026-04-10 10:20"), ("2026-04-10 10:21", "2026-04-10 10:40")
    for causes, update_seconds in (
        (("system_update", "user_environment"), 1_260),
        (("user_environment", "system_update"), 1_200),
    ):
        outages = (outage(*before, causes[0]), outage(*after, causes[1]))
        month = service_month(MonthFacts(APRIL, outages, (covered,)), POLICY, 120)
        assert length(month.buckets["announced_update"]) == update_seconds
        assert length(month.gross) == 2_400


def test_9_4_3__the_environment_of_a_claimant_adds_to_that_of_all() -> None:
    service = month_of(
        outage("2026-04-10 10:00", "2026-04-10 11:00", "user_environment"),
        outage("2026-04-11 10:00", "2026-04-11 12:00"),
    )
    whole = ((epoch(APRIL.start_at), epoch(APRIL.end_at)),)
    own = ((at("2026-04-11 10:00"), at("2026-04-11 10:30")),)
    buckets = claimant_month(service, Claimant(whole, (), whole, None, own, None))
    assert (length(buckets["environment"]), length(buckets["recognised"])) == (5_400, 5_400)
