"""Architectures, one file each. `registry` lists them and builds them by name.

Each takes float32 (N, channels, height, width) and gives logits (N, 1 or 2, height, width): of the person, or of
background and person. `layers.probability` makes 0..1 of both kinds.
"""
