"""Pages that come from the code are those that are checked in."""

from churn.documents import DOCS, main, pages


def test_pages_are_up_to_date() -> None:
    """Fails when a setting or a feature changed and `make schemas` was not run."""
    for name, text in pages().items():
        assert (DOCS / name).read_text() == text, f"docs/reference/{name} is out of date: run make schemas"


def test_every_setting_is_explained() -> None:
    """A setting without a remark would be an empty cell."""
    rows = [row for row in pages()["settings.md"].splitlines() if row.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


def test_main_writes_what_is_checked_in() -> None:
    """Running the module leaves the pages as they are."""
    main()
    test_pages_are_up_to_date()
