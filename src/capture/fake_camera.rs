//! A camera in a test's hands: it opens when the test lets it, delivers when the test lets it, and refuses a second
//! opener, as V4L2 devices do. Its pictures are 160x120 at 30 fps,
//! whatever is asked for.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "GStreamer's subclassing macros; a test fails by panicking"
)]

use std::collections::HashMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use super::{CameraSettings, Profile};

/// The profile that opens it, and a microphone that works.
pub(crate) const PROFILE: &str = r#"
description = "a camera in a test's hands"
[video]
source = "fakecamera name={device}"
encoder = "vp8enc name=encoder deadline=1 cpu-used=8 lag-in-frames=0"
codec = "vp8"
bitrate_property = "target-bitrate"
[audio]
source = "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1"
encoder = "opusenc name=encoder frame-size=20"
bitrate_property = "bitrate"
"#;

/// The cameras of all tests, by the name of their element.
static CAMERAS: LazyLock<Mutex<HashMap<String, Arc<Camera>>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Camera {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Opening does not return.
    hangs: bool,
    /// It opens and delivers nothing.
    withholds: bool,
    open: bool,
    attempts: usize,
    refusals: usize,
}

impl Camera {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Takes the device, or says that somebody has it.
    fn open(&self) -> bool {
        let mut state = self.state();
        state.attempts += 1;
        if state.open {
            state.refusals += 1;
            return false;
        }
        state.open = true;
        drop(self.changed.wait_while(state, |state| state.hangs).unwrap());
        true
    }
}

/// One camera; dropped, it lets go of every thread.
#[derive(Debug)]
pub(crate) struct FakeCamera {
    name: String,
    camera: Arc<Camera>,
}

impl FakeCamera {
    /// A camera that works. No other test may have one of this name.
    pub(crate) fn new(name: &str) -> Self {
        super::init().unwrap();
        gst::Element::register(None, "fakecamera", gst::Rank::NONE, Element::static_type()).unwrap();
        let camera = Arc::new(Camera::default());
        let before = CAMERAS.lock().unwrap().insert(name.to_owned(), camera.clone());
        assert!(before.is_none(), "two cameras are called {name}");
        Self { name: name.to_owned(), camera }
    }

    pub(crate) fn profile() -> Profile {
        Profile::parse("fake", PROFILE).unwrap()
    }

    pub(crate) fn settings(&self) -> CameraSettings {
        CameraSettings { device: self.name.clone(), width: 160, height: 120, fps: 30, bitrate: 300_000 }
    }

    /// Whether opening it returns from now on.
    pub(crate) fn hang(&self, hangs: bool) {
        self.camera.state().hangs = hangs;
        self.camera.changed.notify_all();
    }

    /// Whether it delivers pictures from now on.
    pub(crate) fn withhold(&self, withholds: bool) {
        self.camera.state().withholds = withholds;
    }

    /// Whether somebody has it open, or is about to.
    pub(crate) fn is_open(&self) -> bool {
        self.camera.state().open
    }

    /// How often somebody tried to open it.
    pub(crate) fn attempts(&self) -> usize {
        self.camera.state().attempts
    }

    /// How often somebody tried while somebody had it.
    pub(crate) fn refusals(&self) -> usize {
        self.camera.state().refusals
    }
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        self.hang(false);
    }
}

glib::wrapper! {
    pub(crate) struct Element(ObjectSubclass<element::Element>) @extends gst::Bin, gst::Element, gst::Object;
}

mod element {
    use super::*;

    #[derive(Debug, Default)]
    pub(crate) struct Element;

    #[glib::object_subclass]
    impl ObjectSubclass for Element {
        const NAME: &'static str = "RoomcamFakeCamera";
        type Type = super::Element;
        type ParentType = gst::Bin;
    }

    impl Element {
        fn camera(&self) -> Arc<Camera> {
            CAMERAS.lock().unwrap().get(self.obj().name().as_str()).unwrap().clone()
        }

        /// The camera's test picture, and the pad where it comes out.
        fn fill(&self) {
            let text = "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=30/1 \
                        ! identity";
            let source = gst::parse::bin_from_description(text, true).unwrap();
            let out = source.static_pad("src").unwrap();
            let camera = self.camera();
            out.add_probe(gst::PadProbeType::BUFFER, move |_, _| match camera.state().withholds {
                true => gst::PadProbeReturn::Drop,
                false => gst::PadProbeReturn::Ok,
            });
            self.obj().add(&source).unwrap();
            self.obj().add_pad(&gst::GhostPad::with_target(&out).unwrap()).unwrap();
        }
    }

    impl ObjectImpl for Element {}
    impl GstObjectImpl for Element {}
    impl BinImpl for Element {}

    impl ElementImpl for Element {
        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let caps = gst::Caps::new_any();
                vec![
                    gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Sometimes, &caps)
                        .unwrap(),
                ]
            });
            &TEMPLATES
        }

        fn change_state(
            &self,
            transition: gst::StateChange,
        ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
            if transition == gst::StateChange::NullToReady {
                if !self.camera().open() {
                    gst::element_error!(self.obj(), gst::ResourceError::Busy, ["somebody has it"]);
                    return Err(gst::StateChangeError);
                }
                self.fill();
            }
            let changed = self.parent_change_state(transition);
            if transition == gst::StateChange::ReadyToNull {
                self.camera().state().open = false;
            }
            changed
        }
    }
}
