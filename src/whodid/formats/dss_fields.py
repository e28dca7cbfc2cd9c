"""What the fields of a Dataiku DSS event mean here: rows of data, and the typed form they are read into.

There is no public list of these fields, so every value may be of any kind, and every field may be missing.
Source: `facts/dss-audit.md` of the project's shared material; field names as public readers of audit logs use them.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import Struct

Via = tuple[Any, ...] | dict[str, Any] | str | float | bool | None


class EntityField(NamedTuple):
    """A field that names a thing, by what type it has.

    in_project     whether its id is only unique within its project.
    tells_project  whether `PROJECT.NAME` names one of that project: names of this type hold no dots.
    """

    field: str
    entity_type: str
    in_project: bool = True
    tells_project: bool = False


# The first that is present becomes the event's first entity; a job follows, and the project comes last.
# The order is that of `Message`.
ENTITY_FIELDS: Final[tuple[EntityField, ...]] = (
    EntityField("dataset_name", "dataset", tells_project=True),
    EntityField("dataset", "dataset", tells_project=True),
    EntityField("recipe_name", "recipe"),
    EntityField("recipe", "recipe"),
    EntityField("scenario_id", "scenario"),
    EntityField("webapp_id", "webapp"),
    EntityField("notebook_id", "notebook"),
    EntityField("notebook_name", "notebook"),
    EntityField("saved_model_id", "model", tells_project=True),
    EntityField("model_id", "model", tells_project=True),
    EntityField("analysis_id", "analysis"),
    EntityField("dashboard_id", "dashboard"),
    EntityField("insight_id", "insight"),
    EntityField("managed_folder_id", "folder", tells_project=True),
    EntityField("folder_id", "folder", tells_project=True),
    EntityField("bundle_id", "bundle"),
    EntityField("agent_id", "agent"),
    EntityField("service_id", "api-service", in_project=False),
    EntityField("deployment_id", "deployment", in_project=False),
    EntityField("connection_name", "connection", in_project=False),
    EntityField("connection", "connection", in_project=False),
    EntityField("plugin_id", "plugin", in_project=False),
    EntityField("cluster_id", "cluster", in_project=False),
    EntityField("llm_id", "llm", in_project=False),
    EntityField("workspace_key", "workspace", in_project=False),
)

# Types that say by their ending what came of it.
STATUS_ENDINGS: Final[tuple[tuple[str, str], ...]] = (
    ("-success", "success"),
    ("-failed", "failed"),
    ("-failure", "failed"),
    ("-done", "done"),
    ("-start", "started"),
    ("-complete", "done"),
)
STATUS_OF_TOPIC: Final[dict[str, str]] = {"generic-failure": "failed", "authfail": "denied"}

# A computation's context says in its own fields which program caused it; said here as an entry of authVia says it.
CONTEXT_PROGRAMS: Final[tuple[tuple[str, str], ...]] = (
    ("webapp_id", "ticket:Standard webapp backend: {}.{}"),
    ("scenario_id", "scenario={}.{}"),
    ("notebook_name", "ticket:jupyter:{}.{}"),
    ("job_id", "ticket:job:{}.{}"),
)


class Context(Struct, rename="camel", gc=False):
    """On whose behalf a computation runs."""

    type: Any = None
    project_key: Any = None
    auth_identifier: Any = None
    webapp_id: Any = None
    job_id: Any = None
    scenario_id: Any = None
    notebook_name: Any = None


class Usage(Struct, rename="camel", gc=False):
    """The part of `computeResourceUsage` that events are filed by; the whole of it stays in the parameters."""

    id: Any = None
    type: Any = None
    context: Context | None = None
    start_time: Any = None
    end_time: Any = None


class Message(Struct, rename="camel", gc=False):
    """The part of a DSS event that events are filed by, in the order in which it is taken apart (`SLICES`).

    What most events have comes first: names are looked for from the last one found on.
    """

    custom_msg_type: Any = None
    msg_type: Any = None
    audit_topic: Any = None
    login: Any = None
    user: Any = None
    auth_user: Any = None
    auth_via: Via = None
    project_key: Any = None
    dataset_name: Any = None
    dataset: Any = None
    recipe_name: Any = None
    recipe: Any = None
    scenario_id: Any = None
    webapp_id: Any = None
    notebook_id: Any = None
    notebook_name: Any = None
    saved_model_id: Any = None
    model_id: Any = None
    analysis_id: Any = None
    dashboard_id: Any = None
    insight_id: Any = None
    managed_folder_id: Any = None
    folder_id: Any = None
    bundle_id: Any = None
    agent_id: Any = None
    service_id: Any = None
    deployment_id: Any = None
    connection_name: Any = None
    connection: Any = None
    plugin_id: Any = None
    cluster_id: Any = None
    llm_id: Any = None
    workspace_key: Any = None
    job_id: Any = None
    dss_node_id: Any = None
    dss_node_name: Any = None
    node_type: Any = None
    routing_key: Any = None
    session_id: Any = None
    status: Any = None
    outcome: Any = None
    endpoint_id: Any = None
    request_id: Any = None
    error_message: Any = None
    error: Any = None
    error_stack_trace: Any = None
    stack_trace: Any = None
    compute_resource_usage: Usage | None = None
    timestamp: Any = None
    time: Any = None
    event_time: Any = None
    dss: Any = None


class Slices(NamedTuple):
    """Which of a message's values decide what."""

    kind: slice
    logins: slice
    things: slice
    place: slice
    rare: slice
    unusual: slice


def _slices() -> Slices:
    at = Message.__struct_fields__.index
    return Slices(
        kind=slice(at("custom_msg_type"), at("login")),
        logins=slice(at("login"), at("auth_via")),
        things=slice(at("dataset_name"), at("dss_node_id")),
        place=slice(at("dss_node_id"), at("request_id")),
        rare=slice(at("request_id"), at("compute_resource_usage")),
        unusual=slice(at("dataset"), at("compute_resource_usage")),
    )


SLICES: Final = _slices()


class Diagnostics(Struct, rename="camel", gc=False):
    """The part of `mdc` that events are filed by."""

    user: Any = None
    api_call: Any = None
