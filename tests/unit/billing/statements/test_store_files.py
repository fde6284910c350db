"""Reports of app stores as the stores write them: orders joined, totals of products, other zones, other money."""

from datetime import date

from keizoku.billing.statements.store_files import ProductTotal, StoreSale, read_store_file, store_format_of

GOOGLE = (
    "Description,Transaction Date,Transaction Time,Tax Type,Transaction Type,Refund Type,Product Title,Package ID,"
    "Product Type,Sku Id,Hardware,Buyer Country,Buyer State,Buyer Postal Code,Buyer Currency,Amount (Buyer Currency),"
    "Currency Conversion Rate,Merchant Currency,Amount (Merchant Currency)\n"
)
FINANCIAL = (
    "Start Date\tEnd Date\tUPC\tISRC/ISBN\tVendor Identifier\tQuantity\tPartner Share\tExtended Partner Share\t"
    "Partner Share Currency\tSales or Return\tApple Identifier\tArtist/Show/Developer/Author\tTitle\t"
    "Label/Studio/Network/Developer/Publisher\tGrid\tProduct Type Identifier\tISAN/Other Identifier\tCountry Of Sale\t"
    "Pre-order Flag\tPromo Code\tCustomer Price\tCustomer Currency\n"
)
SALES = (
    "Provider\tProvider Country\tSKU\tDeveloper\tTitle\tVersion\tProduct Type Identifier\tUnits\tDeveloper Proceeds\t"
    "Begin Date\tEnd Date\tCustomer Currency\tCountry Code\tCurrency of Proceeds\tApple Identifier\tCustomer Price\t"
    "Promo Code\tParent Identifier\tSubscription\tPeriod\tCategory\tCMB\tDevice\tSupported Platforms\tProceeds Reason\t"
    "Preserved Pricing\tClient\tOrder Type\n"
)


def google(order: str, day: str, kind: str, yen: str, currency: str = "JPY", time: str = "5:00:00 AM PST") -> str:
    return (
        f'{order},"{day}",{time},,{kind},,Premium,jp.example.app,Subscription,monthly,,JP,,,JPY,{yen},1.000000,'
        f"{currency},{yen}\n"
    )


def financial(sku: str, units: int, share: str, price: str = "500.00", currency: str = "JPY") -> str:
    kind = "R" if units < 0 else "S"
    return (
        f"09/27/2026\t10/31/2026\t\t\t{sku}\t{units}\t425.00\t{share}\t{currency}\t{kind}\t1\tX\tPremium\t\t\tIAY\t\tJP\t\t\t"
        f"{price}\t{currency}\n"
    )


def test_the_rows_of_an_order_are_one_sale_on_the_day_of_japan() -> None:
    text = (
        GOOGLE
        + google("GPA.1-1..0", "Nov 1, 2026", "Charge", "500.00", time="8:00:00 AM PDT")
        + google("GPA.1-1..0", "Nov 1, 2026", "Google fee", "-75.00")
        + google("GPA.1-2", "Nov 2, 2026", "Charge", "500.00")
        + google("GPA.1-1..0", "Nov 9, 2026", "Charge refund", "-500.00", time="1:00:00 AM PST")
        + google("GPA.1-1..0", "Nov 9, 2026", "Google fee refund", "75.00")
    )
    read = read_store_file("google.csv", text.encode("utf-16"))
    assert (read.format, read.findings, read.rows) == ("google_play", (), 5)
    first, second = read.sales
    assert first == StoreSale(2, "GPA.1-1..0", "monthly", date(2026, 11, 2), 500, 75, 0, 500, 75, 0, date(2026, 11, 9))
    assert (second.order, second.gross_yen, second.fee_yen, second.refund_yen) == ("GPA.1-2", 500, 0, 0)


def test_other_money_other_kinds_and_broken_rows_are_findings() -> None:
    text = (
        GOOGLE
        + google("GPA.1", "Nov 1, 2026", "Charge", "4.99", "USD")
        + google("GPA.2", "Nov 1, 2026", "Bonus", "1.00")
        + google("GPA.3", "Nov 31, 2026", "Charge", "500.00")
        + google("", "Nov 1, 2026", "Charge", "500.00")
        + google("GPA.4", "Nov 1, 2026", "Charge", "500.50")
        + google("GPA.5", "Nov 1, 2026", "Charge", "500.00")
    )
    read = read_store_file("google.csv", text.encode())
    assert [(each.line, each.rule) for each in read.findings] == [
        (2, "reports are in JPY"),
        (3, "no such kind of row is known"),
        (4, "it is not a day"),
        (5, "a row names its order"),
        (6, "it is not an amount of whole yen"),
    ]
    assert [each.order for each in read.sales] == ["GPA.5"]


def test_apple_s_financial_report_has_totals_of_products_and_lines_below_them() -> None:
    text = (
        FINANCIAL
        + financial("jp.example.monthly", 3, "1275.00")
        + financial("jp.example.monthly", -1, "-425.00")
        + financial("jp.example.monthly", 2, "8.50", "9.99", "USD")
        + "Total_Rows\t3\n"
        + "Country Of Sale\tPartner Share Currency\tQuantity\tExtended Partner Share\nJP\tJPY\t2\t850.00\n"
    )
    read = read_store_file("apple.txt", text.encode())
    days = (date(2026, 9, 27), date(2026, 10, 31))
    assert read.totals == (
        ProductTotal(2, "jp.example.monthly", *days, 3, 500, 425),
        ProductTotal(3, "jp.example.monthly", *days, -1, 500, 425),
    )
    assert [(each.line, each.value) for each in read.findings] == [(4, "8.50 USD")]
    assert (read.format, read.notes) == ("apple_financial", 3)


def test_apple_s_sales_report_passes_free_downloads_by() -> None:
    row = "APPLE\tUS\t{sku}\tX\tPremium\t\tIAY\t{units}\t{share}\t10/29/2026\t10/29/2026\tJPY\tJP\tJPY\t1\t{price}"
    text = (
        SALES
        + row.format(sku="m", units=2, share="425", price="500") + "\t" * 12 + "\n"
        + row.format(sku="app", units=9, share="0", price="0") + "\t" * 12 + "\n"
        + row.format(sku="m", units=-1, share="425", price="-500") + "\t" * 12 + "\n"
    )  # fmt: skip
    read = read_store_file("sales.txt", text.encode())
    on = date(2026, 10, 29)
    assert read.totals == (ProductTotal(2, "m", on, on, 2, 500, 425), ProductTotal(4, "m", on, on, -1, 500, 425))
    assert (read.format, read.findings, read.notes) == ("apple_sales", (), 1)


def test_a_format_is_known_by_its_columns_or_said() -> None:
    assert [store_format_of(each.encode()) for each in (GOOGLE, FINANCIAL, SALES, "a,b\n")] == [
        "google_play",
        "apple_financial",
        "apple_sales",
        "",
    ]
    for raw in (b"", b"\0\0", b"a,b\n1,2\n", GOOGLE.encode()):
        assert read_store_file("x", raw, "apple_sales").findings
