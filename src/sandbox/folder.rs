//! A private folder that goes away: when dropped, and also when this process is killed.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::error::SandboxError;

/// What the watcher does once its standard input ends, which is when this process is gone, however it went: kill the
/// servers whose data is in the folder (the pid alone may by then belong to another), and remove the folder.
const WATCHER: &str = r#"
cat > /dev/null
for file in "$1"/*/server.pid; do
  read -r pid 2> /dev/null < "$file" || continue
  if tr '\0' '\n' 2> /dev/null < "/proc/$pid/cmdline" | grep -qxF -- "--pid-file=$file"; then
    kill -KILL "$pid"
  fi
done
[ "$2" = keep ] || { rm -rf -- "$1"; sleep 1; rm -rf -- "$1"; }
"#;

/// A folder of this process alone.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
    watcher: Option<Child>,
}

impl Folder {
    /// Makes a new folder under `base`, open to this user only.
    pub(super) fn create(base: &Path, purpose: &str, keep: bool) -> Result<Self, SandboxError> {
        let process = std::process::id();
        let mut number = 0_u32;
        let path = loop {
            let path = base.join(format!("pointsman-{purpose}-{process}-{number}"));
            // A server run by root stays root, so nobody else has to get in.
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 10_000 => number += 1,
                Err(source) => return Err(SandboxError::Io { path, source }),
            }
        };
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, "pointsman-sandbox"])
            .arg(&path)
            .arg(if keep { "keep" } else { "remove" })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole process group; the watcher must outlive it.
            .process_group(0)
            .spawn()
            .map_err(|source| SandboxError::Run { program: "sh".into(), source });
        match watcher {
            Ok(watcher) => Ok(Self { path, keep, watcher: Some(watcher) }),
            Err(error) => {
                let _best_effort = fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_kept(&self) -> bool {
        self.keep
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            let _already_gone = watcher.kill();
            let _reaped = watcher.wait();
        }
        if !self.keep {
            let _best_effort = fs::remove_dir_all(&self.path);
        }
    }
}

/// Copies a data folder. The files are a few dozen; their holes are not kept, which costs a few megabytes.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<(), SandboxError> {
    fs::create_dir(to).map_err(SandboxError::io(to))?;
    for entry in fs::read_dir(from).map_err(SandboxError::io(from))? {
        let entry = entry.map_err(SandboxError::io(from))?;
        let kind = entry.file_type().map_err(SandboxError::io(entry.path()))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(SandboxError::io(&target))?;
        }
    }
    Ok(())
}

/// The last lines of a log, for an error text; at most 4 KiB.
pub(super) fn tail_of(log: &Path) -> String {
    const KEPT: u64 = 4096;
    let read = || -> io::Result<String> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        let mut bytes = Vec::new();
        file.take(KEPT).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            // Where a server complains, that says more than the advice that some programs end with.
            let complaints: Vec<_> = text.lines().filter(|line| line.contains("ERROR")).collect();
            let lines = if complaints.is_empty() { text.lines().collect() } else { complaints };
            let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
            last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("  (cannot be read: {error})"),
    }
}
