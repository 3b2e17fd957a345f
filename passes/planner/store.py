"""Plans as JSON data, so that a library can be made again without searching for its plan again."""

from __future__ import annotations

from typing import Any

from .types import Place, Plan, Stage, Step


def to_data(plan: Plan) -> dict[str, Any]:
    """A plan as numbers, texts, lists and mappings."""
    return {
        "steps": [[s.op, s.kernel, _place(s.scratch)] for s in plan.steps],
        "places": {name: _place(place) for name, place in plan.places.items()},
        "states": dict(plan.states),
        "arena_bytes": plan.arena_bytes,
        "arenas": dict(plan.arenas),
        "arenas_optimal": plan.arenas_optimal,
        "channel_blocks": [list(b) for b in plan.channel_blocks],
        "state_bytes": plan.state_bytes,
        "bounds": [plan.lower_bound_bytes, plan.order_peak_bytes, plan.order_bound_bytes],
        "stages": [
            {
                "ops": list(s.ops),
                "rings": dict(s.rings),
                "units": dict(s.units),
                "held": sorted(s.held),
                "fed": s.fed,
                "upwards": s.upwards,
                "strips": [{v: list(c) for v, c in strip.items()} for strip in s.strips],
            }
            for s in plan.stages
        ],
    }


def from_data(data: Any) -> Plan:
    """The plan again; whether it is right is for the checker to say.

    Raises ValueError, KeyError, TypeError or AttributeError for anything that is none.
    """
    bound, peak, order_bound = (int(n) for n in data["bounds"])
    return Plan(
        steps=tuple(Step(str(op), str(kernel), _read_place(place)) for op, kernel, place in data["steps"]),
        places={str(name): _some(_read_place(place)) for name, place in data["places"].items()},
        states={str(name): int(offset) for name, offset in data["states"].items()},
        arena_bytes=int(data["arena_bytes"]),
        state_bytes=int(data["state_bytes"]),
        lower_bound_bytes=bound,
        order_peak_bytes=peak,
        order_bound_bytes=order_bound,
        stages=tuple(_read_stage(stage) for stage in data["stages"]),
        arenas={str(name): int(size) for name, size in data["arenas"].items()},
        arenas_optimal=bool(data["arenas_optimal"]),
        channel_blocks=tuple((str(name), int(count)) for name, count in data["channel_blocks"]),
    )


def _place(place: Place | None) -> list[str | int] | None:
    return None if place is None else [place.region, place.offset, place.owner]


def _read_place(data: Any) -> Place | None:
    return None if data is None else Place(str(data[0]), int(data[1]), str(data[2]))


def _some(place: Place | None) -> Place:
    if place is None:
        raise ValueError("a value has no place")
    return place


def _read_stage(data: Any) -> Stage:
    return Stage(
        ops=tuple(map(str, data["ops"])),
        rings={str(v): int(n) for v, n in data["rings"].items()},
        units={str(op): int(n) for op, n in data["units"].items()},
        held=frozenset(map(str, data["held"])),
        fed=bool(data["fed"]),
        upwards=bool(data["upwards"]),
        strips=tuple({str(v): (int(a), int(b)) for v, (a, b) in strip.items()} for strip in data["strips"]),
    )
