"""TCGA-BRCA, clinical table of the PanCancer Atlas (TCGA Network, Nature 2012; Liu, Cell 2018)."""

from types import MappingProxyType
from typing import Final

from models.tables.source import Category, Label, Number, Source, is_missing
from models.tables.table import SIZE

_SURVIVAL: Final = [f"{kind}_{what}" for kind in ("OS", "DSS", "DFS", "PFS") for what in ("STATUS", "MONTHS")]
_FORBIDDEN: Final = {
    "PATH_N_STAGE": "the outcome itself",
    "AJCC_PATHOLOGIC_TUMOR_STAGE": "contains the nodal stage",
    "PATH_M_STAGE": "known only after surgery",
    "PRIMARY_LYMPH_NODE_PRESENTATION_ASSESSMENT": "says whether nodes were taken out",
    "HISTORY_NEOADJUVANT_TRTYN": "a treatment",
    "RADIATION_THERAPY": "given because of the nodes",
    "PERSON_NEOPLASM_CANCER_STATUS": "the future",
    "NEW_TUMOR_EVENT_AFTER_INITIAL_TREATMENT": "the future",
    "DAYS_LAST_FOLLOWUP": "the future",
    "IN_PANCANPATHWAYS_FREEZE": "how patients were collected, not what they are",
    **dict.fromkeys(_SURVIVAL, "the future"),
}
BANDS: Final = ("T1", "T2", "T3", "T4")
_STAGES: Final = {f"{band}{letter}": band for band in BANDS for letter in ("", *"ABCD")}


def _node_positive(stage: str) -> bool | None:
    """N0 with isolated tumour cells, N0 (I+), is negative; NX is not asked about."""
    known = not is_missing(stage) and stage[:2].upper() in ("N0", "N1", "N2", "N3")
    return stage[:2].upper() != "N0" if known else None


TCGA_BRCA: Final = Source(
    name="tcga",
    path="tcga_brca/tcga_brca_clinical_dev70.csv",
    patient="PATIENT_ID",
    columns=(
        Number("age", "AGE", "years", 18, 110),
        Category("pathological_t", "PATH_T_STAGE", _STAGES, group=SIZE),
        Category("sex", "SEX", {"Female": "F", "Male": "M"}),
        Category(
            "histological_type",
            "ICD_O_3_HISTOLOGY",
            {"8500/3": "NST", "8520/3": "lobular", "8522/3": "mixed", "8524/3": "mixed", "8523/3": "mixed"},
            rest="other",
        ),
        Category(
            "subtype",
            "SUBTYPE",
            {
                "BRCA_LumA": "luminal_a",
                "BRCA_LumB": "luminal_b",
                "BRCA_Her2": "her2",
                "BRCA_Basal": "triple_negative",
            },
            rest="other",  # normal-like
        ),
    ),
    labels=MappingProxyType(
        {"aln": Label("pathological N1 to N3 (N0 and isolated tumour cells negative)", "PATH_N_STAGE", _node_positive)}
    ),
    forbidden=MappingProxyType(_FORBIDDEN),
    licence="public domain (NCI), attribution asked for; cBioPortal's copy ODbL 1.0",
    outside_training=False,
    site=lambda raw: [barcode[5:7] for barcode in raw["PATIENT_ID"]],  # tissue source site of the TCGA barcode
)
