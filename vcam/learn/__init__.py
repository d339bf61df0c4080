"""`vcam learn`: the network that vcam ships, taught the user's own room and face from half a minute of film.

footage    films as frames, the first half to learn from, the second to measure by
recording  the two films, taken with the camera
checks     what makes a film useless, told before time is spent on it
labels     where the person is in each frame: by a teacher, the empty room, and the user's own strokes
strokes    those strokes, and the frames to draw them on
others     pictures of other people, so that they are not forgotten
training   batches, and the training itself
judging    better on you, not worse on others?
sheet      before and after, side by side
keeping    the network put in its place, and taken out again
lesson     all of that in its order
"""
