"""The life of the process that serves the virtual camera."""
