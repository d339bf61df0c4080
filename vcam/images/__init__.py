"""Pictures in files: one way to read them all, whatever their format, depth, colours or orientation.

kinds     which files are pictures: by their content, then by their suffix
opening   the one door to Pillow: whatever goes wrong behind it is an `InputError`
samples   every depth and mode as 8 bits of grey or RGB, with alpha, upright
profiles  colours of other spaces as sRGB
heif      HEIC, which programs of their own decode
reader    a file as BGR, as RGBA, as a matte
planes    pictures as frames, and back
writing   a picture as a file
"""

from vcam.images.kinds import Kind, kind_of, pictures_in, written_suffix
from vcam.images.opening import MAX_PIXELS, enough_memory, is_out_of_memory, open_into, open_picture, reading
from vcam.images.planes import between_maps, bgr_to_frame, frame_to_bgr, place_map
from vcam.images.reader import Raw, flattened, is_moving, moves, read_image, read_raw, read_rgba, read_turned
from vcam.images.samples import levels, turned_samples
from vcam.images.writing import write_image

__all__ = [
    "MAX_PIXELS",
    "Kind",
    "Raw",
    "between_maps",
    "bgr_to_frame",
    "enough_memory",
    "flattened",
    "frame_to_bgr",
    "is_moving",
    "is_out_of_memory",
    "kind_of",
    "levels",
    "moves",
    "open_into",
    "open_picture",
    "pictures_in",
    "place_map",
    "read_image",
    "read_raw",
    "read_rgba",
    "read_turned",
    "reading",
    "turned_samples",
    "write_image",
    "written_suffix",
]
