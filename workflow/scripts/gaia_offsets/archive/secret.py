"""The token that a server wants of its user: sent, and never told."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

HIDDEN = "***"
_SHORTEST = 4  # characters of a token's beginning that are hidden too: a message may have been cut within the token


@dataclass(frozen=True)
class Token:
    """The value of an environment variable (null where it is not set) and the query parameter that it is sent as."""

    variable: str
    parameter: str
    value: str | None = field(repr=False)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Token:
        """The token of a dataset of the config, NO_TOKEN where it has none."""
        block = entry.get("token")
        return cls(**block, value=os.environ.get(block["variable"], "").strip() or None) if block else NO_TOKEN

    @property
    def params(self) -> dict[str, str]:
        """What is added to the address at the time of the request."""
        return {self.parameter: self.value} if self.value else {}

    def hide(self, text: str) -> str:
        """The text without the token: as it is or percent-encoded, whole or cut off at its end."""
        if not self.value:
            return text
        whole = "".join(map(_spellings, self.value))
        cut = "".join(map(_spellings, self.value[:_SHORTEST])) + r"[^\s&\"'<>]*"
        return re.sub(f"{whole}|{cut}" if len(self.value) >= _SHORTEST else whole, HIDDEN, text)

    def strip(self, url: str) -> str:
        """An address without the token: parameters that hold it are left out, elsewhere it is hidden."""
        if not self.value:
            return url
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        kept = [pair for pair in pairs if self.hide("".join(pair)) == "".join(pair)]
        query = parts.query if kept == pairs else urlencode(kept)
        return self.hide(urlunsplit(parts._replace(query=query)))

    @property
    def hint(self) -> str:
        """What to do where the server refuses or sends a page in the place of the file."""
        if not self.variable:
            return ""
        if self.value:
            return f"; the token in the environment variable {self.variable} was sent: is it still valid?"
        return f"; a registered user of this server can set the environment variable {self.variable} to a token"


NO_TOKEN = Token("", "", None)


def hide_logins(text: str) -> str:
    """A text without the logins (user:password@) of the addresses in it."""
    return re.sub(r"(?<=://)[^/?#\s]*@", f"{HIDDEN}@", text)


def _spellings(character: str) -> str:
    """Pattern of a character as it is, percent-encoded in either case, or a blank as a plus sign."""
    encoded = "".join(f"%{byte:02x}" for byte in character.encode())
    plus = r"|\+" if character == " " else ""
    return f"(?:{re.escape(character)}|(?i:{encoded}){plus})"
