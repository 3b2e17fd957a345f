"""Graphs as files of other tools, and those tools as outside references."""
