"""Letters about links: the whole letter of every kind and cause, in both languages."""

from typing import Any, Final

PARTNER: Final = "三菱UFJ eスマート証券"
AT: Final = "2026-05-01T10:00:00+09:00"

LINK_LETTERS: Final[list[tuple[str, dict[str, Any], str, str]]] = [
    (
        "link_lapses",
        {"partner": PARTNER, "lapses_at": AT, "days": 7},
        (
            "三菱UFJ eスマート証券との連携は、2026年5月1日 10:00に失効いたします。\n"
            "引き続きご利用いただくには、それまでにアプリから連携の手続きをもう一度お願いいたします。"
            "失効後は、それまでの情報を表示できなくなります。"
        ),
        (
            "Your link with 三菱UFJ eスマート証券 lapses at 1 May 2026 10:00 JST.\n"
            "To keep it, link again in the app before then. Once it has lapsed, earlier data can no longer be shown."
        ),
    ),
    (
        "link_ended",
        {"partner": PARTNER, "ended_at": AT, "cause": "refused"},
        (
            "三菱UFJ eスマート証券との連携は、2026年5月1日 10:00に終了いたしました。\n"
            "三菱UFJ eスマート証券がアクセス権限の更新を認めなかったためです。"
            "再度ご利用いただくには、アプリから連携の手続きをお願いいたします。"
        ),
        (
            "Your link with 三菱UFJ eスマート証券 ended at 1 May 2026 10:00 JST.\n"
            "三菱UFJ eスマート証券 did not renew your access. To use it again, link anew in the app."
        ),
    ),
    (
        "link_ended",
        {"partner": PARTNER, "ended_at": AT, "cause": "lapsed"},
        (
            "三菱UFJ eスマート証券との連携は、2026年5月1日 10:00に終了いたしました。\n"
            "アクセス権限の有効期間が満了したためです。"
            "再度ご利用いただくには、アプリから連携の手続きをお願いいたします。"
        ),
        (
            "Your link with 三菱UFJ eスマート証券 ended at 1 May 2026 10:00 JST.\n"
            "Your access ran out. To use it again, link anew in the app."
        ),
    ),
    (
        "link_ended",
        {"partner": PARTNER, "ended_at": AT, "cause": "partner_ended"},
        (
            "三菱UFJ eスマート証券との連携は、2026年5月1日 10:00に終了いたしました。\n"
            "三菱UFJ eスマート証券がお客さまへのサービスを中止したためです。"
            "詳しくは三菱UFJ eスマート証券へお問い合わせください。"
        ),
        (
            "Your link with 三菱UFJ eスマート証券 ended at 1 May 2026 10:00 JST.\n"
            "三菱UFJ eスマート証券 ended its service for you. Please ask 三菱UFJ eスマート証券 about it."
        ),
    ),
]
