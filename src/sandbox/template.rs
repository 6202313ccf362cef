//! A fresh data folder, made once for a sandbox and copied for each replica: copying is much quicker than making.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::binaries::{Binaries, system_tables};
use super::error::SandboxError;
use super::folder::tail_of;
use crate::cluster::Flavor;

/// Making a data folder takes MySQL some five seconds on two cores; a machine a dozen times slower is still served.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes `folder/data`.
pub(super) async fn make(binaries: &Binaries, folder: &Path) -> Result<(), SandboxError> {
    let data = folder.join("data");
    let mut input = None;
    let mut command = match (&binaries.flavor, &binaries.installer) {
        (Flavor::MariaDb, Some(installer)) => {
            let mut command = Command::new(installer);
            command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
            command.args(["--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"]);
            command
        }
        (Flavor::MariaDb, None) => {
            let tree = binaries.basedir.as_deref().unwrap_or_else(|| Path::new("/usr"));
            input = Some(bootstrap(folder, tree)?);
            fs::create_dir(&data).map_err(SandboxError::io(&data))?;
            let mut command = Command::new(&binaries.server);
            command.args(["--no-defaults", "--bootstrap", "--skip-networking"]);
            command.args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"]);
            command.arg(with_path("--lc-messages-dir=", &tree.join("share/mariadb")));
            command.arg(with_path("--plugin-dir=", &tree.join("lib/mysql/plugin")));
            command
        }
        _ => {
            let mut command = Command::new(&binaries.server);
            command.args(["--no-defaults", "--initialize-insecure", "--mysqlx=OFF", "--innodb-doublewrite=OFF"]);
            command.args(["--innodb-redo-log-capacity=16M", "--innodb-buffer-pool-size=32M"]);
            command
        }
    };
    if let Some(basedir) = &binaries.basedir {
        command.arg(with_path("--basedir=", basedir));
    }
    if is_root() {
        command.arg("--user=root");
    }
    command.arg(with_path("--datadir=", &data)).current_dir(folder);
    // MariaDB names its temporary tables after process and thread numbers, which repeat in another server that starts
    // at the same time: in a shared folder one takes the other's.
    command.arg(with_path("--tmpdir=", folder)).env("TMPDIR", folder);
    let program = PathBuf::from(command.as_std().get_program());
    let log = folder.join("template.log");
    let file = fs::File::create(&log).map_err(SandboxError::io(&log))?;
    let errors = file.try_clone().map_err(SandboxError::io(&log))?;
    command
        .stdin(input.map_or_else(Stdio::null, Stdio::from))
        .stdout(file)
        .stderr(errors)
        .kill_on_drop(true)
        .process_group(0);
    let mut child = command.spawn().map_err(|source| SandboxError::Run { program: program.clone(), source })?;
    let status = match tokio::time::timeout(LIMIT, child.wait()).await {
        Ok(Ok(status)) if status.success() => {
            // Each server makes an identity of its own.
            let _absent_on_mariadb = fs::remove_file(data.join("auto.cnf"));
            return Ok(());
        }
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not done after {LIMIT:?}"),
    };
    Err(SandboxError::Failed { program, status, log: tail_of(&log) })
}

/// What the server reads to make its system tables: as its installer, with a `root` that needs no password.
fn bootstrap(folder: &Path, tree: &Path) -> Result<fs::File, SandboxError> {
    let path = folder.join("bootstrap.sql");
    // One statement a line: that is how they are read there.
    let mut text =
        String::from("create database mysql;\nuse mysql;\nset @auth_root_socket=NULL, @skip_auth_anonymous=1;\n");
    for script in system_tables(tree).unwrap_or_default() {
        text.push_str(&fs::read_to_string(&script).map_err(SandboxError::io(&script))?);
    }
    fs::write(&path, text).map_err(SandboxError::io(&path))?;
    fs::File::open(&path).map_err(SandboxError::io(&path))
}

/// Whether this process is root, whom a server only obeys with `--user=root`.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// `--option=` and a path, which need not be text.
pub(super) fn with_path(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}
