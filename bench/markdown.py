"""The pieces of Markdown that the report is made of."""


def table(head, rows):
    return "\n".join(["| %s |" % " | ".join(row) for row in [head, ["---"] * len(head), *rows]]) + "\n"


def spread(found, digits=2):
    """(median, least, most), or nothing."""
    return "%.*f (%.*f–%.*f)" % (digits, found[0], digits, found[1], digits, found[2]) if found else ""
