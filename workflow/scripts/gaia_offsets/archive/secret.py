"""What a server wants to know of its user, a token or a login in an address: sent, and never told."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

HIDDEN = "***"
_SHORTEST = 4  # characters of a token's beginning that are hidden too: a message may have been cut within the token


@dataclass(frozen=True)
class Token:
    """The value of an environment variable (null where it is not set) and the query parameter that it is sent as."""

    variable: str
    parameter: str
    value: str | None = field(repr=False)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Token | None:
        """The token of a dataset of the config, if it has one."""
        block = entry.get("token")
        return None if not block else cls(**block, value=os.environ.get(block["variable"], "").strip() or None)

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
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        kept = [pair for pair in pairs if self.hide("".join(pair)) == "".join(pair)]
        query = parts.query if kept == pairs else urlencode(kept)
        return self.hide(urlunsplit(parts._replace(query=query)))

    @property
    def hint(self) -> str:
        """What to do where the server refuses or sends a page in the place of the file."""
        if self.value:
            return f"; the token in the environment variable {self.variable} was sent: is it still valid?"
        return f"; a registered user of this server can set the environment variable {self.variable} to a token"


_LOGIN = re.compile(r"(?<=://)[^/?#\s]*@")


def split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """An address without `user:password@`, and the two where they are there."""
    bare = _LOGIN.sub("", url, count=1)
    if bare == url:
        return url, None
    user, _, password = _LOGIN.search(url)[0][:-1].partition(":")
    return bare, (unquote(user), unquote(password))


def hide_logins(text: str) -> str:
    """A text without the logins of the addresses in it."""
    return _LOGIN.sub(f"{HIDDEN}@", text)


def _spellings(character: str) -> str:
    """Pattern of a character as it is, percent-encoded in either case, or a blank as a plus sign."""
    encoded = "".join(f"%{byte:02x}" for byte in character.encode())
    plus = r"|\+" if character == " " else ""
    return f"(?:{re.escape(character)}|(?i:{encoded}){plus})"
