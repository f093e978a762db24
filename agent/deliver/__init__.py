"""The last room: the outbox on its way, and the proof that it arrived."""
