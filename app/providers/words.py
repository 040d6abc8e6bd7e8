"""Text that can be kept, out of JSON cut anywhere."""

import re

_UNFIT = re.compile("[\0\ud800-\udfff]")
_HIGH = re.compile("[\ud800-\udbff]$")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Words:
    """Joins characters that were cut in two (surrogates in JSON escapes); what is no character becomes U+FFFD."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, text: str) -> str:
        """The text that is whole by now."""
        text = self._half + text
        self._half = ""
        if _HIGH.search(text):
            text, self._half = text[:-1], text[-1]
        return _fit(text)

    def rest(self) -> str:
        """What never became whole."""
        text, self._half = self._half, ""
        return _fit(text)


def _fit(text: str) -> str:
    if not _UNFIT.search(text):
        return text
    joined = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", joined)
