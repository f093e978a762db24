"""The table of roles of this site: the built-in rules, and those of config.yaml before them."""

from agent.config import Config
from agent.core.role_rules import FIRST, RULES
from agent.core.roles import RoleTable, SiteRule


def build_role_table(config: Config) -> RoleTable:
    """Join the site's rules to the built-in ones."""
    site = tuple(
        SiteRule(rule.modality, rule.match, "" if rule.role == "refused" else rule.role, rule.reason)
        for rule in config.roles
    )
    return RoleTable(FIRST, RULES, site)
