"""METABRIC (Curtis, Nature 2012; Pereira, Nat Commun 2016), clinical columns and 489 genes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from models.tables.source import Category, Label, Number, Source, at_least
from models.tables.table import SIZE

_AFTER: Final = "known only after surgery"
_FORBIDDEN: Final = {
    "lymph_nodes_examined_positive": "the outcome itself",
    "nottingham_prognostic_index": "contains the number of positive nodes",
    "tumor_stage": "contains the nodal stage",
    "overall_survival": "the future",
    "overall_survival_months": "the future",
    "death_from_cancer": "the future",
    "chemotherapy": "given because of the nodes",
    "radio_therapy": "given because of the nodes",
    "hormone_therapy": "given after surgery",
    "type_of_breast_surgery": _AFTER,
    "cohort": "how patients were collected, not what they are",
}
_UNUSED: Final = frozenset(
    """patient_id cancer_type cancer_type_detailed er_status_measured_by_ihc her2_status_measured_by_snp6
    integrative_cluster mutation_count oncotree_code 3-gene_classifier_subtype primary_tumor_laterality""".split()
)
_SIGN: Final = {"Negative": "negative", "Positive": "positive"}

_COLUMNS: Final = (
    Number("age", "age_at_diagnosis", "years", 18, 110),
    Number("size_pathology_mm", "tumor_size", "mm", 1, 200, log=True, group=SIZE),
    Number("grade", "neoplasm_histologic_grade", "Nottingham grade", 1, 3),
    Category("menopausal_status", "inferred_menopausal_state", {"Pre": "pre", "Post": "post"}),
    Category("er", "er_status", _SIGN),
    Category("pr", "pr_status", _SIGN),
    Category("her2", "her2_status", _SIGN),
    Category(
        "histological_type",
        "tumor_other_histologic_subtype",
        {"Ductal/NST": "NST", "Lobular": "lobular", "Mixed": "mixed"},
        rest="other",
    ),
    Category(
        "subtype",
        "pam50_+_claudin-low_subtype",
        {"LumA": "luminal_a", "LumB": "luminal_b", "Her2": "her2", "Basal": "triple_negative"},
        rest="other",  # normal-like and claudin-low
    ),
    Category("cellularity", "cellularity", {"Low": "low", "Moderate": "moderate", "High": "high"}),
)


def _genes(names: Sequence[str]) -> Mapping[str, str]:
    clinical = {one.column for one in _COLUMNS} | _UNUSED | set(_FORBIDDEN)
    return {name.upper(): name for name in names if name not in clinical and not name.endswith("_mut")}


METABRIC: Final = Source(
    name="metabric",
    path="metabric/METABRIC_RNA_Mutation_dev70.csv.gz",
    patient="patient_id",
    columns=_COLUMNS,
    labels=MappingProxyType(
        {
            "aln": Label("any positive axillary node at surgery", "lymph_nodes_examined_positive", at_least(1)),
            "burden": Label(
                "more than 2 positive nodes, among node-positive patients",
                "lymph_nodes_examined_positive",
                at_least(3, 1),
            ),
        }
    ),
    forbidden=MappingProxyType(_FORBIDDEN),
    licence="ODbL 1.0 (attribute, keep open, share alike)",
    outside_training=False,
    site=lambda raw: [f"cohort {float(text):.0f}" for text in raw["cohort"]],
    genes=_genes,
)
