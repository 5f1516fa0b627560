"""The colours of scores and of differences, as plain stops for figures and pages alike. Pure.

A colour between two stops is mixed of both in sRGB, stops standing at even distances.
"""

from typing import Literal

Palette = Literal["published", "safe"]

PALETTES: dict[Palette, tuple[str, ...]] = {
    "published": ("#F0496E", "#EBB839", "#0CD79F"),
    "safe": (
        "#00224E", "#1A386F", "#434E6C", "#61656F", "#7D7C78", "#9B9476", "#BCAE6C", "#DEC958",
        "#FEE838",
    ),
}  # fmt: skip
"""From no fact found (0) to all found (1).

``published`` is the published charts' colours. ``safe`` is cividis (Nunez, Anderton and Renslow
2018, doi:10.1371/journal.pone.0199239): its lightness rises evenly, so that it keeps its order for
every kind of vision and in grey print, and it runs from blue to yellow, which the common kinds of
colour blindness tell apart.
"""

DIFFERENCES: dict[Palette, tuple[str, ...]] = {
    "published": ("#F0496E", "#F0EDE6", "#0CD79F"),
    "safe": ("#B35806", "#F1A340", "#FEE0B6", "#F0F0F0", "#D1E5F0", "#67A9CF", "#2166AC"),
}
"""From -100 points by way of none to +100 points.

``safe`` runs from orange to blue (ColorBrewer's PuOr and RdBu, one arm of each), its lightness
falling alike on either side.
"""
