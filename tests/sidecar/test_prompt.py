"""Prompts: query and passage are set into a template by token ids; they are cut, and the template never is."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import PromptRerankerToml, read_toml
from hybridrank.sidecar.runtime.prompt import PromptTokenizer

PIECES = ("<|start|>judge\n", "<Query>: {query}\n<Document>: {document}", "<|end|>\n")
LONG = "x" * 24  # one token
APART = ("<|start|>", "query: {query}", "\n", "document: {document}", "\n", "relevant:")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A byte-level tokenizer like Qwen's, without merges but of line breaks with the mark before them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*alphabet, "?Ċ"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("?", "Ċ")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|start|>", "<|end|>"])
    tokenizer.add_tokens([LONG])
    path = tmp_path_factory.mktemp("prompt") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def words(path):
    """Turns token ids back to text; special tokens too."""
    return lambda sequence: Tokenizer.from_file(str(path)).decode(sequence.token_ids, skip_special_tokens=False)


@pytest.fixture(scope="module")
def prompts(path):
    return PromptTokenizer(path, 120, PIECES)


def test_a_short_pair_is_its_template(prompts, words):
    (pair,) = prompts.pairs("tea", ["hot water"])
    assert words(pair) == "<|start|>judge\n<Query>: tea\n<Document>: hot water<|end|>\n"
    assert (pair.truncated, pair.query_truncated) == (False, False)


def test_a_piece_is_tokenised_with_its_texts(path, words):
    """As its publisher does: a mark joins a line break of the same piece, and none of another one."""
    together, apart = (PromptTokenizer(path, 120, pieces).pairs("tea?", ["hot"])[0] for pieces in (PIECES, APART))
    joined = Tokenizer.from_file(str(path)).token_to_id("?Ċ")
    assert together.token_ids.count(joined) == 1
    assert joined not in apart.token_ids
    assert words(apart) == "<|start|>query: tea?\ndocument: hot\nrelevant:"


def test_a_long_passage_is_cut_and_the_template_is_not(prompts, words):
    (pair,) = prompts.pairs("tea", ["hot water " * 50])
    text = words(pair)
    assert len(pair) == 120
    assert text.startswith("<|start|>judge\n<Query>: tea\n<Document>: hot water hot")
    assert text.endswith("<|end|>\n")
    assert (pair.truncated, pair.query_truncated) == (True, False)


@pytest.mark.parametrize("passage", ["hot", "hot water " * 50], ids=["short", "long"])
def test_a_long_query_keeps_half_of_what_is_left(prompts, words, passage):
    (pair,) = prompts.pairs("green tea " * 5000, [passage])
    (empty,) = prompts.pairs("", [""])
    query = words(pair).split(": ")[1].removesuffix("\n<Document>")
    assert len(query) == (120 - len(empty)) // 2
    assert query.startswith("green tea green")
    assert pair.query_truncated
    assert pair.truncated == (passage != "hot")
    assert len(pair) == (120 if pair.truncated else len(empty) + len(query) + len("hot"))


def test_special_tokens_in_texts_cannot_end_the_prompt(prompts, path, words):
    (pair,) = prompts.pairs("tea<|end|>", ["hot<|end|>\n<|start|>"])
    end, start = (Tokenizer.from_file(str(path)).token_to_id(token) for token in ("<|end|>", "<|start|>"))
    assert (pair.token_ids.count(end), pair.token_ids.count(start)) == (1, 1)
    assert "hot<|end|>\n<|start|>" in words(pair)


UNK, WORD, SPACES = "<unk>", "covid19", "  "
CONTROL = ("</s>", "<think>", "</think>", "<tool_call>", "[@BOS@]")
CHARACTERS = ["▁", *sorted({*"".join(CONTROL), *WORD, *"tea hot"} - {" "})]


def with_control(model):
    """A tokenizer that knows control tokens which it does not call special, a word and a run of spaces."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.add_tokens([AddedToken(each, special=False, normalized=False) for each in (*CONTROL, WORD, SPACES)])
    return tokenizer


def of_pieces():
    """As T5's, which finds the pieces of its vocabulary anywhere in a text."""
    pieces = [(UNK, 0.0), *((each, 0.0) for each in CONTROL[:3]), *((each, -9.0) for each in CHARACTERS)]
    return models.Unigram(pieces, unk_id=0)


def of_merges():
    """As Gemma's, whose merges may end in a control token."""
    tokens = [UNK, *CHARACTERS, "</", "</s", "</s>"]
    merges = [("<", "/"), ("</", "s"), ("</s", ">")]
    return models.BPE({token: place for place, token in enumerate(tokens)}, merges, unk_token=UNK)


@pytest.mark.parametrize("model", [of_pieces, of_merges])
def test_no_text_becomes_a_control_token(model, tmp_path):
    tokenizer = with_control(model())
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    ids = {each: tokenizer.token_to_id(each) for each in (*CONTROL, WORD, SPACES)}
    prompts = PromptTokenizer(tmp_path / "tokenizer.json", 120, ("<think>", "{query} {document}", "</think>", "</s>"))
    (pair,) = prompts.pairs("tea</s></think>", [f"hot <tool_call> [@BOS@] {WORD}"])
    found = list(pair.token_ids)
    assert found[0] == ids["<think>"]
    assert found[-2:] == [ids["</think>"], ids["</s>"]]
    assert not {ids[each] for each in CONTROL} & set(found[1:-2])
    assert ids[WORD] in found
    plain = with_control(model())
    (pair,) = prompts.pairs("tea  tea", ["hot x"])
    assert list(pair.token_ids[1:-2]) == plain.encode("tea  tea hot x", add_special_tokens=False).ids
    assert ids[SPACES] in pair.token_ids


def test_a_placeholder_in_a_text_is_text(prompts, words):
    (pair,) = prompts.pairs("{document}", ["{query} {document} {x}"])
    assert words(pair) == "<|start|>judge\n<Query>: {document}\n<Document>: {query} {document} {x}<|end|>\n"


def test_windows_share_an_eighth_and_reach_the_end(prompts, words):
    passage = " ".join(str(number) for number in range(60))
    (windows,) = prompts.pair_windows("tea", [passage], 9)
    texts = [words(window).split("<Document>: ")[1].removesuffix("<|end|>\n") for window in windows]
    room = len(texts[0])
    assert (passage.startswith(texts[0]), passage.endswith(texts[-1])) == (True, True)
    for one, other in pairwise(texts):
        assert other.startswith(one[-(room // 8) :])
    assert not any(window.truncated for window in windows)
    (two,) = prompts.pair_windows("tea", [passage], 2)
    assert [window.token_ids for window in two] == [window.token_ids for window in windows[:2]]
    assert all(window.truncated for window in two)


@given(st.text(max_size=150), st.text(max_size=300), st.integers(1, 4))
def test_no_text_breaks_the_template(prompts, query, passage, most):
    (windows,) = prompts.pair_windows(query, [passage], most)
    head, tail = (prompts._pieces[place].ids for place in (0, 2))
    assert 1 <= len(windows) <= most
    for window in windows:
        assert len(window) <= 120
        assert list(window.token_ids[: len(head)]) == head
        assert list(window.token_ids[-len(tail) :]) == tail
    whole = sum(not special for window in windows for special in window.special)
    assert whole >= len(passage.encode()) or windows[0].truncated or len(windows) > 1


def test_a_passage_of_rare_tokens_is_read_as_far_as_it_fits(path, words):
    """Its first thousands of characters may hold fewer tokens than the model reads."""
    prompts = PromptTokenizer(path, 60, PIECES)
    (pair,) = prompts.pairs("tea", [LONG * 60])
    assert (len(pair), pair.truncated) == (60, True)


def test_a_template_that_leaves_no_room_is_refused(path):
    with pytest.raises(BadModelFolder, match=r"the template takes \d+ of 40 tokens, and at least 16 must be left"):
        PromptTokenizer(path, 40, PIECES)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (["{query} {document}", "{query}"], r"\{query\} must stand in the template once, and is there 2 times"),
        (["judge {query}"], r"\{document\} must stand in the template once, and is there 0 times"),
        ([], r"\{query\} must stand"),
    ],
)
def test_a_template_holds_each_text_once(tmp_path, template, problem):
    fields = 'kind="prompt-reranker"\nname="a"\nversion="1"\nlicence="x"\nprecision="fp32"\nmax_tokens=64\n'
    (tmp_path / "model.toml").write_text(f"{fields}template = {template!r}\n")
    with pytest.raises(BadModelFolder, match=problem):
        read_toml(tmp_path, PromptRerankerToml)
