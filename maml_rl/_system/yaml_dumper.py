"""YAML that reads back as what was written, by YAML 1.1 and by `maml_rl._system.yaml_loader`."""

from typing import Any

import yaml

from maml_rl._system.yaml_loader import PlainLoader


class PlainDumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes strings that the loader would take for something else."""

    yaml_implicit_resolvers = {
        **yaml.SafeDumper.yaml_implicit_resolvers,
        **PlainLoader.yaml_implicit_resolvers,
    }


def dump_yaml(value: object, **layout: Any) -> str:
    """Return plain data as YAML, mappings in their order.

    Args:
        layout: what `yaml.dump` takes.

    Raises:
        yaml.YAMLError: the data is not plain.
    """
    text: str = yaml.dump(value, Dumper=PlainDumper, sort_keys=False, **layout)
    return text
