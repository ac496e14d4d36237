"""How plays travel between steps: as the bytes of their message.

The form is the one that Pub/Sub carries, so a running job can be updated to a version with new optional fields.
"""

from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry

from pipelines.domain.play import Play, from_message


class PlayCoder(Coder):
    """A play as its message's data. Deterministic: the same play gives the same bytes."""

    def encode(self, value: Play) -> bytes:
        """The play's fields as JSON, in the schema's order."""
        return value.to_message()[0]

    def decode(self, encoded: bytes) -> Play:
        """The play that was encoded, by this version or an older one."""
        return from_message(encoded)

    def is_deterministic(self) -> bool:
        """True, since fields are always written in the same order."""
        return True

    def to_type_hint(self) -> type[Play]:
        """The type that Beam chooses this coder for."""
        return Play


registry.register_coder(Play, PlayCoder)
