"""The demo's patients, a story each. Nobody is real; all names are invented."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from demo.chest_ct import SLICES
from demo.expected import Expected, decided, dormant, estimate, no_case, no_estimate
from models.phantom import Axilla

HIGH: Final = Axilla(0.9, 1.1, 0.9, 0.8, 1.3, 1.2, 1.1, 0.8)
LOW: Final = Axilla(-0.7, -0.9, -0.6, -0.6, -0.9, -1.0, -0.8, -0.7)
DIAGNOSIS_AND_SIDE: Final = frozenset(
    {"patient_id", "issuer_of_patient_id", "recorded_date", "diagnosis", "diagnosis_date", "side"}
)
SURGERY: Final = timedelta(days=6)


@dataclass(frozen=True)
class Story:
    """One patient: who she is, what is sent, and what must come of it."""

    title: str
    text: str
    name: str
    sends: str  # studies, in the order of their days, as in "MG US MR"
    expected: Expected
    sides: str = "L"
    late: str = ""  # studies that come when the first report is there
    cut_last: bool = False  # the last image is cut off and sent past the PACS
    latents: Mapping[str, Axilla] = field(default_factory=dict)  # of a side whose risk is wanted high or low
    in_ehr: bool = True
    columns: frozenset[str] = frozenset()  # of her row in the clinical database; empty: all
    diagnosis: str = "invasive"
    operated_ago: timedelta | None = None
    issuer: str = "PHANTOM"
    patient_id: str = ""  # "DEMO-" and her number if empty
    retired_id: str = ""  # under which her images come, until the hospital merges it into hers
    namesake: str = ""  # another woman, whose images come under her identifiers
    mislabelled: bool = False  # her first image comes with the other side before it comes as it must be
    ruling: str = ""  # what the demo's operator decides when the case is held


STORIES: Final = (
    Story(
        "Everything present",
        "Cancer of the left breast. Mammography, ultrasound and MRI are separate studies, their series come out of "
        "order and mixed with another patient's; all of them and the clinical facts go into one answer.",
        "FICTA^AMALIA",
        "MG US MR",
        estimate("clinical MG US MR"),
        latents={"L": HIGH},
    ),
    Story(
        "Mammograms only",
        "Cancer of the right breast and no other imaging. The agent waits for ultrasound and MRI as long as the site "
        "wants it to, then answers without them and says so.",
        "FICTA^BRIGITTA",
        "MG",
        estimate("clinical MG", sides="R"),
        sides="R",
    ),
    Story(
        "Ultrasound and facts",
        "Cancer of the left breast, with no other images than ultrasound of the tumour and of a node in the axilla.",
        "FICTA^CLARA",
        "US",
        estimate("clinical US"),
        latents={"L": LOW},
    ),
    Story(
        "Diagnosis and side, nothing more",
        "The clinical database knows that there is a cancer in the left breast, and no other fact: the answer rests on "
        "the mammograms alone.",
        "FICTA^DOROTHEA",
        "MG",
        estimate("MG"),
        columns=DIAGNOSIS_AND_SIDE,
    ),
    Story(
        "Both breasts",
        "Cancer of both breasts: two answers and a report for each axilla. The one MRI shows both sides. The clinical "
        "database describes one tumour and does not say of which breast, so of its facts only her age is used.",
        "FICTA^ELEONORA",
        "MG US MR",
        estimate("clinical MG US MR", sides="LR"),
        sides="LR",
        latents={"L": LOW, "R": HIGH},
    ),
    Story(
        "A name in Greek",
        "Cancer of the right breast. The name comes in UTF-8 and stands in every result letter by letter.",
        "ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ",
        "MG US",
        estimate("clinical MG US", sides="R"),
        sides="R",
    ),
    Story(
        "A name in Japanese",
        "Cancer of the left breast. The name has three component groups: Latin, ideographic and phonetic.",
        "TSUKISHIRO^AKARI=月城^灯里=つきしろ^あかり",
        "MG",
        estimate("clinical MG"),
    ),
    Story(
        "One Patient ID, first hospital",
        "A woman of another hospital has the same Patient ID, and the images of both come at the same time, in turn. "
        "The issuer keeps them apart. Here: cancer of the left breast.",
        "FICTA^FLAVIA",
        "MG",
        estimate("clinical MG"),
        latents={"L": HIGH},
        patient_id="DEMO-0815",
    ),
    Story(
        "One Patient ID, second hospital",
        "The same Patient ID from the other issuer. Here: cancer of the right breast, and nothing of the first woman.",
        "FICTA^GRETA",
        "MG",
        estimate("clinical MG", sides="R"),
        sides="R",
        latents={"R": LOW},
        issuer="PHANTOM2",
        patient_id="DEMO-0815",
    ),
    Story(
        "Late ultrasound",
        "The report was out when the ultrasound came. A second version takes it in, names the first as its "
        "predecessor, and rejects it by a Key Object, as this site wishes; the first stays in the PACS as it was.",
        "FICTA^HEDWIG",
        "MG",
        estimate("clinical MG", "clinical MG US"),
        late="US",
    ),
    Story(
        "A truncated mammogram",
        "One of four mammograms was cut off on its way. No PACS keeps such a file, so here the mammography unit sends "
        "it to the agent, which acknowledges it and puts it into quarantine, with the reason; the others stay in use.",
        "FICTA^IRMGARD",
        "MG",
        estimate("clinical MG", sides="R", quarantined=1, pictures=1),
        sides="R",
        cut_last=True,
    ),
    Story(
        "Surgery before the images",
        "The images were taken after the operation and cannot tell what was there before it: a report without a "
        "number, which says why.",
        "FICTA^JOHANNA",
        "MG",
        no_estimate("All images were taken on or after surgery"),
        sides="R",
        operated_ago=SURGERY,
    ),
    Story(
        "A patient who looks real",
        "Her issuer is not among demo_issuers. The model has seen synthetic patients only, so it abstains and says so.",
        "WINTER^HANNA^MARIE",
        "MG",
        no_estimate("a demonstration model never answers for a real patient"),
        issuer="NORTHSIDE",
        patient_id="7203415",
    ),
    Story(
        "Not in the clinical database",
        "Nobody has confirmed a cancer, as of most women who are imaged. The case sleeps, the database is asked again "
        "later, and nothing is sent.",
        "FICTA^KLOTHILDE",
        "MG",
        dormant("the clinical database does not know the patient"),
        in_ehr=False,
    ),
    Story(
        "No cancer",
        "The biopsy was benign: the case sleeps, and nothing is sent.",
        "FICTA^LEOPOLDINE",
        "MG",
        dormant("the diagnosis is benign"),
        diagnosis="benign",
    ),
    Story(
        "A chest CT",
        "Computed tomography says nothing about this question: every image is acknowledged and put aside as not "
        "relevant, and no case is opened, though there is a cancer.",
        "FICTA^MATHILDE",
        "CT",
        no_case(not_relevant=SLICES),
    ),
    Story(
        "Two Patient IDs become one",
        "She was registered twice. The report was out under one Patient ID when the hospital merged it into the other "
        "(HL7 A40): the same images are answered again under the one that survives, this report names the first as its "
        "predecessor, and nothing more is sent under the retired one.",
        "FICTA^NINETTE",
        "MG",
        estimate("clinical MG", "clinical MG"),
        retired_id="DEMO-TEMP-17",
    ),
    Story(
        "Another woman's images",
        "At the mammography unit the wrong line of the worklist was taken: another woman's images came under her "
        "Patient ID, with another birth date. The case is held, and nothing is sent. The operator tells the two apart, "
        "and hers alone are answered.",
        "FICTA^OTTILIE",
        "MG",
        decided(estimate("clinical MG"), "birth dates differ", cases_apart=1),
        namesake="FREMD^PHILIPPA",
        ruling="split",
    ),
    Story(
        "A side that was corrected",
        "One mammogram came as of the other breast and then again, corrected, under the same SOP Instance UID. The "
        "case is held until the operator accepts the correction, and is answered once, with the image on its side.",
        "FICTA^ROSALIE",
        "MG",
        decided(estimate("clinical MG"), "came again with other patient or study attributes", corrections=1),
        mislabelled=True,
        ruling="accept",
    ),
)
