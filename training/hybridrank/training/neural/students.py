"""The network to train: its initial weights, and its reduction before training."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers

from hybridrank.models import SHIPPED_MODELS
from hybridrank.training.neural.errors import RecipeError
from hybridrank.training.neural.reading import Reading, reading_of
from hybridrank.training.neural.recipe import Recipe
from hybridrank.training.onnx.to_transformers import write_transformers

__all__ = ["average_weights", "drop_layers", "freeze", "open_student", "trim_vocabulary"]


def open_student(recipe: Recipe, texts: Iterable[str]) -> tuple[Any, Any, Reading]:
    """Returns a transformers network, its tokenizer, and how it reads a text, which a cross-encoder has no use for.

    A cross-encoder has one logit; if the base has no head for it, the recipe's seed initialises one. `texts` decide
    which entries of the vocabulary are kept. Layers that will fade are still present. Raises RecipeError.
    """
    student = recipe.student
    transformers.logging.set_verbosity_error()  # it warns at length that the head is new
    transformers.logging.disable_progress_bar()
    transformers.set_seed(recipe.seed)
    with TemporaryDirectory() as temporary:
        source = _transformers_folder(student.base, Path(temporary))
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        reads_pairs = recipe.kind == "cross-encoder"
        loaded = transformers.AutoModelForSequenceClassification if reads_pairs else transformers.AutoModel
        options = {"num_labels": 1} if reads_pairs else {"add_pooling_layer": False}
        attention = "sdpa" if torch.cuda.is_available() else "eager"  # which is 1.2 times as fast on a CPU
        reading = Reading() if reads_pairs else reading_of(student, source)
        model, report = loaded.from_pretrained(
            source, dtype=torch.float32, attn_implementation=attention, output_loading_info=True, **options
        )
    if student.average and (new := sorted(report["missing_keys"])):
        raise RecipeError(f"student.average: {student.base} has no {new[0]}, so there is nothing to average with")
    if student.layers:
        _check_layers(model, student.layers)
    if student.layers and not student.fade:
        drop_layers(model, student.layers)
    if student.dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = student.dropout
    if student.vocabulary:
        tokenizer = trim_vocabulary(model, tokenizer, texts, student.vocabulary)
    tokenizer.model_max_length = model.config.max_position_embeddings
    return model, tokenizer, reading


def drop_layers(model: Any, kept: Iterable[int]) -> None:
    """Keeps these layers, counted from 0, in this order (Sajjad et al. 2023). Raises RecipeError for a missing one."""
    encoder = model.base_model.encoder
    wanted = _check_layers(model, kept)
    encoder.layer = torch.nn.ModuleList([encoder.layer[number] for number in wanted])
    model.config.num_hidden_layers = len(wanted)


def _check_layers(model: Any, kept: Iterable[int]) -> list[int]:
    wanted, layers = list(kept), len(model.base_model.encoder.layer)
    if not all(0 <= number < layers for number in wanted):
        raise RecipeError(f"student.layers: {wanted}; the base has 0 to {layers - 1}")
    return wanted


def average_weights(model: Any, initial: Mapping[str, Any], share: float) -> None:
    """Gives the initial weights, by their names, a `share` in those of the model (WiSE-FT, Wortsman et al. 2022)."""
    now = model.state_dict()
    floats = {name: each for name, each in now.items() if each.is_floating_point()}
    model.load_state_dict({**now, **{name: torch.lerp(each, initial[name], share) for name, each in floats.items()}})


def freeze(model: Any, *, embeddings: bool, layers: int) -> None:
    """Leaves the embeddings and the first `layers` as they are. Raises RecipeError for a base that cannot do it.

    With layers, all frozen parts lose their dropout, so that their output for a text is always the same.
    """
    frozen = [model.base_model.embeddings] if embeddings else []
    if layers:
        frozen += _first_layers(model, layers)
    for part in frozen:
        part.requires_grad_(requires_grad=False)
        for module in part.modules():
            if layers and isinstance(module, torch.nn.Dropout):
                module.p = 0.0


def _first_layers(model: Any, layers: int) -> list[Any]:
    """Returns the first layers of a BERT. Raises RecipeError for fewer layers, and for weights that layers share."""
    encoder = getattr(model.base_model, "encoder", None)
    if encoder is None or [name for name, _ in encoder.named_children()] != ["layer"]:
        raise RecipeError(f"schedule.freeze_layers: a {model.config.model_type} is not a stack of layers alone")
    if layers >= len(encoder.layer):
        count = len(encoder.layer)
        raise RecipeError(f"schedule.freeze_layers: {layers}; the base has {count}, and some have to be trained")
    return list(encoder.layer[:layers])


def trim_vocabulary(model: Any, tokenizer: Any, texts: Iterable[str], size: int) -> Any:
    """Keeps `size` entries: the special ones, all of one character, and those most frequent in the texts.

    A word whose entry is removed is split into smaller pieces. Returns the new tokenizer. Raises RecipeError for a
    tokenizer that is not WordPiece.
    """
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    if content["model"]["type"] != "WordPiece":
        raise RecipeError(
            f"student.vocabulary: the base reads {content['model']['type']}, and only WordPiece is trimmed"
        )
    vocabulary: dict[str, int] = content["model"]["vocab"]
    used: Counter[int] = Counter()
    for text in texts:
        used.update(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)
    special = {entry["content"] for entry in content["added_tokens"]}
    needed = [entry for entry in vocabulary if entry in special or len(entry.removeprefix("##")) == 1]
    others = sorted(vocabulary.keys() - set(needed), key=lambda entry: (-used[vocabulary[entry]], vocabulary[entry]))
    if size < len(needed):
        raise RecipeError(f"student.vocabulary: {size}; single characters and special tokens alone are {len(needed)}")
    chosen = sorted([*needed, *others[: size - len(needed)]], key=lambda entry: vocabulary[entry])
    old = torch.tensor([vocabulary[entry] for entry in chosen])
    content["model"]["vocab"] = places = {entry: place for place, entry in enumerate(chosen)}
    for entry in content["added_tokens"]:
        entry["id"] = places[entry["content"]]
    for name, entry in content["post_processor"].get("special_tokens", {}).items():
        entry["ids"] = [places[name]]
    words = model.base_model.embeddings.word_embeddings
    smaller = torch.nn.Embedding(len(chosen), words.embedding_dim, padding_idx=places[tokenizer.pad_token])
    smaller.weight = torch.nn.Parameter(words.weight.detach()[old].clone())
    model.base_model.embeddings.word_embeddings = smaller
    model.config.vocab_size, model.config.pad_token_id = len(chosen), places[tokenizer.pad_token]
    special_names = {key: value for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    backend = type(tokenizer.backend_tokenizer).from_str(json.dumps(content))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_input_names=tokenizer.model_input_names, **special_names
    )


def _transformers_folder(base: str, temporary: Path) -> str:
    """Returns the base as a transformers folder: a model folder of the sidecar is written as one first."""
    found = next((each for each in (Path(base), SHIPPED_MODELS / base) if (each / "model.toml").exists()), None)
    if found is None:
        return base
    write_transformers(found, folder := temporary / "base")
    return str(folder)
