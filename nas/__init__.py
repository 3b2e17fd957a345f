"""Search for networks that fit a board: the compiler decides what fits, before anything is trained."""
