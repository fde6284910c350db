"""Names on documents: keys read by line, names sealed to one document, nothing personal in an error or a repr."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from keizoku.billing.documents.addressees import Naming, SealingKeys, new_key_line
from keizoku.billing.rules.documents.addressee import Addressee, Unfit
from keizoku.billing.rules.documents.invoice_document import PrintedDocument, to_addressee
from keizoku.billing.rules.documents.issuer import Issuer, issuer_changes
from keizoku.terms.refusal import Refused

HANAKO = Addressee("山田 花子", ("〒150-0001", "東京都渋谷区神宮前1-2-3"), "hanako@home.example")


def keys(file: Path, *ids: str) -> SealingKeys:
    file.write_text("# newest first\n" + "".join(map(new_key_line, ids)))
    return SealingKeys.read(file)


def test_what_is_sealed_opens_for_its_document_alone_and_by_its_key(tmp_path: Path) -> None:
    ours = keys(tmp_path / "keys", "b", "a")
    sealed = ours.seal(HANAKO, "invoice 1 1 hanako")
    assert ours.newest == "b"
    assert HANAKO.name.encode() not in sealed
    assert sealed != ours.seal(HANAKO, "invoice 1 1 hanako")
    opened = ours.opened("b", sealed, "invoice 1 1 hanako")
    assert opened == Addressee(HANAKO.name, HANAKO.lines)  # a mail address stands on no document
    for key_id, about in (("b", "invoice 2 1 taro"), ("a", "invoice 1 1 hanako")):
        with pytest.raises(Refused, match="its addressee is not what was sealed"):
            ours.opened(key_id, sealed, about)
    with pytest.raises(
        Refused, match=r"document invoice 1 1 hanako: .*key old, which is not in the key file"
    ) as missing:
        ours.opened("old", sealed, "invoice 1 1 hanako")
    assert missing.value.code == "document.key_missing"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read"),
        ("", "holds no key"),
        ("a c2hvcnQ=\n", "line 1: has to be an id of its own, a space, and 32 bytes in base64"),
        ("# our keys\na\n", "line 2: has to be"),
        (2 * new_key_line("a"), "line 2: has to be an id of its own"),
        ("鍵\n", "cannot be read"),
    ],
    ids=["no file", "empty", "short", "no key", "twice", "another encoding"],
)
def test_a_key_file_that_is_none_is_refused_by_line_and_without_its_key(
    tmp_path: Path, text: str | None, why: str
) -> None:
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Refused, match=why) as refused:
        SealingKeys.read(file)
    assert refused.value.code == "document.key_file"
    assert "c2hvcnQ=" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "  ", "花子\n様", "名" * 201, 7, None])
def test_a_name_that_cannot_stand_on_a_document_is_refused_without_it(name: object) -> None:
    with pytest.raises(ValueError, match=r"name|long|texts") as refused:
        Addressee(name)  # type: ignore[arg-type]
    assert "花子" not in str(refused.value)
    assert "花子" not in repr(HANAKO)
    assert "home.example" not in repr(HANAKO)


def test_a_directory_that_breaks_is_silent_without_its_words(tmp_path: Path) -> None:
    class Broken:
        def addressees(self, accounts: object) -> dict[str, Addressee | Unfit]:
            raise RuntimeError("山田 花子 lives in 渋谷")

    class Strange:
        def addressees(self, accounts: object) -> dict[str, Addressee | Unfit]:
            return {"hanako": "山田 花子"}  # type: ignore[dict-item]

    ours = keys(tmp_path / "keys", "a")
    with pytest.raises(Refused, match=r"does not answer: RuntimeError") as refused:
        Naming(Broken(), ours).of("hanako")
    assert "花子" not in str(refused.value)
    naming = Naming(Strange(), ours)
    assert naming.of("hanako") == Unfit("what the directory says is no addressee")
    assert naming.of("taro") is None
    assert naming.unfit == {"hanako": "what the directory says is no addressee"}
    assert "花子" not in repr(naming)


def test_an_invoice_names_its_addressee_and_keeps_the_account() -> None:
    document = PrintedDocument("ja", "適格請求書", (("発行者", "継続"), ("宛先", "hanako 様")), (), (), ())
    named = to_addressee(document, "hanako", HANAKO)
    assert named.fields == (("発行者", "継続"), ("お客様番号", "hanako"))
    assert named.addressee == ("〒150-0001", "東京都渋谷区神宮前1-2-3", "山田 花子 様")
    assert to_addressee(document, "hanako", None) == document


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["新株式会社"], "has to be a first day, a name and an address"),
        (["2027-04-01/ / "], "has to be a first day"),
        (["2027-04-01/Foo Co.", "Ltd."], "a text with a comma in it needs the list as JSON"),
        (["2027-04-01/A/", "2027-04-01//B"], "two changes on 2027-04-01"),
    ],
)
def test_changes_of_the_issuer_that_are_none_are_refused(texts: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        issuer_changes(texts)


def test_an_issuer_without_a_name_at_first_has_none_on_documents_of_those_days() -> None:
    issuer = Issuer(changes=issuer_changes(["2026-05-01/継続株式会社/港区"]))
    assert [issuer.on(day).name for day in (date(2026, 4, 30), date(2026, 5, 1))] == ["", "継続株式会社"]
