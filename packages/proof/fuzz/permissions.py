"""The table of who may do what, as the guide has it."""

import re

# The column of each role.
COLUMNS = {"operator": 1, "superuser": 4, "node": -1}


def permissions(path):
    """The cells of `docs/guide/permissions.md`, by operation: nobody, own, another's, nobody's, superuser, node's key."""
    table = {}
    for line in open(path, encoding="utf8"):
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"[a-z][A-Za-z]*\.[a-zA-Z]+", cells[0]):
            table[cells[0]] = cells[1:]
    return table
