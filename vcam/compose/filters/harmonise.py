"""The person lit like the place: a network says how, and one pass over the person does it."""

from __future__ import annotations

from vcam.compose.filters.adviser import OWN, Asked, Beside, InLine, find_card, open_adviser
from vcam.compose.filters.base import Kind, Number, Pace, Place, Scene, Values, Word
from vcam.compose.filters.composite import SmallComposite
from vcam.compose.filters.course import Changes, Course
from vcam.compose.filters.planes import copy_limited, whole
from vcam.compose.filters.relight import Relight
from vcam.frames import Alpha, Box, Frame
from vcam.types import Size

_PATIENCE = 1.0
"""Seconds for which a network is waited for at the end; it takes some milliseconds, unless it hangs."""


class Harmonise:
    """White-box harmonisation (Ke and others, "Harmonizer", ECCV 2022): a network looks at the composite, small and
    with its matte, and gives the arguments of `vcam.harmony`, which are applied to the person at full size.

    It is shown the person as she is before. Every tenth frame is enough, and one of a new scene: the arguments move
    no pixel of the matte, so those of an earlier frame do. Live, it is asked in a thread and no frame waits for it; in
    files it is asked at once. Before a background that is made from the frame itself there is nothing to be done.
    """

    def __init__(self, values: Values) -> None:
        """Raises `UsageError` or `ModelError` if there is no such network."""
        self._strength, self._smooth = values.number("strength"), values.number("smooth")
        self._pace = values.pace
        self.rests = self._strength == 0
        self._card = None if self.rests else find_card(values.text("model"))
        self._relight = Relight()
        self._asked: Asked | None = None
        self._size: Size = (0, 0)
        self._course = self._begun()

    def _begun(self) -> Course:
        return Course(self._smooth, still=self._pace is Pace.STILL)

    def prepare(self, size: Size) -> None:
        """Raises `EngineError` or `ModelError` if no engine runs the network."""
        if self._card is None:
            return
        if self._asked is None:
            adviser = open_adviser(self._card)
            self._asked = (Beside if self._pace is Pace.LIVE else InLine)(adviser.advise)
        self._size = size
        self._relight.prepare(size)
        self._composite = SmallComposite(size, self._card.input.size)
        self._dressed: Frame | None = None
        self._changes, self._course = Changes(), self._begun()

    def inherit(self, before: object) -> None:
        """See `vcam.compose.filters.base.Inherits`: a value that is moved must not make the person flash."""
        if isinstance(before, Harmonise) and before._card == self._card and before._size == self._size:
            self._course.take_over(before._course)

    def close(self) -> None:
        """See `vcam.compose.filters.base.Closes`: an engine that runs must not lose its process."""
        if self._asked is not None:
            self._asked.wait(_PATIENCE)

    @property
    def in_blend(self) -> bool:
        """See `vcam.compose.filters.base.InBlend`."""
        return self._relight.compiled

    def ready(self, scene: Scene) -> bool:
        """Find the arguments for a frame; whether they change anything."""
        return self._choose(None, scene.alpha.box, scene)

    def blend(
        self, frame: Frame, alpha: Alpha, plate: Frame, out: Frame, *, scales: tuple[float, float, float], lift: int
    ) -> bool:
        """The person in her new light over the plate, in one pass; scales and lift are within that."""
        self._relight.blend(frame, alpha, plate, out)
        return True

    def finish(self, picture: Frame, frame: Frame, alpha: Alpha) -> None:
        """Nothing is left to be done."""

    def dress(self, frame: Frame, picture: Frame, box: Box, scene: Scene) -> bool:
        """See `vcam.compose.filters.base.Dresses`."""
        if not self._choose(None, box, scene):
            return False
        self._relight.apply(frame, picture, scene.alpha.full, box)
        return True

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        """Change the person in place, after other filters."""
        assert scene is not None, "it acts on the person"
        if self._choose(picture, box, scene):
            self._relight.apply(picture, picture, scene.alpha.full, box)

    def _choose(self, picture: Frame | None, box: Box, scene: Scene) -> bool:
        """Find the arguments for a frame; whether they change anything. picture: what others have made of the frame."""
        asked, course = self._asked, self._course
        if asked is None or scene.own_room:
            return False
        new, cut = self._changes.look(scene.frame, scene.plate, scene.version)
        # the frame's own time, by which a film comes out the same every time
        course.frame(scene.frame.timestamp, new=new, cut=cut)
        if course.due and not asked.busy:
            self._ask(asked, picture, box, scene)
        if answer := asked.take():
            course.heard(*answer)
        arguments = course.follow()
        return arguments is not None and self._relight.choose(arguments, self._strength)

    def _ask(self, asked: Asked, picture: Frame | None, box: Box, scene: Scene) -> None:
        person = scene.frame if picture is None else self._whole(picture, box, scene.frame)
        shown = self._composite.make(person, scene.alpha, scene.plate, scene.version)
        # with nobody in view, or nothing behind, the arguments rest
        if shown is not None:
            asked.ask(shown, self._course.scene)
        self._course.asked(in_vain=shown is None)

    def _whole(self, picture: Frame, box: Box, frame: Frame) -> Frame:
        """The picture inside the box, and the frame round it, limited range."""
        if self._dressed is None:
            self._dressed = Frame.allocate(*self._size)
        copy_limited(frame, self._dressed, whole(self._size))
        copy_limited(picture, self._dressed, box)
        return self._dressed


KINDS = (
    Kind(
        "harmonise", "Gives the person the light and colour of the background, by a network.", (Place.PERSON,),
        (
            Number("strength", "0 leaves the person, 1 all that the network says", 1.0, 0, 1),
            Number("smooth", "time in which the light follows the scene", 1.5, 0, 30, "s"),
            Word("model", "the name of a network that harmonises", OWN),
        ),
        Harmonise,
    ),
)  # fmt: skip
