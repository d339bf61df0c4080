"""vcam, the virtual camera that Linux deserves."""

__version__ = "0.1.0"
