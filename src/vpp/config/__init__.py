"""Configuration: the plant file and the built-in plants, typed and validated, all faults at once."""

from vpp.config.builtin import BUILTIN_PLANTS
from vpp.config.report import ConfigIssue, ConfigReport
from vpp.config.vpp_config import VPPConfig

__all__ = ["BUILTIN_PLANTS", "ConfigIssue", "ConfigReport", "VPPConfig"]
