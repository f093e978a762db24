"""The table: what every received object is, in the words of a radiographer. The first row that holds decides."""

from typing import Final

from agent.core.role_rules.every import DOCUMENTS, FIRST, OTHERS
from agent.core.role_rules.magnetic import MAGNETIC
from agent.core.role_rules.mammography import MAMMOGRAPHY, is_implant_displaced
from agent.core.role_rules.slides import SLIDES
from agent.core.role_rules.ultrasound import ULTRASOUND
from agent.core.roles import RoleTable

__all__ = ["BUILT_IN", "FIRST", "RULES", "is_implant_displaced"]

RULES: Final = (*DOCUMENTS, *MAMMOGRAPHY, *ULTRASOUND, *MAGNETIC, *SLIDES, *OTHERS)
"""Behind `FIRST` and a site's own rules."""

BUILT_IN: Final = RoleTable(FIRST, RULES)
"""The table of a site without rules of its own."""
