//! The forms of the protocol in which every entry is said: how statements are sent, what the client agreed on, and how both
//! sides of the proxy are transported.

use pointsman::cluster::Flavor;
use pointsman::wire::Capabilities;

use crate::support::raw::{CLASSIC, MODERN};
use crate::support::wire::Method;

/// A form. Transport is the client's; directly it is that to the server.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub name: &'static str,
    pub capabilities: Capabilities,
    pub protocol: Protocol,
    pub tls: bool,
    pub compression: Option<Method>,
    /// `resultset_metadata = NONE` in every new session.
    pub no_definitions: bool,
    pub behind: Behind,
    /// Only this family has it.
    pub flavor: Option<Flavor>,
}

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Text,
    /// Prepared and executed.
    Binary,
    /// Prepared and executed with a cursor, which is fetched in pieces.
    Cursor,
}

/// How the proxy speaks to its servers: settings of `[[servers]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    pub compression: &'static str,
    pub tls: &'static str,
    /// The servers seem to lack DEPRECATE_EOF once clients have agreed on it: EOF packets are converted.
    pub converts: bool,
}

pub const PLAIN: Behind = Behind { compression: "off", tls: "off", converts: false };
const ZLIB: Behind = Behind { compression: "zlib", ..PLAIN };
const ZSTD: Behind = Behind { compression: "zstd", ..PLAIN };
const TLS: Behind = Behind { tls: "required", ..PLAIN };
const CONVERTED: Behind = Behind { converts: true, ..PLAIN };

const BASE: Form = Form {
    name: "",
    capabilities: MODERN,
    protocol: Protocol::Text,
    tls: false,
    compression: None,
    no_definitions: false,
    behind: PLAIN,
    flavor: None,
};

const TRACK: Capabilities = Capabilities::SESSION_TRACK;
const OPTIONAL: Capabilities = Capabilities::OPTIONAL_RESULTSET_METADATA;
const ATTRIBUTES: Capabilities = Capabilities::QUERY_ATTRIBUTES;
const ONLY_MARIADB: Option<Flavor> = Some(Flavor::MariaDb);
const ONLY_MYSQL: Option<Flavor> = Some(Flavor::MySql);

/// All forms, the two most used first.
pub const FORMS: &[Form] = &[
    Form { name: "text", ..BASE },
    Form { name: "binary", protocol: Protocol::Binary, ..BASE },
    Form { name: "text, classic", capabilities: CLASSIC, ..BASE },
    Form { name: "binary, classic", capabilities: CLASSIC, protocol: Protocol::Binary, ..BASE },
    Form { name: "text, untracked", capabilities: MODERN.without(TRACK), ..BASE },
    Form { name: "cursor", protocol: Protocol::Cursor, ..BASE },
    Form { name: "text, classic, tracked", capabilities: CLASSIC.with(TRACK), ..BASE },
    Form { name: "cursor, classic", capabilities: CLASSIC, protocol: Protocol::Cursor, ..BASE },
    Form { name: "text, found rows", capabilities: MODERN.with(Capabilities::FOUND_ROWS), ..BASE },
    Form {
        name: "binary, zlib both sides",
        protocol: Protocol::Binary,
        compression: Some(Method::Zlib),
        behind: ZLIB,
        ..BASE
    },
    Form { name: "text, zlib", compression: Some(Method::Zlib), ..BASE },
    Form { name: "cursor, zlib to servers", protocol: Protocol::Cursor, behind: ZLIB, ..BASE },
    Form { name: "text, classic, zlib to servers", capabilities: CLASSIC, behind: ZLIB, ..BASE },
    Form {
        name: "binary, classic, TLS and zlib",
        capabilities: CLASSIC,
        protocol: Protocol::Binary,
        tls: true,
        compression: Some(Method::Zlib),
        ..BASE
    },
    Form { name: "text, TLS both sides", tls: true, behind: TLS, ..BASE },
    Form { name: "binary, EOF converted", protocol: Protocol::Binary, behind: CONVERTED, ..BASE },
    Form { name: "text, EOF converted", behind: CONVERTED, ..BASE },
    // The rest is of one family.
    Form {
        name: "text, bulk operations",
        capabilities: MODERN.with(Capabilities::STMT_BULK_OPERATIONS).with(Capabilities::BULK_UNIT_RESULTS),
        flavor: ONLY_MARIADB,
        ..BASE
    },
    Form {
        name: "binary, plain metadata",
        capabilities: MODERN.without(Capabilities::EXTENDED_METADATA),
        protocol: Protocol::Binary,
        flavor: ONLY_MARIADB,
        ..BASE
    },
    Form {
        name: "binary, zstd",
        protocol: Protocol::Binary,
        compression: Some(Method::Zstd),
        flavor: ONLY_MYSQL,
        ..BASE
    },
    Form { name: "text, zstd both sides", compression: Some(Method::Zstd), behind: ZSTD, flavor: ONLY_MYSQL, ..BASE },
    Form {
        name: "binary, attributes",
        capabilities: MODERN.with(ATTRIBUTES),
        protocol: Protocol::Binary,
        flavor: ONLY_MYSQL,
        ..BASE
    },
    Form { name: "text, classic, attributes", capabilities: CLASSIC.with(ATTRIBUTES), flavor: ONLY_MYSQL, ..BASE },
    Form {
        name: "binary, optional metadata",
        capabilities: MODERN.with(OPTIONAL),
        protocol: Protocol::Binary,
        flavor: ONLY_MYSQL,
        ..BASE
    },
    Form {
        name: "text, classic, no metadata",
        capabilities: CLASSIC.with(OPTIONAL),
        no_definitions: true,
        flavor: ONLY_MYSQL,
        ..BASE
    },
    Form {
        name: "binary, no metadata, attributes, zstd to servers",
        capabilities: MODERN.with(OPTIONAL).with(ATTRIBUTES),
        protocol: Protocol::Binary,
        no_definitions: true,
        behind: ZSTD,
        flavor: ONLY_MYSQL,
        ..BASE
    },
    Form { name: "text, attributes", capabilities: MODERN.with(ATTRIBUTES), flavor: ONLY_MYSQL, ..BASE },
];
