"""`churn model`: train, list."""

from pathlib import Path

import click
import msgspec

from churn.errors import UserError
from churn.settings import Settings
from model.artifact import ModelError, load, save


@click.group()
def model() -> None:
    """Train a model, list the models."""


@model.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def train(file: str, as_json: bool) -> None:
    """Train on the customers in FILE, or on the bundled set with the word iranian.

    The model is written to CHURN_MODELS; workers that start from then on use it.
    """
    from churn.training import table_of, train_on  # noqa: PLC0415 - scikit-learn takes a second that `list` need not wait
    from producers import datasets  # noqa: PLC0415
    from producers.errors import ProducersError  # noqa: PLC0415

    settings = Settings.load()
    try:
        dataset = datasets.load(datasets.IRANIAN_FILE if file == "iranian" else Path(file))
    except ProducersError as error:
        raise UserError(str(error)) from None
    artifact, _ = train_on(table_of(dataset), dataset.name)
    folder = save(artifact, settings.models)
    manifest = artifact.manifest
    if as_json:
        click.echo(msgspec.json.encode(manifest))
        return
    metrics = manifest.training_metrics
    click.echo(f"trained on {manifest.customers:,} customers, {manifest.leavers:,} of whom left: {folder}")
    click.echo(f"inputs: {', '.join(manifest.features)}")
    click.echo(f"on these same customers: ROC AUC {metrics.roc_auc:.3f}, log-loss {metrics.log_loss:.3f}")


@model.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the manifests as JSON.")
def list_models(as_json: bool) -> None:
    """List the models in CHURN_MODELS, the oldest first; workers use the last."""
    settings = Settings.load()
    folders = sorted(path.parent for path in settings.models.glob("*/manifest.json"))
    try:
        manifests = [load(folder).manifest for folder in folders]
    except ModelError as error:
        raise UserError(str(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(manifests))
        return
    for manifest in manifests:
        trained = f"{manifest.customers:,} customers of {manifest.data_name}"
        click.echo(f"{manifest.version}  {trained}, ROC AUC {manifest.training_metrics.roc_auc:.3f} on them")
