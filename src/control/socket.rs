//! The Unix socket as a file: where it is, who may write to it, and that it goes when we go.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Group, geteuid};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::{UnixListener, UnixSocket};

use super::server::ControlError;

/// Who is in it may ask.
pub(super) const GROUP: &str = "roomcam";
/// The owner and the group may write, which connecting takes; the others may do nothing.
const MODE: u32 = 0o660;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 64;
/// Where a service started as root has it.
pub(super) const SYSTEM: &str = "/run/roomcam/control.sock";

/// Where `socket = "auto"` puts it: `control.sock` in systemd's `$RUNTIME_DIRECTORY`, else where root or a user
/// keeps such files. `None` if there is no such place.
pub(super) fn automatic() -> Option<PathBuf> {
    automatic_for(|variable| std::env::var_os(variable), geteuid().is_root())
}

fn automatic_for(env: impl Fn(&str) -> Option<OsString>, root: bool) -> Option<PathBuf> {
    let folder = |variable| env(variable).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    // Several RuntimeDirectory= are separated by colons (systemd.exec(5)).
    let runtime = env("RUNTIME_DIRECTORY").and_then(|all| {
        let first = all.to_str()?.split(':').next()?;
        first.starts_with('/').then(|| Path::new(first).join("control.sock"))
    });
    runtime
        .or_else(|| root.then(|| SYSTEM.into()))
        .or_else(|| folder("XDG_RUNTIME_DIR").map(|folder| folder.join("roomcam").join("control.sock")))
}

/// The file of a bound socket. Dropping it removes it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl SocketFile {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another daemon may have put its own there since.
        let ours = identity(&self.path).is_ok_and(|found| found == self.device_and_inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the control socket");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// Binds the socket, in the place of one that a killed daemon left behind.
pub(super) fn bind(path: &Path, make_folder: bool) -> Result<(UnixListener, SocketFile), ControlError> {
    let failed = |source: io::Error| ControlError::Socket { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|_| make_folder) {
        DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed)?;
    }
    clear(path)?;
    let socket = UnixSocket::new_stream().map_err(failed)?;
    socket.bind(path).map_err(failed)?;
    let file = SocketFile { path: path.to_owned(), device_and_inode: identity(path).map_err(failed)? };
    // Until it listens it refuses everybody, so nobody gets in before group and mode are right.
    give_to_group(path);
    fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    Ok((listener, file))
}

/// Makes the place free, unless somebody is there.
fn clear(path: &Path) -> Result<(), ControlError> {
    let failed = |source: io::Error| ControlError::Socket { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ControlError::NoSocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match knock(path) {
        Err(rustix::io::Errno::CONNREFUSED) => {
            tracing::info!(path = %path.display(), "removing the socket of a daemon that was killed");
            fs::remove_file(path).map_err(failed)
        }
        Err(rustix::io::Errno::NOENT) => Ok(()),
        // Whatever else it says: somebody listens there, or we cannot know.
        _ => Err(ControlError::Held { path: path.to_owned() }),
    }
}

/// Whether somebody listens. Does not wait, not even for one whose backlog is full.
fn knock(path: &Path) -> rustix::io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)
}

/// Gives the socket to the group, where there is one. Without it, or without the right to, the socket is for
/// the daemon's own group.
fn give_to_group(path: &Path) {
    let Ok(Some(group)) = Group::from_name(GROUP) else { return };
    if let Err(error) = chown(path, None, Some(group.gid.as_raw())) {
        tracing::debug!(path = %path.display(), %error, "cannot give the control socket to group {GROUP}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn automatic(env: &[(&str, &str)], root: bool) -> Option<String> {
        let find = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        automatic_for(find, root).map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_socket_goes_where_the_system_wants_it() {
        let systemd = ("RUNTIME_DIRECTORY", "/run/roomcam-2:/run/other");
        let user = ("XDG_RUNTIME_DIR", "/run/user/1000");
        assert_eq!(automatic(&[systemd, user], false).as_deref(), Some("/run/roomcam-2/control.sock"));
        assert_eq!(automatic(&[systemd], true).as_deref(), Some("/run/roomcam-2/control.sock"));
        assert_eq!(automatic(&[user], true).as_deref(), Some(SYSTEM));
        assert_eq!(automatic(&[user], false).as_deref(), Some("/run/user/1000/roomcam/control.sock"));
        assert_eq!(automatic(&[], false), None);
        assert_eq!(automatic(&[("RUNTIME_DIRECTORY", "")], false), None);
        assert_eq!(automatic(&[("XDG_RUNTIME_DIR", "relative")], false), None);
    }
}
