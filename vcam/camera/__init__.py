"""Where frames come from: V4L2 devices, video and picture files, the demo scene."""
