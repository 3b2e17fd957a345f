"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_MODELS = Path(__file__).resolve().parent.parent.parent / "shared" / "models"


@pytest.fixture
def shared_models() -> Path:
    """The folder of reference models beside the repository; the test is skipped where it is absent."""
    if not SHARED_MODELS.is_dir():
        pytest.skip(f"reference models are not there: {SHARED_MODELS}")
    return SHARED_MODELS
