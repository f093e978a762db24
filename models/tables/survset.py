"""Rotterdam, GBSG2, WPBC and GSE4335, as the package SurvSet 0.2.11 holds them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from models.tables.source import Category, Label, Number, Source, at_least, is_missing
from models.tables.table import SIZE

_FUTURE: Final = {"time": "the future", "event": "the future"}
_NO_LICENCE: Final = "published research data without a licence of their own"
_EXPRESSION: Final = "num_HS_"

ROTTERDAM: Final = Source(
    name="rotterdam",
    path="survset/rotterdam_rott2_dev70.csv",
    patient="pid",
    columns=(
        Number("age", "num_age", "years", 18, 110),
        Category(
            "pathological_size_band",
            "fac_tsize",
            # the package's own spelling, and the one it means
            {"<=20mm": "up to 20 mm", ">20-50mmm": "20 to 50 mm", ">20-50mm": "20 to 50 mm", ">50mm": "over 50 mm"},
            group=SIZE,
        ),
        Number("grade", "fac_grade", "Nottingham grade", 1, 3),
        Category("menopausal_status", "fac_meno", {"pre": "pre", "post": "post"}),
        Number("er_fmol_mg", "num_estrogen", "fmol/mg", 0, 10_000, log=True),
        Number("pr_fmol_mg", "num_progesterone", "fmol/mg", 0, 10_000, log=True),
    ),
    labels=MappingProxyType(
        {
            "aln": Label("any positive axillary node at surgery", "num_nodes", at_least(1)),
            "burden": Label(
                "4 or more positive nodes, among node-positive patients", "num_nodes", at_least(4, among=1)
            ),
        }
    ),
    forbidden=MappingProxyType(
        _FUTURE
        | {
            "num_nodes": "the outcome itself",
            "fac_hormon": "given because of the nodes",
            "fac_chemo": "given because of the nodes",
        }
    ),
    licence=_NO_LICENCE,
    outside_training=True,
    time="num_year",
)

GBSG2: Final = Source(
    name="gbsg2",
    path="survset/GBSG2.csv",
    patient="pid",
    columns=(
        Number("age", "num_age", "years", 18, 110),
        Number("size_pathology_mm", "num_tsize", "mm", 1, 200, log=True, group=SIZE),
        Category("tumour_grade", "fac_tgrade", {"I": "1", "II": "2", "III": "3"}),
        Category("menopausal_status", "fac_menostat", {"Pre": "pre", "Post": "post"}),
        Number("er_fmol_mg", "num_estrec", "fmol/mg", 0, 10_000, log=True),
        Number("pr_fmol_mg", "num_progrec", "fmol/mg", 0, 10_000, log=True),
    ),
    labels=MappingProxyType(
        {"burden": Label("4 or more positive nodes, among node-positive patients", "num_pnodes", at_least(4, among=1))}
    ),
    forbidden=MappingProxyType(
        _FUTURE | {"num_pnodes": "the outcome itself", "fac_horTh": "given because of the nodes"}
    ),
    licence=_NO_LICENCE,
    outside_training=True,
)

_NUCLEUS: Final = (
    "radius texture perimeter area smoothness compactness concavity concavepoints symmetry fractaldim".split()
)
_STATISTICS: Final = ("mean", "SE", "worst")

WPBC: Final = Source(
    name="wpbc",
    path="survset/wpbc.csv",
    patient="pid",
    columns=(
        *(
            Number(f"nucleus_{of}_{what}", f"num_{of}_{what}", "as published", 0, 10_000)
            for of in _STATISTICS
            for what in _NUCLEUS
        ),
        Number("size_pathology_mm", "num_tsize", "mm", 1, 200, factor=10, log=True, group=SIZE),  # published in cm
    ),
    labels=MappingProxyType({"aln": Label("any positive axillary node at surgery", "num_pnodes", at_least(1))}),
    forbidden=MappingProxyType(_FUTURE | {"num_pnodes": "the outcome itself"}),
    licence="CC BY 4.0",
    outside_training=True,
)


def _expressed(names: Sequence[str]) -> Mapping[str, str]:
    return {name.removeprefix(_EXPRESSION): name for name in names if name.startswith(_EXPRESSION)}


GSE4335: Final = Source(
    name="gse4335",
    path="survset/gse4335_expression.csv.gz",
    patient="pid",
    columns=(
        Number("age", "num_age", "years", 18, 110),
        Category("clinical_t", "fac_tumor_size", {f"{i}": f"T{i}" for i in range(1, 5)}, group=SIZE),
        Number("grade", "num_grade", "Nottingham grade", 1, 3),
        Category("er", "fac_er_status", {"0": "negative", "1": "positive"}),
        Category("histological_type", "fac_histology", {"Ductal": "NST", "Lobular": "lobular"}, rest="other"),
    ),
    labels=MappingProxyType(
        {
            "aln": Label(
                "node status 1 or 2", "fac_node_status", lambda text: None if is_missing(text) else float(text) > 0
            )
        }
    ),
    forbidden=MappingProxyType(
        _FUTURE | {"fac_node_status": "the outcome itself", "fac_metastasis": "distant spread, found with the nodes"}
    ),
    licence=_NO_LICENCE,
    outside_training=True,
    genes=_expressed,
)
