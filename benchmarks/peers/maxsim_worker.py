"""Scores of one query against token vectors in memory, on one thread: LIBRARY NPZ.

NPZ holds `query` (q, d), `rows` (all tokens, d) and `lengths` (n,). LIBRARY is maxsim-cpu, pylate (its `rank.rerank`),
pylate-padded (its `colbert_scores` of documents filled up beforehand), or a way we pack them: fp32, fp16, int8, or the
bits of residuals.
"""

import sys

import numpy as np
from protocol import read_task, serve

SAMPLE, CENTROIDS = 20_000, 1024

library = sys.argv[1]
found = np.load(sys.argv[2])
query, rows, lengths = found["query"], found["rows"], found["lengths"]
documents = np.split(rows, np.cumsum(lengths)[:-1])
packages = ("numpy",)

if library == "maxsim-cpu":
    from maxsim_cpu import maxsim_scores_variable

    packages += ("maxsim-cpu",)

    def score():
        return maxsim_scores_variable(query, documents)

elif library.startswith("pylate"):
    import torch
    from pylate.rank import rerank
    from pylate.scores import colbert_scores

    packages += ("pylate", "torch")
    torch.set_num_threads(1)
    tensors = [torch.from_numpy(each) for each in documents]
    padded = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)
    asked = torch.from_numpy(query)
    ids = list(range(len(documents)))

    def score():
        if library == "pylate-padded":
            return colbert_scores(asked[None], padded)[0].tolist()
        (ranked,) = rerank(documents_ids=[ids], queries_embeddings=[asked], documents_embeddings=[tensors])
        by_id = {each["id"]: each["score"] for each in ranked}
        return [by_id[each] for each in ids]

else:
    from hybridrank.model_files import token_vectors
    from hybridrank.model_files.token_codec import codecs_of
    from hybridrank.sidecar.rerankers.late_interaction import ColbertReranker
    from hybridrank.training.token_codec import train_codec

    MODEL = "0" * 64

    class Encoder:
        """Has encoded the query."""

        info, batches = None, True

        def token_rows(self, sequences):
            return [query] * len(sequences)

    residual = None
    if library.isdecimal():
        residual = train_codec(rows[:SAMPLE], bits=int(library), centroids=CENTROIDS, model_digest=MODEL)
    codecs = codecs_of(MODEL, rows.shape[1], residual)
    stored = [token_vectors.write(codecs["residual" if residual else library], each) for each in documents]
    reranker = ColbertReranker(Encoder(), sums=True)

    def score():
        return reranker.score_stored(None, [token_vectors.read(each, codecs) for each in stored])


read_task()
serve(score, packages)
