"""What decides: judges turn evidence into verdicts, one file a judge. Listing them imports no NumPy."""

from gifthorse.registry import Row, Table

JUDGES = Table(
    "judge",
    {
        "footprint": Row(
            "gifthorse.judges.footprint:FootprintJudge",
            "attribution",
            2,
            "thesis 4.2: correlation of attribution map and trigger mask",
        ),
        "match": Row(
            "gifthorse.judges.match:MatchJudge",
            "synthesis",
            1,
            "thesis 5.3.2: image-text encoder on the multiple choice; Radford et al. 2021",
        ),
    },
)
"""Judges by name; ``kind`` is the kind of evidence that a judge can score."""
