"""Stages: ops that run together row by row, so that maps between them are never whole."""
