"""Which frames belong to libraries, as rows: the others are the application's own ("in-app")."""

from __future__ import annotations

import re
from typing import Final

_FOLDERS: Final[dict[str, re.Pattern[str]]] = {
    "python": re.compile(
        r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d|[/\\]Python\d+[/\\]Lib[/\\]|^<frozen |"
        r"^<__array_function__|\.pyx$"
    ),
    "javascript": re.compile(
        r"node_modules/|^node:|^internal/|(?:chrome|moz|safari(?:-web)?)-extension:|^native$|\[native code\]|"
        r"/webpack/(?:runtime|bootstrap)|(?:^|/)(?:react(?:-dom)?|vue|angular|zone|rxjs|lodash|jquery|polyfills|vendors?)"
        r"(?:[.\-~][\w.\-~]*)?\.js|^<anonymous>$"
    ),
    "dart": re.compile(r"^dart:|^package:flutter/|^package:stack_trace/|^org-dartlang-sdk:|dart-sdk/|/dart_sdk\.js"),
    "java": re.compile(
        r"(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|clojure|"
        r"org\.(?:springframework|apache|hibernate|eclipse|glassfish|postgresql|junit|codehaus|slf4j|jboss|mongodb|h2)|"
        r"com\.(?:google|fasterxml|zaxxer|mysql|microsoft\.sqlserver|amazonaws|esotericsoftware)|"
        r"io\.(?:netty|grpc|vertx|micrometer|reactivex)|reactor|akka|okhttp3|retrofit2|"
        r"oracle\.(?:jdbc|net)|net\.snowflake\.client|software\.amazon)\."
    ),
}
_R_BASE: Final = frozenset(
    [
        "stop",
        "warning",
        "eval",
        "evalq",
        "eval.parent",
        "withVisible",
        "source",
        "sys.source",
        "tryCatch",
        "tryCatchList",
        "tryCatchOne",
        "doTryCatch",
        "try",
        "withCallingHandlers",
        "do.call",
        "lapply",
        "sapply",
        "vapply",
        "mapply",
        "Map",
        "Reduce",
        "Filter",
        "FUN",
        "match.fun",
        "stopifnot",
        "simpleError",
        "suppressWarnings",
        "suppressMessages",
        "print",
        "cat",
        "paste",
        "library",
        "require",
        "loadNamespace",
        "signalCondition",
        ".handleSimpleError",
        "h",
        "rlang::abort",
        "abort",
        "conditions",
        "readRDS",
        "switch",
        "local",
        "with",
        "within",
        "system.time",
        "invisible",
    ]
)
_R_QUALIFIED: Final = re.compile(
    r"(?:base|stats|utils|methods|graphics|tools|rlang|dplyr|purrr|shiny|knitr|rmarkdown):{2,3}"
)


def is_library(language: str, place: str, member: str) -> bool:
    """Whether a frame at this place (a file, URI or Java class) is a library's."""
    if language == "r":
        return member in _R_BASE or _R_QUALIFIED.match(member) is not None
    pattern = _FOLDERS[language]
    return (pattern.match if language == "java" else pattern.search)(
        f"{place}." if language == "java" else place
    ) is not None
