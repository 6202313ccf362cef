//! Capability and status flags.
//! [Capabilities](https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html),
//! [status](https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html).

use std::ops::{BitAnd, BitOr, Not};

macro_rules! flags {
    ($(#[$doc:meta])* $type:ident($repr:ty) { $($(#[$flag_doc:meta])* $name:ident = $bit:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub $repr);

        impl $type {
            $($(#[$flag_doc])* pub const $name: Self = Self(1 << $bit);)*

            /// Whether all of `other`'s flags are set.
            #[inline]
            #[must_use]
            pub const fn contains(self, other: Self) -> bool { self.0 & other.0 == other.0 }

            /// These flags and `other`'s.
            #[must_use]
            pub const fn with(self, other: Self) -> Self { Self(self.0 | other.0) }

            /// These flags but `other`'s.
            #[must_use]
            pub const fn without(self, other: Self) -> Self { Self(self.0 & !other.0) }
        }

        impl BitOr for $type {
            type Output = Self;
            fn bitor(self, other: Self) -> Self { Self(self.0 | other.0) }
        }

        impl BitAnd for $type {
            type Output = Self;
            fn bitand(self, other: Self) -> Self { Self(self.0 & other.0) }
        }

        impl Not for $type {
            type Output = Self;
            fn not(self) -> Self { Self(!self.0) }
        }
    };
}

flags! {
    /// What a client or a server can do; both sides' flags together decide the form of packets.
    /// Those from bit 32 on are MariaDB's own, which it sends in another place and only when LONG_PASSWORD is not set.
    Capabilities(u64) {
        /// Unset by MariaDB in its greeting: its extended capabilities follow.
        LONG_PASSWORD = 0,
        /// Affected rows are those found, not those changed.
        FOUND_ROWS = 1,
        /// Long column flags.
        LONG_FLAG = 2,
        /// The login names a schema.
        CONNECT_WITH_DB = 3,
        /// `schema.table.column` is not allowed.
        NO_SCHEMA = 4,
        /// zlib compression.
        COMPRESS = 5,
        /// ODBC client.
        ODBC = 6,
        /// LOAD DATA LOCAL.
        LOCAL_FILES = 7,
        /// Blanks before `(` are allowed.
        IGNORE_SPACE = 8,
        /// The 4.1 protocol; the only one spoken here.
        PROTOCOL_41 = 9,
        /// `interactive_timeout` instead of `wait_timeout`.
        INTERACTIVE = 10,
        /// TLS.
        SSL = 11,
        /// Ignored by servers.
        IGNORE_SIGPIPE = 12,
        /// Status flags in OK packets.
        TRANSACTIONS = 13,
        /// Reserved.
        RESERVED = 14,
        /// The 4.1 authentication.
        SECURE_CONNECTION = 15,
        /// Several statements in one COM_QUERY.
        MULTI_STATEMENTS = 16,
        /// Several result sets.
        MULTI_RESULTS = 17,
        /// Several result sets of prepared statements.
        PS_MULTI_RESULTS = 18,
        /// The login names an authentication plugin.
        PLUGIN_AUTH = 19,
        /// The login has connection attributes.
        CONNECT_ATTRS = 20,
        /// The login's authentication data have a length-encoded length.
        PLUGIN_AUTH_LENENC = 21,
        /// A client whose password has expired wants to be let in all the same, to set a new one.
        CAN_HANDLE_EXPIRED_PASSWORDS = 22,
        /// OK packets carry session state changes.
        SESSION_TRACK = 23,
        /// OK packets end result sets instead of EOF packets.
        DEPRECATE_EOF = 24,
        /// Result sets may come without column definitions.
        OPTIONAL_RESULTSET_METADATA = 25,
        /// zstd compression.
        ZSTD = 26,
        /// COM_QUERY and COM_STMT_EXECUTE carry attributes.
        QUERY_ATTRIBUTES = 27,
        /// Several authentication factors.
        MULTI_FACTOR = 28,
        /// Client side only.
        SSL_VERIFY_SERVER_CERT = 30,
        /// Client side only.
        REMEMBER_OPTIONS = 31,
        /// MariaDB: progress reports, in the middle of a reply.
        PROGRESS = 32,
        /// MariaDB: COM_STMT_BULK_EXECUTE, and -1 for the statement prepared last.
        STMT_BULK_OPERATIONS = 34,
        /// MariaDB: column definitions carry the type's name and format (JSON, UUID, INET6, geometries).
        EXTENDED_METADATA = 35,
        /// MariaDB: definitions are left out of results whose columns the connection's client has seen.
        CACHE_METADATA = 36,
        /// MariaDB 11.5: a bulk execution tells the result of each of its rows.
        BULK_UNIT_RESULTS = 37,
    }
}

impl Capabilities {
    /// Compression, of which one is chosen at the login. Each side has its own, so results do not hang on it.
    pub const COMPRESSION: Self = Self(Self::COMPRESS.0 | Self::ZSTD.0);

    /// What pointsman speaks to clients. Compression and TLS are beside it, where they are offered. CACHE_METADATA never will
    /// be: the server counts what the clients of its own connections have seen, and connections here are shared.
    pub const OFFERED: Self = Self(
        Self::LONG_PASSWORD.0
            | Self::FOUND_ROWS.0
            | Self::LONG_FLAG.0
            | Self::CONNECT_WITH_DB.0
            | Self::NO_SCHEMA.0
            | Self::ODBC.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::PROTOCOL_41.0
            | Self::INTERACTIVE.0
            | Self::IGNORE_SIGPIPE.0
            | Self::TRANSACTIONS.0
            | Self::RESERVED.0
            | Self::SECURE_CONNECTION.0
            | Self::MULTI_STATEMENTS.0
            | Self::MULTI_RESULTS.0
            | Self::PS_MULTI_RESULTS.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::PLUGIN_AUTH_LENENC.0
            | Self::CAN_HANDLE_EXPIRED_PASSWORDS.0
            | Self::SESSION_TRACK.0
            | Self::DEPRECATE_EOF.0
            | Self::OPTIONAL_RESULTSET_METADATA.0
            | Self::QUERY_ATTRIBUTES.0
            | Self::PROGRESS.0
            | Self::STMT_BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0
            | Self::BULK_UNIT_RESULTS.0,
    );

    /// What clients are offered while no server was seen: what every server of the last years can do.
    pub const UNSEEN: Self =
        Self(Self::OFFERED.0 & 0xFFFF_FFFF & !(Self::OPTIONAL_RESULTSET_METADATA.0 | Self::QUERY_ATTRIBUTES.0));

    /// Those of a client that change how a server reads statements or writes results: equal on both sides, and part
    /// of a connection pool's key. MULTI_STATEMENTS is not among them: COM_SET_OPTION changes it on a live connection.
    pub const SHAPING: Self = Self(
        Self::FOUND_ROWS.0
            | Self::NO_SCHEMA.0
            | Self::ODBC.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::INTERACTIVE.0
            | Self::MULTI_RESULTS.0
            | Self::PS_MULTI_RESULTS.0
            | Self::DEPRECATE_EOF.0
            | Self::OPTIONAL_RESULTSET_METADATA.0
            | Self::QUERY_ATTRIBUTES.0
            | Self::PROGRESS.0
            | Self::STMT_BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0
            | Self::BULK_UNIT_RESULTS.0,
    );

    /// Those of [`Self::SHAPING`] that a server may lack though the client has them: what differs is converted.
    pub const CONVERTED: Self = Self::DEPRECATE_EOF;

    /// What clients may be offered by a pool of these servers: what all of them can do. LONG_PASSWORD stands for "not
    /// MariaDB" and is the first one's own matter (the primary's), not a capability.
    #[must_use]
    pub fn common(servers: impl IntoIterator<Item = Self>) -> Self {
        let mut servers = servers.into_iter();
        let first = servers.next().unwrap_or_default();
        servers.fold(first, |common, next| common & next.with(Self::LONG_PASSWORD))
    }

    /// Those that a client with these agreed on and a server with `server` lacks, so that it cannot serve that client.
    #[must_use]
    pub const fn lacking(self, server: Self) -> Self {
        Self(self.0 & Self::SHAPING.0).without(server).without(Self::CONVERTED)
    }

    /// From the two fields of a packet. `extended` counts only beside a `basic` without LONG_PASSWORD, MariaDB's sign.
    #[must_use]
    pub const fn from_fields(basic: u32, extended: u32) -> Self {
        // `as` only widens; `From` is not const.
        let basic = Self(basic as u64);
        if basic.contains(Self::LONG_PASSWORD) { basic } else { Self(basic.0 | (extended as u64) << 32) }
    }

    /// The two fields of a packet. With any of MariaDB's own, LONG_PASSWORD must not be set, or they are not read.
    #[must_use]
    pub const fn to_fields(self) -> (u32, u32) {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        let (basic, extended) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if extended == 0 { (basic, 0) } else { (basic & !1, extended) }
    }
}

flags! {
    /// Status flags of OK and EOF packets.
    Status(u16) {
        /// A transaction is open.
        IN_TRANS = 0,
        /// Autocommit is on.
        AUTOCOMMIT = 1,
        /// Another result follows.
        MORE_RESULTS = 3,
        /// No good index was used.
        NO_GOOD_INDEX = 4,
        /// No index was used.
        NO_INDEX = 5,
        /// A cursor is open.
        CURSOR_EXISTS = 6,
        /// The last row of a cursor was sent.
        LAST_ROW_SENT = 7,
        /// A schema was dropped.
        DB_DROPPED = 8,
        /// NO_BACKSLASH_ESCAPES is in force.
        NO_BACKSLASH_ESCAPES = 9,
        /// A prepared statement was re-prepared with other columns.
        METADATA_CHANGED = 10,
        /// The query was slow.
        QUERY_WAS_SLOW = 11,
        /// The result holds OUT parameters.
        PS_OUT_PARAMS = 12,
        /// The open transaction is read-only.
        IN_TRANS_READONLY = 13,
        /// Session state changes follow in this OK packet.
        SESSION_STATE_CHANGED = 14,
        /// MariaDB: ANSI_QUOTES is in force.
        ANSI_QUOTES = 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_offered_what_all_servers_can_do() {
        // The greetings of MySQL 9.7 and MariaDB 10.11.
        let mysql = Capabilities(0xDFFF_FFFF);
        let mariadb = Capabilities(0x1D_81FF_F7FE);
        let none_of_mariadb = Capabilities(0xFFFF_FFFF);
        for (servers, wanted) in [
            (vec![mysql, mysql], mysql),
            (vec![mariadb, mariadb], mariadb),
            (vec![mysql, mariadb], (mysql & mariadb).with(Capabilities::LONG_PASSWORD)),
            (vec![mariadb, mysql], mysql & mariadb & none_of_mariadb),
        ] {
            assert_eq!(Capabilities::common(servers.iter().copied()), wanted, "{servers:?}");
        }
        let both = Capabilities::common([mysql, mariadb]);
        assert!(!both.contains(Capabilities::QUERY_ATTRIBUTES) && both.contains(Capabilities::DEPRECATE_EOF));
    }

    #[test]
    fn a_server_that_lacks_what_was_agreed_on_is_told_by_it() {
        let agreed = Capabilities::OFFERED;
        let old = Capabilities::OFFERED.without(Capabilities::DEPRECATE_EOF).without(Capabilities::CONNECT_ATTRS);
        assert_eq!(agreed.lacking(old), Capabilities::default());
        let none = old.without(Capabilities::QUERY_ATTRIBUTES).without(Capabilities::EXTENDED_METADATA);
        assert_eq!(agreed.lacking(none), Capabilities::QUERY_ATTRIBUTES | Capabilities::EXTENDED_METADATA);
    }
}
