"""Outputs that an encoder makes: files, streams, recordings."""
