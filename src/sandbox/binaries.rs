//! Finding the server programs on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::SandboxError;
use crate::cluster::Flavor;

/// Where server programs live beside the folders of `PATH`, which for an ordinary user often has no `sbin`.
const MORE_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin"];

/// Names of the server program, the telling ones first: `mysqld` may be either family.
const SERVERS: [&str; 2] = ["mariadbd", "mysqld"];

/// Names of MariaDB's program that makes a data folder. MySQL's server does that itself.
const INSTALLERS: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];

/// The programs of one server family.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Binaries {
    pub(super) flavor: Flavor,
    pub(super) version: String,
    pub(super) server: PathBuf,
    /// MariaDB's only; none for an unpacked tree, whose own installer looks for programs where they are not.
    pub(super) installer: Option<PathBuf>,
    /// Where messages and plugins are, if the programs are not those of the system.
    pub(super) basedir: Option<PathBuf>,
}

impl Binaries {
    /// Looks in the folder that `POINTSMAN_SANDBOX_BIN` names, then in those of `PATH` and where distributions put
    /// servers. MariaDB is taken first unless `flavor` asks for one.
    pub fn find(flavor: Option<Flavor>) -> Result<Self, SandboxError> {
        let mut folders: Vec<(PathBuf, bool)> = Vec::new();
        folders.extend(env::var_os(crate::config::SANDBOX_NAME).map(|folder| (PathBuf::from(folder), true)));
        folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths).map(|folder| (folder, false)));
        folders.extend(MORE_FOLDERS.iter().map(|folder| (PathBuf::from(folder), false)));
        let mut seen = Vec::new();
        folders.retain(|(folder, _)| {
            let new = !folder.as_os_str().is_empty() && !seen.contains(folder);
            seen.push(folder.clone());
            new
        });
        Self::find_in(&folders, flavor)
    }

    /// The programs of one family in just this folder.
    pub fn find_at(folder: &Path, flavor: Flavor) -> Result<Self, SandboxError> {
        Self::find_in(&[(folder.to_owned(), true)], Some(flavor))
    }

    fn find_in(folders: &[(PathBuf, bool)], flavor: Option<Flavor>) -> Result<Self, SandboxError> {
        let mut second = None;
        for (folder, own) in folders {
            for name in SERVERS {
                let Some(found) = Self::at(folder, name, *own, folders) else { continue };
                let wanted = match flavor {
                    None | Some(Flavor::Unknown) => found.flavor == Flavor::MariaDb || *own,
                    Some(flavor) => found.flavor == flavor,
                };
                if wanted {
                    return Ok(found);
                }
                second.get_or_insert(found);
            }
        }
        match (flavor, second) {
            (None | Some(Flavor::Unknown), Some(found)) => Ok(found),
            (wanted, _) => {
                let (wanted, package) = match wanted {
                    Some(Flavor::MySql) => ("MySQL", "mysql-server-core (or mysql-server-core-8.0)"),
                    Some(Flavor::MariaDb) => ("MariaDB", "mariadb-server-core mariadb-client-core"),
                    None | Some(Flavor::Unknown) => ("MariaDB or MySQL", "mariadb-server-core mariadb-client-core"),
                };
                let looked: Vec<_> = folders.iter().map(|(folder, _)| folder.display().to_string()).collect();
                Err(SandboxError::NoServer { wanted, looked: looked.join(":"), package })
            }
        }
    }

    /// The server program `name` in `folder`, if it runs and has all that it needs. `own`: the folder was named by the
    /// user, so the programs in it may belong to an unpacked tree with messages and plugins of its own.
    fn at(folder: &Path, name: &str, own: bool, folders: &[(PathBuf, bool)]) -> Option<Self> {
        let server = folder.join(name);
        if !server.is_file() {
            return None;
        }
        let asked = Command::new(&server).args(["--no-defaults", "--version"]).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&asked.stdout);
        let flavor = if text.contains("MariaDB") {
            Flavor::MariaDb
        } else if asked.status.success() && text.contains("Ver ") {
            Flavor::MySql
        } else {
            return None;
        };
        let version = text.split("Ver ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
        let basedir = own.then(|| Self::tree_of(folder)).flatten();
        let installer = match flavor {
            Flavor::MariaDb if basedir.as_deref().is_some_and(|tree| system_tables(tree).is_some()) => None,
            Flavor::MariaDb => Some(Self::installer(folder, folders)?),
            Flavor::MySql | Flavor::Unknown => None,
        };
        Some(Self { flavor, version: version.to_owned(), server, installer, basedir })
    }

    fn installer(beside: &Path, folders: &[(PathBuf, bool)]) -> Option<PathBuf> {
        let folders = std::iter::once(beside).chain(folders.iter().map(|(folder, _)| folder.as_path()));
        let mut names = folders.flat_map(|folder| INSTALLERS.iter().map(move |name| folder.join(name)));
        names.find(|program| program.is_file())
    }

    /// The tree that the programs in `folder` belong to: `TREE/bin`, or `FOLDER/bin` beside an unpacked `root/usr`.
    fn tree_of(folder: &Path) -> Option<PathBuf> {
        let parent = folder.parent()?;
        let trees = [parent.join("root/usr"), parent.to_owned()];
        trees.into_iter().find(|tree| tree.join("share/mysql").is_dir() || tree.join("share/mariadb").is_dir())
    }

    /// The family.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The version as the program says it, such as `10.11.6-MariaDB-0+deb12u1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The server program.
    #[must_use]
    pub fn server(&self) -> &Path {
        &self.server
    }
}

/// The scripts that make MariaDB's system tables, in their order, if this tree has them.
pub(super) fn system_tables(tree: &Path) -> Option<Vec<PathBuf>> {
    const SCRIPTS: [&str; 4] = [
        "mariadb_system_tables.sql",
        "mariadb_performance_tables.sql",
        "mariadb_system_tables_data.sql",
        "maria_add_gis_sp_bootstrap.sql",
    ];
    let scripts: Vec<PathBuf> = SCRIPTS.iter().map(|name| tree.join("share/mariadb").join(name)).collect();
    scripts.iter().all(|script| script.is_file()).then_some(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_names_the_package() {
        let folders = [(PathBuf::from("/nonexistent/bin"), true)];
        let error = Binaries::find_in(&folders, None).unwrap_err().to_string();
        assert!(error.contains("mariadb-server-core"), "{error}");
        assert!(error.contains("/nonexistent/bin"), "{error}");
        let error = Binaries::find_in(&folders, Some(Flavor::MySql)).unwrap_err().to_string();
        assert!(error.contains("mysql-server-core"), "{error}");
    }

    #[test]
    fn a_tree_is_found_from_its_program_folder() {
        assert_eq!(Binaries::tree_of(Path::new("/nonexistent/bin")), None);
    }
}
