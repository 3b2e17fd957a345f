"""Names from model files made safe for C and Markdown, never two alike."""

from __future__ import annotations

import re

# A library called `string` has a header string.h, which must not hide the one it includes itself.
_HEADERS = (
    "alloca assert complex ctype endian errno features fenv float guest harness inttypes iso646 limits "
    "locale machine malloc math memory newlib picolibc setjmp signal stdalign stdarg stdatomic stdbool "
    "stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar unistd wchar wctype "
    "xlocale"
)
_RESERVED = frozenset(_HEADERS.split())


def identifier(text: str, fallback: str = "x", limit: int = 40) -> str:
    """`text` as a part of C identifiers: lower-case letters, digits and underscores, at most `limit`."""
    name = re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", text.lower())).strip("_")
    return name[:limit].strip("_") or fallback


def library_name(text: str) -> str:
    """`text` as the start of a library's C identifiers and the stem of its header."""
    name = identifier(text, "model")
    return f"m_{name}" if name[0].isdigit() or name in _RESERVED else name


def unique(names: list[str]) -> list[str]:
    """The same names, later ones that repeat an earlier one numbered: a, b, a -> a, b, a_2."""
    taken: set[str] = set()
    return [unique_among(taken, name) for name in names]


def unique_among(taken: set[str], name: str) -> str:
    """`name`, numbered when it is in `taken`, to which the result is added."""
    candidate, n = name, 1
    while candidate in taken:
        n += 1
        candidate = f"{name}_{n}"
    taken.add(candidate)
    return candidate


def comment_text(text: str, limit: int = 80) -> str:
    """`text` fit for the inside of a C comment: printable ASCII, no delimiters, no trigraphs."""
    cleaned = "".join(c if " " <= c <= "~" else "?" for c in text[:limit]).replace("\\", "/")
    return re.sub(r"\?+", "?", cleaned).replace("*/", "* /").replace("/*", "/ *")


def markdown_code(text: str) -> str:
    """`text` as Markdown code, inside a table or not: nothing in it is markup."""
    return f"`{text.replace('`', chr(39)).replace('|', '/')}`"
