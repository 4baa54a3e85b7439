//! The URL of the WHIP session, kept where it outlives the daemon: a server that was not told of the end takes no other
//! offer for a minute.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::shown;

const FILE: &str = "whip.json";

/// A file in the daemon's state directory; without one, what is kept is lost with the daemon.
///
/// It is written on a thread of its own, because an SD card can take seconds; in the order of what was kept.
#[derive(Debug)]
pub struct ResourceFile {
    endpoint: Url,
    resource: Option<Url>,
    writer: Option<mpsc::Sender<Option<Kept>>>,
}

/// What the file says. Whoever knows the URL of a session can end it at some servers, so only the daemon can read it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Where it was begun.
    endpoint: Url,
    /// Its URL.
    resource: Url,
}

impl ResourceFile {
    /// Reads which session at `endpoint` has not ended. One of another endpoint is none of ours: its server would be shown
    /// our token.
    pub fn open(directory: Option<&Path>, endpoint: Url) -> Self {
        let path = directory.map(|directory| directory.join(FILE));
        let kept = path.as_deref().and_then(|path| match read(path) {
            Ok(kept) => kept,
            Err(why) => {
                tracing::warn!("the WHIP session before the restart is not known: {path:?}: {why}");
                None
            }
        });
        let resource = kept.filter(|kept| kept.endpoint == endpoint).map(|kept| kept.resource);
        Self { endpoint, resource, writer: path.map(write_in_background) }
    }

    /// The URL of the session that has not ended, if there is one.
    pub fn resource(&self) -> Option<&Url> {
        self.resource.as_ref()
    }

    /// Begins to keep what is there from now on.
    pub fn keep(&mut self, resource: Option<Url>) {
        self.resource.clone_from(&resource);
        if let Some(writer) = &self.writer {
            let kept = resource.map(|resource| Kept { endpoint: self.endpoint.clone(), resource });
            // Without its thread it is kept in memory alone, which was said when the thread did not start.
            let _ = writer.send(kept);
        }
    }
}

fn write_in_background(path: PathBuf) -> mpsc::Sender<Option<Kept>> {
    let (sender, receiver) = mpsc::channel::<Option<Kept>>();
    let started = std::thread::Builder::new().name("whip file".to_owned()).spawn(move || {
        while let Ok(mut kept) = receiver.recv() {
            // Of what waits for the disk only the last is written.
            while let Ok(later) = receiver.try_recv() {
                kept = later;
            }
            if let Err(error) = write(&path, kept.as_ref()) {
                let endpoint = kept.as_ref().map(|kept| shown(&kept.endpoint));
                tracing::warn!(
                    endpoint,
                    "cannot keep the WHIP session in {path:?}: {error}; make the directory writable for the daemon, or it \
                     may have to wait for its place after a crash"
                );
            }
        }
    });
    if let Err(error) = started {
        tracing::warn!("cannot start the thread that keeps the WHIP session: {error}");
    }
    sender
}

fn read(path: &Path) -> Result<Option<Kept>, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Replaces the file as a whole, so that it is never half written, or takes it away.
fn write(path: &Path, kept: Option<&Kept>) -> io::Result<()> {
    let Some(kept) = kept else {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
    };
    let fresh = path.with_extension("json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    serde_json::to_writer(&mut file, kept)?;
    file.write_all(b"\n")?;
    std::fs::rename(fresh, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn kept(directory: &Path, endpoint: &str) -> Option<Url> {
        ResourceFile::open(Some(directory), url(endpoint)).resource().cloned()
    }

    /// The file is written by a thread.
    fn until(what: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what() {
            assert!(Instant::now() < deadline, "it is not written");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_session_outlives_the_daemon_and_belongs_to_its_endpoint() {
        let directory = tempfile::tempdir().unwrap();
        let (ours, session) = ("https://h/whip/cam1", url("https://h/session/7"));
        let mut file = ResourceFile::open(Some(directory.path()), url(ours));
        assert_eq!(file.resource(), None);
        file.keep(Some(session.clone()));
        until(|| kept(directory.path(), ours).as_ref() == Some(&session));
        assert_eq!(kept(directory.path(), "https://other/whip/cam1"), None);
        file.keep(None);
        until(|| !directory.path().join(FILE).exists());
    }

    #[test]
    fn a_file_that_makes_no_sense_is_no_session() {
        let directory = tempfile::tempdir().unwrap();
        for nonsense in ["", "{", r#"{"endpoint":"x","resource":"y"}"#, r#"{"endpoint":"https://h/"}"#] {
            std::fs::write(directory.path().join(FILE), nonsense).unwrap();
            assert_eq!(kept(directory.path(), "https://h/"), None, "{nonsense:?}");
        }
    }

    #[test]
    fn only_the_daemon_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let kept = Kept { endpoint: url("https://h/"), resource: url("https://h/1") };
        write(&path, Some(&kept)).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
