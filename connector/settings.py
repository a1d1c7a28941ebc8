"""The only reader of the environment and of connections.yaml; secrets never appear in a repr."""
from dataclasses import dataclass
@dataclass(frozen=True)
class Settings: ...
