"""How little RAM the reference models should need: what memory.md compares the fronts with."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Limit:
    """Bytes of RAM to reach with at most `mac_factor` times the multiply-accumulates of the model."""

    ram_bytes: int
    mac_factor: float = inf


@dataclass(frozen=True)
class Target:
    """What one model should reach.

    inputs   ways to give the input that count; without "arena" the image is not part of the RAM
    must     what is asked, None where only `aim`, what would be good, is
    """

    model: str
    inputs: tuple[str, ...]
    must: Limit | None
    aim: Limit

    @property
    def limits(self) -> tuple[Limit, ...]:
        return (self.must, self.aim) if self.must else (self.aim,)


_EXCLUDED = ("extern", "rows")
_INCLUDED = ("arena",)

TARGETS = (
    Target("chain_mbv2_w035_r144", _EXCLUDED, Limit(24_500, 1.0), Limit(20_500, 1.0)),
    Target("chain_mbv2_w035_r144", _EXCLUDED, Limit(15_000, 1.1), Limit(13_000, 1.1)),
    Target("chain_mcunet_vww5_r80", _EXCLUDED, Limit(17_600, 1.0), Limit(15_000, 1.0)),
    Target("chain_mcunet_vww5_r80", _EXCLUDED, Limit(12_800, 1.1), Limit(9_000, 1.35)),
    Target("chain_mcunet_320k_r176", _EXCLUDED, Limit(66_000, 1.0), Limit(58_000, 1.0)),
    Target("chain_mcunet_320k_r176", _EXCLUDED, Limit(52_000, 1.35), Limit(42_000, 1.35)),
    Target("mbv2_w100_r224", _EXCLUDED, Limit(142_000, 1.0), Limit(122_000, 1.0)),
    Target("mbv2_w100_r224", _EXCLUDED, None, Limit(80_000, 1.3)),
    Target("mbv2_w035_r144", _INCLUDED, Limit(74_000), Limit(67_000)),
    Target("vww_96_int8", _INCLUDED, Limit(31_000), Limit(29_000)),
    Target("vww_96_int8", ("rows",), Limit(15_000), Limit(13_500)),
    Target("pretrainedResnet_quant", _INCLUDED, Limit(28_000, 1.0), Limit(25_000, 1.0)),
    Target("pretrainedResnet_quant", _INCLUDED, Limit(18_000), Limit(14_000)),
    Target("kws_ref_model", _INCLUDED, Limit(9_500, 1.0), Limit(8_500, 1.0)),
    Target("kws_ref_model", _INCLUDED, Limit(6_000), Limit(4_500)),
    Target("ad01_int8", _INCLUDED, Limit(900), Limit(768)),
)

INPUTS = {
    "ad01_int8": _INCLUDED,
    "kws_ref_model": _INCLUDED,
    "pretrainedResnet_quant": _INCLUDED,
    "vww_96_int8": ("arena", "extern", "rows"),
    "chain_mcunet_vww5_r80": _EXCLUDED,
    "chain_mbv2_w035_r144": _EXCLUDED,
    "mbv2_w035_r144": ("arena", "extern"),
    "chain_mcunet_320k_r176": ("extern",),
    "mbv2_w100_r224": ("extern",),
}
"""The reference models and the inputs they are measured with."""
