//! What an account may see and end of others: learnt from the primary, and kept for a short while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clients::ClientHandle;
use super::kill::ask_aside;
use super::shared::Shared;
use crate::backend::AccountId;
use crate::clock;
use crate::net::Host;

/// A GRANT or REVOKE holds here after so long at the latest.
const KEPT: Duration = Duration::from_secs(5);

/// Accounts remembered at most.
const MOST: usize = 10_000;

/// What an account may do to the connections of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants {
    /// PROCESS: sees all clients.
    pub sees_all: bool,
    /// CONNECTION_ADMIN or SUPER: ends all clients.
    pub kills_all: bool,
}

impl Grants {
    /// From the lines of SHOW GRANTS, which count active roles in.
    fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut grants = Self::default();
        for line in lines {
            let line = String::from_utf8_lossy(line);
            let Some((privileges, _)) = line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON *.* TO "))
            else {
                continue;
            };
            for privilege in privileges.split(',').map(str::trim) {
                match privilege {
                    "ALL PRIVILEGES" => grants = Self { sees_all: true, kills_all: true },
                    "PROCESS" => grants.sees_all = true,
                    // MySQL writes the underscore, MariaDB the blank.
                    "SUPER" | "CONNECTION_ADMIN" | "CONNECTION ADMIN" => grants.kills_all = true,
                    _ => {}
                }
            }
        }
        grants
    }
}

/// The grants of accounts.
#[derive(Debug, Default)]
pub struct KnownGrants {
    /// Of one name there may be an account for each address.
    by_account: Mutex<HashMap<(AccountId, Host), (Instant, Grants)>>,
}

impl KnownGrants {
    /// Those of a client's account. None: nobody could tell, so it may see and end its own only.
    pub(super) async fn of(&self, shared: &Shared, client: &ClientHandle) -> Option<Grants> {
        let account = client.account()?;
        let host = client.address().host();
        let id = (account.id, host);
        let now = clock::now();
        let known = self.by_account.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        if let Some((learnt, grants)) = known
            && now.saturating_duration_since(learnt) < KEPT
        {
            return Some(grants);
        }
        let primary = shared.cluster.load().primary().map(|primary| primary.id)?;
        let asked = ask_aside(shared, (&account, host), primary, "SHOW GRANTS").await;
        let mut by_account = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(lines) => {
                let grants = Grants::read(lines.iter().map(Vec::as_slice));
                if by_account.len() >= MOST {
                    by_account.clear();
                }
                by_account.insert(id, (now, grants));
                Some(grants)
            }
            Err(error) => {
                by_account.remove(&id);
                tracing::debug!(%error, user = &*account.user, "could not learn the grants of a user");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_privileges_count_and_others_do_not() {
        let read = |lines: &[&str]| Grants::read(lines.iter().map(|line| line.as_bytes()));
        let all = Grants { sees_all: true, kills_all: true };
        assert_eq!(read(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]), all);
        assert_eq!(
            read(&["GRANT SELECT, PROCESS ON *.* TO `a`@`%`", "GRANT CONNECTION_ADMIN,X ON *.* TO `a`@`%`"]),
            all
        );
        assert_eq!(
            read(&["GRANT CONNECTION ADMIN ON *.* TO `a`@`%`"]),
            Grants { kills_all: true, ..Grants::default() }
        );
        for none in [
            "GRANT USAGE ON *.* TO `a`@`%`",
            "GRANT ALL PRIVILEGES ON `app`.* TO `a`@`%`",
            "GRANT PROCESS ON *.* TO",
            "REVOKE PROCESS ON *.* FROM `a`@`%`",
        ] {
            assert_eq!(read(&[none]), Grants::default(), "{none}");
        }
    }
}
