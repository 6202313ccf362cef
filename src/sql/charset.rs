//! Character sets and SQL modes by their names and numbers, as far as they change how text is read.

use super::shape::{Charset, SqlMode};

/// The class of a character set, by its name or the name of one of its collations, in any case.
#[must_use]
pub fn charset_class(collation_or_charset_name: &str) -> Charset {
    let name = collation_or_charset_name.trim().to_ascii_lowercase();
    let set = name.split('_').next().unwrap_or_default();
    match set {
        "utf8" | "utf8mb3" | "utf8mb4" | "latin1" | "latin2" | "latin5" | "latin7" | "ascii" | "binary" | "armscii8"
        | "cp1250" | "cp1251" | "cp1256" | "cp1257" | "cp850" | "cp852" | "cp866" | "dec8" | "geostd8" | "greek"
        | "hebrew" | "hp8" | "keybcs2" | "koi8r" | "koi8u" | "macce" | "macroman" | "tis620"
        // Their trail bytes are all beyond ASCII.
        | "gb2312" | "ujis" | "eucjpms" => Charset::AsciiSafe,
        "gbk" | "sjis" | "cp932" | "big5" | "gb18030" | "euckr" => Charset::Multibyte,
        // swe7 has letters where ASCII has punctuation; utf16 and the like are no bytes to us.
        _ => Charset::Unreadable,
    }
}

/// The class of the character set that a collation id belongs to, in MySQL and MariaDB alike. Unknown ids are
/// [`Charset::Unreadable`].
#[must_use]
pub fn charset_class_of_collation_id(id: u16) -> Charset {
    // MariaDB: NO PAD collations are 1024 above their own; UCA-14.0.0 ones hold the character set in bits 8 to 10.
    let id = match id {
        2048..=2559 => return Charset::AsciiSafe,
        1025..=2047 => id.saturating_sub(1024),
        _ => id,
    };
    match id {
        1 | 84 | 13 | 88 | 19 | 85 | 28 | 87 | 95 | 96 | 248..=250 => Charset::Multibyte,
        // swe7, utf16, utf16le, utf32, ucs2
        10 | 82 | 54..=56 | 60..=62 | 35 | 90 | 101..=124 | 128..=151 | 159..=183 => Charset::Unreadable,
        2..=100 | 192..=247 | 254..=323 | 576..=639 => Charset::AsciiSafe,
        _ => Charset::Unreadable,
    }
}

impl SqlMode {
    /// Reads the value of `@@sql_mode`: names with commas, or the number.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let value = value.trim();
        if let Ok(bits) = value.parse::<u64>() {
            // sql_class.h / query_options.h: ANSI_QUOTES 4, POSTGRESQL 256, ORACLE 512, MSSQL 1024, DB2 2048,
            // MAXDB 4096, ANSI 1 << 18, NO_BACKSLASH_ESCAPES 1 << 20.
            return Self {
                ansi_quotes: bits & (4 | 256 | 512 | 1024 | 2048 | 4096 | (1 << 18)) != 0,
                no_backslash_escapes: bits & (1 << 20) != 0,
                oracle: bits & 512 != 0,
            };
        }
        let mut mode = Self::default();
        for name in value.split(',') {
            match name.trim().to_ascii_uppercase().as_str() {
                "ANSI_QUOTES" | "ANSI" | "DB2" | "MAXDB" | "MSSQL" | "POSTGRESQL" => mode.ansi_quotes = true,
                "ORACLE" => {
                    mode.ansi_quotes = true;
                    mode.oracle = true;
                }
                "NO_BACKSLASH_ESCAPES" => mode.no_backslash_escapes = true,
                _ => {}
            }
        }
        mode
    }
}
