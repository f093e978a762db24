"""Every coded concept that our objects use, once (PS3.16; private ones in the scheme 99SENTINODE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

SCHEME: Final = "99SENTINODE"  # SH: 16 characters at most
SCHEMES: Final = (CodingSchemeIdentificationItem(SCHEME, name="Sentinode codes", responsible_organization="Sentinode"),)
"""Items of Coding Scheme Identification Sequence (0008,0110), which a private scheme needs (PS3.3 C.12.1)."""


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "SCT", meaning)


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, SCHEME, meaning)


# document structure (TID 1500, 1501, 1600)
IMAGING_MEASUREMENT_REPORT: Final = _dcm("126000", "Imaging Measurement Report")
IMAGING_MEASUREMENTS: Final = _dcm("126010", "Imaging Measurements")
MEASUREMENT_GROUP: Final = _dcm("125007", "Measurement Group")
IMAGE_LIBRARY: Final = _dcm("111028", "Image Library")
IMAGE_LIBRARY_GROUP: Final = _dcm("126200", "Image Library Group")
TRACKING_IDENTIFIER: Final = _dcm("112039", "Tracking Identifier")
TRACKING_UNIQUE_IDENTIFIER: Final = _dcm("112040", "Tracking Unique Identifier")
PROCEDURE_REPORTED: Final = _dcm("121058", "Procedure reported")
COMMENT: Final = _dcm("121106", "Comment")
FINDING: Final = _dcm("121071", "Finding")
FINDINGS: Final = _dcm("121070", "Findings")
CONCLUSION: Final = _dcm("121077", "Conclusion")
CONCLUSIONS: Final = _dcm("121076", "Conclusions")
LATERALITY: Final = _sct("272741003", "Laterality")
SOURCE: Final = _sct("260753009", "Source")

# observer (TID 1002, 1004) and language (TID 1204)
LANGUAGE: Final = _dcm("121049", "Language of Content Item and Descendants")
ENGLISH: Final = CodedConcept("en-US", "RFC5646", "English (United States)")
GERMAN: Final = CodedConcept("de-DE", "RFC5646", "German (Germany)")
LANGUAGES: Final[Mapping[str, CodedConcept]] = {"en": ENGLISH, "de": GERMAN}
OBSERVER_TYPE: Final = _dcm("121005", "Observer Type")
DEVICE: Final = _dcm("121007", "Device")
DEVICE_OBSERVER_UID: Final = _dcm("121012", "Device Observer UID")
DEVICE_OBSERVER_NAME: Final = _dcm("121013", "Device Observer Name")
DEVICE_OBSERVER_MANUFACTURER: Final = _dcm("121014", "Device Observer Manufacturer")
DEVICE_OBSERVER_MODEL: Final = _dcm("121015", "Device Observer Model Name")
DEVICE_OBSERVER_SERIAL: Final = _dcm("121016", "Device Observer Serial Number")

# the measurement group of highdicom's templates (TID 1501, 4019)
FINDING_SITE: Final = _sct("363698007", "Finding Site")
SOURCE_OF_MEASUREMENT: Final = _dcm("121112", "Source of Measurement")
ALGORITHM_FAMILY: Final = _dcm("111000", "Algorithm Family")
ALGORITHM_NAME: Final = _dcm("111001", "Algorithm Name")
ALGORITHM_PARAMETERS: Final = _dcm("111002", "Algorithm Parameters")
ALGORITHM_VERSION: Final = _dcm("111003", "Algorithm Version")
ALGORITHM_MANUFACTURER: Final = _dcm("122405", "Algorithm Manufacturer")
SEGMENTATION: Final = _dcm("113076", "Segmentation")

# image descriptors (TID 1602)
MODALITY: Final = _dcm("121139", "Modality")
IMAGE_LATERALITY: Final = _dcm("111027", "Image Laterality")
PIXEL_DATA_ROWS: Final = _dcm("110910", "Pixel Data Rows")
PIXEL_DATA_COLUMNS: Final = _dcm("110911", "Pixel Data Columns")
PIXELS: Final = CodedConcept("{pixels}", "UCUM", "Pixels")

# what is said
PERCENT: Final = CodedConcept("%", "UCUM", "%")
NO_UNIT: Final = CodedConcept("1", "UCUM", "no units")
LOG_ODDS: Final = CodedConcept("{logit}", "UCUM", "log-odds")
INSTANCES: Final = CodedConcept("{instances}", "UCUM", "instances")
IMAGING_PROCEDURE: Final = _sct("363679005", "Imaging procedure")  # CID 100 has no breast imaging, and takes one
AXILLARY_NODE: Final = _sct("68171009", "Axillary lymph node")
SIDES: Final[Mapping[str, CodedConcept]] = {"L": _sct("7771000", "Left"), "R": _sct("24028007", "Right")}
ARTIFICIAL_INTELLIGENCE: Final = _dcm("123110", "Artificial Intelligence")
PROCESSING_SOURCE: Final = _dcm("121322", "Source image for image processing operation")

# Viewers print "meaning: value unit" beside the region and cut it at their edge: these meanings stay short.
PROBABILITY: Final = _own("ALN001", "ALN risk")
RISK_CATEGORY: Final = _own("ALN002", "Axillary metastasis risk category")
COMPLETENESS: Final = _own("ALN004", "Input completeness")
CI_LOWER: Final = _own("ALN005", "95% CI lower")
CI_UPPER: Final = _own("ALN006", "95% CI upper")
RISK_FINDING: Final = _own("ALN007", "Estimated risk of axillary nodal metastasis")  # a risk, not a finding of disease
SUMMARY_TITLE: Final = _own("ALN008", "AI risk summary")
QUESTION: Final = _own("ALN020", "Question")
EVIDENCE: Final = _own("ALN021", "Evidence")
LIMITS: Final = _own("ALN022", "Limits")
CONTRIBUTIONS: Final = _own("ALN023", "Contributions")
# what stands before a sentence of the page, and what holds the same in numbers and codes in the SR
DEFINITION: Final = _own("ALN024", "Definition")
DISCLAIMER: Final = _own("ALN025", "Disclaimer")
VERSION: Final = _own("ALN026", "Version")
ESTIMATE: Final = _own("ALN027", "Estimate")
CATEGORY_MEANING: Final = _own("ALN028", "Category")
OPERATING_POINT: Final = _own("ALN029", "Operating point")
PREDICTIVE_VALUES: Final = _own("ALN031", "Predictive values")
PREVALENCE: Final = _own("ALN032", "Prevalence")
STARTING_POINT: Final = _own("ALN033", "Starting point")
AVAILABILITY: Final = _own("ALN034", "Availability")
LEFT_OUT: Final = _own("ALN035", "Left out")
CASE_COMPLETENESS: Final = _own("ALN036", "Completeness")
TRAINING_DATA: Final = _own("ALN037", "Training data")
INTENDED_USE: Final = _own("ALN038", "Intended use")
LIMIT: Final = _own("ALN039", "Limit")
SOFTWARE: Final = _own("ALN040", "Software")
THRESHOLD: Final = _own("ALN050", "Threshold")
SENSITIVITY: Final = _own("ALN051", "Sensitivity")
SPECIFICITY: Final = _own("ALN052", "Specificity")
NPV: Final = _own("ALN053", "Negative predictive value")
PPV: Final = _own("ALN054", "Positive predictive value")
TRAINING_PREVALENCE: Final = _own("ALN055", "Prevalence in training")
SITE_PREVALENCE: Final = _own("ALN056", "Prevalence of the site")
LOG_ODDS_SHIFT: Final = _own("ALN057", "Shift of the log-odds")
INSTANCES_HERE: Final = _own("ALN058", "Instances present")
INSTANCES_LISTED: Final = _own("ALN059", "Instances listed")
INSTANCES_LEFT_OUT: Final = _own("ALN060", "Instances left out")
INPUT: Final = _own("ALN061", "Input")
CLINICAL_FACT: Final = _own("ALN062", "Clinical fact")
REASON: Final = _own("ALN063", "Reason")
INPUTS_USED: Final = _own("ALN064", "Inputs used")
POINTS: Final[Mapping[str, CodedConcept]] = {
    "low": _own("ALN070", "Low risk below it"),
    "high": _own("ALN071", "High risk at or above it"),
}
"""What an operating point of this name decides."""
USES: Final[Mapping[str, CodedConcept]] = {
    "demonstration": _own("ALN130", "Demonstration on synthetic patients"),
    "research": _own("ALN131", "Research"),
}
CONTRIBUTION_OF: Final[Mapping[str, CodedConcept]] = {
    "clinical": _own("ALN140", "Clinical facts"),
    "MG": _own("ALN141", "Mammography"),
    "US": _own("ALN142", "Ultrasound"),
    "MR": _own("ALN143", "MRI"),
    "SM": _own("ALN144", "Histology"),
}
"""Within Contributions: what each input added to the log-odds."""
CONTRIBUTION_OF_ANOTHER: Final = _own("ALN149", "Another input")
CATEGORIES: Final[Mapping[str, CodedConcept]] = {
    "LOW": _sct("75976002", "Low risk"),
    "NOT LOW": _own("ALN010", "Not low risk"),  # CID 3118 has Moderate, which is something else
    "HIGH": _sct("15508007", "High risk"),
}
ALL_INPUTS: Final = _own("ALN110", "All inputs available")
NOT_AVAILABLE: Final[Mapping[str, CodedConcept]] = {
    "MG": _own("ALN111", "Mammography not available"),
    "US": _own("ALN112", "Ultrasound not available"),
    "MR": _own("ALN113", "MRI not available"),
    "clinical": _own("ALN114", "Clinical facts not available"),
    "SM": _own("ALN115", "Histology not available"),
}
OTHER_NOT_AVAILABLE: Final = _own("ALN119", "Another input not available")
MODALITIES: Final[Mapping[str, CodedConcept]] = {
    "MG": _dcm("MG", "Mammography"),
    "US": _dcm("US", "Ultrasound"),
    "MR": _dcm("MR", "Magnetic Resonance"),
    "SM": _dcm("SM", "Slide Microscopy"),
    "OT": _dcm("OT", "Other Modality"),
}
INPUTS: Final[Mapping[str, CodedConcept]] = {**MODALITIES, "clinical": _own("ALN120", "Clinical facts")}
ALL_OF_THEM: Final = _own("ALN121", "All inputs")


@dataclass(frozen=True, slots=True)
class QuestionCodes:
    """What is coded differently for each question. Of none it is a finding of disease: all are probabilities."""

    probability: CodedConcept
    category: CodedConcept
    finding: CodedConcept


QUESTIONS: Final[Mapping[str, QuestionCodes]] = {
    "aln": QuestionCodes(PROBABILITY, RISK_CATEGORY, RISK_FINDING),
    "nsln": QuestionCodes(
        _own("NSL001", "Non-SLN risk"),
        _own("NSL002", "Non-sentinel metastasis risk category"),
        _own("NSL007", "Estimated risk of non-sentinel nodal metastasis"),
    ),
    "histology": QuestionCodes(
        _own("HIS001", "Metastasis on slide"),
        _own("HIS002", "Category of probability of metastasis on slide"),
        _own("HIS007", "Estimated probability of nodal metastasis on slide"),
    ),
}

# overlays, key objects (TID 2010) and the objects of a version that is superseded (IHE IOCM; CID 7010, 7150)
SPATIAL_CONCEPT: Final = _sct("309825002", "Spatial and Relational Concept")
REGION_OF_INFLUENCE: Final = _own("ALN030", "Region of AI influence")  # no lesion, no structure
KEY_OBJECT_DESCRIPTION: Final = _dcm("113012", "Key Object Description")
OF_INTEREST: Final = _dcm("113000", "Of Interest")
REJECTED_FOR_QUALITY: Final = _dcm("113001", "Rejected for Quality Reasons")
REJECTED_FOR_SAFETY: Final = _dcm("113037", "Rejected for Patient Safety Reasons")

DISEASE: Final = frozenset({("111330", "DCM"), ("111301", "DCM")})
"""Findings of axillary metastasis: never in an answer to a question of risk."""
