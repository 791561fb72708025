"""Praat's own spelling of letters beyond ASCII: a backslash and two characters, such as \\ae for æ ("trigraphs").

Praat shows and saves labels in this spelling unless it is told otherwise; two spellings of one phone are two phones.
From the lists in Praat's manual ("Special symbols", "Phonetic symbols"); mathematics and Hebrew are left out.
"""

import re
import unicodedata

# Two characters and the letter that they stand for.
LETTERS = r"""
'1ˈ '2ˌ .fˑ 9-ʢ 9eʕ :fː ?-ʡ ?gʔ A"Ä A'Á A;Ą A^Â A`À AeÆ AlΑ AoÅ A~Ã BeΒ C'Ć C,Ç C<Č CiΧ D-Đ D<Ď DeΔ E"Ë E'É E;Ę
E<Ě E^Ê E`È EpΕ EtΗ FiΦ G<Ǧ G^ʛ GaΓ I"Ï I'Í I^Î I`Ì IoΙ KaΚ L/Ł LaΛ MuΜ N'Ń N<Ň NuΝ N~Ñ O"Ö O'Ó O.ʘ O/Ø O:Ő O^Ô
O`Ò Oeɶ OmΩ OnΟ O~Õ PiΠ PsΨ R<Ř RoΡ S'Ś S<Š SiΣ T<Ť TaΤ TeΘ ThÞ U"Ü U'Ú U:Ű U^Û U`Ù UoŮ UpΥ XiΞ Y"Ÿ Y'Ý Z!Ż Z'Ź
Z<Ž ZeΖ ^9ˁ ^?ˀ ^Gᶭ ^Hʱ ^Mᵚ ^Nᵑ ^Yᶣ ^fᶠ ^gˠ ^hʰ ^jʲ ^lˡ ^mᵐ ^nⁿ ^sˢ ^wʷ ^xˣ ^yʸ a"ä a'á a;ą a^â a`à abɒ aeæ alα
aoå apʼ asɑ atɐ ayɒ a~ã b^ɓ bcʙ beβ bfβ c'ć c,ç c<č ccɕ cfχ ciχ ctɔ d-đ d.ɖ d<ď d^ɗ deδ dhð e"ë e'é e-ɘ e;ę e<ě
e^ê e`è efɛ epε erɜ etη f.ɽ f2ϕ fdƒ ffɸ fhɾ fiφ g<ǧ g^ɠ gaγ gcɢ gfɣ gsɡ h-ħ h^ɦ hcʜ hjɧ hr˞ hsʊ htɥ i"ï i'í i-ɨ
i^î i`ì icɪ idɿ ioι irʅ j-ɟ j^ʄ jcʝ kaκ kbɞ l-ɬ l.ɭ l/ł laλ lcʟ lzɮ l~ɫ mjɱ mlɰ mtɯ muμ n'ń n.ɳ n<ň ncɴ ngŋ njɲ
nuν n~ñ o"ö o'ó o-ɵ o/ø o2ϖ o:ő o^ô o`ò oeœ omω onο o~õ piπ psψ r.ɻ r<ř rcʀ rhɤ riʁ rlɺ roρ rtɹ s'ś s.ʂ s2ς s<š
shʃ siσ srɚ ssß swə t.ʈ t2ϑ t<ť tSʧ taτ teθ tfθ thþ tsʦ u"ü u'ú u-ʉ u:ű u^û u`ù uoů upυ vsʋ vtʌ wtʍ xiξ
y"ÿ y'ý ycʏ ytʎ z!ż z'ź z.ʐ z<ž zcʑ zeζ zhʒ |-ǂ |1ǀ |2ǁ bs\
"""
MARKS = {  # combined with the letter before
    "'^": "\u0301",  # combining acute accent
    "+v": "\u031f",  # combining plus sign below
    "-^": "\u0304",  # combining macron
    "-v": "\u0320",  # combining minus sign below
    "0^": "\u030a",  # combining ring above
    "0v": "\u0325",  # combining ring below
    "3v": "\u0339",  # combining right half ring below
    ":^": "\u0308",  # combining diaeresis
    ":v": "\u0324",  # combining diaeresis below
    "Dv": "\u033b",  # combining square below
    "N^": "\u0306",  # combining breve
    "Nv": "\u032a",  # combining bridge below
    "T(": "\u0318",  # combining left tack below
    "T)": "\u0319",  # combining right tack below
    "T^": "\u031d",  # combining up tack below
    "Tv": "\u031e",  # combining down tack below
    "Uv": "\u033a",  # combining inverted bridge below
    "^^": "\u0302",  # combining circumflex accent
    "`^": "\u0300",  # combining grave accent
    "cn": "\u031a",  # combining left angle above
    "cv": "\u031c",  # combining left half ring below
    "li": "\u0361",  # combining double inverted breve
    "nv": "\u032f",  # combining inverted breve below
    "v^": "\u030c",  # combining caron
    "|v": "\u0329",  # combining vertical line below
    "~<": "\u0334",  # combining tilde overlay
    "~^": "\u0303",  # combining tilde
    "~v": "\u0330",  # combining tilde below
}
TRIGRAPHS = {entry[:2]: entry[2:] for entry in LETTERS.split()} | MARKS
KNOWN = re.compile(r"\\(" + "|".join(map(re.escape, TRIGRAPHS)) + ")")


def decoded(label: str) -> str:
    """The label in letters, composed where there is a composed one (NFC); unknown backslashes stay."""
    return unicodedata.normalize("NFC", KNOWN.sub(lambda found: TRIGRAPHS[found[1]], label))


def encoded(label: str) -> str:
    """The label as Praat is given it: a backslash that would be read as a letter's beginning is written as one."""
    return KNOWN.sub(lambda found: rf"\bs{found[1]}", label)
