"""Kernel variants for instruction sets, one file per folder of runtime_c/; contracts as the portable ones."""
