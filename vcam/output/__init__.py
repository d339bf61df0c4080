"""Where frames go: virtual camera, file, window, standard output."""
