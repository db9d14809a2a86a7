"""Recipe of a model as one YAML file: base weights, data, loss and schedule."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from hybridrank.common.error_text import os_problem
from hybridrank.common.settings_file import read_settings, validated
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.connector.request import RetrieverName
from hybridrank.model_files.model_folder import LANGUAGE, BlendWeight
from hybridrank.training.neural.errors import RecipeError

__all__ = [
    "Comparison",
    "DataSource",
    "LossTerm",
    "Mining",
    "Pooling",
    "Recipe",
    "Schedule",
    "Student",
    "TeacherWeights",
    "load_recipe",
]

LossName = Literal["bce", "ranknet", "lce", "lambda", "listnet", "margin-mse", "kl", "partial-ranking", "same-vectors"]
Comparison = Literal["tokens", "vectors", "pairs"]
Pooling = Literal["mean", "cls"]
SOFT_LOSSES = ("kl", "margin-mse", "partial-ranking")
TEMPERED_LOSSES = ("kl", "listnet")
VECTOR_LOSS = "same-vectors"
_BLOCK = 1 << 20  # bytes of a file that are read at once
ABSOLUTE_LOSSES = ("bce", "listnet")  # these treat an unjudged document as non-relevant in every list


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSource(_Frozen):
    """Queries of a collection in BEIR's layout with the judgments of a split, or a file of lists.

    Documents are those of the collection, or, with `index`, those of your own existing index in the engine. `queries`
    is the number of drawn queries, by the recipe's seed; all without it. `kinds` draws by weight if queries.jsonl tags
    each query with its kind: kinds that are not named are left out. `retrievers` replaces that of mining. With
    `repeats` each query gives several lists with different random negatives.

    With `queries_from: documents` the beginnings of its documents, 20 to 80 words, are the queries, as long queries.
    They are unjudged, so only the teacher ranks the documents; the document itself is not in its list.

    If the lists name their sources, such as websites, one in HELD_OUT is held out: "kept" takes the lists of the
    others, for training, and "held-out" those of these, to measure on sources that no training saw. `words` is the
    number of words that the judges read of each text; later ones are left out.
    """

    collection: str = ""
    split: str = "train"
    index: str = ""
    lists: Path | None = None
    sources: Literal["all", "kept", "held-out"] = "all"
    words: int | None = Field(None, ge=1)
    queries: int | None = Field(None, ge=1)
    queries_from: Literal["queries", "documents"] = "queries"
    repeats: int = Field(1, ge=1)
    kinds: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    retrievers: tuple[RetrieverName, ...] = ()

    def file_of_lists(self, collections: Path | None) -> Path | None:
        """The file of lists, below the folder of `collections` if there is one; None for a collection."""
        return self.lists and (collections / self.lists if collections else self.lists)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.collection) == bool(self.lists):
            raise ValueError("name a collection or a file of lists, one of them")
        if not self.lists and (self.sources != "all" or self.words):
            raise ValueError("sources and words are those of lists; a collection has none")
        if self.queries_from == "documents" and (self.lists or self.kinds):
            raise ValueError("queries_from: documents takes a collection, whose documents are of no kind")
        return self


class Mining(_Frozen):
    """Choice of documents beside the relevant ones: hard negatives (Xiong et al. 2021, ANCE) of the first `depth`.

    A list has `documents` in total. At most `relevant` of them are judged relevant, the `hardest` are the first that
    are not, the others are drawn from lower ranks. A negative that the teacher scores more than `margin` above the best
    relevant document counts as false and is left out (RocketQA, Qu et al. 2021); None keeps all.
    """

    retrievers: tuple[RetrieverName, ...] = ("bm25", "knn")
    depth: int = Field(50, ge=1, le=1000)
    documents: int = Field(8, ge=2)
    relevant: int = Field(2, ge=1)
    hardest: int = Field(2, ge=0)
    margin: float | None = None

    @model_validator(mode="after")
    def _has_negatives(self) -> Self:
        if self.relevant + self.hardest > self.documents:
            raise ValueError(f"relevant + hardest is over documents, {self.documents}")
        return self


class TeacherWeights(_Frozen):
    """The teacher: a weighted sum of scores, each in units of its standard deviation in the list.

    Names are retrievers (such as "bm25") and models of the sidecar; `grade` is the judgment, from 0 to 1 in the list.
    Or `ordering`, a file of {"query_id", "doc_ids"} lines, best first, for example from a language model.
    """

    weights: Mapping[str, float] = Field(default_factory=dict)
    ordering: Path | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the sidecar must run."""
        return tuple(name for name in self.weights if name not in (*RETRIEVERS, "grade"))


class LossTerm(_Frozen):
    """A loss by name and its weight. `temperature` softens the teacher's and the student's scores, or the grades.

    An encoder may have losses by the vectors of whole texts and by those of tokens; the default is what its kind is
    for. With `in_batch` the documents of the batch's other queries are also negatives, for encoders, where they cost
    nothing.
    """

    name: LossName
    weight: float = Field(1.0, gt=0)
    temperature: float = Field(1.0, gt=0)
    by: Literal["tokens", "vectors"] | None = None
    in_batch: bool = False

    @model_validator(mode="after")
    def _has_targets(self) -> Self:
        if self.in_batch and self.name in ("kl", "margin-mse"):
            raise ValueError(f"in_batch: {self.name} wants a teacher's score of every document, and has a query's own")
        return self

    @model_validator(mode="after")
    def _compares_whole_texts(self) -> Self:
        if self.name == VECTOR_LOSS and (self.by or self.in_batch):
            raise ValueError(
                f"{VECTOR_LOSS} compares the vectors of whole texts with the base's; leave by and in_batch out"
            )
        return self

    @property
    def target(self) -> Literal["teacher", "grades"]:
        """The scores with which the loss compares the student."""
        return "teacher" if self.name in SOFT_LOSSES else "grades"

    @model_validator(mode="after")
    def _softens_something(self) -> Self:
        if self.temperature != 1 and self.name not in TEMPERED_LOSSES:
            raise ValueError(f"temperature is for {' and '.join(TEMPERED_LOSSES)}, and {self.name} has none")
        return self


class Student(_Frozen):
    """The initial weights: a shipped model by name, a model folder, a transformers folder or one on the hub.

    `layers` are the layers to keep, counted from 0 (Sajjad et al. 2023); the others are removed one after another over
    the first `fade` steps, or all at once. `intermediate` is the number of neurons to keep in each feed-forward layer,
    those with most effect on the loss, and `vocabulary` the number of entries, those most frequent in the training
    texts. `max_tokens` limits the input, a text or a pair, in training and serving. `dropout` replaces that of the
    base. `average` is the share of the initial weights in the result, beside the trained ones: often better on texts
    unlike those of the training (WiSE-FT, Wortsman et al. 2022).

    An encoder pools its token rows by `pooling` and reads the prefixes before its texts, in training and serving; None
    keeps those of the base.
    """

    base: str = Field(min_length=1)
    layers: tuple[int, ...] = ()
    fade: int = Field(0, ge=0)
    intermediate: int | None = Field(None, ge=8)
    vocabulary: int | None = Field(None, ge=1000)
    max_tokens: int = Field(160, ge=16, le=512)
    dropout: float | None = Field(None, ge=0, lt=1)
    pooling: Pooling | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None
    average: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _fades_something(self) -> Self:
        if self.fade and not self.layers:
            raise ValueError("fade removes the layers that are not in layers; name those to keep")
        return self

    @model_validator(mode="after")
    def _keeps_what_it_averages(self) -> Self:
        if self.average and self.fade:
            raise ValueError("average needs weights of the same layers before and after, so without fade")
        return self


class Schedule(_Frozen):
    """Training schedule. `batch` counts lists; `threads` is PyTorch's, by default the number of cores.

    `bf16` computes matrix products in 16 bits, about twice as fast on CPUs and GPUs that support it.
    `freeze_embeddings` leaves embeddings unchanged: they are most of a small model's weights, and a batch uses few of
    them. `freeze_layers` leaves as many of the first layers unchanged too, and without dropout, which saves their part
    of the backward pass.
    """

    epochs: float = Field(1.0, gt=0)
    batch: int = Field(8, ge=1)
    learning_rate: float = Field(5e-5, gt=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    save_every: int = Field(200, ge=1)
    measure_every: int = Field(1000, ge=1)
    bf16: bool = True
    freeze_embeddings: bool = True
    freeze_layers: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _freezes_from_below(self) -> Self:
        if self.freeze_layers and not self.freeze_embeddings:
            raise ValueError("freeze_layers needs freeze_embeddings, which are below them")
        return self

    threads: int | None = Field(None, ge=1)


class Recipe(_Frozen):
    """Everything that decides the trained model; the same recipe and data give the same model, up to rounding.

    `kind` "colbert" trains an encoder for late interaction, "encoder" one for vectors; the sidecar serves each as both.
    `aliases` and `blend_weight` are for model.toml.
    """

    name: str = Field(min_length=1)
    kind: Literal["cross-encoder", "encoder", "colbert"] = "cross-encoder"
    licence: str = "unknown"
    languages: tuple[Annotated[str, Field(pattern=LANGUAGE)], ...] = ()
    seed: int = Field(17, ge=0)
    student: Student
    train: tuple[DataSource, ...] = Field(min_length=1)
    dev: tuple[DataSource, ...] = Field(min_length=1)
    mining: Mining = Mining()
    teacher: TeacherWeights = TeacherWeights()
    losses: tuple[LossTerm, ...] = Field(min_length=1)
    schedule: Schedule = Schedule()
    aliases: tuple[str, ...] = ()
    blend_weight: BlendWeight | None = None

    @model_validator(mode="after")
    def _has_batches(self) -> Self:
        if self.kind == "cross-encoder" and any(term.in_batch for term in self.losses):
            raise ValueError("losses: in_batch is for encoders; a cross-encoder would have to read every pair")
        return self

    @property
    def comparison(self) -> Comparison:
        """The scores that the student is trained for, by which dev is measured."""
        by: Mapping[str, Comparison] = {"cross-encoder": "pairs", "colbert": "tokens", "encoder": "vectors"}
        return by[self.kind]

    @model_validator(mode="after")
    def _compares_vectors(self) -> Self:
        if self.kind == "cross-encoder" and any(term.by or term.name == VECTOR_LOSS for term in self.losses):
            raise ValueError(f"losses: by and {VECTOR_LOSS} are for encoders; a cross-encoder has no vectors")
        if self.student.vocabulary and any(term.name == VECTOR_LOSS for term in self.losses):
            raise ValueError(f"losses: {VECTOR_LOSS} needs the base's whole vocabulary")
        if self.student.layers and not self.student.fade and any(term.name == VECTOR_LOSS for term in self.losses):
            raise ValueError(f"losses: {VECTOR_LOSS} needs the base's layers at the beginning; let them fade")
        if all(term.name == VECTOR_LOSS for term in self.losses):
            raise ValueError(f"losses: {VECTOR_LOSS} alone leaves the base as it is; add one that ranks")
        return self

    @model_validator(mode="after")
    def _leaves_frozen_layers(self) -> Self:
        changed = [name for name in ("layers", "intermediate") if getattr(self.student, name)]
        if self.schedule.freeze_layers and changed:
            raise ValueError(f"schedule.freeze_layers leaves layers as they are, and student.{changed[0]} changes them")
        return self

    @model_validator(mode="after")
    def _has_a_vector(self) -> Self:
        named = self.student.model_dump(include={"pooling", "query_prefix", "document_prefix"}, exclude_none=True)
        if self.kind == "cross-encoder" and named:
            raise ValueError(f"student.{next(iter(named))} is for encoders; a cross-encoder makes no vectors")
        return self

    @model_validator(mode="after")
    def _has_a_teacher(self) -> Self:
        soft = [term.name for term in self.losses if term.target == "teacher"]
        if soft and not self.teacher.weights and not self.teacher.ordering:
            raise ValueError(f"losses: {', '.join(soft)} compares with a teacher; give teacher.weights or .ordering")
        return self

    @model_validator(mode="after")
    def _has_judgments(self) -> Self:
        if any(source.queries_from == "documents" for source in self.dev):
            raise ValueError("dev: queries_from: documents has no judgments to measure by")
        if any(source.queries_from == "documents" for source in self.train):
            if wrong := [term.name for term in self.losses if term.name in ABSOLUTE_LOSSES]:
                raise ValueError(f"losses: {', '.join(wrong)} wants judgments; queries_from: documents has none")
            if all(term.target == "grades" for term in self.losses):
                raise ValueError(
                    "losses: queries_from: documents has no judgments; add one that compares with a teacher"
                )
        return self

    def lists_digest(self, collections: Path | None = None) -> str:
        """SHA-256 over everything that decides the lists: settings, and the content of files of lists or orderings.

        Raises RecipeError for a file that cannot be read.
        """
        parts = self.model_dump(mode="json", include={"seed", "train", "dev", "mining", "teacher"})
        found = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        files = [each.file_of_lists(collections) for each in (*self.train, *self.dev)]
        for path in dict.fromkeys(filter(None, [*files, self.teacher.ordering])):
            try:
                with path.open("rb") as file:
                    while block := file.read(_BLOCK):
                        found.update(block)
            except OSError as error:
                raise RecipeError(os_problem(error)) from error
        return found.hexdigest()[:12]


def load_recipe(path: Path) -> Recipe:
    """Reads a YAML file. Raises RecipeError with the file and every wrong setting."""
    return validated(Recipe, read_settings(path, RecipeError, extra="train"), path, RecipeError)
