"""Templates → HTML. Whatever is put into one is escaped."""

import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.web import words

_HERE = Path(__file__).parent


class Pages:
    """The pages, by name."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "scopes": words.scopes,
            "event": words.event,
            "kind": words.kind,
            "day": words.day,
            "moment": words.moment,
            "ago": words.ago,
            "publisher": words.publisher,
        }
        self.style = (_HERE / "style.css").read_bytes()
        self.icon = (_HERE / "icon.svg").read_bytes()
        self._templates.globals["style_version"] = hashlib.sha256(self.style).hexdigest()[:8]

    def render(self, name: str, **values: Any) -> str:
        """A page's HTML."""
        return self._templates.get_template(f"{name}.html").render(values)
