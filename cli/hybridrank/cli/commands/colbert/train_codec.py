"""`hybridrank colbert train-codec`: the codec of stored token vectors."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from hybridrank.cli.options.choices import CODEC_DOCUMENTS
from hybridrank.common.counts import counted
from hybridrank.models import SHIPPED_MODELS

__all__ = ["train_codec"]

NEEDS = ("sidecar",)


def train_codec(
    collection: Annotated[Path, typer.Option(help="Folder with corpus.jsonl or corpus.jsonl.gz.")],
    out: Annotated[Path, typer.Option(help="The model folder to write: a copy of --model, and its codec.npz.")],
    bits: Annotated[int, typer.Option(help="Bits a dimension: 1, 2 or 4.")] = 2,
    model: Annotated[Path, typer.Option(help="Model folder of late interaction.")] = SHIPPED_MODELS
    / "encoder-minilm-l6",
    documents: Annotated[
        int, typer.Option(min=1, help="Number of documents to learn from, drawn at random.")
    ] = CODEC_DOCUMENTS,
    centroids: Annotated[
        int,
        typer.Option(min=0, help="Their number; 0: 16 times the root of the tokens, as a power of two, up to 1024."),
    ] = 0,
    prune: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Store no vectors of the N most frequent tokens; start with 25."),
    ] = 0,
) -> None:
    """Train the codec that packs token vectors to 1, 2 or 4 bits a dimension (`index --token-vectors residual`).

    The codec fits these weights at the precision of this CPU; with others, the sidecar does not use it. Time grows with
    documents and centroids: about a minute. If --out is the model's own folder, only the codec is written there.
    --prune counts the documents that contain each token of the vocabulary.

    Example: hybridrank colbert train-codec --collection ./docs --bits 2 --out my-models/encoder
    """
    from hybridrank.connector.passages import passage_text
    from hybridrank.evaluation.collections.beir import BeirFolder
    from hybridrank.model_files.token_codec import CODEC
    from hybridrank.sidecar.models.trial import load_model
    from hybridrank.training.token_codec import default_centroids, frequent_tokens, sample_rows
    from hybridrank.training.token_codec import train_codec as train

    loaded = load_model(model)
    if loaded.token_encoder is None:
        raise typer.BadParameter(f"{model} is a {loaded.info.kind}, which makes no token vectors", param_hint="--model")
    texts = [passage_text(each.source) for each in BeirFolder(collection).documents()]
    encoder = loaded.token_encoder
    pruned, share = frequent_tokens(encoder, texts, prune) if prune else (frozenset[int](), 0.0)
    try:
        rows = sample_rows(encoder, texts, documents=documents, pruned=pruned)
        wanted = centroids or default_centroids(len(rows))
        codec = train(rows, bits=bits, centroids=wanted, model_digest=loaded.info.digest, pruned=pruned)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if out.resolve() != model.resolve():
        shutil.copytree(model, out, dirs_exist_ok=True)
    codec.save(out / CODEC)
    typer.echo(
        f"{out / CODEC}: {counted(codec.bits, 'bit')},"
        f" {counted(len(codec.centroids), 'centroid')} of {counted(len(rows), 'token')},"
        f" {codec.record_bytes} bytes a token, {counted(len(pruned), 'token')} pruned ({share:.0%} of all vectors),"
        f" digest {codec.digest}"
    )
