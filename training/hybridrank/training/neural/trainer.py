"""Trains a student on lists with transformers' Trainer: resumable, seeded, on a GPU if available."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.trainer_utils import get_last_checkpoint

from hybridrank.training.neural.batch import Compared, Scorer
from hybridrank.training.neural.curves import write_curves
from hybridrank.training.neural.dev import ALONE, BLENDED, GIVEN, dev_ndcg
from hybridrank.training.neural.fading import Fading
from hybridrank.training.neural.frozen_base import FrozenBase
from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.losses import LOSSES
from hybridrank.training.neural.pairs import Pairs
from hybridrank.training.neural.pruning import neuron_importance, prune_neurons
from hybridrank.training.neural.reading import Reading
from hybridrank.training.neural.recipe import TEMPERED_LOSSES, VECTOR_LOSS, Comparison, LossTerm, Recipe
from hybridrank.training.neural.students import average_weights, drop_layers, freeze
from hybridrank.training.neural.vectors import Vectors

__all__ = ["Trainer", "make_trainer", "run", "score_lists", "seconds_to_train", "steps_of"]

LOG_EVERY = 10
CHECKPOINTS = 2  # only the last ones are kept
TIMED_BATCHES = 4
PRUNING_BATCHES = 20
DEV_LISTS = 8  # scored at once


class Trainer(transformers.Trainer):  # type: ignore[misc]
    """The Trainer with list losses, evaluated by nDCG@10 of the dev lists."""

    def __init__(self, recipe: Recipe, dev: Sequence[RankedList], **arguments: Any) -> None:
        super().__init__(**arguments, eval_dataset=list(dev))
        self.recipe, self.dev = recipe, dev
        self.remove_callback(transformers.PrinterCallback)

    def compute_loss(self, model: Any, inputs: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        """Returns the weighted sum of the recipe's losses."""
        with self._precision():
            compared = self.data_collator.compare(model, inputs)
        return sum(_loss(term, self.recipe, compared, inputs) for term in self.recipe.losses)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Returns nDCG@10 on dev: of the given order, of the model alone, and of both blended."""
        with self._precision(), torch.inference_mode():
            scores = score_lists(self.model, self.data_collator, self.dev, self.recipe.comparison)
        measured = dev_ndcg(self.dev, scores)
        metrics = {f"eval_{name}": measured[name]["all"] for name in (GIVEN, ALONE, BLENDED)}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def loss_of(self, batch: Any) -> Any:
        """Returns the loss of one batch of the train dataloader."""
        return self.compute_loss(self.model, self._prepare_inputs(batch))

    def _precision(self) -> Any:
        """Uses bf16 for matrix products if the recipe says so. The Trainer's own setting would evaluate in fp32."""
        return torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.recipe.schedule.bf16)


def make_trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    train: Sequence[RankedList],
    dev: Sequence[RankedList],
    folder: Path,
    *,
    reading: Reading,
    max_steps: int | None = None,
) -> Trainer:
    """Returns a trainer that writes checkpoints, `curves.csv` and `curves.png` to `folder`.

    Embeddings are frozen and neurons pruned as the recipe says. Raises RecipeError.
    """
    schedule = recipe.schedule
    folder.mkdir(parents=True, exist_ok=True)
    freeze(model, embeddings=schedule.freeze_embeddings, layers=schedule.freeze_layers)
    if schedule.threads:
        torch.set_num_threads(schedule.threads)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        per_device_train_batch_size=schedule.batch,
        num_train_epochs=schedule.epochs,
        max_steps=max_steps or -1,
        learning_rate=schedule.learning_rate,
        warmup_steps=schedule.warmup,
        weight_decay=schedule.weight_decay,
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        save_steps=schedule.save_every,
        save_total_limit=CHECKPOINTS,
        eval_strategy="steps",
        eval_steps=schedule.measure_every,
        logging_steps=LOG_EVERY,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        optim="adamw_torch",
    )
    trainer = Trainer(
        recipe,
        dev,
        model=model,
        args=arguments,
        train_dataset=list(train),
        data_collator=_scorer(recipe, model, tokenizer, reading),
        callbacks=[_Curves(folder)],
    )
    if recipe.student.intermediate:
        losses = (partial(trainer.loss_of, batch) for batch in islice(trainer.get_train_dataloader(), PRUNING_BATCHES))
        prune_neurons(trainer.model, neuron_importance(trainer.model, losses), recipe.student.intermediate)
    if recipe.student.layers and recipe.student.fade:
        trainer.add_callback(Fading(trainer.model, recipe.student.layers, recipe.student.fade))
    return trainer


def run(trainer: Trainer, advance: Callable[[int], None]) -> None:
    """Trains to the end, from the last checkpoint if there is one; `advance` gets the number of finished steps.

    Then faded layers are removed from the model, and the initial weights get their share in it.
    """
    student = trainer.recipe.student
    weights = trainer.model.state_dict() if student.average else {}
    initial = {name: each.detach().clone() for name, each in weights.items()}
    trainer.add_callback(_Steps(advance))
    trainer.train(resume_from_checkpoint=get_last_checkpoint(trainer.args.output_dir))
    if student.fade:
        drop_layers(trainer.model, student.layers)
    if student.average:
        average_weights(trainer.model, initial, student.average)


def seconds_to_train(trainer: Trainer) -> float:
    """Estimates the duration of all steps: runs a few batches of these lists forward and backward and discards them.

    It leaves out the optimiser and dev evaluations; their share is small. Fading layers count as if they stayed.
    """
    batches = iter(trainer.get_train_dataloader())
    timed = []
    trainer.model.train()
    for _ in range(TIMED_BATCHES):
        if (batch := next(batches, None)) is None:
            break
        started = time.perf_counter()
        trainer.loss_of(batch).backward()
        timed.append(time.perf_counter() - started)
    trainer.model.zero_grad()
    return steps_of(trainer) * sum(timed[1:] or timed) / max(1, len(timed[1:] or timed))


def steps_of(trainer: Trainer) -> int:
    """Returns the total number of steps of the training."""
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    return math.ceil(len(trainer.get_train_dataloader()) * float(trainer.args.num_train_epochs))


def score_lists(model: Any, scorer: Scorer, lists: Sequence[RankedList], comparison: Comparison) -> list[list[float]]:
    """Returns the model's score of every document of every list."""
    model.eval()
    scores: list[list[float]] = []
    for start in range(0, len(lists), DEV_LISTS):
        chunk = lists[start : start + DEV_LISTS]
        batch = _to(scorer(chunk), model.device)
        found = scorer.compare(model, batch).scores[comparison]
        for row, each in zip(found.own.tolist(), chunk, strict=True):
            scores.append(row[: len(each.doc_ids)])
    return scores


def _scorer(recipe: Recipe, model: Any, tokenizer: Any, reading: Reading) -> Scorer:
    if recipe.kind == "cross-encoder":
        return Pairs(tokenizer, recipe.student.max_tokens)
    by = {recipe.comparison, *(term.by for term in recipe.losses if term.by)}
    keeps = any(term.name == VECTOR_LOSS for term in recipe.losses)
    base = FrozenBase(model, recipe.schedule.freeze_layers) if keeps else None
    return Vectors(tokenizer, recipe.student.max_tokens, reading, sorted(by), base)


def _loss(term: LossTerm, recipe: Recipe, compared: Compared, batch: Mapping[str, Any]) -> Any:
    if term.name == VECTOR_LOSS:
        assert compared.moved is not None
        return term.weight * compared.moved
    scores = compared.scores[term.by or recipe.comparison]
    options = {"temperature": term.temperature} if term.name in TEMPERED_LOSSES else {}
    if not term.in_batch:
        return term.weight * LOSSES[term.name](scores.own, batch[term.target], batch["mask"], **options)
    own, rows = batch[term.target], torch.arange(len(scores.own), device=scores.own.device)
    # The documents of other lists come last: unjudged, or tied with the teacher's last one.
    last = torch.where(batch["mask"], own, own.max()).amin(1, keepdim=True)
    wanted = torch.full_like(scores.whole, -1.0) if term.target == "grades" else last.expand_as(scores.whole).clone()
    wanted.view(len(rows), *own.shape)[rows, rows] = own
    return term.weight * LOSSES[term.name](scores.whole, wanted, batch["others"], **options)


def _to(batch: Any, device: Any) -> Any:
    if isinstance(batch, dict):
        return {name: _to(each, device) for name, each in batch.items()}
    return [_to(each, device) for each in batch] if isinstance(batch, list) else batch.to(device)


class _Steps(transformers.TrainerCallback):  # type: ignore[misc]
    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance, self._done = advance, 0

    def on_step_end(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        self._advance(state.global_step - self._done)
        self._done = state.global_step


class _Curves(transformers.TrainerCallback):  # type: ignore[misc]
    """Writes the curves with each checkpoint, and at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_save(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        write_curves(self._folder, state.log_history)

    on_train_end = on_save
