"""From a small probability map to a full-size alpha."""
