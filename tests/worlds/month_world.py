"""An April that was lived: decided in May, raised by late evidence in July, found lower again in August."""

from keizoku.db.session import Session
from tests.worlds.sla_world import APRIL, at, member, night, open_service


def live(session: Session) -> Session:
    """April: 14,820 s at first; five hours more in July; in August those turn out never to have been."""
    service = open_service(session)
    member(session, "hanako")
    member(session, "taro", interval="year", price_yen=5_300, ends_on="2027-03-20")
    member(session, "jiro", method="app_store")
    service.notice(
        "n1", at("2026-04-18 09:00"), at("2026-04-20 09:00"), at("2026-04-20 12:00"), now=at("2026-04-18 09:00")
    )
    service.record_outage(
        at("2026-04-10 09:00"),
        at("2026-04-10 12:37"),
        60_000,
        id="s1",
        now=at("2026-04-10 14:00"),
        by="ops",
        ground="log",
    )
    service.record_outage(at("2026-04-12 00:30"), at("2026-04-12 05:00"), 900_000, id="s2", now=at("2026-04-12 05:30"))
    for number, name in enumerate(("hanako", "taro", "jiro"), start=1):
        service.claim(f"c{number}", name, APRIL, now=at(f"2026-05-02 09:0{number}"))
    night(session, "2026-05-03")
    service.record_outage(at("2026-04-20 09:00"), at("2026-04-20 14:00"), 60_000, id="s3", now=at("2026-07-10 09:00"))
    night(session, "2026-07-11")
    service.correct_outage("s3", affected=0, by="<b>audit</b>", ground="=a false alarm", now=at("2026-08-01 09:00"))
    night(session, "2026-08-02")
    return session
