"""The names of what a report speaks of: sides, modalities, images and their places, clinical facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.prediction import Side
from agent.report.catalogue import FACT, Catalogue, Language, Plural, plural
from agent.report.catalogue import marked as _

AXILLAE: Final[Mapping[str, str]] = {"L": _("LEFT axilla"), "R": _("RIGHT axilla"), "": _("Side unknown")}
BREASTS: Final[Mapping[str, str]] = {"L": _("LEFT breast"), "R": _("RIGHT breast")}
SIDES: Final[Mapping[str, str]] = {"L": _("left"), "R": _("right")}
MODALITIES: Final[Mapping[str, str]] = {
    "MG": _("mammography"),
    "US": _("ultrasound"),
    "MR": _("MRI"),
    "SM": _("histology"),
    "clinical": _("clinical facts"),
}
IMAGES: Final[Mapping[str, Plural]] = {
    "MG": plural("{count} mammogram", "{count} mammograms"),
    "US": plural("{count} ultrasound image", "{count} ultrasound images"),
    "MR": plural("{count} MR image", "{count} MR images"),
    "SM": plural("{count} slide", "{count} slides"),
}
IMAGE: Final = plural("{count} image", "{count} images")
VIEWS: Final[Mapping[str, str]] = {"MG": _("Mammogram"), "US": _("Ultrasound"), "MR": _("MRI"), "SM": _("Slide")}
ANY_VIEW: Final = _("Image")
LONGEST_NAME: Final = 120  # letters of what a bundle calls an input
BREAST: Final = _("breast")
AXILLA: Final = _("axilla")
FACTS: Final[Mapping[str, str]] = {
    "size_ultrasound_mm": "size on ultrasound",
    "size_mammography_mm": "size on mammography",
    "size_mri_mm": "size on MRI",
    "size_palpation_mm": "size on palpation",
    "size_pathology_mm": "size in pathology",
    "ki67_percent": "Ki-67",
    "er_percent": "ER (%)",
    "pr_percent": "PR (%)",
    "er": "ER",
    "pr": "PR",
    "her2": "HER2",
    "clinical_t": "cT",
    "clinical_n": "cN",
    "clinical_m": "cM",
    "tnm_edition": "TNM edition",
    "multifocal": "multifocality",
    "multicentric": "multicentricity",
    "palpable_tumour": "palpability",
    "aus_cortex_mm": "node cortex on ultrasound",
    "aus_hilum": "node hilum on ultrasound",
    "aus_suspicious_nodes": "suspicious nodes on ultrasound",
    "sentinel_removed": "sentinel nodes removed",
    "sentinel_positive": "sentinel nodes positive",
    "sentinel_largest_metastasis_mm": "largest sentinel metastasis",
    "previous_breast_cancer_side": "side of an earlier breast cancer",
    "previous_axillary_surgery_side": "side of earlier axillary surgery",
    "pregnant": "pregnancy",
    "lactating": "lactation",
    "bi_rads": "BI-RADS",
    "body_mass_index_kg_m2": "body mass index",
    "gene_expression_uri": "gene expression",
}
"""English names of facts where the column's name would read badly."""


def capital(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def cleaned(name: str) -> str:
    """Return a name that a bundle gave as a reader reads it: "radiomics_MG" as "radiomics MG"."""
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in name.replace("_", " ")).split())
    return said if len(said) <= LONGEST_NAME else f"{said[:LONGEST_NAME]}…"


def fact(name: str) -> str:
    """Return the English name of a clinical fact as a reader knows it."""
    return FACTS.get(name, name.replace("_mm", "").replace("_percent", "").replace("_", " "))


@dataclass(frozen=True)
class Names:
    """Names in one language."""

    catalogue: Catalogue

    @property
    def language(self) -> Language:
        """The language in which it is said."""
        return self.catalogue.language

    def gettext(self, msgid: str, **values: object) -> str:
        """Return a string in this language, with `values` at its placeholders."""
        text = self.catalogue.text(msgid)
        return text.format(**values) if values else text

    def listed(self, names: Sequence[str]) -> str:
        """Join names with commas."""
        return ", ".join(names) or self.gettext("none")

    def modality(self, code: str) -> str:
        """Return the name of an input, as it stands within a sentence: its own where we have none for it."""
        return self.gettext(MODALITIES[code]) if code in MODALITIES else cleaned(code)

    def modalities(self, codes: Sequence[str]) -> str:
        """Name several inputs, as they stand within a sentence."""
        return self.listed([self.modality(code) for code in codes])

    def heading(self, code: str) -> str:
        """Return the name of an input, as it begins a line."""
        return capital(self.modality(code))

    def fact(self, name: str) -> str:
        """Return a clinical fact as a reader knows it."""
        return self.catalogue.text(fact(name), FACT)

    def facts(self, names: Sequence[str]) -> str:
        """Name several facts."""
        return self.listed([self.fact(name) for name in names])

    def images(self, modality: str, count: int) -> str:
        """Count images of a modality: "1 mammogram", "2 MR images"."""
        return self.catalogue.several(IMAGES.get(modality, IMAGE), count)

    def axilla(self, side: Side | None) -> str:
        """Return the name of an axilla."""
        return self.gettext(AXILLAE[side or ""])

    def breast(self, side: str) -> str:
        """Return the name of a breast, as it stands over its half of an image."""
        return self.gettext(BREASTS[side])

    def place(self, side: str, part: str) -> str:
        """Name what an image shows by its side and its view or part of the body: "left MLO"; empty if not known."""
        known = [self.gettext(one) for one in (SIDES.get(side), part) if one]
        return self.gettext("{side} {part}", side=known[0], part=known[1]) if len(known) > 1 else "".join(known)

    def view(
        self,
        kind: str,
        side: str,
        part: str,
        *,
        series: int = 0,
        number: int = 0,
        frame: int = 0,
        earlier: bool = False,
    ) -> str:
        """Name a source image without its free text: "Mammogram, left MLO", "MRI, left breast, series 4, image 5".

        Parameters
        ----------
        kind, side
            Modality; L or R, else both breasts.
        part
            View position, or the part of the body.
        series, number
            Series Number and Instance Number; 0 where they would not help.
        frame
            Of several, from 1; 0 of one.
        earlier
            Whether it is of an earlier study than an image that is named alike.
        """
        places = (
            self.gettext("earlier study") if earlier else "",
            self.gettext("series {number}", number=series) if series else "",
            self.gettext("image {number}", number=number) if number else "",
            self.gettext("frame {number}", number=frame) if frame else "",
        )
        shown = self.gettext(VIEWS.get(kind, ANY_VIEW))
        return ", ".join(filter(None, (shown, self.place(side, part), *places)))
