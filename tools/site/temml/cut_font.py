#!/usr/bin/env python3
"""Cut ../_static/stix-two-math.woff2 from STIX Two Math: the letters and signs that a lesson may use.

    python cut_font.py stix-two-math-latin-400-normal.woff2   (of the npm package @fontsource/stix-two-math@5.3.0)

Needs fonttools and brotli. Two things are changed for MathML in browsers: all sizes of the root are as wide as the smallest,
since Chromium keeps room for the widest; the prime is lowered, since it stands in a superscript already."""
import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

UNICODES = """20-7E A0-FF 2C6 2DC 302-304 307 308 20D7 391-3F6 2016 2020-2026 2032-2034 203E 2061-2064 210B-2113 211B-211D 2102 210E
    2115 2119 211A 2124 2190-2194 21A6 21D0-21D4 2200-220F 2211-221E 2223-222B 223C 2245 2248 2260-2267 226A 226B 2282-2287
    2295-2299 22A4 22A5 22C5 22EE-22F1 2308-230B 27E8 27E9 1D400-1D467 1D49C-1D4B5 1D538-1D551 1D6A4 1D6A5 1D6FC-1D71B"""


def redraw(font, name, transform, advance):
    "Replace a glyph by itself transformed, with another advance"
    pen = TTGlyphPen(None)
    font.getGlyphSet()[name].draw(TransformPen(pen, transform))
    font["glyf"][name] = glyph = pen.glyph()
    glyph.recalcBounds(font["glyf"])
    font["hmtx"][name] = (advance, glyph.xMin)


def main():
    options = subset.Options(flavor="woff2", hinting=False, notdef_outline=True, layout_features=["ssty", "dtls"])
    font = subset.load_font(sys.argv[1], options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[o for a in UNICODES.split() for o in range(int(a.split("-")[0], 16), int(a.split("-")[-1], 16) + 1)])
    cut.subset(font)
    root, prime = (font.getBestCmap()[o] for o in (0x221A, 0x2032))
    variants = font["MATH"].table.MathVariants
    made = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(root)]
    width = font["hmtx"][root][0]
    larger = {o.VariantGlyph for o in made.MathGlyphVariantRecord} | {o.glyph for o in made.GlyphAssembly.PartRecords}
    for o in larger - {root}: redraw(font, o, (width/font["hmtx"][o][0], 0, 0, 1, 0, 0), width)
    redraw(font, prime, (1.35, 0, 0, 1.35, 0, -640), round(1.35*font["hmtx"][prime][0]))
    subset.save_font(font, str(Path(__file__).parents[1]/"_static"/"stix-two-math.woff2"), options)


if __name__ == "__main__": main()
