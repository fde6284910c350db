"""A directory of names and addresses, as documents and letters ask it, that answers as a test tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keizoku.billing.rules.documents.addressee import Addressee, Unfit


class Names:
    """Who is known by now; while it is `broken` it answers nobody."""

    def __init__(self, answers: Mapping[str, Addressee | Unfit]) -> None:
        self.answers = answers
        self.asked: list[Sequence[str]] = []
        self.broken = False

    def addressees(self, accounts: Sequence[str]) -> Mapping[str, Addressee | Unfit]:
        self.asked.append(accounts)
        if self.broken:
            raise TimeoutError("山田 花子")
        return {each: self.answers[each] for each in accounts if each in self.answers}
