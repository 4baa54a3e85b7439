//! What people at the device chose last, kept where it outlives a restart.

use std::fs::{File, OpenOptions};
use std::future::pending;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::background::Background;
use super::event::Choice;

const FILE: &str = "choice.json";
/// How long the lamps wait for a choice to be kept. A working SD card takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file in the daemon's state directory; nothing, if it has none. It is written on a thread of its own, because an
/// SD card can take seconds.
pub(super) struct ChoiceFile {
    directory: Option<PathBuf>,
    /// What the file is to say.
    kept: Kept,
    writing: Option<Writing>,
    /// Whether `kept` is to be written when `writing` is done.
    stale: bool,
    disk: Disk,
}

/// A write that is under way.
struct Writing {
    job: Background<io::Result<()>>,
    due: Instant,
    /// It was due before it was done.
    late: bool,
}

type WriteChoice = dyn Fn(&Path, Kept) -> io::Result<()> + Send + Sync;

/// How the file is written.
struct Disk {
    write: Arc<WriteChoice>,
    /// How long the lamps wait for it.
    patience: Duration,
}

/// The file. A device that the configuration does not have at the moment keeps its choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_on: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mic_live: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attending: Option<bool>,
}

/// Nobody knows what was chosen, so that the choice is the one that shows and tells nothing.
const CLOSED: Kept = Kept { camera_on: Some(false), mic_live: Some(false), attending: None };

/// The choice cannot be kept, or is not known any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChoiceFileError {
    /// There is a file, and it does not say what was chosen.
    #[error(
        "what was chosen before the restart is not known: {path:?}: {reason}; camera and microphone stay closed until somebody opens them"
    )]
    Forgotten { path: PathBuf, reason: String },
    /// The file cannot be written.
    #[error(
        "cannot keep what was chosen for the next start in {path:?}: {error}; make the directory writable for the daemon"
    )]
    NotKept { path: PathBuf, error: io::Error },
    /// The file is not written yet.
    #[error(
        "what was chosen is not kept for the next start yet: writing {path:?} takes longer than {} ms; the lamps do not wait for it; check the disk or the SD card", .after.as_millis()
    )]
    Slow { path: PathBuf, after: Duration },
}

impl ChoiceFile {
    /// Reads what is known. With an error, everything counts as closed.
    pub(super) fn open(directory: Option<PathBuf>) -> (Self, Option<ChoiceFileError>) {
        let path = directory.as_deref().map(|directory| directory.join(FILE));
        let read = path.as_deref().map_or(Ok(Kept::default()), read);
        let (kept, error) = match read {
            Ok(kept) => (kept, None),
            Err(reason) => {
                let path = path.unwrap_or_default();
                (CLOSED, Some(ChoiceFileError::Forgotten { path, reason }))
            }
        };
        let disk = Disk { write: Arc::new(write), patience: PATIENCE };
        (Self { directory, kept, writing: None, stale: false, disk }, error)
    }

    /// What was chosen last, where anything was; what the configuration says, where nothing was.
    pub(super) fn recall(&self, configured: Choice) -> Choice {
        let Kept { camera_on, mic_live, attending } = self.kept;
        Choice {
            camera: configured.camera.map(|on| camera_on.unwrap_or(on)),
            mic: configured.mic.map(|live| mic_live.unwrap_or(live)),
            attending: attending.unwrap_or(configured.attending),
        }
    }

    /// Begins to keep a choice; [`ChoiceFile::next`] tells how that went. Of choices that wait for the disk only the
    /// last is written.
    pub(super) fn keep(&mut self, choice: Choice) {
        self.kept = Kept {
            camera_on: choice.camera.or(self.kept.camera_on),
            mic_live: choice.mic.or(self.kept.mic_live),
            attending: Some(choice.attending),
        };
        self.stale = true;
        self.write();
    }

    /// Whether a lamp that says closed has to wait, because the last choice is not kept yet.
    pub(super) fn is_awaited(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| !writing.late)
    }

    /// How a write went, or that it takes long; never resolves while there is none. Once written, a choice outlives
    /// the daemon's death; that it outlives a power cut takes the file system a moment longer. Can be dropped while
    /// it waits.
    pub(super) async fn next(&mut self) -> Result<(), ChoiceFileError> {
        let (Some(writing), Some(directory)) = (&mut self.writing, &self.directory) else {
            return pending().await;
        };
        let written = if writing.late {
            writing.job.done().await
        } else {
            match timeout_at(writing.due, writing.job.done()).await {
                Ok(written) => written,
                Err(_) => {
                    writing.late = true;
                    let (path, after) = (directory.join(FILE), self.disk.patience);
                    return Err(ChoiceFileError::Slow { path, after });
                }
            }
        };
        let path = directory.join(FILE);
        self.writing = None;
        self.write();
        written
            .unwrap_or_else(|lost| Err(io::Error::other(lost)))
            .map_err(|error| ChoiceFileError::NotKept { path, error })
    }

    fn write(&mut self) {
        if self.writing.is_some() || !std::mem::take(&mut self.stale) {
            return;
        }
        let Some(directory) = self.directory.clone() else { return };
        let (kept, write) = (self.kept, self.disk.write.clone());
        let job = Background::start("choice", move || write(&directory, kept));
        self.writing = Some(Writing { job, due: Instant::now() + self.disk.patience, late: false });
    }
}

fn read(path: &Path) -> Result<Kept, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes the file, or else empties it, which takes no room on a full disk: an older choice may be more open, and one that
/// is not known opens nothing.
fn write(directory: &Path, kept: Kept) -> io::Result<()> {
    let path = directory.join(FILE);
    replace(&directory.join("choice.json.new"), &path, kept).inspect_err(|_| {
        // Where there is none, or nothing can be written at all, there is nothing more to do.
        let _ = OpenOptions::new().write(true).truncate(true).open(path);
    })
}

/// Replaces the file as a whole, so that it is never half written.
fn replace(fresh: &Path, path: &Path, kept: Kept) -> io::Result<()> {
    let mut file = File::create(fresh)?;
    serde_json::to_writer(&mut file, &kept)?;
    file.write_all(b"\n")?;
    std::fs::rename(fresh, path)
}

#[cfg(test)]
impl ChoiceFile {
    /// The disk writes when the gate is open; the lamps wait so long for it.
    pub(super) fn be_slow(&mut self, gate: super::gate::Gate, patience: Duration) {
        let slow = move |directory: &Path, kept| {
            gate.pass();
            write(directory, kept)
        };
        self.disk = Disk { write: Arc::new(slow), patience };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::agent::gate::Gate;

    const OPEN: Choice = Choice { camera: Some(true), mic: Some(true), attending: true };
    const MUTED: Choice = Choice { mic: Some(false), ..OPEN };

    fn recalled(directory: &Path) -> Choice {
        let (file, error) = ChoiceFile::open(Some(directory.into()));
        assert!(error.is_none());
        file.recall(OPEN)
    }

    #[tokio::test]
    async fn what_was_chosen_outlives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, error) = ChoiceFile::open(Some(directory.path().into()));
        assert!(error.is_none());
        assert_eq!(file.recall(OPEN), OPEN, "the first time, the configuration decides");

        let choice = Choice { camera: Some(false), mic: Some(true), attending: false };
        file.keep(choice);
        file.next().await.unwrap();

        assert_eq!(recalled(directory.path()), choice);
    }

    #[tokio::test]
    async fn a_device_that_is_not_configured_for_a_while_keeps_its_choice() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, _) = ChoiceFile::open(Some(directory.path().into()));
        for choice in [MUTED, Choice { mic: None, ..OPEN }] {
            file.keep(choice);
            file.next().await.unwrap();
        }

        assert_eq!(recalled(directory.path()).mic, Some(false));
    }

    #[tokio::test]
    async fn of_choices_that_wait_for_the_disk_the_last_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let gate = Gate::default();
        let (mut file, _) = ChoiceFile::open(Some(directory.path().into()));
        file.be_slow(gate.clone(), Duration::from_secs(60));
        gate.close();

        let last = Choice { camera: Some(false), ..MUTED };
        for choice in [MUTED, OPEN, MUTED, last] {
            file.keep(choice);
            assert!(file.is_awaited());
        }
        gate.open();

        file.next().await.unwrap();
        assert_eq!(recalled(directory.path()), MUTED);
        assert!(file.is_awaited(), "the last choice is not kept yet");
        file.next().await.unwrap();
        assert_eq!(recalled(directory.path()), last);
        assert!(!file.is_awaited());
    }

    #[tokio::test]
    async fn a_disk_that_takes_too_long_is_told_of_once_and_not_awaited_and_gets_the_last_choice_when_it_is_back()
     {
        let directory = tempfile::tempdir().unwrap();
        let gate = Gate::default();
        let (mut file, _) = ChoiceFile::open(Some(directory.path().into()));
        file.be_slow(gate.clone(), Duration::from_millis(10));
        gate.close();

        file.keep(MUTED);
        let error = file.next().await.unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("longer than 10 ms"), "{error}");
        file.keep(OPEN);
        assert!(!file.is_awaited());
        let quiet = tokio::time::timeout(Duration::from_millis(100), file.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");

        file.disk.patience = PATIENCE;
        gate.open();
        file.next().await.unwrap();
        file.next().await.unwrap();
        assert_eq!(recalled(directory.path()), OPEN);
    }

    #[test]
    fn a_file_that_makes_no_sense_opens_nothing() {
        for nonsense in ["", "{", "{\"mic_live\": \"yes\"}", "[]", "{\"mic\": true}"] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(FILE), nonsense).unwrap();

            let (file, error) = ChoiceFile::open(Some(directory.path().into()));

            let choice = file.recall(OPEN);
            assert_eq!((choice.camera, choice.mic), (Some(false), Some(false)), "{nonsense:?}");
            assert!(error.unwrap().to_string().contains(FILE), "{nonsense:?}");
        }
    }

    #[tokio::test]
    async fn a_choice_that_cannot_be_written_leaves_no_older_one_that_is_more_open() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, _) = ChoiceFile::open(Some(directory.path().into()));
        file.keep(OPEN);
        file.next().await.unwrap();
        // In the way of the fresh file, as a full disk is of its contents.
        std::fs::create_dir(directory.path().join("choice.json.new")).unwrap();

        file.keep(MUTED);
        let error = file.next().await.unwrap_err().to_string();

        assert!(error.contains("cannot keep what was chosen"), "{error}");
        let (reopened, error) = ChoiceFile::open(Some(directory.path().into()));
        assert_eq!(reopened.recall(OPEN).mic, Some(false), "{error:?}");
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_is_named() {
        let (mut file, _) = ChoiceFile::open(Some("/proc/self".into()));
        file.keep(OPEN);
        let error = file.next().await.unwrap_err().to_string();
        assert!(error.contains("/proc/self/choice.json"), "{error}");
    }
}
