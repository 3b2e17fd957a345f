"""Reading of TOML tables against a schema; every problem of a file is reported, not only the first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError


@dataclass(frozen=True)
class Key:
    """One key of a table.

    kind      str, int, bool, float (an integer is accepted), or list (of strings)
    default   what a missing key means; a required key has none
    accepted  the allowed values (of each item, for a list); empty allows all
    minimum   the smallest number allowed, the smallest number of items or characters
    """

    kind: type
    required: bool = True
    default: Any = None
    accepted: tuple[str, ...] = ()
    minimum: float = 0


_KIND_NAMES = {
    str: "text",
    int: "an integer",
    bool: "true or false",
    float: "a number",
    list: "a list of texts",
}


class Reader:
    """Reads tables of one file and gathers what is wrong with them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._problems: list[UserError] = []

    def problem(self, where: str, what: str, *, found: str = "", accepted: str = "", hint: str = "") -> None:
        """Note that the key `where` breaks the rule `what`."""
        message = f"{self._source}: {where}"
        self._problems.append(UserError(message, rule=what, found=found, accepted=accepted, hint=hint))

    def finish(self) -> None:
        """Raise a UserError with all problems noted so far, if there are any."""
        if len(self._problems) == 1:
            raise self._problems[0]
        if self._problems:
            raise UserError("\n".join(str(p) for p in self._problems))

    def table(self, data: object, schema: Mapping[str, Key], prefix: str = "") -> dict[str, Any] | None:
        """The values of the table `data` by key, or None (and problems noted) where it breaks the schema."""
        if not isinstance(data, dict):
            self.problem(prefix.rstrip(".") or "file", "must be a table", found=repr(data))
            return None
        before = len(self._problems)
        for name in sorted(data.keys() - schema.keys()):
            self.problem(prefix + name, "unknown key", accepted=", ".join(schema))
        values = {name: self._value(data, name, key, prefix) for name, key in schema.items()}
        return values if len(self._problems) == before else None

    def tables(self, data: object, schema: Mapping[str, Key], name: str) -> list[dict[str, Any]]:
        """The well-formed tables of the array of tables `[[name]]`."""
        if not isinstance(data, list) or not data:
            self.problem(name, f"needs at least one [[{name}]] table", found=repr(data))
            return []
        read = [self.table(item, schema, f"{name}[{index}].") for index, item in enumerate(data)]
        return [values for values in read if values is not None]

    def _value(self, data: Mapping[str, object], name: str, key: Key, prefix: str) -> Any:
        where = prefix + name
        if name not in data:
            if key.required:
                self.problem(where, "required key is missing", accepted=_KIND_NAMES[key.kind])
            return key.default
        value = data[name]
        if not _is_kind(value, key.kind):
            self.problem(where, "wrong type", found=repr(value), accepted=_KIND_NAMES[key.kind])
            return key.default
        self._check_value(where, value, key)
        return float(value) if key.kind is float else value  # type: ignore[arg-type]

    def _check_value(self, where: str, value: Any, key: Key) -> None:
        size = value if key.kind in (int, float) else len(value) if key.kind in (str, list) else key.minimum
        if size < key.minimum:
            unit = " characters" if key.kind is str else " items" if key.kind is list else ""
            self.problem(where, f"must be at least {key.minimum:g}{unit}", found=repr(value))
        items = value if key.kind is list else [value]
        wrong = [item for item in items if key.accepted and item not in key.accepted]
        if wrong:
            self.problem(where, "value not known", found=", ".join(wrong), accepted=", ".join(key.accepted))


def _is_kind(value: object, kind: type) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int | float)
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, kind)


def parse(path: Path, source: str) -> dict[str, Any]:
    """The TOML document at `path`. Raises UserError where it cannot be read or is no TOML."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe or a device may never end
        raise UserError(f"{source}: is not a regular file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{source}: cannot be read", found=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: is not UTF-8 text", found=str(error)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{source}: is not valid TOML", found=str(error)) from error
