"""What the agent says and takes on the network, as tables of the conformance statement, from the code's own values."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from pydantic import ByteSize
from pydicom.datadict import dictionary_description
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from agent import __version__
from agent.assemble.inquire import routed
from agent.assemble.judging import QuestionScope
from agent.bootstrap import pacs, tls
from agent.config import Config
from agent.core import dimse_status, services
from agent.core.dimse_status import Asked, Judgement, Uncommitted
from agent.core.errors import Permanent
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.result import Kind
from agent.deliver.settings import PROBE_S, DestinationSettings
from agent.dicom import codes, codestream
from agent.dimse import association, commitment, query, retrieve, session
from agent.dimse.client import PacsClient
from agent.dimse.find import Bounds
from agent.receive import negotiation, statuses
from agent.receive.admission import Refusal
from agent.receive.settings import ReceiverSettings

LATER_NAMES: Final = dict(
    zip(
        services.LATER_TRANSFER_SYNTAXES,
        ("Deflated Image Frame Compression", "JPEG XL Lossless", "JPEG XL JPEG Recompression", "JPEG XL"),
        strict=True,
    )
)
MODALITIES: Final = ("MG", "US", "MR", "SM")
STORED: Final = {
    Judgement.STORED: "stored; confirmed as `destinations[].confirm` says",
    Judgement.STORED_WITH_WARNING: "stored, as above; the status is logged",
    Judgement.RETRY: "sent again with a growing delay; nothing more of the case leaves until then",
    Judgement.NOT_OFFERED: "refused as a class: what is in reserve for it is sent, the rest goes on",
    Judgement.REFUSED: "refused: not sent again",
}
ASKED: Final = {
    Asked.ACCEPTED: "the report is awaited",
    Asked.ASK_AGAIN: "asked again later under a new Transaction UID",
    Asked.NOT_OFFERED: "the peer commits to nothing: C-FIND is the proof instead, as with `read_back`",
}
UNCOMMITTED: Final = {
    Uncommitted.SEND_AGAIN: "sent again",
    Uncommitted.ASK_AGAIN: "asked for again under a new Transaction UID",
    Uncommitted.NOT_OFFERED: "refused as a class: what is in reserve for it is sent",
    Uncommitted.REFUSED: "refused: for a person",
}
LISTED: Final = {
    Kind.SR: "`sr`",
    Kind.TEXT_SR: "`text_sr`",
    Kind.SECONDARY_CAPTURE: "`secondary_capture`",
    Kind.SEGMENTATION: "`segmentation`",
    Kind.PRESENTATION_STATE: "`presentation_state`",
    Kind.KEY_OBJECT: "`key_object`",
    Kind.REJECTION: "where `reject_superseded` is true",
}
"""What `destinations[].send` must list for a destination to get objects of a kind."""
C_FIND_KEYS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "STUDY": (
        ("PatientID", "StudyDate"),
        ("StudyInstanceUID", "StudyTime", "ModalitiesInStudy", "IssuerOfPatientID"),
    ),
    "SERIES": (("StudyInstanceUID",), ("SeriesInstanceUID", "Modality")),
    "IMAGE": (("StudyInstanceUID", "SeriesInstanceUID"), ("SOPInstanceUID", "SOPClassUID")),
}
"""Keys of the queries of `cases.ask_pacs`, those that are matched and those that are returned, by level."""
CONFIGURED: Final = (
    *("dicom.ae_title", "dicom.bind", "dicom.port", "dicom.max_associations", "dicom.max_pdu_bytes"),
    *("dicom.max_associations_per_peer", "dicom.idle_timeout_s", "dicom.pdu_timeout_s"),
    *("dicom.message_timeout_s", "dicom.accept_from"),
    *("dicom.peers.ae_title", "dicom.peers.host", "dicom.peers.may", "dicom.peers.certificate_subject"),
    *("dicom.peers.sop_classes", "dicom.tls.bind", "dicom.tls.port", "dicom.tls.min_version"),
    *("destinations.ae_title", "destinations.host", "destinations.port", "destinations.send"),
    *("destinations.reject_superseded", "destinations.confirm", "destinations.retry.first_s"),
    *("destinations.retry.max_s", "destinations.retry.give_up_after", "cases.ask_pacs.peer"),
    *("cases.ask_pacs.counts", "cases.ask_pacs.missing_modalities", "cases.ask_pacs.days_back"),
    *("cases.ask_pacs.retrieve", "storage.spool_bytes", "storage.refuse_below_free_bytes"),
    *("site.issuer_of_patient_id", "site.time_zone", "site.language"),
)
UNCOMPRESSED: Final = frozenset(f"1.2.840.10008.1.2{suffix}" for suffix in ("", ".1", ".2", ".1.99"))
C_STORE_SCP: Final = (
    (statuses.SUCCESS, "success", "the object's bytes are durable (written and synced)"),
    (
        statuses.OUT_OF_RESOURCES,
        "refused: out of resources",
        "no room, less than `storage.refuse_below_free_bytes` left, or a failed write or sync",
    ),
    (statuses.NOT_AUTHORIZED, "refused: not authorised", "the peer may not `store`"),
    (
        statuses.SOP_CLASS_NOT_SUPPORTED,
        "refused: SOP class not supported",
        "it came over a presentation context for verification or commitment, its SOP class was not negotiated, or is "
        "not in the peer's `sop_classes`",
    ),
    (
        statuses.CANNOT_UNDERSTAND,
        "error: cannot understand",
        "the request lacks its dataset or a UID, or a UID is longer than 255",
    ),
)
N_EVENT_REPORT_SCP: Final = (
    (statuses.SUCCESS, "success", "the report is durable; one of a transaction that is not ours changes nothing"),
    (statuses.NOT_AUTHORIZED, "refused: not authorised", "the peer may not `commit`"),
    (statuses.NO_SUCH_SOP_CLASS, "no such SOP class", "it came over the presentation context of another SOP class"),
    (statuses.NO_SUCH_EVENT_TYPE, "no such event type", "the request lacks its Event Type ID"),
    (statuses.RESOURCE_LIMITATION, "resource limitation", "the report could not be made durable, or exceeds 1 MiB"),
)


def values(created: Mapping[str, Sequence[Kind]]) -> dict[str, str]:
    """Return what the template's sections on networking hold, of these SOP classes that the agent makes."""
    return {
        **_single_values(),
        "storage_created": "\n".join(_created(created)),
        "storage_sop_classes": "\n".join(_storage_sop_classes()),
        "transfer_syntaxes": "\n".join(f"| {_syntax(uid)} | {uid} |" for uid in negotiation.TRANSFER_SYNTAXES),
        "proposed": "\n".join(_proposed(created)),
        "rejections": "\n".join(map(_rejection, Refusal)),
        "roles": _roles(),
        "c_store_scp": "\n".join(f"| {code:04X} | {name} | {when} |" for code, name, when in C_STORE_SCP),
        "c_store_scu": "\n".join(_meant(dimse_status.C_STORE, STORED)),
        "n_action_scu": "\n".join(_meant(dimse_status.N_ACTION, ASKED)),
        "failure_reasons": "\n".join(_meant(dimse_status.FAILURE_REASON, UNCOMMITTED)),
        "n_event_report_scp": "\n".join(f"| {code:04X} | {name} | {when} |" for code, name, when in N_EVENT_REPORT_SCP),
        "query_statuses": "\n".join(_query_statuses()),
        "c_find_keys": "\n".join(_c_find_keys()),
        "c_get_classes": "\n".join(_c_get_classes()),
        "decoded": ", ".join(map(_syntax, _decoded())),
        "configured": "\n".join(map(_configured, CONFIGURED)),
    }


def _single_values() -> dict[str, str]:
    timeouts, bounds = association.Timeouts(), Bounds()
    receiver = {f.name: f.default for f in ReceiverSettings.__dataclass_fields__.values()}
    client = inspect.signature(PacsClient).parameters
    commit = DestinationSettings.__dataclass_fields__["commitment_within_s"].default
    return {
        "version": __version__,
        "implementation_class_uid": IMPLEMENTATION_CLASS_UID,
        "implementation_version_name": IMPLEMENTATION_VERSION_NAME,
        "storage_count": str(len(negotiation.STORAGE_SOP_CLASSES)),
        "scheme": codes.SCHEME,
        "ciphers": ", ".join(tls.CIPHERS.split(":")),
        "max_pdu": str(client["max_pdu"].default),
        "max_operations": str(client["max_operations"].default),
        "longest_pdu": str(association.LONGEST_PDU),
        "unsaid_pdu": str(association._PDU_UNSAID),
        "shortest_pdu": str(association._SHORTEST_PDU),
        "connect_s": f"{timeouts.connect_s:g}",
        "association_s": f"{timeouts.association_s:g}",
        "response_s": f"{timeouts.response_s:g}",
        "pdu_s": f"{timeouts.pdu_s:g}",
        "retrieve_response_s": f"{pacs._RETRIEVING.response_s:g}",
        "acceptor_pdu_s": f"{receiver['pdu_timeout_s']:g}",
        "acceptor_message_s": f"{receiver['message_timeout_s']:g}",
        "idle_s": f"{receiver['idle_timeout_s']:g}",
        "probe_s": f"{PROBE_S:g}",
        "linger_s": f"{commitment.LINGER_S:g}",
        "commitment_min": f"{commit / 60:g}",
        "most_studies": str(bounds.studies),
        "most_instances": f"{bounds.instances:,}",
        "query_s": f"{bounds.seconds:g}",
        "get_syntaxes": ", ".join(map(_syntax, retrieve.TRANSFER_SYNTAXES)),
        "unrecognized_operation": f"0x{statuses.UNRECOGNIZED_OPERATION:04X}",
    }


def _rejection(refusal: Refusal) -> str:
    result, source, reason, _ = refusal.value
    results, sources = {1: "permanent", 2: "transient"}, {1: "service user", 3: "presentation"}
    return f"| {result} ({results[result]}) | {source} ({sources[source]}) | {reason} | {_words(refusal)} |"


def _words(refusal: Refusal) -> str:
    return refusal.name.replace("_", " ").lower().replace("ae ", "AE ")


def _syntax(uid: str) -> str:
    return LATER_NAMES.get(uid) or UID(uid).name


def _decoded() -> list[str]:
    compressed = codestream.JPEG | codestream.PLUGINS.keys()
    native = [uid for uid in negotiation.TRANSFER_SYNTAXES if uid in UNCOMPRESSED]
    return [*native, *(uid for uid in negotiation.TRANSFER_SYNTAXES if uid in compressed)]


def _created(created: Mapping[str, Sequence[Kind]]) -> Iterator[str]:
    for uid, kinds in created.items():
        yield f"| {UID(uid).name} | {uid} | yes | yes | {'; '.join(LISTED[kind] for kind in kinds)} |"


def _storage_sop_classes() -> Iterator[str]:
    for uid in sorted(negotiation.STORAGE_SOP_CLASSES, key=lambda u: [int(part) for part in u.split(".")]):
        retired = " (retired)" if UID(uid).is_retired else ""
        yield f"| {UID(uid).name}{retired} | {uid} |"


def _proposed(created: Mapping[str, Sequence[Kind]]) -> Iterator[str]:
    message = ", ".join(map(_syntax, services.MESSAGE_TRANSFER_SYNTAXES))
    for uid in created:
        yield f"| {UID(uid).name} | {uid} | {ExplicitVRLittleEndian.name}, else {ImplicitVRLittleEndian.name} | SCU |"
    abstract = (
        session.FIND[0],
        StudyRootQueryRetrieveInformationModelMove,
        StudyRootQueryRetrieveInformationModelGet,
        services.STORAGE_COMMITMENT,
        services.VERIFICATION,
    )
    for uid in map(str, abstract):
        yield f"| {UID(uid).name} | {uid} | {message} | SCU |"


def _roles() -> str:
    (context,) = negotiation.acceptable(
        [build_context(services.STORAGE_COMMITMENT, list(services.MESSAGE_TRANSFER_SYNTAXES))]
    )
    return " and ".join(name for name, is_taken in (("SCU", context.scu_role), ("SCP", context.scp_role)) if is_taken)


def _meant(table: Sequence[dimse_status.Row[Any]], consequences: Mapping[Any, str]) -> Iterator[str]:
    for row in table:
        codes_ = "every other" if (row.first, row.last) == (0, 0xFFFF) else row.codes
        yield f"| {codes_} | {row.name} | {row.kind} | {consequences[row.then]} | {row.source} |"


def _query_statuses() -> Iterator[str]:
    yield "| 0000 | success | the answer is complete; of C-MOVE and C-GET, every instance was sent |"
    yield f"| {', '.join(f'{code:04X}' for code in query.PENDING)} | pending | a match, or progress |"
    errors = {code: query.failure("", code) for code in range(1, 0x10000) if code not in query.PENDING}
    said = [(code, str(error).partition(": ")[2], isinstance(error, Permanent)) for code, error in errors.items()]
    for (words, refused), run in groupby(said, key=lambda one: one[1:]):
        found = [code for code, *_ in run]
        if words or refused:
            span = f"{found[0]:04X}" + (f"-{found[-1]:04X}" if len(found) > 1 else "")
            yield f"| {span} | {words or '-'} | {'not asked again' if refused else 'asked again later'} |"
    yield "| every other | - | asked again later |"


def _c_find_keys() -> Iterator[str]:
    for level, keys in C_FIND_KEYS.items():
        matched, returned = (", ".join(map(dictionary_description, some)) for some in keys)
        yield f"| {level} | {matched} | {returned} |"


def _c_get_classes() -> Iterator[str]:
    (read,) = routed([QuestionScope("", frozenset(MODALITIES))]).values()
    for modality in MODALITIES:
        yield f"| {modality} | {', '.join(sorted(UID(uid).name for uid in read[modality]))} |"


def _configured(key: str) -> str:
    model: Any = Config
    *sections, name = key.split(".")
    for section in sections:
        model = _model(model.model_fields[section].annotation)
    field = model.model_fields[name]
    shown = re.sub(r"\b(peers|destinations)\.", r"\1[].", key)
    return f"| `{shown}` | {_default(field)} | {field.description} |"


def _model(annotation: Any) -> Any:
    found = [one for one in (annotation, *getattr(annotation, "__args__", ())) if hasattr(one, "model_fields")]
    return found[0]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, timedelta):
        return f"`{value / timedelta(days=1):g}d`"
    if isinstance(value, ByteSize):
        return f"`{value.human_readable()}`"
    if isinstance(value, frozenset):
        return f"`[{', '.join(sorted(value))}]`"
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
