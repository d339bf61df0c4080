"""A page that does vcam's main job in any browser, with nothing installed: a folder of files for any web server."""
