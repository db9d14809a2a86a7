"""The address of a cluster: one node, or several that take each other's place."""

__all__ = ["node_urls"]


def node_urls(url: str) -> list[str]:
    """The URL of each node of `http://host:9200,host:9200`.

    >>> node_urls("https://a:9200,b:9201/search")
    ['https://a:9200/search', 'https://b:9201/search']
    """
    scheme, _, rest = url.partition("://")
    hosts, slash, path = rest.partition("/")
    return [f"{scheme}://{host}{slash}{path}" for host in hosts.split(",")]
