"""Filters: what is done to the matte, the person, the background and the finished picture."""
