"""How a party's file is written, where the file itself leaves that open: said by its own people, in their node config.

    delimiter = ";"            what stands between the cells: one sign, or "tab"
    encoding = "cp1252"        how letters are written, where that is not Unicode
    decimal = ","              what stands before the decimals
    thousands = "."            what stands between thousands: a point, a comma, a blank or an apostrophe
    date-format = "DD/MM/YYYY" how dates are written, or as in Python, "%d/%m/%Y"

Files differ by party and the schema is common, so none of this is the schema's. What is left out is found in the file
if it leaves one reading only (``clients.notation``), and else asked for: nothing is guessed.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from clients.errors import PartyError
from wire.text import shown

__all__ = ["AS_FOUND", "KEYS", "Writing"]

DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}
"""Signs by a name, since some are hard to type in a node config."""

DATE_WORDS = (("YYYY", "%Y"), ("YY", "%y"), ("MM", "%m"), ("DD", "%d"), ("HH", "%H"), ("mm", "%M"), ("SS", "%S"))


@dataclass(frozen=True)
class Writing:
    """What is said of a file; "" where the file is to tell it.

    Raises
    ------
    PartyError
        Something can't be used.
    """

    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""
    thousands: str = ""
    date_format: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "delimiter", DELIMITERS.get(self.delimiter, self.delimiter))
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\n", "\r"):
            raise PartyError(f'delimiter is one sign, such as ";", or "tab"; got {shown(self.delimiter)}')
        if self.decimal not in ("", ".", ","):
            raise PartyError(f'decimal is "." or ",", got {shown(self.decimal)}')
        if self.thousands not in ("", ".", ",", " ", "'") or (self.thousands and self.thousands == self.decimal):
            raise PartyError(
                f'thousands is ".", ",", " " or "\'", and not the decimal sign; got {shown(self.thousands)}'
            )
        if self.encoding:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise PartyError(
                    f'encoding is the name of one, such as "cp1252" (Western Europe); got {shown(self.encoding)}'
                ) from None
        if self.date_format:
            if "%" not in self.date_format:
                for word, sign in DATE_WORDS:
                    object.__setattr__(self, "date_format", self.date_format.replace(word, sign))
            if not all(sign in self.date_format for sign in ("%d", "%m")) or "%y" not in self.date_format.lower():
                raise PartyError(f'date-format has day, month and year, "DD/MM/YYYY"; got {shown(self.date_format)}')

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """What a node config, or another mapping with dashed keys, says of the file.

        Raises
        ------
        PartyError
        """
        said = {key: config[key] for key in KEYS if key in config}
        for key, value in said.items():
            if not isinstance(value, str) or len(value) > 40:
                raise PartyError(f"{key} is a short text, got {shown(value)}")
        return cls(**{key.replace("-", "_"): value for key, value in said.items()})

    def to_config(self) -> dict[str, str]:
        """The keys that say something, as a node config has them."""
        said = {key: str(getattr(self, key.replace("-", "_"))) for key in KEYS}
        return {key: "tab" if value == "\t" else value for key, value in said.items() if value}


KEYS = tuple(field.name.replace("_", "-") for field in fields(Writing))
"""Its keys in a node config."""

AS_FOUND = Writing()
"""Nothing is said."""
