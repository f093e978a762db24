"""What a radiologist sees of our objects in OHIF."""

from tests.viewer import cases
from tests.viewer.viewing import Step, Viewer

LOAD = Step("load", until="S:")


def test_try(viewer: Viewer) -> None:
    import json, time
    for name, case, steps in [
        ("views", cases.four_views("views"), [LOAD, Step("left", 900, until="73.12"), Step("right", 904, until="4.20"), Step("text", 902, until="Findings"), Step("heatmap", 901)]),
        ("stills", cases.ultrasound_stills("stills"), [LOAD, Step("report", 900, until="38.00"), Step("text", 902, until="Findings"), Step("heatmap", 901)]),
        ("clip", cases.ultrasound_clip("clip"), [LOAD, Step("report", 900, until="38.00"), Step("text", 902, until="Findings"), Step("heatmap", 901)]),
        ("mr", cases.dynamic_mr("mr", one_series=False), [LOAD, Step("report", 900, until="73.12"), Step("text", 902, until="Findings"), Step("heatmap", 901)]),
        ("mr4d", cases.dynamic_mr("mr4d", one_series=True), [LOAD, Step("report", 900, until="73.12"), Step("text", 902, until="Findings"), Step("heatmap", 901)]),
        ("two", cases.two_studies("two"), [LOAD, Step("report", 900, until="73.12"), Step("text", 902, until="Findings"), Step("heatmap", 901)]),
        ("clinical", cases.clinical_only("clinical"), [LOAD, Step("text", 902, until="Findings"), Step("summary", 903)]),
        ("none", cases.no_estimate("none"), [LOAD, Step("text", 902, until="Findings"), Step("summary", 903)]),
        ("greek", cases.superseded("greek", PatientName="ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ"), [LOAD, Step("report", 910, until="31.00"), Step("text", 912, until="Findings"), Step("heatmap", 911)]),
    ]:
        t = time.time()
        viewer.store(case.files)
        t1 = time.time()
        seen = viewer.look(name, case.studies, steps)
        print("=====", name, round(t1 - t, 1), round(time.time() - t1, 1))
        print(json.dumps({k: v for k, v in vars(seen).items() if k not in ("shots",)}, indent=1, default=str, ensure_ascii=False))
