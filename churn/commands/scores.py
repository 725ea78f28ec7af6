"""`churn scores`: the scores as the call center gets them."""

import logging

import click

from churn.errors import UserError
from churn.settings import Settings
from producers.errors import ProducersError
from producers.subscriber import ChurnScores
from schemas.scores import ChurnScored

SHOWN_REASONS = 2


@click.command()
@click.option("--from-beginning", is_flag=True, help="Start at the oldest score that is kept, not at the next one.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as they are, one a line.")
def scores(from_beginning: bool, count: int | None, as_json: bool) -> None:
    """Print each score as it comes: customer, probability of leaving, band, what to do, and the first reasons.

    Ends with Ctrl-C. A record that is no score ends it too, with an error that names its offset.
    """
    settings = Settings.load()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it comes back as an error
    try:
        with ChurnScores(settings.kafka_python(), from_beginning=from_beginning) as received:
            for number, score in enumerate(received, start=1):
                click.echo(score.value if as_json else _line(score.scored))
                if number == count:
                    return
    except ProducersError as error:
        raise UserError(str(error)) from None


def _line(scored: ChurnScored) -> str:
    score = scored.data
    if score.probability is None:
        problem = f"{score.problem.code}: {score.problem.detail}" if score.problem else "no reason given"
        return f"{scored.subject:<12} could not be computed ({problem})"
    reasons = " ".join(reason.text for reason in score.reasons[:SHOWN_REASONS])
    return f"{scored.subject:<12} {score.probability:>6.1%}  {score.band:<6}  {score.action:<17}  {reasons}"
