"""Where every PCI device of a virtual machine will sit, and how much room is left."""

from pcisim.address import PciAddress
from pcisim.errors import PcisimError
from pcisim.guest import Guest
from pcisim.plan import Plan, assign, assign_xml

__version__ = "0.1.0"
__all__ = ["Guest", "PciAddress", "PcisimError", "Plan", "assign", "assign_xml"]
