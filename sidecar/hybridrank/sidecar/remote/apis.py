"""The shapes of the APIs, by their name in model.toml: to add one, add its file and its line here."""

from collections.abc import Mapping

from hybridrank.sidecar.remote import cohere, openai, tei, vllm, voyage
from hybridrank.sidecar.remote.api import Api

__all__ = ["APIS"]

APIS: Mapping[str, Api] = {
    "cohere": cohere.API,
    "openai": openai.API,
    "tei": tei.API,
    "vllm": vllm.API,
    "voyage": voyage.API,
}
