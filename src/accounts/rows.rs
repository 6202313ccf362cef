//! Rows of the servers' tables of accounts: `mysql.user` of MySQL, `mysql.global_priv` of MariaDB.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use super::directory::{Entry, Method, TlsRule};
use super::host::HostPattern;
use crate::wire::auth::native::NativeHash;
use crate::wire::auth::{CACHING_SHA2, NATIVE, SHA256 as SHA256_PASSWORD};

/// Plugins of servers that prove an account and do not turn it into another.
const KEEPING: [&str; 6] = [NATIVE, CACHING_SHA2, SHA256_PASSWORD, "ed25519", "parsec", ""];

/// A row of MySQL's `mysql.user`, by column name. None: what is no account.
#[must_use]
pub fn from_mysql(columns: &[(&str, Vec<u8>)]) -> Option<Entry> {
    let bytes = |name: &str| {
        let column = columns.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        column.map(|(_, value)| value.as_slice()).unwrap_or_default()
    };
    let text = |name: &str| {
        columns.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)).then(|| std::str::from_utf8(bytes(name)).ok())?
    };
    let plugin = text("plugin")?;
    let tls = match bytes("ssl_type") {
        b"" => TlsRule::None,
        b"ANY" => TlsRule::Tls,
        b"X509" => TlsRule::Certificate,
        _ => {
            let column = |name: &str| String::from_utf8_lossy(bytes(name)).into();
            TlsRule::Specified {
                certificate: true,
                subject: column("x509_subject"),
                issuer: column("x509_issuer"),
                cipher: column("ssl_cipher"),
            }
        }
    };
    Some(Entry {
        user: text("User")?.into(),
        host: HostPattern::new(text("Host")?, true),
        method: method(plugin, bytes("authentication_string")),
        keeps_name: KEEPING.contains(&plugin),
        locked: bytes("account_locked") == b"Y",
        expired: bytes("password_expired") == b"Y",
        tls,
        // What follows the rights in the row: all that is about the login.
        login_print: print(columns.iter().filter(|(name, _)| !is_right(name)).map(|(_, value)| value.as_slice())),
        print: print(columns.iter().map(|(_, value)| value.as_slice())),
    })
}

/// Whether a column says what an account may do: it may change without a new password.
fn is_right(column: &str) -> bool {
    column.ends_with("_priv") || column.starts_with("max_")
}

/// A row of MariaDB's `mysql.global_priv`. None: what is no account, such as a role.
#[must_use]
pub fn from_mariadb(host: &str, user: &str, json: &str) -> Option<Entry> {
    let privileges: Value = serde_json::from_str(json).ok()?;
    let text = |name: &str| privileges.get(name).and_then(Value::as_str).unwrap_or_default();
    let is = |name: &str| privileges.get(name).and_then(Value::as_bool).unwrap_or_default();
    let number = |name: &str| privileges.get(name).and_then(Value::as_i64);
    if is("is_role") {
        return None;
    }
    let plugin = text("plugin");
    // Any of several methods may prove it: only the server can tell.
    let several = privileges.get("auth_or").is_some();
    let tls = match number("ssl_type") {
        None | Some(0) => TlsRule::None,
        Some(1) => TlsRule::Tls,
        Some(2) => TlsRule::Certificate,
        Some(_) => TlsRule::Specified {
            certificate: false,
            subject: text("x509_subject").into(),
            issuer: text("x509_issuer").into(),
            cipher: text("ssl_cipher").into(),
        },
    };
    let about_login = privileges.as_object().into_iter().flatten().filter(|(name, _)| {
        !matches!(name.as_str(), "access" | "version_id" | "default_role") && !name.starts_with("max_")
    });
    let about_login: Vec<u8> = about_login.flat_map(|(name, value)| format!("{name}={value};").into_bytes()).collect();
    Some(Entry {
        user: user.into(),
        host: HostPattern::new(host, false),
        method: if several { Method::Server } else { method(plugin, text("authentication_string").as_bytes()) },
        keeps_name: !several && KEEPING.contains(&plugin),
        locked: is("account_locked"),
        expired: number("password_last_changed") == Some(0),
        tls,
        login_print: print([host.as_bytes(), user.as_bytes(), &about_login]),
        print: print([host.as_bytes(), user.as_bytes(), json.as_bytes()]),
    })
}

fn method(plugin: &str, stored: &[u8]) -> Method {
    match plugin {
        NATIVE | CACHING_SHA2 | SHA256_PASSWORD | "" if stored.is_empty() => Method::Empty,
        NATIVE | "" => NativeHash::parse(stored).map_or(Method::Server, Method::Native),
        _ => Method::Server,
    }
}

/// A hash of values, each with its length.
fn print<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for value in values {
        context.update(&value.len().to_le_bytes());
        context.update(value);
    }
    let mut out = [0; 32];
    for (place, byte) in out.iter_mut().zip(context.finish().as_ref()) {
        *place = *byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";

    #[test]
    fn rows_of_mariadb() {
        let json = format!(
            r#"{{"access":0,"version_id":101114,"plugin":"mysql_native_password","authentication_string":"{HASH}","password_last_changed":1700000000}}"#
        );
        let native = from_mariadb("%", "app", &json).unwrap();
        assert!(matches!(native.method, Method::Native(_)));
        assert!(native.keeps_name && !native.locked && !native.expired);
        let more_rights = from_mariadb("%", "app", &json.replace("\"access\":0", "\"access\":1")).unwrap();
        assert_eq!(more_rights.login_print, native.login_print);
        assert_ne!(more_rights.print, native.print);
        let changed = from_mariadb("%", "app", &json.replace("*14", "*15")).unwrap();
        assert_ne!(changed.login_print, native.login_print);

        let entry = |json: &str| from_mariadb("10.%", "x", json).unwrap();
        assert_eq!(entry(r#"{"access":0}"#).method, Method::Empty);
        assert_eq!(entry(r#"{"plugin":"ed25519","authentication_string":"abc"}"#).method, Method::Server);
        assert!(!entry(r#"{"plugin":"pam","authentication_string":""}"#).keeps_name);
        let either = r#"{"plugin":"mysql_native_password","authentication_string":"invalid","auth_or":[{},{"plugin":"unix_socket"}]}"#;
        assert_eq!(entry(either).method, Method::Server);
        assert!(entry(r#"{"account_locked":true}"#).locked);
        assert!(entry(r#"{"password_last_changed":0}"#).expired);
        assert_eq!(entry(r#"{"ssl_type":1}"#).tls, TlsRule::Tls);
        assert_eq!(entry(r#"{"ssl_type":2}"#).tls, TlsRule::Certificate);
        let (subject, issuer, cipher) = ("/CN=a".into(), "".into(), "".into());
        let subject = TlsRule::Specified { certificate: false, subject, issuer, cipher };
        assert_eq!(entry(r#"{"ssl_type":3,"x509_subject":"/CN=a"}"#).tls, subject);
        assert!(from_mariadb("", "role", r#"{"is_role":true}"#).is_none());
        assert!(from_mariadb("%", "x", "no json").is_none());
    }

    #[test]
    fn rows_of_mysql() {
        let row = |more: &[(&'static str, &str)]| {
            let mut columns = vec![
                ("Host", b"10.%".to_vec()),
                ("User", b"app".to_vec()),
                ("Select_priv", b"N".to_vec()),
                ("plugin", CACHING_SHA2.as_bytes().to_vec()),
                // Salts are arbitrary bytes.
                ("authentication_string", b"$A$005$\x01\xff".to_vec()),
            ];
            for (name, value) in more {
                columns.retain(|(own, _)| own != name);
                columns.push((name, value.as_bytes().to_vec()));
            }
            from_mysql(&columns).unwrap()
        };
        assert_eq!(row(&[]).method, Method::Server);
        assert_eq!(row(&[("authentication_string", "")]).method, Method::Empty);
        assert!(matches!(row(&[("plugin", NATIVE), ("authentication_string", HASH)]).method, Method::Native(_)));
        assert!(row(&[("account_locked", "Y")]).locked && row(&[("password_expired", "Y")]).expired);
        assert_eq!(row(&[("ssl_type", "ANY")]).tls, TlsRule::Tls);
        assert_eq!(row(&[("ssl_type", "X509")]).tls, TlsRule::Certificate);
        let (subject, issuer, cipher) = ("".into(), "/CN=ca".into(), "".into());
        let issuer = TlsRule::Specified { certificate: true, subject, issuer, cipher };
        assert_eq!(row(&[("ssl_type", "SPECIFIED"), ("x509_issuer", "/CN=ca")]).tls, issuer);
        assert_ne!(row(&[("account_locked", "Y")]).login_print, row(&[("account_locked", "N")]).login_print);
        assert!(from_mysql(&[("Host", b"%".to_vec())]).is_none());
    }
}
