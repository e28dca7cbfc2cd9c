"""The pages and their tiles, as rows. A tile is a report in a form; a page is a row of tiles."""

from __future__ import annotations

from typing import Final

from whodid.web.pages.rows import Page, Tile

_USER: Final = (("users", "{login}"),)
_GROUP: Final = (("groups", "{group}"),)
_ENTITY: Final = (("entities", "{type}:{id}"),)
_FUNCTION: Final = (("function", "{function}"),)

# fmt: off
PAGES: Final[tuple[Page, ...]] = (
    Page("overview", "/", "Overview", (
        Tile("numbers", "overview", "numbers", "whole", 1, title="How much is going on"),
        Tile("days", "activity", "chart", "two-thirds", 3, title="Active people a day", previous=True),
        Tile("errors-days", "activity", "chart", "third", 3, title="Errors a day", chart="bar x=period y=errors"),
        Tile("types", "types", size="third", title="What they do", columns=("type", "events", "people")),
        Tile("people", "users", size="third", title="Who is most active", columns=("person", "events", "last")),
        Tile("projects", "projects", size="third", title="Where: projects",
             columns=("project", "users", "uses", "errors")),
        Tile("errors", "error-groups", size="whole", title="Which errors are new, came back, or go on",
             columns=("title", "status", "errors", "people", "trend", "version", "last")),
        Tile("mix", "activity-by-type", "chart", "half", 3, title="What is done over time"),
        Tile("things", "entities", size="half", title="Which things are used most",
             columns=("entity_id", "uses", "users", "last")),
    )),
    Page("users", "/users", "Users", (
        Tile("numbers", "overview", "numbers", "whole", 1, title="How much is going on"),
        Tile("days", "activity", "chart", "two-thirds", 3, title="Active people a day", previous=True),
        Tile("hours", "hours", "chart", "third", 3, title="When they work"),
        Tile("people", "users", size="whole", height=4, title="Who is active, and how much"),
        Tile("new", "new-users", size="half", title="Who is new",
             columns=("person", "first", "active_days", "events", "errors")),
        Tile("fading", "fading-users", size="half", title="Who is fading",
             columns=("person", "usual_per_week", "per_week", "change_percent", "last")),
        Tile("retention", "retention", "chart", "half", 3, title="Who comes back in the weeks after their first"),
        Tile("features", "features", size="half", title="Which features gain and lose",
             columns=("feature", "users", "previous_users", "user_percent", "uses")),
    )),
    Page("groups", "/groups", "Groups", (
        Tile("groups", "groups", size="whole", height=4, title="Which groups use it, against the whole organisation"),
        Tile("features", "group-features", size="whole", height=4, title="Which features go with which groups"),
    )),
    Page("functions", "/functions", "Functions", (
        Tile("functions", "functions", size="whole", height=4, title="What is run, and how long it takes",
             columns=("function", "runs", "people", "errors", "failed_percent", "p50_ms", "p95_ms", "p99_ms",
                      "total_hours", "last")),
        Tile("changes", "function-changes", size="half", title="What became slower, or is used differently",
             columns=("function", "runs", "previous_runs", "p95_ms", "previous_p95_ms", "p95_change_percent")),
        Tile("slowest", "slowest-runs", size="half", title="Which single runs took longest",
             columns=("function", "duration_ms", "person", "status", "time")),
    )),
    Page("interface", "/interface", "Interface", (
        Tile("unused", "interface-unused", size="half", height=4, title="Least and never used",
             columns=("item", "kind", "uses", "ever", "last")),
        Tile("items", "interface", size="half", height=4, title="Menu items, dialogs, clicks: most used",
             columns=("item", "kind", "uses", "users", "errors_percent")),
        Tile("followed", "interface", size="half", title="Most often followed by an error",
             parameters=(("order", "errors"),), columns=("item", "kind", "uses", "errors_after", "errors_percent")),
        Tile("packages", "packages", size="half", title="Packages and their versions",
             columns=("package", "version", "uses", "users", "errors_percent", "installed")),
    )),
    Page("entities", "/entities", "Entities", (
        Tile("things", "entities", size="whole", height=4, title="Which things are used most",
             columns=("entity_id", "uses", "previous_uses", "users", "runs", "edits", "errors", "last")),
        Tile("projects", "projects", size="whole", title="In which projects",
             columns=("project", "uses", "previous_uses", "users", "sessions", "runs", "errors", "last")),
    )),
    Page("errors", "/errors", "Errors", (
        Tile("days", "activity", "chart", "whole", 2, title="Errors a day", chart="bar x=period y=errors"),
        Tile("groups", "error-groups", size="whole", height=4, title="Which errors are new, came back, or go on",
             columns=("title", "status", "state", "errors", "previous", "people", "trend", "first", "last", "version")),
        Tile("before", "errors-before", size="half", title="What was done right before",
             columns=("what", "type", "errors", "share_percent", "people", "median_s")),
        Tile("hashes", "errors", size="half", title="The same by Datagrok's rule",
             columns=("message", "errors", "people", "version", "last")),
    )),
    Page("security", "/security", "Security", (
        Tile("probed", "probed-accounts", size="half", title="Which accounts did somebody try to get into",
             columns=("account", "day", "failed", "addresses", "networks", "got_in")),
        Tile("logins", "logins", size="half", title="Logins and failed logins",
             columns=("account", "failed", "logins", "addresses", "failed_addresses", "last_failure"), sort="-failed"),
        Tile("mass", "mass-reads", size="half", title="Who read or took out far more than usual",
             columns=("person", "day", "kind", "events", "usual", "times_usual", "things", "rows")),
        Tile("refusals", "refusals", size="half", title="Who was refused what",
             columns=("person", "type", "reason", "refusals", "last")),
        Tile("permissions", "permission-changes", size="whole", title="Rights given and taken",
             columns=("time", "person", "type", "thing", "description", "before", "after")),
        Tile("addresses", "new-addresses", size="half", title="Addresses never seen before",
             columns=("account", "address", "logins", "failed", "accounts", "first")),
        Tile("keys", "key-changes", size="half", title="Keys made and taken back",
             columns=("time", "person", "type", "thing")),
        Tile("settings", "setting-changes", size="whole", title="Settings changed",
             columns=("time", "person", "type", "thing", "before", "after")),
        Tile("readers", "audit-readers", size="half", title="Who read and exported the audit",
             columns=("person", "type", "what", "readings", "last")),
        Tile("changes", "audit-changes", size="half", title="What was changed in whodid itself",
             columns=("time", "person", "type", "thing")),
    )),
    Page("api-nodes", "/api-nodes", "API nodes", (
        Tile("services", "api-services", size="whole", height=4, title="How services answer",
             columns=("service", "endpoint", "version", "queries", "previous", "error_percent", "callers", "p50_ms",
                      "p95_ms", "p99_ms", "last")),
        Tile("callers", "api-callers", size="whole", title="Who asks them",
             columns=("caller", "service", "endpoint", "queries", "previous", "errors", "p95_ms", "last")),
    )),
    Page("compute", "/compute", "Compute", (
        Tile("projects", "compute", size="half", title="Which projects use most",
             columns=("subject", "memory_gb_h", "memory_share_percent", "cpu_h", "sql_h", "llm_cost_usd")),
        Tile("people", "compute", size="half", title="Who uses most", parameters=(("by", "user"),),
             columns=("subject", "memory_gb_h", "memory_share_percent", "cpu_h", "sql_h", "llm_cost_usd")),
        Tile("things", "compute-things", size="whole", height=4, title="What uses most: notebooks, webapps, jobs",
             columns=("name", "thing", "person", "memory_gb_h", "memory_share_percent", "memory_gb", "cpu_h",
                      "running_h")),
        Tile("idle", "compute-idle", size="half", title="What is idle and holds memory",
             columns=("name", "person", "memory_gb_h", "busy_percent", "running_h", "last")),
        Tile("models", "language-models", size="half", title="Language models",
             columns=("model", "project", "queries", "prompt_tokens", "completion_tokens", "llm_cost_usd")),
        Tile("kubernetes", "kubernetes", size="whole", title="Kubernetes: used of what was asked for",
             columns=("cluster", "namespace", "project", "pods", "memory_gb_h", "memory_used_percent", "cpu_h",
                      "cpu_used_percent", "measured_percent")),
        Tile("adoption", "adoption", "numbers", "whole", 1, title="Adoption of the instance"),
        Tile("families", "adoption-families", size="half", title="Parts of the platform that are used",
             columns=("family", "events", "people", "projects", "top_type")),
        Tile("coverage", "coverage", size="half", title="What stretch of time is known",
             columns=("node", "node_type", "events", "first", "last", "longest_gap_hours")),
    )),
    Page("user", "/users/{login}", "{login}", (
        Tile("numbers", "overview", "numbers", "whole", 1, title="How much", parameters=_USER),
        Tile("history", "history", "part", "half", 5, title="What they did"),
        Tile("days", "activity", "chart", "half", 2, title="Events a day", parameters=_USER,
             chart="bar x=period y=events"),
        Tile("types", "types", size="half", title="What they do", parameters=_USER,
             columns=("type", "events", "errors", "last")),
        Tile("things", "entities", size="half", title="Which things they use", parameters=_USER,
             columns=("entity_id", "uses", "runs", "last")),
        Tile("errors", "error-groups", size="half", title="Which errors they met", parameters=_USER,
             columns=("title", "errors", "last")),
        Tile("addresses", "new-addresses", size="half", title="Addresses never seen before", parameters=_USER,
             columns=("address", "logins", "failed", "first")),
    ), under="/users"),
    Page("group", "/groups/{group}", "{group}", (
        Tile("numbers", "overview", "numbers", "whole", 1, title="How much", parameters=_GROUP),
        Tile("days", "activity", "chart", "two-thirds", 3, title="Active people a day", parameters=_GROUP,
             previous=True),
        Tile("people", "users", size="third", title="Who is most active", parameters=_GROUP,
             columns=("person", "events", "last")),
        Tile("features", "features", size="half", title="Which features they use", parameters=_GROUP,
             columns=("feature", "users", "previous_users", "uses")),
        Tile("things", "entities", size="half", title="Which things they use", parameters=_GROUP,
             columns=("entity_id", "uses", "users", "last")),
    ), under="/groups"),
    Page("function", "/functions/{function}", "{function}", (
        Tile("times", "runs", "chart", "whole", 3, title="Runs and how long they took", parameters=_FUNCTION),
        Tile("runs", "runs", size="whole", height=4, title="Who ran it, with what, and what came of it",
             parameters=_FUNCTION,
             columns=("time", "person", "entity_id", "duration_ms", "status", "error_message", "entities",
                      "parameters")),
        Tile("slowest", "slowest-runs", size="whole", title="Slowest runs", parameters=_FUNCTION,
             columns=("time", "person", "duration_ms", "status", "entity_id", "parameters")),
    ), under="/functions"),
    Page("entity", "/entities/{type}/{id}", "{id}", (
        Tile("numbers", "overview", "numbers", "whole", 1, title="How much", parameters=_ENTITY),
        Tile("history", "history", "part", "half", 5, title="What happened to it"),
        Tile("days", "activity", "chart", "half", 2, title="Events a day", parameters=_ENTITY,
             chart="bar x=period y=events"),
        Tile("people", "entity-users", size="half", title="Who uses it", parameters=_ENTITY,
             columns=("person", "uses", "edits", "runs", "exports", "last")),
        Tile("types", "types", size="half", title="What is done with it", parameters=_ENTITY,
             columns=("type", "events", "people", "last")),
        Tile("errors", "error-groups", size="half", title="Errors", parameters=_ENTITY,
             columns=("title", "errors", "people", "last")),
        Tile("origin", "origin", "graph", "whole", 4, title="Where it comes from, and where it goes on",
             parameters=(("entity", "{type}:{id}"),)),
        Tile("changes", "entity-history", size="whole", title="What was changed, from what to what",
             parameters=(*_ENTITY, ("verb", "edited")),
             columns=("time", "person", "type", "changed", "before", "after", "status")),
    ), under="/entities"),
    Page("session", "/sessions/{session}", "Session {session}", (
        Tile("timeline", "timeline", "part", "whole", 6, title="What happened, on client and server"),
    ), under="/users"),
    Page("request", "/requests/{request_id}", "Request {request_id}", (
        Tile("timeline", "timeline", "part", "whole", 6, title="What happened, on client and server"),
    ), under="/events"),
)
# fmt: on
_BY_NAME: Final = {page.name: page for page in PAGES}


def page_of(name: str) -> Page | None:
    """The page of this name."""
    return _BY_NAME.get(name)
