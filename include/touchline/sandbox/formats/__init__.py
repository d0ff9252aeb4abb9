"""The wire formats of the providers, each told from the same almanac."""

from __future__ import annotations

from typing import Protocol

from touchline.sandbox.answer import Answer, Asked, Present


class Format(Protocol):
    """One provider's side of the conversation. Answers follow from the arguments alone."""

    def answer(self, asked: Asked, present: Present) -> Answer:
        """What the provider answers at `present.now`; nothing later than that moment is told."""
