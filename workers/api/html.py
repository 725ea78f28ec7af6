"""Templates of pages: escaped, and strict about what is not there."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def environment(package: str) -> Environment:
    """The templates beside the modules of `package`."""
    return Environment(
        loader=PackageLoader(package), autoescape=select_autoescape(default=True), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
