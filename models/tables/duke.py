"""Duke-Breast-Cancer-MRI, clinical table (Saha, Br J Cancer 2018). CC BY-NC 4.0: for evaluations only."""

from types import MappingProxyType
from typing import Final

from models.tables.source import Category, Label, Number, Source, is_missing
from models.tables.table import IMAGING, NODE_READING, SIZE

_SIGN: Final = {"0": "negative", "1": "positive"}
_YES: Final = {"0": "no", "1": "yes"}
_LABEL: Final = "Staging(Nodes)#(Nx replaced by -1)[N]"
_AFTER: Final = MappingProxyType(
    {
        "a treatment": """Surgery
            Definitive Surgery Type
            Days to Surgery (from the date of diagnosis)
            Neoadjuvant Radiation Therapy
            Adjuvant Radiation Therapy
            Neoadjuvant Chemotherapy
            Adjuvant Chemotherapy
            Neoadjuvant Endocrine Therapy Medications
            Adjuvant Endocrine Therapy Medications
            Known Ovarian Status
            Number of Ovaries In Situ
            Therapeutic or Prophylactic Oophorectomy as part of Endocrine Therapy
            Neoadjuvant Anti-Her2 Neu Therapy
            Adjuvant Anti-Her2 Neu Therapy
            Received Neoadjuvant Therapy or Not""",
        "what treatment led to": """Clinical Response, Evaluated Through Imaging
            Pathologic Response to Neoadjuvant Therapy
            Pathologic response to Neoadjuvant therapy: Pathologic stage (T) following neoadjuvant therapy
            Pathologic response to Neoadjuvant therapy: Pathologic stage (N) following neoadjuvant therapy
            Pathologic response to Neoadjuvant therapy: Pathologic stage (M) following neoadjuvant therapy
            Overall Near-complete Response: Stricter Definition
            Overall Near-complete Response: Looser Definition
            Near-complete Response (Graded Measure)""",
        "the future": """Recurrence event(s)
            Days to local recurrence (from the date of diagnosis)
            Days to distant recurrence(from the date of diagnosis)
            Days to death (from the date of diagnosis)
            Days to last local recurrence free assessment (from the date of diagnosis)
            Days to last distant recurrence free assemssment(from the date of diagnosis)
            Staging(Metastasis)#(Mx -replaced by -1)[M]
            Metastatic at Presentation (Outside of Lymph Nodes)""",
    }
)
_LAST_CONTACT: Final = (
    "Age at last contact in EMR f/u(days)(from the date of diagnosis) ,last time patient known to be alive, "
    "unless age of death is reported(in such case the age of death"
)
_FORBIDDEN: Final = {_LABEL: "the outcome itself", _LAST_CONTACT: "the future"} | {
    column.strip(): reason for reason, columns in _AFTER.items() for column in columns.splitlines()
}


def _node_positive(stage: str) -> bool | None:
    return None if is_missing(stage) or float(stage) < 0 else float(stage) > 0


DUKE: Final = Source(
    name="duke",
    path="duke_breast_mri/duke_clinical_dev70.csv",
    patient="Patient ID",
    columns=(
        Number("age", "Date of Birth (Days)", "years", 18, 110, factor=-1 / 365.25),
        Category("menopausal_status", "Menopause (at diagnosis)", {"0": "pre", "1": "post"}),
        Category("er", "ER", _SIGN),
        Category("pr", "PR", _SIGN),
        Category("her2", "HER2", _SIGN | {"2": "equivocal"}),
        Category("subtype", "Mol Subtype", {"0": "luminal", "1": "luminal_her2", "2": "her2", "3": "triple_negative"}),
        Number("tubule_grade", "Tumor Grade", "Nottingham score", 1, 3),
        Number("nuclear_grade", "Tumor Grade(N) (Nuclear)", "Nottingham score", 1, 3),
        Number("mitotic_grade", "Tumor Grade(M) (Mitotic)", "Nottingham score", 1, 3),
        Category("histological_type", "Histologic type", {"1": "NST", "2": "lobular", "6": "mixed"}, rest="other"),
        Category("stage_t", "Staging(Tumor Size)# [T]", {f"{i}": f"T{i}" for i in range(1, 5)}, group=SIZE),
        Category("multifocal", "Multicentric/Multifocal", _YES, group=IMAGING),
        Category("contralateral", "Contralateral Breast Involvement", _YES, group=IMAGING),
        Category("skin_or_nipple", "Skin/Nipple Invovlement", _YES, group=IMAGING),
        Category("pectoral_or_chest", "Pec/Chest Involvement", _YES, group=IMAGING),
        Category("suspicious_nodes_mri", "Lymphadenopathy or Suspicious Nodes", _YES, group=NODE_READING),
    ),
    labels=MappingProxyType(
        {
            "aln": Label(
                "N1 to N3; clinical where neoadjuvant therapy was given, else pathological", _LABEL, _node_positive
            )
        }
    ),
    forbidden=MappingProxyType(_FORBIDDEN),
    licence="CC BY-NC 4.0",
    outside_training=True,
)
