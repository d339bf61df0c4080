"""The person as what differs from the empty room: subtraction, and what it has learnt of the room."""
