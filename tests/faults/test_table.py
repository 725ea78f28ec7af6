"""The page of faults is what the table makes of the results that are kept."""

from tests.faults import table


def test_page_is_made_from_the_results() -> None:
    """docs/reference/faults.md says neither more nor less than what was run."""
    assert table.PAGE.read_text() == table.page(table.read_results(), table.read_soak(), table.read_control())
