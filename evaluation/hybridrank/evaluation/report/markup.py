"""Text for HTML and SVG."""

import html
import re

__all__ = ["escaped"]

_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """Escapes for text or a quoted attribute of HTML and XML; characters that these cannot contain become U+FFFD.

    >>> escaped('<b title="x">\\0')
    '&lt;b title=&quot;x&quot;&gt;\ufffd'
    """
    return html.escape(_NOT_IN_XML.sub("\ufffd", text), quote=True)
