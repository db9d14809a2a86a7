"""Small language models that rerank, in the layout of the hub, and their publishers' code around transformers.

Tokenizers are of the publishers' own classes, with vocabularies learnt from a few sentences. Needs torch.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tests.golden.texts import PAIRS
from tests.training import tiny_checkpoints

POSITIONS = 512
SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
TASK = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:"
)
GEMMA_TASK = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)
WEB = "Given a web search query, retrieve relevant passages that answer the query"
CORPUS = [
    *(text for pair in PAIRS for text in pair),
    *[SYSTEM, JUDGE, TASK, GEMMA_TASK, WEB] * 3,
    *["<Instruct>: <Query>: <Document>: system user assistant query: document: instruction: A: B: \n"] * 3,
    *["Query: Document: Relevant: yes no Yes No true false oui non"] * 3,
]


def save_qwen(folder: Path, model_type: str = "qwen3", head: str = "ForCausalLM", **config: Any) -> Path:
    """Saves a Qwen with the byte-level vocabulary of its class; only Qwen 3 has the tokens of thoughts."""
    bytes_ = pre_tokenizers.ByteLevel
    vocabulary, merges = _learnt(bytes_(add_prefix_space=False), bytes_.alphabet(), special=())
    tokenizer = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=merges)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    if model_type == "qwen3":
        tokenizer.add_tokens(["<think>", "</think>"])
    return _save(folder, tokenizer, model_type, head, **config)


def save_gemma(folder: Path, model_type: str = "gemma", **config: Any) -> Path:
    """Saves a Gemma, whose vocabulary has a sign for a space, a line break, and bytes for other characters."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    vocabulary, merges = _learnt(pre_tokenizers.Metaspace(prepend_scheme="never"), ["\n"], special)
    tokenizer = transformers.GemmaTokenizer(vocab=vocabulary, merges=merges)
    return _save(folder, tokenizer, model_type, "ForCausalLM", **config)


def save_t5(folder: Path, model_type: str = "t5", **config: Any) -> Path:
    """Saves a T5 with words and characters as pieces; those that a trainer of pieces learns differ from run to run."""
    pieces = dict.fromkeys(("<pad>", "</s>", "<unk>"), 0.0) | {"▁": -8.0}
    pieces |= dict.fromkeys(sorted(set("".join(CORPUS).replace(" ", ""))), -9.0)
    pieces |= dict.fromkeys(sorted({f"▁{word}" for text in CORPUS for word in text.split()}), -6.0)
    tokenizer = transformers.T5Tokenizer(vocab=list(pieces.items()), model_max_length=512)
    sizes = {"d_ff": 64, "d_kv": 16, "decoder_start_token_id": tokenizer.pad_token_id}
    return _save(folder, tokenizer, model_type, "ForSeq2SeqLM", **{**sizes, **config})


def _learnt(
    pre_tokenizer: Any, alphabet: Sequence[str], special: Sequence[str]
) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=700, initial_alphabet=list(alphabet), special_tokens=list(special), show_progress=False
        ),
    )
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(each) for each in model["merges"]]


def _save(folder: Path, tokenizer: Any, model_type: str, head: str, **config: Any) -> Path:
    sizes = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "max_position_embeddings": POSITIONS}
    tiny_checkpoints.save(folder, model_type, head, **{**sizes, **config})
    tokenizer.save_pretrained(folder)
    return folder


def bounded(tokenizer: Any, query: str, most: int) -> str:
    """Returns the beginning of a query that has `most` tokens: as much of an over-long one as the sidecar reads."""
    offsets = tokenizer(query, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return query if len(offsets) <= most else query[: offsets[most - 1][1]]


@torch.inference_mode()
def qwen3_reranker(source: Path, pairs: Sequence[tuple[str, str]], max_length: int, task: str = WEB) -> Any:
    """The model card of Qwen3-Reranker: left padding, all in one batch; log-odds of yes."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(source).eval()
    token_false_id = tokenizer.convert_tokens_to_ids("no")
    token_true_id = tokenizer.convert_tokens_to_ids("yes")
    prefix = f"<|im_start|>system\n{JUDGE}<|im_end|>\n<|im_start|>user\n"
    suffix = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    prefix_tokens = tokenizer.encode(prefix, add_special_tokens=False)
    suffix_tokens = tokenizer.encode(suffix, add_special_tokens=False)
    room = max_length - len(prefix_tokens) - len(suffix_tokens)
    empty = len(tokenizer.encode(f"<Instruct>: {task}\n<Query>: \n<Document>: ", add_special_tokens=False))
    texts = [
        f"<Instruct>: {task}\n<Query>: {bounded(tokenizer, query, (room - empty) // 2)}\n<Document>: {document}"
        for query, document in pairs
    ]
    inputs = tokenizer(texts, padding=False, truncation="longest_first", return_attention_mask=False, max_length=room)
    inputs = {"input_ids": [prefix_tokens + each + suffix_tokens for each in inputs["input_ids"]]}
    inputs = tokenizer.pad(inputs, padding=True, return_tensors="pt")
    scores = model(**inputs).logits[:, -1, :]
    scores = torch.stack([scores[:, token_false_id], scores[:, token_true_id]], dim=1)
    yes = torch.nn.functional.log_softmax(scores.double(), dim=1)
    return (yes[:, 1] - yes[:, 0]).numpy()


@torch.inference_mode()
def mxbai_rerank_v2(source: Path, pairs: Sequence[tuple[str, str]], max_length: int, instruction: str = "") -> Any:
    """MxbaiRerankV2 of mxbai-rerank: every piece is tokenised alone; the document is cut."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(source).eval()

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    prefix = ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")
    suffix = ids("<|im_end|>\n<|im_start|>assistant\n")
    sep, task_prompt = ids("\n"), ids(TASK)
    around = len(prefix) + len(task_prompt) + len(suffix) + 2 * len(sep)
    own = f"instruction: {instruction}\n" if instruction else ""
    most = (max_length - around - len(ids(f"{own}query: ")) - len(ids("document: "))) // 2
    rows = []
    for query, document in pairs:
        query_ids = ids(f"{own}query: {bounded(tokenizer, query, most)}")
        document_ids = ids(f"document: {document}")[: max_length - around - len(query_ids)]
        rows.append(prefix + query_ids + sep + document_ids + sep + task_prompt + suffix)
    inputs = tokenizer.pad({"input_ids": rows}, padding="longest", pad_to_multiple_of=8, return_tensors="pt")
    logits = model(**inputs).logits[:, -1]
    return (logits[:, ids("1")[0]] - logits[:, ids("0")[0]]).numpy()


@torch.inference_mode()
def bge_reranker_v2_gemma(source: Path, pairs: Sequence[tuple[str, str]], max_length: int, prompt: str = "") -> Any:
    """The model card of bge-reranker-v2-gemma: the logit of Yes behind the last token."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    model = transformers.AutoModelForCausalLM.from_pretrained(source).eval()
    tokenizer.padding_side = "left"
    yes_loc = tokenizer("Yes", add_special_tokens=False)["input_ids"][0]
    prompt_inputs = tokenizer(prompt or GEMMA_TASK, add_special_tokens=False)["input_ids"]
    sep_inputs = tokenizer("\n", add_special_tokens=False)["input_ids"]
    a, b = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("A: ", "B: "))
    room = max_length - len(sep_inputs) - len(prompt_inputs)
    most = (room - 1 - len(sep_inputs) - len(a) - len(b)) // 2
    rows = []
    for query, passage in pairs:
        query_inputs = tokenizer(f"A: {bounded(tokenizer, query, most)}", add_special_tokens=False)["input_ids"]
        passage_inputs = tokenizer(f"B: {passage}", add_special_tokens=False)["input_ids"]
        row = [tokenizer.bos_token_id, *query_inputs, *sep_inputs, *passage_inputs]
        rows.append([*row[:room], *sep_inputs, *prompt_inputs])
    inputs = tokenizer.pad({"input_ids": rows}, padding=True, pad_to_multiple_of=8, return_tensors="pt")
    return model(**inputs).logits[:, -1, yes_loc].numpy()


@torch.inference_mode()
def t5(
    source: Path, pairs: Sequence[tuple[str, str]], max_length: int, answers: Sequence[str], end: str = " Relevant:"
) -> Any:
    """monoT5 as in pygaggle, or RankT5 with `end=""` and one answer: the first decoded token, one pair at a time.

    The document is cut by words until the prompt fits, as a cut of its tokens in the middle cannot be written as text.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(source).eval()
    start = torch.tensor([[model.config.decoder_start_token_id]])
    chosen = [tokenizer.get_vocab()[answer] for answer in answers]
    tail = tokenizer(f"x{end}")["input_ids"][len(tokenizer("x", add_special_tokens=False)["input_ids"]) :]
    most = (max_length - len(tokenizer(f"Query: Document: {end}")["input_ids"])) // 2
    found = []
    for query, document in pairs:
        ids = tokenizer(f"Query: {bounded(tokenizer, query, most)} Document: {document}{end}")["input_ids"]
        if len(ids) > max_length:
            ids = [*ids[: max_length - len(tail)], *tail]
        logits = model(input_ids=torch.tensor([ids]), decoder_input_ids=start).logits[0, -1, chosen].double()
        found.append(float(logits[0] - logits[1]) if len(chosen) == 2 else float(logits[0]))
    return np.array(found)
