"""Names and media types of files, as strangers give them."""

import re
import unicodedata

from app.errors import InvalidField

FALLBACK_NAME, FALLBACK_TYPE = "file", "application/octet-stream"
MAX_NAME_BYTES = 200
"""What common file systems take, with room for what a device puts around it."""
MAX_SUFFIX_BYTES = 32
MAX_TYPE = 200
_SEPARATORS = re.compile(r"[/\\]")
_UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Cs"}
"""Controls, marks that turn the direction of text or join it, line ends, surrogates."""
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MEDIA_TYPE = re.compile(rf'{_WORD}/{_WORD}(\s*;\s*{_WORD}=({_WORD}|"[ !#-\[\]-~]*"))*\s*', re.ASCII)


def file_name(said: str | None) -> str:
    """A name that is one component of a path and reads as it is; what says nothing becomes `file`.

    Raises `InvalidField` for what no text of an item may hold.
    """
    said = said or ""
    if "\0" in said:
        raise InvalidField("name", "name: the text holds a NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in said):
        raise InvalidField("name", "name: the text holds a lone surrogate.")
    last = _SEPARATORS.split(said)[-1]
    seen = "".join(character for character in last if unicodedata.category(character) not in _UNSEEN)
    return _shortened(seen.strip(" .")) or FALLBACK_NAME


def _shortened(name: str) -> str:
    """The same, or its beginning and its suffix."""
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    end = f".{suffix}" if dot and stem and len(suffix.encode()) <= MAX_SUFFIX_BYTES else ""
    start = (stem if end else name).encode()[: MAX_NAME_BYTES - len(end.encode())]
    return start.decode(errors="ignore").rstrip(" .") + end


def media_type(said: str | None) -> str:
    """What the sender says it is, if that has the form of a media type (RFC 9110, section 8.3.1). Nobody sniffs."""
    said = (said or "").strip()
    return said if len(said) <= MAX_TYPE and _MEDIA_TYPE.fullmatch(said) else FALLBACK_TYPE
