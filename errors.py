"""The errors a person sees: one clear message, never a traceback."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Bad input or a "no" of the tool; the command line prints it and exits with `exit_code`.

    exit_code  2 for bad input, 1 when the answer is "no" (does not fit, not bit-exact)
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str = "",
        found: str = "",
        accepted: str = "",
        hint: str = "",
        exit_code: int = 2,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.found = found
        self.accepted = accepted
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        lines = [self.message]
        for label in ("rule", "found", "accepted", "hint"):
            if text := getattr(self, label):
                lines.append(f"  {label:<9}{text}")
        return "\n".join(lines)


class UnknownInput(UserError):
    """A shape was given for `name`, which is no input of the model."""

    def __init__(self, message: str, name: str, *, accepted: str, hint: str) -> None:
        super().__init__(message, accepted=accepted, hint=hint)
        self.name = name


@dataclass(frozen=True)
class Violation:
    """One rule that one op breaks. `op` reads like `op 7 CONV_2D "conv_4"`."""

    op: str
    rule: str
    found: str
    hint: str = ""


class UnsupportedModel(UserError):
    """Everything in a model that cannot be compiled, reported at once."""

    def __init__(self, source: str, violations: list[Violation], total_ops: int) -> None:
        self.violations = tuple(violations)
        blocks = [
            str(UserError(f"{source}: {v.op} cannot be compiled", rule=v.rule, found=v.found, hint=v.hint))
            for v in violations
        ]
        count = len({v.op for v in violations})
        blocks.append(f"{count} of {total_ops} ops are unsupported")
        super().__init__("\n".join(blocks))
