"""What is hidden in the demo's story, as data: what a reader of the audit should be able to find.

Days are counted back from the end of the story and hold for a story of `STORY_DAYS` days; a shorter one is told faster
(`days_before_end`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

STORY_DAYS: Final = 90


def days_before_end(days_ago: float, days: int) -> float:
    """How many days before the end of a story of `days` days a fact with `days_ago` lies."""
    return days_ago * min(1.0, days / STORY_DAYS)


class Character(NamedTuple):
    """A person who appears in every story, whatever the seed."""

    login: str
    first_name: str
    last_name: str
    department: str
    office: str


class Release(NamedTuple):
    """An error that begins with a version of a package: parameters `package` and `version` tell it."""

    package: str
    version: str
    previous_version: str
    days_ago: float
    viewer: str
    error_group: str
    share: float


class MovedDataset(NamedTuple):
    """A dataset whose source was changed: its `dataset-save` event has before and after."""

    id: str
    name: str
    project: str
    by: str
    days_ago: float
    connection_before: str
    connection_after: str
    table_before: str
    table_after: str


class CostlyNotebook(NamedTuple):
    """A notebook whose kernel needs more memory and CPU than everything else together."""

    id: str
    name: str
    project: str
    by: str
    memory_mb: float
    cores: float
    hours_a_day: float


class ForgottenNotebook(NamedTuple):
    """A notebook that somebody began and left: its kernel still holds memory and does nothing."""

    id: str
    name: str
    project: str
    by: str
    days_ago: float
    memory_mb: float
    cores: float


class ProbedAccount(NamedTuple):
    """An account that somebody tried: failed logins in some nights from addresses not seen before, then a refusal."""

    login: str
    address: str
    nights_ago: tuple[float, ...]
    attempts: int


class FadingUser(NamedTuple):
    """One of the most active people, who does less and less."""

    login: str
    activity: float
    from_days_ago: float
    until_days_ago: float


class MassExport(NamedTuple):
    """Many datasets exported by one person in one evening (hour in UTC)."""

    login: str
    days_ago: float
    hour: int
    datasets: int


class Drift(NamedTuple):
    """A feature of an API service whose distribution moves."""

    service: str
    feature: str
    days_ago: float
    mean_before: float
    mean_after: float
    deviation: float


class Outcomes(NamedTuple):
    """What really happened to some of those whom `DRIFT.service` was asked about becomes known after so many days.

    Prices rose when the feature moved, and more customers leave since (likelihood `more_leave` higher), where the
    service takes what they spend for loyalty: what it predicts is wrong more often.
    """

    share: float
    more_leave: float
    known_after_days: float
    told_by: str


CHARACTERS: Final = (
    Character("erika.brandt", "Erika", "Brandt", "Sales Analytics", "Berlin"),
    Character("tom.walker", "Tom", "Walker", "Sales Analytics", "Boston"),
    Character("ravi.banerjee", "Ravi", "Banerjee", "Chemistry", "Bengaluru"),
    Character("lin.chen", "Lin", "Chen", "Chemistry", "Boston"),
    Character("maria.svensson", "Maria", "Svensson", "Finance", "Berlin"),
    Character("ida.hansen", "Ida", "Hansen", "IT Operations", "Berlin"),
    Character("omar.farah", "Omar", "Farah", "Data Engineering", "Berlin"),
)
ADMINISTRATOR: Final = "ida.hansen"

UNUSED_MENU_ITEM: Final = "Chem | Analyze | Legacy Fingerprints"
RELEASE: Final = Release("ChemViewer", "2.4.0", "2.3.1", 21, "Chem space", "dart_null", 0.5)
# Departments of the two ways of working that a clustering of people by what they use should find.
CLUSTERS: Final = {
    "analyst": ("Sales Analytics", "Marketing", "Finance", "Supply Chain"),
    "scientist": ("Chemistry", "Biology", "Clinical"),
}
MOVED_DATASET: Final = MovedDataset(
    "SALES.orders_clean",
    "orders clean",
    "SALES",
    "omar.farah",
    30,
    "oracle-erp",
    "lakehouse",
    "ERP.ORDERS_V2",
    "sales/orders/v3",
)
COSTLY_NOTEBOOK: Final = CostlyNotebook(
    "DOCKING.screen_ligands", "Screen ligands", "DOCKING", "lin.chen", 196_608.0, 24.0, 9.0
)
FORGOTTEN_NOTEBOOK: Final = ForgottenNotebook(
    "SALES.forecast_trial", "Forecast trial", "SALES", "tom.walker", 6, 24_576.0, 0.004
)
PROBED_ACCOUNT: Final = ProbedAccount("maria.svensson", "185.220.101.{}", (11, 10, 9), 36)
FADING_USER: Final = FadingUser("ravi.banerjee", 6.0, 55, 6)
MASS_EXPORT: Final = MassExport("tom.walker", 12, 21, 180)
DRIFT: Final = Drift("churn", "monthly_spend", 25, 62.0, 91.0, 18.0)
OUTCOMES: Final = Outcomes(0.4, 0.25, 7, "api:crm")
