"""JSON Schema of flow files, for editors: what may stand where, as far as a schema can say it.

The checker says the rest. What the schema refuses the checker refuses too, except for one difference between readers
of YAML: an editor takes `+49170` without quotes for a number, where flows have text.
"""

from connector.flow_schema.document import DRAFT, build
from connector.flow_schema.operations import Offer, offers

__all__ = ["DRAFT", "Offer", "build", "offers"]
