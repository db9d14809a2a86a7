"""An engine behind HTTP: OpenSearch and Elasticsearch have the same REST paths, with answers of the same shapes."""

from hybridrank.connector.engines.rest.administration import Administration
from hybridrank.connector.engines.rest.searching import Searching

__all__ = ["RestEngine"]


class RestEngine(Searching, Administration):
    """An engine behind HTTP. Use `connect_engine`, or a subclass if the kind of engine is known.

    A subclass adds the official client (`_open`, `_shut`, `_send`, `_msearch`, `_bulk`), its errors turned into ours,
    its dialect and its native fusion.
    """
