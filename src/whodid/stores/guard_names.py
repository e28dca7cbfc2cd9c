"""What a statement from outside may touch: relations, table functions and functions, by dialect, as rows of data.

Left out on purpose: whatever reads files, settings, other relations or the running process; whatever waits, writes or
counts on; and what makes a large value out of a small one (`repeat`, `lpad`, `format`, …), because the engines do not
count the memory of a single value.
"""

from __future__ import annotations

from typing import Final

from whodid.stores.base import KEPT_BY_DUCKDB, KEPT_BY_POSTGRESQL

Relations = dict[str, frozenset[str]]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OURS: Final = _names("events event_entities")
_KEPT: Final = _OURS | frozenset(KEPT_BY_DUCKDB)
_KEPT_BY_POSTGRESQL: Final = _OURS | frozenset(KEPT_BY_POSTGRESQL)

# By schema; "" is a name without one.
RELATIONS: Final[dict[str, Relations]] = {
    "duckdb": {"": _KEPT, "main": _KEPT},
    "postgres": {
        "": _KEPT_BY_POSTGRESQL
        | _names(
            "event_types event_parameters event_parameter_values users groups groups_relations users_sessions entities "
            "entities_types entity_types packages published_packages projects project_relations tags queries "
            "connections funcs func_params func_calls func_call_values view_layouts chats comments notifications jobs "
            "reports reports_data capture_rules"
        ),
        "whodid": _KEPT_BY_POSTGRESQL,
    },
}
RELATIONS["postgres"]["public"] = RELATIONS["postgres"][""]
RELATIONS["clickhouse"] = {"": _OURS | _names("user_hours")}

TABLE_FUNCTIONS: Final[dict[str, frozenset[str]]] = {
    "duckdb": _names("unnest range generate_series json_each json_tree"),
    "postgres": _names(
        "unnest generate_series json_each json_each_text json_array_elements json_array_elements_text "
        "jsonb_each jsonb_each_text jsonb_array_elements jsonb_array_elements_text jsonb_object_keys "
        "json_object_keys jsonb_to_record jsonb_to_recordset json_to_record json_to_recordset "
        "regexp_split_to_table regexp_matches string_to_table"
    ),
    "clickhouse": _names("numbers range generate_series values"),
}

_COMMON: Final = _names(
    """
    abs acos age any_value array_agg array_length array_position array_to_string ascii asin atan atan2 avg
    bit_and bit_count bit_length bit_or bit_xor bool_and bool_or
    cbrt ceil ceiling char_length character_length chr coalesce concat concat_ws corr cos cosh cot count covar_pop
    covar_samp cume_dist current_date current_localtime current_localtimestamp current_time current_timestamp
    date_part date_trunc degrees dense_rank every exp extract factorial first_value floor
    gcd greatest grouping grouping_id
    isfinite jaro_winkler_similarity lag last_value lcm lead least left length ln log log10 lower ltrim
    make_date make_time make_timestamp make_timestamptz max md5 min mod mode nth_value now ntile nullif
    octet_length overlay percent_rank percentile_cont percentile_disc pi position power
    radians rank regexp_count regexp_replace regexp_split_to_array regr_avgx regr_avgy regr_count regr_intercept
    regr_r2 regr_slope regr_sxx regr_sxy regr_syy replace reverse right round row row_number rtrim
    sha256 sign sin sinh split_part sqrt starts_with stddev stddev_pop stddev_samp string_agg string_to_array strpos
    substr substring sum tan tanh timezone to_json to_timestamp transaction_timestamp translate trim trunc
    unnest upper var_pop var_samp variance width_bucket
    """
)

FUNCTIONS: Final[dict[str, frozenset[str]]] = {
    "duckdb": _COMMON
    | _names(
        """
        acosh add aggregate apply approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
        arg_min arg_min_null argmax argmin array_aggregate array_append array_apply array_cat array_concat
        array_contains array_distinct array_extract array_filter array_has array_has_all array_has_any array_indexof
        array_pop_back array_pop_front array_prepend array_push_back array_push_front array_reduce array_reverse
        array_reverse_sort array_slice array_sort array_to_json array_transform array_unique array_value array_where
        array_zip asinh atanh base64 bin bitstring_agg cardinality contains count_if count_star countif
        century date_add date_diff date_sub datediff datepart datesub datetrunc day dayname dayofmonth dayofweek
        dayofyear days_in_month decade decode damerau_levenshtein divide editdist3 element_at encode ends_with entropy
        epoch epoch_ms epoch_ns epoch_us equi_width_bins era even favg fdiv filter first flatten fmod
        formatreadabledecimalsize formatreadablesize format_bytes from_base64 from_binary from_hex fsum gamma
        gen_random_uuid generate_subscripts geomean geometric_mean get_current_timestamp greatest_common_divisor
        group_concat hamming hash hex histogram histogram_exact hour if ifnull instr isinf isnan isodow isoyear
        jaccard jaro_similarity json json_array json_array_length json_contains json_exists json_extract
        json_extract_path json_extract_path_text json_extract_string json_group_array json_group_object
        json_group_structure json_keys json_merge_patch json_object json_pretty json_quote json_structure json_transform
        json_type json_valid json_value julian kahan_sum kurtosis kurtosis_pop last last_day lcase
        least_common_multiple left_grapheme len length_grapheme levenshtein lgamma list list_aggr list_aggregate
        list_any_value list_append list_apply list_avg list_bool_and list_bool_or list_cat list_concat list_contains
        list_count list_distinct list_element list_entropy list_extract list_filter list_first list_has list_has_all
        list_has_any list_histogram list_indexof list_intersect list_last list_mad list_max list_median list_min
        list_mode list_pack list_position list_prepend list_product list_reduce list_reverse list_reverse_sort
        list_select list_skewness list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum
        list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip listagg log2 lttb mad
        make_timestamp_ms make_timestamp_ns map map_concat map_contains map_entries map_extract map_extract_value
        map_from_entries map_keys map_values max_by md5_number mean median microsecond millennium millisecond min_by
        minute mismatches month monthname multiply nanosecond nextafter nfc_normalize normalized_interval
        not_like_escape not_ilike_escape like_escape ilike_escape ord
        parse_dirname parse_dirpath parse_filename parse_path pow prefix product quantile
        quantile_cont quantile_disc quarter random reduce regexp_escape regexp_extract regexp_extract_all
        regexp_full_match regexp_matches right_grapheme round_even roundbankers row_to_json second
        sem sha1 signbit skewness split str_split str_split_regex strftime string_split string_split_regex
        strip_accents strlen strptime struct_concat struct_contains struct_extract struct_extract_at struct_has
        struct_indexof struct_insert struct_keys struct_pack struct_position struct_values substring_grapheme subtract
        suffix sumkahan time_bucket timezone_hour timezone_minute to_base to_base64 to_binary to_centuries to_days
        to_decades to_hex to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters
        to_seconds to_weeks to_years today try_strptime typeof ucase unbin unhex unicode url_decode url_encode user
        uuid uuid_extract_timestamp uuid_extract_version wavg week weekday weekofyear weighted_avg xor year yearweek
        sum_no_overflow fill
        """
    ),
    "postgres": _COMMON
    | _names(
        """
        acosd array_append array_cat array_dims array_lower array_ndims array_prepend array_remove array_replace
        array_upper asind asinh atan2d atand atanh btrim cardinality clock_timestamp cosd date_bin date
        decode div encode erf gen_random_uuid initcap isempty
        json_agg json_array_length json_build_array json_build_object json_extract_path json_extract_path_text
        json_object json_object_agg json_strip_nulls json_typeof jsonb_agg jsonb_array_length jsonb_build_array
        jsonb_build_object jsonb_exists jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_agg
        jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty
        jsonb_set jsonb_strip_nulls jsonb_typeof justify_days justify_hours justify_interval
        lower_inc lower_inf make_interval min_scale normalize num_nonnulls num_nulls
        pg_typeof quote_ident quote_literal quote_nullable random regexp_instr regexp_like regexp_match regexp_substr
        row_to_json scale sha224 sha384 sha512 sind statement_timestamp tand timeofday to_char to_date to_jsonb
        to_number to_tsquery to_tsvector plainto_tsquery websearch_to_tsquery ts_rank trim_array trim_scale
        unistr uuid_generate_v5 array
        """
    )
    | TABLE_FUNCTIONS["postgres"],
    "clickhouse": _COMMON
    | _names(
        """
        accuratecastornull addhours adddays addminutes addmonths addseconds addweeks addyears anylast argmax argmin
        arraycount arraydistinct arrayelement arrayenumerate arrayexists arrayfilter arrayfirst arrayfirstindex
        arrayjoin arraylast arraymap arraymax arraymin arrayreverse arrayreversesort arrayslice arraysort arraysum
        arrayuniq arrayzip avgif base64decode base64encode bitand bitor bitxor cityhash64 countequal countif
        countsubstrings cutquerystring datediff datename dateadd datesub datetrunc domain empty endswith
        extractall farmhash64 formatdatetime formatreadablequantity formatreadablesize formatreadabletimedelta
        fromunixtimestamp fromunixtimestamp64micro fromunixtimestamp64milli greatcircledistance grouparray
        groupbitand groupbitor groupbitxor groupuniqarray halfmd5 has hasall hasany hassubstr hex if ifnotfinite
        ifnull ilike indexof intdiv intdivorzero intervallengthsum isfinite isinfinite isnan isnotnull isnull
        isvalidjson isvalidutf8 json_exists json_query json_value jsonarraylength jsonextract jsonextractarrayraw
        jsonextractbool jsonextractfloat jsonextractint jsonextractkeys jsonextractkeysandvalues
        jsonextractkeysandvaluesraw jsonextractraw jsonextractstring jsonextractuint jsonhas jsonkey jsonlength
        jsontype laginframe leadinframe length lengthutf8 levenshteindistance locate lowerutf8 map mapkeys
        mapvalues match maxif median minif minus modulo monthname multiif multisearchany multisearchanycaseinsensitive
        multiply ngramdistance not notempty notilike notlike now64 nullin or plus positioncaseinsensitive
        positioncaseinsensitiveutf8 positionutf8 quantile quantileexact quantileexacthigh quantileexactinclusive
        quantileexactexclusive quantileexactlow quantiles quantilesexact quantilesexactexclusive quantilesexactinclusive
        quantiletdigest quantilestdigest quantiletiming regexpextract replaceall replaceone replaceregexpall
        replaceregexpone reinterpretasuint128 reinterpretasuint64 retention reverseutf8 rounddown sequencecount
        sequencematch siphash128 siphash64 skewpop skewsamp sparkbar splitbychar splitbyregexp splitbystring
        splitbywhitespace startswith stddevpop stddevsamp substringutf8 subtractdays subtracthours subtractminutes
        subtractmonths subtractseconds subtractweeks subtractyears sumif summap sumwithoverflow timediff timeslot
        toboolean tobool todate todate32 todatetime todatetime64 todatetime64ornull todatetimeornull todayofmonth
        todayofweek todayofyear tofloat64 tofloat64ornull tohour toint32 toint64 toint64ornull tointervalday
        tointervalhour tointervalminute tointervalmonth tointervalsecond tointervalweek tointervalyear toisoweek
        toisoyear tolowcardinality tominute tomonday tomonth tonullable toquarter torelativedaynum torelativehournum
        tosecond tostartofday tostartoffifteenminutes tostartoffiveminutes tostartofhour tostartofinterval
        tostartofminute tostartofmonth tostartofquarter tostartofweek tostartofyear tostring tostringornull totypename
        touint64 touint64ornull tounixtimestamp tounixtimestamp64micro tounixtimestamp64milli touuid touuidornull toweek
        toyear toyearweek toyyyymm toyyyymmdd topk trimboth trimleft trimright tuple tupleelement today unhex uniq
        uniqcombined uniqexact uniqexactif uniqif upperutf8 uuidstringtonum uuidnumtostring uuidtonum varpop varsamp
        windowfunnel yesterday xor xxhash64 yyyymmddtodate anyif anylastif argmaxif argminif grouparrayif
        groupuniqarrayif quantileif quantileexactinclusiveif quantilesif minornull maxornull sumornull avgornull
        arrayconcat arraycumsum arraydifference arrayflatten arrayintersect arrayjoin arraypopback arraypopfront
        arraypushback arraypushfront arraystringconcat assumenotnull concatassumeinjective concatwithseparator
        cutfragment
        """
    ),
}
