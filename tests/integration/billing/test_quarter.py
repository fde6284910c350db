"""A quarter of three banks, two stores and cards with some forty planted faults: found, mended, closed, exported.

`make soak` lives whole ones, of three hundred faults and more (tests/soak.py).
"""

import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from keizoku.billing.closing.export_files import export_month
from keizoku.billing.closing.exports.mapping import mapping_for
from tests.quarter.company import MONTHS, SMALL
from tests.quarter.played import RULES, Quarter
from tests.worlds.world import services_on


def test_a_quarter_s_faults_are_found_and_its_months_close_at_what_the_banks_state(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with services_on(engine, RULES) as services:
        quarter = Quarter(services, tmp_path, 4, SMALL)
        quarter.live()
        assert quarter.differences == []
        assert (len(quarter.closed), quarter.planted.total() >= 40, len(quarter.planted) >= 20) == (3, True, True)
        assert quarter.found == quarter.planted
        for month in MONTHS:
            for form in ("yayoi", "freee", "moneyforward"):  # each adds up to the ledger, or is not written
                export_month(services.session, month, mapping_for(form), tmp_path / f"{month}.{form}", summary="day")
            file = tmp_path / f"{month}.beancount"
            export_month(services.session, month, mapping_for("beancount"), file)
            checked = subprocess.run(
                [str(Path(sys.executable).with_name("bean-check")), str(file)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
