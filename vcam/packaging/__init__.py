"""What makes the packages that people install; it does not travel in them. See docs/packaging.md."""
