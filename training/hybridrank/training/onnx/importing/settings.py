"""Settings from the files beside an ONNX file: the length, the pooling and the prefixes; flags come first."""

import logging

from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.settings_files import PoolingFile, SentenceTransformersFile, SettingsFiles
from hybridrank.training.onnx.sources.default_length import SHORTEST, Length, default_length
from hybridrank.training.onnx.sources.sentence_names import DOCUMENT_PROMPTS, POOLING_FLAGS, QUERY_PROMPTS, first_of

__all__ = ["chosen_length", "encoder_fields", "lower_case", "require_beginning", "require_width"]

log = logging.getLogger(__name__)

SERVED_POOLINGS = ("mean", "cls", "last", "graph")
KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")
IN_GRAPH = "graph"  # the graph pools, and runs what modules.json has behind that
UNLIMITED = 1 << 20  # transformers writes 1e30 for a tokenizer without a limit
MOST_UNSTATED = 8192  # tokens where no file says how many positions there are: a text of that length is tried


def chosen_length(files: SettingsFiles, asked: int | None) -> Length:
    """Returns `asked`, or the default by the files; raises ImportRefused for none, or one out of reach."""
    positions = _limit(files.config.max_position_embeddings)
    if positions and "roberta" in files.config.model_type:  # its positions start after the padding id
        positions -= files.config.pad_token_id + 1
    if asked is not None:
        if not SHORTEST <= asked <= (positions or MOST_UNSTATED):
            unstated = "" if positions else "; max_position_embeddings in a config.json beside it would allow more"
            raise ImportRefused(f"it reads {SHORTEST} to {positions or MOST_UNSTATED} tokens, not {asked}{unstated}")
        return Length(asked, "as asked")
    stated = {
        "max_position_embeddings in config.json": positions,
        "model_max_length in tokenizer_config.json": _limit(files.tokenizer_config.model_max_length),
        "max_seq_length of sentence-transformers": _limit(files.sentence.max_seq_length),
    }
    cut = {"truncation in tokenizer.json": _limit(files.tokenizer.truncation.max_length)}  # if no other file says it
    length = default_length(stated) or default_length(cut)
    if length is None:
        raise ImportRefused("no file says how many tokens it reads; say --max-tokens, such as 512")
    if length.tokens < SHORTEST:
        raise ImportRefused(f"it reads {length.tokens} tokens, and the least is {SHORTEST}; say --max-tokens")
    return length


def _limit(value: float | None) -> int | None:
    """Returns a number of tokens; None for no limit, which is written as a huge number, and sometimes as -1 or 0."""
    return int(value) if value is not None and 1 <= value < UNLIMITED else None


def lower_case(files: SettingsFiles) -> bool | None:
    """Returns whether texts are read in lower case: transformers overrules tokenizer.json; None if no file says so."""
    return True if files.sentence.do_lower_case else files.tokenizer_config.do_lower_case


def require_beginning(files: SettingsFiles) -> None:
    """Raises ImportRefused if the model reads the end of a text that is too long; the sidecar reads the beginning."""
    side = files.tokenizer_config.truncation_side or files.tokenizer.truncation.direction
    if side.lower() != "right":
        raise ImportRefused(f"it keeps the end of a long text (truncation_side {side!r}); the sidecar its beginning")


def require_width(files: SettingsFiles, dimensions: int) -> None:
    """Raises ImportRefused if the rows of the graph are of another length than config.json says."""
    said = files.config.hidden_size
    if said is not None and said != dimensions:
        raise ImportRefused(
            f"its rows have {dimensions} dimensions and config.json says {said} (hidden_size); they are of two models"
        )


def encoder_fields(
    files: SettingsFiles, *, pooling: str | None, query_prefix: str | None, document_prefix: str | None
) -> dict[str, str]:
    """Returns pooling and prefixes for model.toml; raises ImportRefused for what the sidecar does not compute."""
    _check_modules(files, flag=pooling)
    said = "+".join(sorted(_poolings(files.pooling))) or None
    if said is None and pooling is None:
        raise ImportRefused("no 1_Pooling/config.json says how it pools; say --pooling mean, cls, last or graph")
    chosen = pooling or said or ""
    if chosen not in SERVED_POOLINGS:
        raise ImportRefused(
            f"it pools by {chosen}; the sidecar computes mean, cls and last. If the graph pools, say --pooling graph"
        )
    query, document = _prefixes(files.sentence_transformers, query_prefix, document_prefix)
    if chosen in ("mean", IN_GRAPH) and (query or document) and not files.pooling.include_prompt:
        raise ImportRefused("its mean leaves the prefix out (include_prompt is false); the sidecar's does not")
    return {"pooling": chosen, "query_prefix": query, "document_prefix": document}


def _check_modules(files: SettingsFiles, flag: str | None) -> None:
    names = [each.name for each in files.modules]
    for name in names:
        if name not in KNOWN_MODULES and flag != IN_GRAPH:
            raise ImportRefused(
                f"it has a {name} module, which is not in the ONNX file's output; if it is, say --pooling graph"
            )
    if names and "Pooling" not in names and flag is None:
        raise ImportRefused("its modules.json has no Pooling; say --pooling cls or --pooling mean if it is an encoder")
    if dimensions := files.sentence_transformers.truncate_dim:
        raise ImportRefused(f"its vectors are cut to {dimensions} dimensions (truncate_dim); the sidecar's are not")
    compared = files.sentence_transformers.similarity_fn_name
    if compared != "cosine" and not (compared == "dot" and "Normalize" in names):
        raise ImportRefused(f"its vectors are compared by {compared} (similarity_fn_name), the sidecar's by cosine")


def _poolings(file: PoolingFile) -> set[str]:
    named = {file.pooling_mode} if isinstance(file.pooling_mode, str) else {*file.pooling_mode}
    said = named | {mode for flag, mode in POOLING_FLAGS.items() if getattr(file, flag)}
    return {"last" if each == "lasttoken" else each for each in said}


def _prefixes(file: SentenceTransformersFile, query: str | None, document: str | None) -> tuple[str, str]:
    prompts = {name: prompt for name, prompt in file.prompts.items() if prompt}
    if None in (query, document) and file.default_prompt_name and file.prompts.get(file.default_prompt_name) != "":
        raise ImportRefused(
            f"it puts its prompt {file.default_prompt_name!r} before every text; say --query-prefix and"
            " --document-prefix in its place"
        )
    if prompts and (query, document) == (None, None) and not prompts.keys() & {*QUERY_PROMPTS, *DOCUMENT_PROMPTS}:
        raise ImportRefused(
            f"none of its prompts {', '.join(sorted(prompts))} is for queries or documents by its name; say"
            " --query-prefix and --document-prefix, which may be empty"
        )
    said = first_of(prompts, QUERY_PROMPTS), first_of(prompts, DOCUMENT_PROMPTS)
    for field, asked, found in zip(("query_prefix", "document_prefix"), (query, document), said, strict=True):
        if asked is not None and found not in ("", asked):
            log.info("the %s %r that was asked for replaces %r in the files", field, asked, found)
    return said[0] if query is None else query, said[1] if document is None else document
