"""The virtual camera: a loopback device, and what it is given."""
