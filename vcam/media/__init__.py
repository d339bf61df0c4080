"""The ffmpeg program: where it is, what a file holds, frames read from it, one process that is fed, kinds of file."""
