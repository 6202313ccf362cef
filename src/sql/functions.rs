//! What is known of functions by their names: those of MySQL 5.7 to 9 and MariaDB 10.4 to 12.
//!
//! It knows names only. An unqualified, unquoted name that is built in on one server may be a stored function on another
//! that lacks it (`UUID_TO_BIN` on MariaDB): such stand-ins are taken for what they stand for.

use super::shape::{Effects, PrimaryCause};

/// What a word before an opening parenthesis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// Not a function: `IN (`, `VALUES (`, `DECIMAL (`.
    Construct,
    /// Reads, if that.
    Pure,
    /// Bound to a session or a server, or with side effects.
    Bound(PrimaryCause, Effects),
    /// `LAST_INSERT_ID`: what it does depends on whether it has an argument.
    LastInsertId,
}

/// Looks a name up, in any case. None: unknown.
pub(super) fn lookup(name: &[u8]) -> Option<Function> {
    let mut buffer = [0; 40];
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let lower = std::str::from_utf8(lower).ok()?;
    if PURE.binary_search(&lower).is_ok() {
        return Some(Function::Pure);
    }
    if CONSTRUCTS.binary_search(&lower).is_ok() {
        return Some(Function::Construct);
    }
    let effects = match lower {
        "last_insert_id" => return Some(Function::LastInsertId),
        "nextval" | "lastval" | "setval" => {
            return Some(Function::Bound(PrimaryCause::Sequence, Effects::USES_SEQUENCE));
        }
        "get_lock" => Effects::GETS_LOCK,
        "release_lock" => Effects::RELEASES_LOCK,
        "release_all_locks" => Effects::RELEASES_ALL_LOCKS,
        "found_rows" => Effects::ASKS_FOUND_ROWS,
        "row_count" => Effects::ASKS_ROW_COUNT,
        "is_used_lock" => Effects::SERVER_BOUND | Effects::ASKS_LOCK_OWNER,
        "connection_id" | "ps_current_thread_id" | "ps_thread_id" => Effects::ASKS_CONNECTION_ID,
        "binlog_gtid_pos"
        | "icu_version"
        | "is_free_lock"
        | "load_file"
        | "master_gtid_wait"
        | "master_pos_wait"
        | "roles_graphml"
        | "source_pos_wait"
        | "sql_thread_wait_after_gtids"
        | "uuid_short"
        | "validate_password_strength"
        | "version"
        | "wait_for_executed_gtid_set"
        | "wait_until_sql_thread_after_gtids"
        | "wsrep_last_seen_gtid"
        | "wsrep_last_written_gtid"
        | "wsrep_sync_wait_upto_gtid" => Effects::SERVER_BOUND,
        _ => return None,
    };
    Some(Function::Bound(PrimaryCause::SessionFunction, effects))
}

/// Whether the built-in function of this name is meant only where its parenthesis directly follows; with a blank
/// between, the name is that of a stored function (the manual's "Function Name Parsing and Resolution").
pub(super) fn must_touch(name: &[u8]) -> bool {
    MUST_TOUCH.iter().any(|function| name.eq_ignore_ascii_case(function.as_bytes()))
}

#[rustfmt::skip]
static MUST_TOUCH: &[&str] = &[
    "adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "curdate", "curtime", "date_add", "date_sub", "extract",
    "group_concat", "json_arrayagg", "json_objectagg", "max", "mid", "min", "now", "position", "session_user", "st_collect", "std", "stddev",
    "stddev_pop", "stddev_samp", "subdate", "substr", "substring", "sum", "sysdate", "system_user", "trim", "variance",
    "var_pop", "var_samp",
];

/// Built-in functions any replica answers as well as the primary. Sorted.
#[rustfmt::skip]
static PURE: &[&str] = &[
    "abs", "acos", "add_months", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "any_value", "asbinary",
    "ascii", "asin", "astext", "aswkb", "aswkt", "atan", "atan2", "avg", "benchmark", "bin", "bin_to_uuid",
    "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "cast", "ceil", "ceiling", "char", "char_length",
    "character_length", "charset", "chr", "coalesce", "coercibility", "collation", "column_add", "column_check",
    "column_create", "column_delete", "column_exists", "column_get", "column_json", "column_list", "compress",
    "concat", "concat_operator_oracle", "concat_ws", "conv", "convert", "convert_tz", "cos", "cot", "count",
    "crc32", "crc32c", "cume_dist", "curdate", "current_date", "current_role", "current_time",
    "current_timestamp", "current_user", "curtime", "database", "date", "date_add", "date_format", "date_sub",
    "datediff", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "decode", "decode_histogram",
    "decode_oracle", "default", "degrees", "dense_rank", "des_decrypt", "des_encrypt", "elt", "encode",
    "encrypt", "endpoint", "exp", "export_set", "exteriorring", "extract", "extractvalue", "field",
    "find_in_set", "first_value", "floor", "format", "format_bytes", "format_pico_time", "from_base64",
    "from_days", "from_unixtime", "from_vector", "geomcollection", "geometrycollection", "geometryfromtext",
    "geometryn", "geometrytype", "geomfromtext", "geomfromwkb", "get_format", "glength", "greatest",
    "group_concat", "grouping", "gtid_subset", "gtid_subtract", "hex", "hour", "if", "ifnull", "inet6_aton",
    "inet6_ntoa", "inet_aton", "inet_ntoa", "insert", "instr", "interiorringn", "interval", "is_ipv4",
    "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_uuid", "isclosed", "isempty", "isnull", "issimple",
    "json_array", "json_array_append", "json_array_insert", "json_array_intersect", "json_arrayagg",
    "json_compact", "json_contains", "json_contains_path", "json_depth", "json_detailed", "json_equals",
    "json_exists", "json_extract", "json_insert", "json_key_filter", "json_keys", "json_length", "json_loose",
    "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
    "json_object_filter_keys", "json_object_to_array", "json_objectagg", "json_overlaps", "json_pretty",
    "json_query", "json_quote", "json_remove", "json_replace", "json_schema_valid",
    "json_schema_validation_report", "json_search", "json_set", "json_storage_free", "json_storage_size",
    "json_table", "json_type", "json_unquote", "json_valid", "json_value", "kdf", "lag", "last_day",
    "last_value", "lcase", "lead", "least", "left", "length", "lengthb", "linefromtext", "linefromwkb",
    "linestring", "linestringfromtext", "ln", "localtime", "localtimestamp", "locate", "log", "log10", "log2",
    "lower", "lpad", "lpad_oracle", "ltrim", "ltrim_oracle", "make_set", "makedate", "maketime", "max",
    "mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint", "mbrequal", "mbrequals", "mbrintersects",
    "mbroverlaps", "mbrtouches", "mbrwithin", "md5", "median", "microsecond", "mid", "min", "minute", "mod",
    "month", "monthname", "multilinestring", "multipoint", "multipolygon", "name_const", "natural_sort_key",
    "now", "nth_value", "ntile", "nullif", "numgeometries", "numinteriorrings", "numpoints", "nvl", "nvl2",
    "oct", "octet_length", "old_password", "ord", "password", "percent_rank", "percentile_cont",
    "percentile_disc", "period_add", "period_diff", "pi", "point", "pointfromtext", "pointfromwkb", "pointn",
    "polyfromtext", "polyfromwkb", "polygon", "polygonfromtext", "position", "pow", "power", "quarter", "quote",
    "radians", "rand", "random_bytes", "rank", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr",
    "repeat", "replace", "reverse", "right", "round", "row_number", "rownum", "rpad", "rpad_oracle", "rtrim",
    "rtrim_oracle", "schema", "sec_to_time", "second", "session_user", "sformat", "sha", "sha1", "sha2", "sign",
    "sin", "sleep", "soundex", "space", "sqrt", "st_area", "st_asbinary", "st_asgeojson", "st_astext",
    "st_aswkb", "st_aswkt", "st_boundary", "st_buffer", "st_buffer_strategy", "st_centroid", "st_collect",
    "st_contains", "st_convexhull", "st_crosses", "st_difference", "st_dimension", "st_disjoint", "st_distance",
    "st_distance_sphere", "st_endpoint", "st_envelope", "st_equals", "st_exteriorring", "st_frechetdistance",
    "st_geohash", "st_geomcollfromtext", "st_geomcollfromtxt", "st_geomcollfromwkb",
    "st_geometrycollectionfromtext", "st_geometrycollectionfromwkb", "st_geometryfromtext",
    "st_geometryfromwkb", "st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
    "st_geomfromwkb", "st_hausdorffdistance", "st_interiorringn", "st_intersection", "st_intersects",
    "st_isclosed", "st_isempty", "st_isring", "st_issimple", "st_isvalid", "st_latfromgeohash", "st_latitude",
    "st_length", "st_linefromtext", "st_linefromwkb", "st_lineinterpolatepoint", "st_lineinterpolatepoints",
    "st_linestringfromtext", "st_linestringfromwkb", "st_longfromgeohash", "st_longitude", "st_makeenvelope",
    "st_mlinefromtext", "st_mlinefromwkb", "st_mpointfromtext", "st_mpointfromwkb", "st_mpolyfromtext",
    "st_mpolyfromwkb", "st_multilinestringfromtext", "st_multilinestringfromwkb", "st_multipointfromtext",
    "st_multipointfromwkb", "st_multipolygonfromtext", "st_multipolygonfromwkb", "st_numgeometries",
    "st_numinteriorring", "st_numinteriorrings", "st_numpoints", "st_overlaps", "st_pointatdistance",
    "st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb", "st_pointn", "st_pointonsurface",
    "st_polyfromtext", "st_polyfromwkb", "st_polygonfromtext", "st_polygonfromwkb", "st_relate", "st_simplify",
    "st_srid", "st_startpoint", "st_swapxy", "st_symdifference", "st_touches", "st_transform", "st_union",
    "st_validate", "st_within", "st_x", "st_y", "startpoint", "statement_digest", "statement_digest_text",
    "std", "stddev", "stddev_pop", "stddev_samp", "str_to_date", "strcmp", "string_to_vector", "subdate",
    "substr", "substr_oracle", "substring", "substring_index", "subtime", "sum", "sys_guid", "sysdate",
    "system_user", "tan", "time", "time_format", "time_to_sec", "timediff", "timestamp", "timestampadd",
    "timestampdiff", "to_base64", "to_char", "to_days", "to_seconds", "to_vector", "trim", "trim_oracle",
    "truncate", "ucase", "uncompress", "uncompressed_length", "unhex", "unix_timestamp", "updatexml", "upper",
    "user", "utc_date", "utc_time", "utc_timestamp", "uuid", "uuid_to_bin", "uuid_v4", "uuid_v7", "values",
    "var_pop", "var_samp", "variance", "vec_distance", "vec_distance_cosine", "vec_distance_euclidean",
    "vec_fromtext", "vec_totext", "vector_dim", "vector_distance", "vector_to_string", "week", "weekday",
    "weekofyear", "weight_string", "xxh3", "xxh32", "year", "yearweek",
];

/// Words that are followed by a parenthesis without being functions. All are keywords, which no stored function can
/// be called by without quotes or a schema. Sorted.
#[rustfmt::skip]
static CONSTRUCTS: &[&str] = &[
    "against", "all", "and", "any", "as", "asc", "between", "bigint", "binary", "bit", "blob", "by", "case",
    "character", "collate", "columns", "cross", "datetime", "dec", "decimal", "desc", "distinct", "distinctrow",
    "div", "double", "else", "enum", "escape", "except", "exists", "fields", "float", "from", "group", "having",
    "in", "index", "inner", "int", "integer", "intersect", "is", "join", "key", "lateral", "like", "limit",
    "lines", "longblob", "longtext", "match", "mediumblob", "mediumint", "mediumtext", "national", "nchar",
    "nested", "not", "numeric", "nvarchar", "of", "offset", "on", "or", "order", "over", "partition", "real",
    "recursive", "regexp", "rlike", "row", "select", "separator", "set", "signed", "smallint", "some",
    "straight_join", "text", "then", "tinyblob", "tinyint", "tinytext", "union", "unsigned", "using", "value",
    "varbinary", "varchar", "varying", "when", "where", "with", "xor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_disjoint() {
        for table in [PURE, CONSTRUCTS, MUST_TOUCH] {
            assert!(table.iter().all(|name| name.len() <= 40 && *name == name.to_ascii_lowercase()));
        }
        assert!(PURE.is_sorted_by(|a, b| a < b) && CONSTRUCTS.is_sorted_by(|a, b| a < b));
        assert!(CONSTRUCTS.iter().all(|name| PURE.binary_search(name).is_err()));
        assert!(MUST_TOUCH.iter().all(|name| PURE.binary_search(name).is_ok()));
    }

    #[test]
    fn knows_what_is_bound() {
        assert_eq!(lookup(b"Count"), Some(Function::Pure));
        assert_eq!(lookup(b"IN"), Some(Function::Construct));
        assert_eq!(lookup(b"my_function"), None);
        assert_eq!(lookup(&[b'a'; 4096]), None);
        assert_eq!(lookup(b"GET_LOCK"), Some(Function::Bound(PrimaryCause::SessionFunction, Effects::GETS_LOCK)));
    }
}
