"""For the Makefile: checks config files, the workflow's own first, and prints the run's name."""

import sys

from gaia_offsets.core.files import WORKFLOW
from gaia_offsets.engine.config.complete import resolve
from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.engine.config.read import choose_samples, load_yaml, run_name

try:
    config = load_yaml(WORKFLOW / "settings.yaml", *sys.argv[1:])
    choose_samples(config, sys.argv[2:], sys.argv[1])
    resolve(config, load_yaml(WORKFLOW / "schemas/config.schema.yaml"))
    print(run_name(config, sys.argv[2:], sys.argv[1]))
except ConfigError as error:
    sys.exit(str(error))
