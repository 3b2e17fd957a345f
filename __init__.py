"""Patchloom: the open compiler that puts neural networks on microcontrollers."""

__version__ = "0.1.0"
