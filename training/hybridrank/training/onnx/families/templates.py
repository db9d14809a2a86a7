"""The prompts of published rerankers, in the pieces in which their code tokenises them: to add one, add it here."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["TEMPLATES", "Template"]

WEB_SEARCH = "Given a web search query, retrieve relevant passages that answer the query"
YES_OR_NO = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)
JUDGE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"
NO_THOUGHT = f"{ASSISTANT}<think>\n\n</think>\n\n"
QWEN = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n"
)
EXPERT = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:"
)


@dataclass(frozen=True)
class Template:
    """A prompt in pieces, with `{query}` and `{document}` in them, and the longest one in tokens that its code makes.

    `answers` are the word that means relevant and, if its logit is subtracted, the word that means the opposite.
    `{instruction}` is the `instruction` of the publisher, or a caller's own in the words of `own_instruction`.
    """

    pieces: tuple[str, ...]
    answers: tuple[str, ...]
    max_tokens: int
    instruction: str = ""
    own_instruction: str = "{instruction}"

    @property
    def instructs(self) -> bool:
        """True if it has a place for an instruction."""
        return any("{instruction}" in piece for piece in self.pieces)

    def with_instruction(self, asked: str | None) -> tuple[str, ...]:
        """Returns the pieces with the asked instruction, or the publisher's."""
        text = self.own_instruction.replace("{instruction}", asked) if asked else self.instruction
        return tuple(filter(None, (piece.replace("{instruction}", text) for piece in self.pieces)))


TEMPLATES: Mapping[str, Template] = {
    "qwen3-reranker": Template(
        (JUDGE, "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}", NO_THOUGHT),
        ("yes", "no"),
        max_tokens=8192,
        instruction=WEB_SEARCH,
    ),
    "mxbai-rerank-v2": Template(
        (QWEN, "{instruction}query: {query}", "\n", "document: {document}", "\n", EXPERT, ASSISTANT),
        ("1", "0"),
        max_tokens=8192,
        own_instruction="instruction: {instruction}\n",
    ),
    "bge-reranker-v2-gemma": Template(
        ("<bos>", "A: {query}", "\n", "B: {document}", "\n", "{instruction}"),
        ("Yes",),
        max_tokens=1024,
        instruction=YES_OR_NO,
    ),
    "monot5": Template(("Query: {query} Document: {document} Relevant:", "</s>"), ("true", "false"), max_tokens=512),
    "rankt5": Template(("Query: {query} Document: {document}", "</s>"), ("<extra_id_10>",), max_tokens=512),
}
