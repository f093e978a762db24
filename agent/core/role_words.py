"""The words by which descriptions tell what an image shows: English, German, French, Spanish and some neighbours.

A word stands for itself; one with a star stands for every word that begins so. Texts are compared without accents,
case and punctuation.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final


def plain(text: str) -> str:
    """Return a text in lower case, without accents, every run of other signs than letters and digits as one space."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", bare).strip()


@lru_cache(maxsize=16384)
def _found(pattern: re.Pattern[str], text: str) -> bool:
    """Search once for what every image of a series says."""
    return pattern.search(plain(text)) is not None


@dataclass(frozen=True, slots=True)
class Words:
    """A list of words with the name that a person would give it."""

    name: str
    words: tuple[str, ...]
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        alternatives = "|".join(re.escape(w.rstrip("*")) + ("" if w.endswith("*") else r"\b") for w in self.words)
        object.__setattr__(self, "_pattern", re.compile(rf"\b(?:{alternatives})"))

    def within(self, text: str) -> bool:
        """Whether a text holds one of them."""
        return bool(text) and _found(self._pattern, text)

    def among(self, texts: Iterable[str], but_not: "Words | None" = None) -> bool:
        """Whether one of the texts holds one of them, and none of others."""
        return any(self.within(text) and not (but_not and but_not.within(text)) for text in texts)


def _words(name: str, text: str) -> Words:
    return Words(name, tuple(word.strip() for word in text.split(",")))


AXILLA: Final = _words(
    "the axilla",
    "axil*, achsel*, aissel*, ascell*, oksel*, pacha, pachy, pachow*, sentinel*, sln, wachterlymph*",
)
LYMPH_NODE: Final = _words(
    "a lymph node",
    "lymph node*, lymphnode*, lymph nod*, lymphknoten*, lymphonod*, node, nodes, nodal, ln, lns, lnn, lk, "
    "ganglion*, ganglio*, adenopath*, lymphadenopath*, adenopatia*, linfonod*, lymfeklier*, lymfkliren*, wezel chlon*, "
    "wezly chlon*",
)
BREAST: Final = _words(
    "the breast",
    "breast*, mamma*, mammo*, mamm*, brust*, sein, seins, mama, mamas, mamario*, mamaria*, seno, borst*, piers, "
    "piersi, nipple*, mamille*, mamelon*, pezon*, areola*, axillary tail*, tail of spence, birads, bi rads",
)
LESION: Final = _words(
    "a lesion",
    "mass, masses, masse, masa, lesion*, lasion*, herd, herde, herdbefund*, tumor*, tumour*, tumeur*, nodul*, "
    "karzinom*, carcinom*, o clock, uhr",
)
OTHER_PART: Final = _words(
    "another part of the body",
    "thyroid*, schilddrus*, thyroi*, tiroid*, neck, hals, cuello, cervic*, supraclavic*, abdom*, liver, leber, foie, "
    "higado, hepat*, kidney*, niere*, renal*, rein, reins, rinon*, bladder, blase, heart, herz*, card*, echocard*, "
    "coeur, corazon, mitral, aort*, lax, valve*, pelvi*, becken*, uter*, ovar*, prostat*, scrot*, testic*, testis, "
    "hoden*, inguin*, groin*, leiste*, knee*, knie*, genou*, rodilla*, shoulder*, schulter*, epaule*, hombro*, hip, "
    "hips, hufte*, hanche*, cadera*, brain*, head, kopf, schadel*, cerebr*, tete, cabeza, craneo, skull, neuro*, "
    "spine*, wirbel*, rachis, columna, lumb*, lws, bws, hws, carotid*, vein*, venous, venen*, fetal, fetus, obstet*, "
    "ankle*, foot, fuss, hand, wrist, elbow, musculoskel*, epicard*, arm, leg, extremit*",
)

SYNTHETIC: Final = _words(
    "a synthetic mammogram",
    "c view, s view, v preview, synth*, generated 2d, insight 2d, intelligent 2d, syn2d, tomo 2d, sm2d",
)
TOMOSYNTHESIS: Final = _words("tomosynthesis", "tomo*, dbt, combo tomo*, 3d mammo*")
SPECIMEN: Final = _words(
    "a specimen", "specimen*, praparat*, piece operatoire*, piece d exerese, pieza*, prelevement*, surgical sample*"
)
INTERVENTION: Final = _words(
    "a needle, a wire or an injected duct",
    "stereo*, biops*, needle*, nadel*, wire*, draht*, markier*, harpon*, reperage*, arpon*, localization*, "
    "localisation*, galacto*, galakto*, ducto*, vacuum*, vakuum*, pneumocyst*",
)
PUNCTURE: Final = _words(  # a clip alone is more often a film
    "a needle, a wire or a clip marker",
    "biops*, microbiops*, macrobiops*, agobiops*, stanzbiops*, stanze*, needle*, nadel*, feinnadel*, stanznadel*, "
    "naald*, aiguille*, aguja*, wire, wires, hookwire*, draht*, markier*, harpon*, reperage*, arpon*, fna, fnac, fnab, "
    "fnp, cnb, paaf, core bx, bx, punktion*, punctie*, ponction*, cytoponct*, cytopunct*, puncion*, aspirat*, "
    "agoaspirat*, ago aspirat*, trucut*, tru cut*, vab, vabb, vacuum*, vakuum*, mammotome*, clip mark*, clipmark*, "
    "marker clip*, post clip*, clip placement*, clip position*, clip deploy*, clip insert*, clip in situ, "
    "clip einlage*, clipeinlage*, clipanlage*, pose de clip*, pose clip*, colocacion de clip*, colocacion clip*, "
    "tissue marker*, magseed*",
)
ELASTOGRAPHY: Final = _words(
    "elastography",
    "elasto*, sonoelasto*, swe, shear wave*, shearwave*, scherwell*, cisaillement*, ondas de corte*, strain, arfi, "
    "virtual touch*, vtq, vtiq",
)
CONTRAST_MAMMOGRAPHY: Final = _words(
    "contrast mammography",
    "cesm, cedm, cem, contrast enhanced*, kontrastmittelmammo*, angiomammo*, recombined*, low energy*, high energy*",
)
SPOT: Final = _words(
    "spot compression", "spot*, compression localisee, compresion focal*, compresion localizada, zielkompress*"
)
MAGNIFICATION: Final = _words("magnification", "magnif*, mag view*, mag, vergrosser*, agrandiss*, agrand, amplia*")
SCOUT: Final = _words(
    "a scout",
    "localizer*, localiser*, scout*, survey*, loc, locs, lokalizer*, lokalisator*, reperage*, localizador*, "
    "3 plane*, 3plane*, three plane*, plan loc*, topogram*, haste loc*",
)
CALIBRATION: Final = _words(
    "a calibration or the tracking of the bolus",
    "calib*, asset cal*, prescan*, ref scan*, sense ref*, smartprep*, care bolus*, bolus track*, test bolus*, "
    "timing bolus*, aascout*",
)
SUBTRACTION: Final = _words(
    "a subtraction", "sub, subs, subtr*, soustr*, sustr*, substr*, resta, sottraz*, sub1*, sub2*, sub3*"
)
PROJECTION: Final = _words("a projection", "mip, mips, tmip, minip, pjn, projection*, projektion*, proyecc*, maxip")
REFORMAT: Final = _words("a reformatted plane", "mpr, mprs, reformat*, refmt*, vrt, curved*, 3d render*")
DIFFUSION: Final = _words(
    "diffusion", "dwi*, diff, diffusion*, difusion*, adc*, eadc, tracew, trace, dti*, ivim, b50*, b800*"
)
MAP: Final = _words(
    "a map that was computed",
    "map, maps, parametric*, wash in*, wash out*, washin*, washout*, ktrans*, pei, mei, ttp, iauc, slope*, cad, "
    "cadstream*, dynacad*, colour*, color*, screen save*, report*",
)
OTHER_WEIGHTING: Final = _words(
    "a weighting other than T1",
    "t2*, stir*, tirm*, flair*, haste*, pd, pdw*, spectro*, mrs, angio*, tof, mt, mtc, silicone*, silikon*, swi, "
    "ssfse*, fiesta*, trufi*, truefisp*, ciss*",
)
