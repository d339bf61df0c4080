"""Video4Linux2: raw structures, functions that take a file descriptor, and a thin device class."""
