"""Sources of pictures with mattes, one format a file, and the table of them in `registry`."""
