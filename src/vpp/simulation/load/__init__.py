"""Loads: homes, businesses, data centres, electric cars, heat pumps and machines that can wait."""

from vpp.simulation.load.business import OFFICE, PLANT, SHAPES, SHOP, BusinessLoad, BusinessShape, business_load
from vpp.simulation.load.data_centre import DataCentre, DataCentreLoad, data_centre_load
from vpp.simulation.load.deferrable import DeferrableRuns, deferrable_load
from vpp.simulation.load.ev import EvCharging, EvSessions, charge_step, ev_charging, ev_sessions
from vpp.simulation.load.ev_settings import HOME, WORKPLACE, EvSettings, SessionShape
from vpp.simulation.load.house import HeatPumpLoad, House, cop_of_air_source, heat_pump_load
from vpp.simulation.load.household import HouseholdLoad, household_load
from vpp.simulation.load.household_settings import Appliance, HouseholdSettings
from vpp.simulation.load.one_house import one_heat_pump

__all__ = [
    "HOME",
    "OFFICE",
    "PLANT",
    "SHAPES",
    "SHOP",
    "WORKPLACE",
    "Appliance",
    "BusinessLoad",
    "BusinessShape",
    "DataCentre",
    "DataCentreLoad",
    "DeferrableRuns",
    "EvCharging",
    "EvSessions",
    "EvSettings",
    "HeatPumpLoad",
    "House",
    "HouseholdLoad",
    "HouseholdSettings",
    "SessionShape",
    "business_load",
    "charge_step",
    "cop_of_air_source",
    "data_centre_load",
    "deferrable_load",
    "ev_charging",
    "ev_sessions",
    "heat_pump_load",
    "household_load",
    "one_heat_pump",
]
