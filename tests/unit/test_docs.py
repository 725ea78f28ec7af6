"""The pages: their links lead somewhere, and the commands, examples and tests that they name exist."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from churn.__main__ import churn
from schemas.events import EVENT_TYPES, decode_event
from schemas.scores import decode_score

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    {*ROOT.glob("*.md")}
    | {page for folder in ROOT.iterdir() if folder.is_dir() and folder.name[0] != "." for page in folder.rglob("*.md")}
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SHELLS = {"sh", "bash", "console"}
FORBIDDEN = [r"/work\b", r"\.\./shared\b"]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The language and the text of every fenced block, also of one within a list."""
    for indent, language, text in re.findall(
        r"^( *)```(\w*)\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE
    ):
        yield language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of the page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def words_of(line: str) -> Iterator[list[str]]:
    """Every `churn` and `make` command in a line of a shell, as words."""
    line = re.sub(r"\d?[<>]+ *\S+", "", line.partition(" #")[0])  # redirections
    for simple in re.split(r"[|;&()]|\$\(", re.sub("[\"']", "", line)):
        words = simple.split()
        if words[:3] == ["docker", "compose", "exec"]:
            words = words[4:]
        if words and words[0] in {"churn", "make"}:
            yield words


def trouble(words: list[str]) -> str | None:
    """Why a command cannot be run."""
    if words[0] == "make":
        return next((f"no target {word}" for word in words[1:] if word not in TARGETS), None)
    command: click.Command = churn
    context = click.Context(churn)
    words = words[1:]
    while isinstance(command, click.Group):
        name, *words = words or [""]
        if (found := command.get_command(context, name)) is None:
            return f"no command {name!r}"
        command = found
    try:
        command.make_context(command.name, words)
    except click.UsageError as error:
        return error.format_message()
    return None


@every_page
def test_links_lead_to_files(page: Path) -> None:
    """A link within the project names a file or folder that is there, and a heading of it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{link} leads nowhere"
            assert target.is_relative_to(ROOT), f"{link} leads out of the project"
            assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@every_page
def test_commands_in_blocks_can_be_run(page: Path) -> None:
    """The command exists, with these options and arguments."""
    for language, text in blocks(page):
        for words in [words for line in text.splitlines() for words in words_of(line) if language in SHELLS]:
            assert trouble(words) is None, f"{' '.join(words)}: {trouble(words)}"


@every_page
def test_commands_in_the_text_exist(page: Path) -> None:
    """Between backticks a command may lack its subcommand or arguments."""
    for line in re.findall(r"`((?:churn|make) [^`\n]+)`", prose(page)):
        found = trouble(line.split()) or ""
        assert not found or found == "no command ''" or found.startswith("Missing argument"), f"{line}: {found}"


@every_page
def test_tests_that_are_named_exist(page: Path) -> None:
    """A test that a page names as proof is there."""
    sources = [*(ROOT / "tests").rglob("test_*.py")]
    functions = set(re.findall(r"^def (test_\w+)", "\n".join(path.read_text() for path in sources), re.MULTILINE))
    known = functions | {path.stem for path in sources}
    assert set(re.findall(r"\btest_\w+", page.read_text())) <= known


@every_page
def test_examples_are_valid(page: Path) -> None:
    """JSON is JSON, events and scores are valid, and Python compiles and imports what there is."""
    event_types = {kind.__struct_config__.tag for kind in EVENT_TYPES}
    for language, text in blocks(page):
        if language == "json":
            kind = json.loads(text).get("type")
            if kind in event_types:
                decode_event(text.encode())
            if kind == "churn.scored":
                decode_score(text.encode())
        if language == "python":
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    module = importlib.import_module(node.module)
                    assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


@every_page
def test_nothing_of_one_machine(page: Path) -> None:
    """No page names what is there on one machine only."""
    for pattern in FORBIDDEN:
        assert not re.search(pattern, page.read_text()), pattern


def test_every_command_and_option_is_in_the_reference() -> None:
    """The page of commands names each command, and each of its options."""
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    context = click.Context(churn, info_name="churn")

    def walk(command: click.Command, path: str) -> None:
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                walk(below, f"{path} {name}")
            return
        row = next((line for line in page.splitlines() if line.startswith(f"| `{path}")), "")
        assert row, f"{path} is not in the table"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert f"`{parameter.opts[0]}`" in row, f"{path} {parameter.opts[0]} is not in its row"

    walk(churn, "churn")


def test_readme_names_every_command() -> None:
    """The table of commands in the README is complete."""
    readme = (ROOT / "README.md").read_text()
    for name in churn.list_commands(click.Context(churn)):
        assert f"`churn {name}" in readme


@pytest.mark.parametrize(
    "line",
    [
        "churn fly",
        "churn topics --all 2> log",
        "X=$(churn replay)",
        "churn features",
        "churn stack up 1",
        "a && make tea",
    ],
)
def test_wrong_command_is_found(line: str) -> None:
    """The check of commands finds what is wrong, wherever it is in a line."""
    assert [words for words in words_of(line) if trouble(words)]
