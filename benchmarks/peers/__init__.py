"""Other servers and libraries, run by interpreters of their own so that their needs never meet ours.

`make bench-peers PEERS=DIR` makes the folder DIR with all that the benchmark looks for there:

    sentence-transformers/   a virtual environment: pip install sentence-transformers
    infinity/                another: pip install of the lines in build.sh
    maxsim-cpu/, pylate/     two more, for bench-rerankers: pip install of the package of that name
    fp32/                    the served cross-encoder as a transformers folder (training.onnx.to_transformers)
    fp32-onnx/               the same as a model folder of the sidecar

What is not there is not measured.
"""
