"""Names from model files made safe for C: ASCII letters, digits and underscores, never two alike."""

from __future__ import annotations

import re

_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "bool true false class new delete this private public protected template typename namespace operator try "
    "catch throw using virtual friend export asm and or not xor main".split()
)


def identifier(text: str, fallback: str = "x", limit: int = 40) -> str:
    """`text` as a lower-case C identifier of at most `limit` characters that is no C or C++ keyword."""
    name = re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", text.lower())).strip("_")[:limit].strip("_")
    if not name:
        name = fallback
    if name[0].isdigit() or name in _KEYWORDS:
        name = f"m_{name}"
    return name


def unique(names: list[str]) -> list[str]:
    """The same names, later ones that repeat an earlier one numbered: a, b, a -> a, b, a_2."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, n = name, 1
        while candidate in taken:
            n += 1
            candidate = f"{name}_{n}"
        taken.add(candidate)
        result.append(candidate)
    return result


def comment_text(text: str, limit: int = 80) -> str:
    """`text` fit for the inside of a C comment on one line: printable ASCII, no comment delimiters."""
    cleaned = "".join(c if " " <= c <= "~" else "?" for c in text)[:limit]
    return cleaned.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "?")
