"""Prints the JSON Schema of the manifest: python -m connector.manifest > connector/manifest.schema.json"""

import json
import sys

from connector.manifest.document import schema

sys.stdout.write(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
