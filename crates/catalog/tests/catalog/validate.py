"""Holds events, one JSON object a line on standard input, against the schemas in the directory that is named.

Prints what is wrong and ends with 1; else the types that were seen, by name.
"""

import json
import pathlib
import sys

import jsonschema

schemas = {path.stem: json.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).glob("*.json")}
by_id = {schema["$id"]: schema for schema in schemas.values()}
checker = jsonschema.FormatChecker()


def validator(schema):
    """The library of Debian 12 does not know registries; newer ones advise against resolvers."""
    try:
        import referencing
    except ImportError:
        resolver = jsonschema.RefResolver(schema["$id"], schema, store=by_id)
        return jsonschema.Draft202012Validator(schema, resolver=resolver, format_checker=checker)
    resources = ((name, referencing.Resource.from_contents(one)) for name, one in by_id.items())
    registry = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(schema, registry=registry, format_checker=checker)


for schema in schemas.values():
    jsonschema.Draft202012Validator.check_schema(schema)

seen, wrong = set(), 0
for line in sys.stdin:
    event = json.loads(line)
    kind = event["type"]
    if kind not in schemas:
        print(f"{kind} has no schema")
        wrong += 1
        continue
    seen.add(kind)
    for error in validator(schemas[kind]).iter_errors(event):
        print(f"{event['id']}: {error.json_path}: {error.message}")
        wrong += 1
if wrong:
    sys.exit(1)
print(" ".join(sorted(seen)))
