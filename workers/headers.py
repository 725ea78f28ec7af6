"""The headers of a message of confluent-kafka, whatever they are."""

from typing import Any

from schemas.deadletters import Headers


def headers_of(message: Any) -> Headers:
    """The headers; none when the name of one is not UTF-8, since confluent-kafka can then read none of them."""
    try:
        return message.headers() or []
    except SystemError:
        return []
