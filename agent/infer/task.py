"""One version's work from what was saved with it to its result: answering and running again share it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.core.ports import StoredInstance
from agent.core.roles import RoleTable
from agent.infer.admission import DEMONSTRATION, ActiveBundle
from agent.infer.compute import Computed, abstain, compute
from agent.infer.prepare import prepare_images
from agent.infer.question import Asked
from agent.infer.reader import ImageReader
from agent.infer.statement import Setting
from agent.infer.view import Images


@dataclass(frozen=True)
class Task:
    """Everything that an answer rests on, but for the bytes of the images."""

    setting: Setting
    asked: Asked
    stored: Sequence[StoredInstance]  # every instance of the version
    bundle: ActiveBundle
    admitted: bool  # whether the bundle may answer for this patient

    @property
    def reason(self) -> str:
        """Why there is no estimate for any axilla; empty: there may be one."""
        return self.asked.reason if self.admitted or self.asked.withdrawn else DEMONSTRATION


def work_out(task: Task, reader: ImageReader, roles: RoleTable, note: Callable[[Images], None]) -> Computed:
    """Compute the result, and read the images that its report needs; `note` is told what of the images is used.

    Raises
    ------
    Permanent
        If the model does not answer as its manifest says.
    Transient
        If the device fails.
    """
    engine, asked = task.bundle.engine, task.asked
    if task.reason or not asked.open_sides:
        computed = Computed(abstain(task.setting, engine, asked, task.reason), ())
    else:
        images = prepare_images(task.stored, asked, engine.manifest, reader, roles)
        note(images)
        computed = compute(task.setting, engine, asked, images)
    lent = task.setting.stranded
    return Computed(computed.result, computed.sources or (lent.sources if lent else reader.header_only(task.stored)))
