"""Statements and return invoices: their titles, tax, credits; and that both are drawn with their Japanese."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import pypdf
import pytest
import reportlab

from keizoku.billing.documents import rendering
from keizoku.billing.documents.rendering import FontError, document_html, document_pdf
from keizoku.billing.rules.documents.invoice_document import (
    CreditNote,
    CreditNoteLine,
    PrintedDocument,
    Statement,
    credit_note_document,
    invoice_document,
    unissued,
)
from keizoku.billing.rules.documents.issuer import Issuer, Registration, registrations, valid_number

NUMBER = "T8010601046367"
ISSUER = Issuer("継続株式会社", "東京都千代田区1-1", registrations((f"{NUMBER}/2026-04-01/2026-10-01",)))
FACTS = Statement(
    invoice=12,
    account="hanako<b>",
    plan="monthly",
    method="card",
    starts_on=date(2026, 5, 1),
    ends_on=date(2026, 6, 1),
    issued_on=date(2026, 5, 1),
    due_on=date(2026, 5, 1),
    total_yen=980,
    tax_yen=71,
    tax_rate=Fraction(1, 10),
    credits=(CreditNoteLine(3, "2026-03", 96), CreditNoteLine(4, "2026-04", 100)),
    issuer=ISSUER,
)
NOTE = CreditNote(4, "hanako", "2026-04", date(2026, 5, 3), 12_000, Fraction(1, 10), ISSUER)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(pdf)).pages)


def test_a_check_digit_tells_a_registration_number() -> None:
    assert valid_number(NUMBER)
    wrong = [f"T{digit}010601046367" for digit in "012345679"]
    assert not any(map(valid_number, [*wrong, NUMBER[1:], f"{NUMBER}0", "T801060104636x", "T８010601046367", ""]))


def test_a_registration_holds_from_its_first_day_to_before_its_end() -> None:
    assert [ISSUER.number_on(on) for on in (date(2026, 3, 31), date(2026, 4, 1), date(2026, 9, 30))] == [
        None, NUMBER, NUMBER,
    ]  # fmt: skip
    assert ISSUER.number_on(date(2026, 10, 1)) is None
    assert Registration.parse(f" {NUMBER} / 2023-10-01 ") == Registration(NUMBER, date(2023, 10, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("T8010601046368/2023-10-01", "'T8010601046368' is no registration number"),
        (NUMBER, "has to name its days"),
        (f"{NUMBER}/2023-13-01", "has to name its days"),
        (f"{NUMBER}/2026-04-01/2026-04-01", "has to name its days"),
        (f"{NUMBER}/2026-04-01/2026-04-02/x", "has to name its days"),
    ],
)
def test_a_registration_that_cannot_be_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        registrations([text])


def test_two_registrations_never_hold_on_one_day() -> None:
    with pytest.raises(ValueError, match=f"{NUMBER} and {NUMBER} are both in force on 2024-01-01"):
        registrations([f"{NUMBER}/2024-01-01", f"{NUMBER}/2023-10-01"])


def test_5_5__a_statement_in_japanese_has_the_tax_once_after_credits_and_the_month_of_each_credit() -> None:
    assert invoice_document(FACTS, "ja") == PrintedDocument(
        lang="ja",
        title="適格請求書(ご利用料金明細書)",
        fields=(
            ("発行者", "継続株式会社"),
            ("所在地", "東京都千代田区1-1"),
            ("登録番号", NUMBER),
            ("宛先", "hanako<b> 様"),
            ("請求番号", "12"),
            ("発行日", "2026年5月1日"),
            ("支払期日", "2026年5月1日"),
            ("決済手段", "クレジットカード"),
        ),
        rows=(
            ("プレミアムサービス利用料金(monthly) 2026年5月1日〜2026年5月31日", 980),
            ("サービス停止による減額(2026年3月分、減額3)", -96),
            ("サービス停止による減額(2026年4月分、減額4)", -100),
        ),
        totals=(("10%対象 合計(税込)", 784), ("うち消費税(10%)", 71), ("ご請求額", 784)),
        notes=(
            "消費税額は、減額後の合計額から税率ごとに一度計算し、1円未満を切り捨てています。",
            "減額は、サービス停止についての売上に係る対価の返還等です(第9条)。",
        ),
    )


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("on", [date(2026, 3, 31), date(2026, 10, 1)])
def test_without_a_number_in_force_nothing_is_called_a_qualified_invoice(on: date, lang: str) -> None:
    told = "ja" if lang == "ja" else "en"
    for document in (
        invoice_document(replace(FACTS, issued_on=on), "ja" if lang == "ja" else "en"),
        credit_note_document(replace(NOTE, granted_on=on), "ja" if lang == "ja" else "en"),
    ):
        drawn = document_html(document) + text_of(document_pdf(document))
        assert not [word for word in ("適格", "ualified", "領収", "eceipt", NUMBER) if word in drawn]
        assert document.lang == told


def test_a_statement_in_english_that_is_void_says_so() -> None:
    told = invoice_document(replace(FACTS, credits=(), tax_yen=89, void=True, issuer=Issuer()), "en")
    assert told.title == "DRAFT: Billing statement"
    assert told.fields[0] == ("To", "hanako<b>")
    assert told.totals == (("Total at 10%, tax included", 980), ("of which consumption tax (10%)", 89), ("To pay", 980))
    assert told.notes[:2] == ("No issuer is set: this is a draft, not an invoice.", "This invoice is void.")


def test_what_has_not_been_issued_is_a_copy_and_says_so() -> None:
    told = invoice_document(FACTS, "ja")
    copy = unissued(told, FACTS.issuer)
    assert copy.title == "【控え】適格請求書(ご利用料金明細書)"
    assert copy.notes == ("まだ発行されていない書類の控えであり、請求書ではありません。", *told.notes)
    draft = invoice_document(replace(FACTS, issuer=Issuer()), "ja")
    assert unissued(draft, Issuer()) == draft


def test_a_return_invoice_has_its_month_and_its_own_tax() -> None:
    told = credit_note_document(NOTE, "ja")
    assert told.title == "適格返還請求書(減額明細書)"
    assert told.rows == (("サービス停止による減額(2026年4月分、減額4)", -12_000),)
    assert told.totals == (("10%対象 合計(税込)", -12_000), ("うち消費税(10%)", -1_090))
    assert told.fields[-1] == ("サービス停止のあった月", "2026年4月")


def test_the_page_escapes_what_comes_from_outside() -> None:
    page = document_html(invoice_document(FACTS, "ja"))
    assert "<dd>hanako&lt;b&gt; 様</dd>" in page
    assert "<b>" not in page
    assert "src=" not in page


@pytest.fixture
def no_font_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where Debian's font is not installed."""
    rendering.document_font.cache_clear()
    monkeypatch.setattr(rendering, "IPAEX", Path("/none"))
    yield
    rendering.document_font.cache_clear()


@pytest.mark.usefixtures("no_font_installed")
def test_japanese_comes_out_of_the_pdf_again() -> None:
    pdf = document_pdf(invoice_document(FACTS, "ja"))
    text = text_of(pdf)
    told = (
        "適格請求書(ご利用料金明細書)",
        NUMBER,
        "継続株式会社",
        "hanako<b> 様",
        "2026年3月分",
        "-96円",
        "784円",
        "71円",
    )
    assert [word for word in told if word not in text] == []
    reader = pypdf.PdfReader(BytesIO(pdf))
    assert len(reader.pages) == 1
    assert [round(float(side)) for side in reader.pages[0].mediabox[2:]] == [595, 842]
    assert document_pdf(invoice_document(FACTS, "ja")) == pdf


@pytest.mark.usefixtures("no_font_installed")
def test_a_font_that_is_named_is_put_into_the_pdf() -> None:
    font = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    pdf = document_pdf(invoice_document(FACTS, "en"), font)
    assert "Reduction for service outages in March 2026 (credit 3)" in text_of(pdf)
    assert b"BitstreamVeraSans" in pdf


def test_a_font_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"no font")
    for file in (tmp_path / "x.ttf", tmp_path / "none.ttf"):
        with pytest.raises(FontError, match="a TrueType font is needed"):
            document_pdf(invoice_document(FACTS, "ja"), file)
