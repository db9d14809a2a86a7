"""The reasons in docs/connector.md are those of the code."""

import re
from pathlib import Path

from hybridrank.connector.faults import Reason

PAGE = (Path(__file__).parents[2] / "docs" / "connector.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (configuration|operational) \|", re.MULTILINE)


def test_the_table_of_reasons_is_that_of_the_code():
    kinds = {reason.value: "configuration" if reason.configuration else "operational" for reason in Reason}
    assert ROW.findall(PAGE) == list(kinds.items())
