"""PipeWire by its C library: what vcam uses of it, and nothing that has to be built."""
