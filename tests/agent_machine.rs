//! The agent's laws, over arbitrary interleavings of what people, devices, the relay and time can do. A model of
//! the world carries out the machine's actions, tells the audience what it is to know, and checks after every step.
//! Whatever way out there is does the same things; what of them is pure runs here: the audience of a relay, and the tracks
//! of WebRTC, which never stop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use roomcam::agent::machine::{Action, Choice, Device, DeviceKind, Event, Machine, Seat};
use roomcam::media::{CaptureTime, Frame, Track};
use roomcam::panel::{Camera, Command, Mic, PanelState};
use roomcam::publish::mesh::Tracks;
use roomcam::publish::relay::audience::Service;
use roomcam::publish::relay::{Audience, LATE_JOIN_INTERVAL, LONGEST_SETTLING, LateJoinStrategy};
use roomcam::stream::{Origin, ReplayFrom};

#[derive(Debug, Clone)]
enum Step {
    Press(Command),
    Choose(DeviceKind, bool),
    Attend(bool),
    Reopen(DeviceKind),
    Equip(DeviceKind, Option<bool>),
    Rejoin,
    Level { dbfs: f64 },
    Deliver(DeviceKind),
    Fail(DeviceKind),
    Join { may_publish: bool, late_join: LateJoinStrategy },
    MayPublish(bool),
    LateJoin,
    OtherChanged { news: bool },
    OtherLeft,
    CardMoves,
    EndSession { refused: bool },
    Pass { millis: u64 },
}

fn which() -> impl Strategy<Value = DeviceKind> {
    prop_oneof![Just(DeviceKind::Camera), Just(DeviceKind::Mic)]
}

fn late_join() -> impl Strategy<Value = LateJoinStrategy> {
    use LateJoinStrategy::{Replay, Reset, Restart};
    prop_oneof![Just(Replay), Just(Reset), Just(Restart)]
}

fn command() -> impl Strategy<Value = Command> {
    use Command::{Leave, Mute, ToggleCamera, ToggleMic, Unmute};
    prop_oneof![
        4 => Just(ToggleMic), 4 => Just(ToggleCamera), 1 => Just(Unmute), 2 => Just(Mute), 1 => Just(Leave)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => command().prop_map(Step::Press),
        3 => (which(), any::<bool>()).prop_map(|(which, on)| Step::Choose(which, on)),
        1 => prop::bool::weighted(0.7).prop_map(Step::Attend),
        1 => which().prop_map(Step::Reopen),
        1 => (which(), prop::option::weighted(0.8, any::<bool>()))
            .prop_map(|(which, start)| Step::Equip(which, start)),
        1 => Just(Step::Rejoin),
        2 => (-80.0..0.0).prop_map(|dbfs| Step::Level { dbfs }),
        6 => which().prop_map(Step::Deliver),
        1 => which().prop_map(Step::Fail),
        3 => (prop::bool::weighted(0.8), late_join())
            .prop_map(|(may_publish, late_join)| Step::Join { may_publish, late_join }),
        1 => any::<bool>().prop_map(Step::MayPublish),
        2 => Just(Step::LateJoin),
        2 => any::<bool>().prop_map(|news| Step::OtherChanged { news }),
        1 => Just(Step::OtherLeft),
        1 => Just(Step::CardMoves),
        1 => any::<bool>().prop_map(|refused| Step::EndSession { refused }),
        6 => (0u64..8000).prop_map(|millis| Step::Pass { millis }),
    ]
}

/// What devices capture, and what is shown instead of a camera.
const CAPTURED: Bytes = Bytes::from_static(b"captured");
const BLACK: Bytes = Bytes::from_static(b"black");

/// A device as the world has it.
#[derive(Debug, Default, Clone, Copy)]
struct RealDevice {
    exists: bool,
    wanted: bool,
    open: bool,
    /// What the room was last told.
    told: bool,
    /// Whether its track carries it.
    carried: bool,
}

/// The world: it does what the machine says, and objects if that breaks a law.
#[derive(Debug)]
struct World {
    machine: Machine,
    audience: Audience,
    tracks: Tracks,
    began: Instant,
    now: Instant,
    camera: RealDevice,
    mic: RealDevice,
    joined: bool,
    connecting: bool,
    may_publish: bool,
    flowing: bool,
    /// Whether the people in the room want to be in the meeting.
    attending: bool,
    /// What they chose last.
    choice: Choice,
    /// What the daemon would begin with if it died now.
    remembered: Choice,
    /// Whether the way to the meeting is being changed.
    moving: bool,
    speaking: bool,
    /// What the lamps tell; `None` before they were first set.
    lamps: Option<PanelState>,
    /// Where the last flow of media began.
    last_origin: Option<Origin>,
    late_join: LateJoinStrategy,
    last_replay: Option<Instant>,
    /// What the room was told of the devices.
    announced: Vec<Action>,
}

impl World {
    fn new(camera: Option<bool>, mic: Option<bool>) -> Self {
        Self::with_choice(Choice { camera, mic, attending: true })
    }

    fn with_choice(choice: Choice) -> Self {
        let now = Instant::now();
        let Choice { camera, mic, attending } = choice;
        let device = |start: Option<bool>| RealDevice {
            exists: start.is_some(),
            wanted: start == Some(true),
            carried: start.is_some(),
            ..RealDevice::default()
        };
        let mut world = Self {
            machine: Machine::new(now, choice),
            audience: Audience::default(),
            tracks: Tracks::default(),
            began: now,
            now,
            camera: device(camera),
            mic: device(mic),
            joined: false,
            connecting: false,
            may_publish: true,
            flowing: false,
            attending,
            choice,
            remembered: choice,
            moving: false,
            speaking: false,
            lamps: None,
            last_origin: None,
            late_join: LateJoinStrategy::Replay,
            last_replay: None,
            announced: Vec::new(),
        };
        world.tell(Event::Tick);
        world
    }

    fn capture_time(&self) -> CaptureTime {
        CaptureTime::from_millis(60_000).after(self.now - self.began)
    }

    /// What the device captured goes into the tracks. Law 1: none of it leaves while a lamp says that none does.
    fn capture(&mut self, which: DeviceKind) {
        let track = match which {
            DeviceKind::Camera => Track::Video,
            DeviceKind::Mic => Track::Audio,
        };
        let frame =
            Frame { track, captured: self.capture_time(), key: true, droppable: false, data: CAPTURED };
        let left = self.tracks.carry(frame);
        assert_eq!(left.is_some(), self.device(which).carried, "of the {which:?}");
        let Some(lamps) = self.lamps.filter(|_| left.is_some()) else { return };
        match which {
            DeviceKind::Camera => {
                assert_ne!(lamps.camera, Camera::Off, "a picture behind a lamp that says off")
            }
            DeviceKind::Mic => assert_ne!(lamps.mic, Mic::Muted, "a voice behind a lamp that says muted"),
        }
    }

    /// What fills the tracks meanwhile was never captured.
    fn fill(&mut self) {
        while let Some(filler) = self.tracks.filler(self.capture_time()) {
            assert_ne!(filler.data, CAPTURED);
        }
    }

    fn device(&mut self, which: DeviceKind) -> &mut RealDevice {
        match which {
            DeviceKind::Camera => &mut self.camera,
            DeviceKind::Mic => &mut self.mic,
        }
    }

    fn tell(&mut self, event: Event) {
        self.machine.handle(event, self.now);
        while let Some(action) = self.machine.poll_action() {
            self.carry_out(action);
        }
        self.serve();
        self.check();
    }

    fn carry_out(&mut self, action: Action) {
        if matches!(action, Action::AnnounceCamera { .. } | Action::AnnounceMic { .. }) {
            self.announced.push(action);
        }
        match action {
            Action::Connect(presence) => {
                assert!(!self.connecting && !self.joined, "connects twice");
                self.connecting = true;
                self.camera.told = presence.has_video;
                self.mic.told = !presence.is_muted;
            }
            Action::Leave => {
                if !self.moving {
                    assert!(!self.attending, "leaves without having been asked to");
                    assert!(!self.camera.open && !self.mic.open, "leaves before the devices are closed");
                }
                (self.joined, self.connecting, self.speaking) = (false, false, false);
                self.last_replay = None;
                self.audience.left();
            }
            Action::Exit => panic!("ends without having been asked to"),
            Action::Remember(choice) => {
                assert_ne!(choice, self.remembered, "remembers what it knows");
                self.remembered = choice;
            }
            Action::ShowPanel(state) => {
                // Law 1, going quiet: nothing that is open, and nothing that is carried, when the lamp says so.
                assert!(state.mic != Mic::Muted || !(self.mic.open || self.flowing && self.mic.carried));
                assert!(
                    state.camera != Camera::Off || !(self.camera.open || self.flowing && self.camera.carried)
                );
                // Dying right now must not open what a lamp has just called closed.
                assert_eq!(
                    self.remembered,
                    self.remembered.no_more_open_than(self.choice),
                    "forgets a choice"
                );
                self.lamps = Some(state);
            }
            Action::AnnounceSpeaking { speaking } => {
                assert!(self.joined && self.speaking != speaking, "says what the room knows");
                self.speaking = speaking;
            }
            Action::AnnounceCamera { has_video } => {
                assert!(
                    self.joined && self.may_repeat(self.camera.told != has_video),
                    "says what the room knows"
                );
                self.camera.told = has_video;
                self.audience.detach();
            }
            Action::AnnounceMic { is_muted } => {
                assert!(
                    self.joined && self.may_repeat(self.mic.told == is_muted),
                    "says what the room knows"
                );
                self.mic.told = !is_muted;
                self.audience.detach();
            }
            Action::JoinAgain(presence) => {
                assert!(self.joined && self.late_join == LateJoinStrategy::Restart);
                assert_eq!((presence.has_video, presence.is_muted), (self.camera.told, !self.mic.told));
                self.announced.push(action);
                self.audience.detach();
            }
            Action::Open(which) => {
                // Law 1, going live: the lamp no longer says "muted" or "off" when the device opens.
                let lamps = self.lamps.expect("the lamps are set before anything opens");
                match which {
                    DeviceKind::Camera => assert_ne!(lamps.camera, Camera::Off, "the lamp lies"),
                    DeviceKind::Mic => assert_ne!(lamps.mic, Mic::Muted, "the lamp lies"),
                }
                let device = self.device(which);
                assert!(device.exists && device.wanted, "opens the {which:?} though nobody wants it");
                assert!(!std::mem::replace(&mut device.open, true), "opens the {which:?} twice");
            }
            Action::Close(which) | Action::GiveUp(which) => {
                let device = self.device(which);
                assert!(std::mem::replace(&mut device.open, false), "closes the {which:?} twice");
            }
            Action::ShowCamera | Action::HearMicrophone => {
                let which = if action == Action::ShowCamera { DeviceKind::Camera } else { DeviceKind::Mic };
                let joined = self.joined;
                let device = self.device(which);
                assert!(!device.carried && device.open);
                assert!(device.told || !joined, "media before the state event");
                device.carried = true;
                match which {
                    DeviceKind::Camera => self.tracks.show_camera(),
                    DeviceKind::Mic => self.tracks.hear_microphone(),
                }
            }
            Action::ShowBlack => {
                self.camera.carried = false;
                self.tracks.show_black(Some(BLACK), self.capture_time());
            }
            Action::HearSilence => {
                self.mic.carried = false;
                self.tracks.hear_silence(self.capture_time());
            }
            Action::StartMedia => {
                self.last_origin = Some(self.audience.start(self.now).origin);
                assert!(!std::mem::replace(&mut self.flowing, true), "starts twice");
                assert!(self.joined && self.may_publish, "publishes without a seat");
            }
            Action::StopMedia { seat_lost } => {
                assert!(std::mem::replace(&mut self.flowing, false), "stops twice");
                assert_eq!(seat_lost, self.joined && !self.may_publish);
                self.audience.stop(self.now);
            }
        }
    }

    /// Does what the receivers need, and objects if they do not need it.
    fn serve(&mut self) {
        while let Some(service) = self.audience.poll(self.now) {
            assert!(self.flowing && self.joined);
            match service {
                Service::Restart { hold } => {
                    assert!(
                        self.late_join != LateJoinStrategy::Replay,
                        "clients that jump need no new timeline"
                    );
                    assert!(hold <= LONGEST_SETTLING, "nothing is sent for {hold:?}");
                    self.last_origin = Some(Origin::Zero);
                }
                Service::Replay(from) => {
                    if self.late_join == LateJoinStrategy::Replay {
                        assert_eq!(from, ReplayFrom::KeyFrame);
                        let early = self.last_replay.is_some_and(|last| self.now - last < LATE_JOIN_INTERVAL);
                        assert!(!early, "replays come close together");
                    } else {
                        assert_eq!(from, ReplayFrom::Start);
                    }
                    self.last_replay = Some(self.now);
                }
            }
        }
    }

    /// Whether a state may be announced: if it is news, or where newcomers are told what the relay heard at our join.
    fn may_repeat(&self, news: bool) -> bool {
        news || self.late_join == LateJoinStrategy::Restart
    }

    /// What must hold whenever the machine is at rest.
    fn check(&mut self) {
        self.fill();
        for which in [DeviceKind::Camera, DeviceKind::Mic] {
            let device = *self.device(which);
            assert!(device.open || !matches!(self.machine.device(which), Device::Live { .. }));
            assert!(device.wanted || !device.open, "the {which:?} is open though nobody wants it");
            assert!(!device.open || self.may_publish || !self.joined, "captures without the seat");
            assert!(device.wanted || !device.carried, "the {which:?} is carried though nobody wants it");
            if self.joined && !device.told {
                assert!(!device.carried, "the room was told that the {which:?} is off, and it is carried");
            }
        }
        if !self.camera.open && !self.mic.open {
            assert!(!self.flowing, "sends with both devices off");
        }
        assert!(!self.flowing || (self.joined && self.may_publish));
        assert_eq!(self.remembered, self.choice, "what was chosen outlives a restart");
        assert_eq!(self.lamps, Some(self.machine.panel_state()), "the lamps tell what is");
        assert!(self.attending || !(self.camera.open || self.mic.open), "captures outside the meeting");
        assert_eq!(self.flowing, self.machine.is_flowing());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Press(command) => self.press(command),
            Step::Choose(which, on) => {
                self.chose(which, on);
                self.tell(Event::Choose(which, on));
            }
            Step::Attend(attending) => {
                self.attends(attending);
                self.tell(if attending { Event::Join } else { Event::Leave });
            }
            Step::Reopen(which) => self.tell(Event::Reopen(which)),
            Step::Equip(which, start) => {
                self.device(which).exists = start.is_some();
                self.chose(which, start == Some(true));
                self.tell(Event::Equip(which, start));
            }
            Step::Rejoin => {
                self.moving = true;
                self.tell(Event::Rejoin);
                self.moving = false;
                assert!(!self.joined, "stays in the old room");
                assert!(self.connecting || !self.attending, "does not go to the new one");
            }
            Step::Level { dbfs } => {
                if self.mic.open {
                    self.tell(Event::Level { dbfs });
                }
            }
            Step::Deliver(which) => {
                if self.device(which).open {
                    self.tell(Event::Frame(which));
                    self.capture(which);
                }
            }
            Step::Fail(which) => {
                if std::mem::take(&mut self.device(which).open) {
                    self.tell(Event::Failed(which));
                }
            }
            Step::Join { may_publish, late_join } => self.join(may_publish, late_join),
            Step::MayPublish(may_publish) => {
                if self.joined {
                    self.may_publish = may_publish;
                    self.tell(Event::MayPublish(may_publish));
                }
            }
            Step::LateJoin => {
                self.audience.late_join(self.now);
                self.tell(Event::LateJoin);
            }
            Step::CardMoves => self.tell(Event::CardMoved),
            Step::OtherChanged { news } => {
                self.audience.detach();
                self.tell(Event::OtherChanged { news });
            }
            Step::OtherLeft => {
                self.audience.detach();
                self.serve();
            }
            Step::EndSession { refused } => {
                if self.joined || self.connecting {
                    (self.joined, self.connecting) = (false, false);
                    self.last_replay = None;
                    self.speaking = false;
                    self.audience.left();
                    self.tell(Event::SessionEnded { refused, random: 0.5 });
                }
            }
            Step::Pass { millis } => self.pass(Duration::from_millis(millis)),
        }
    }

    fn press(&mut self, command: Command) {
        match command {
            Command::ToggleCamera => self.chose(DeviceKind::Camera, !self.camera.wanted),
            Command::ToggleMic => self.chose(DeviceKind::Mic, !self.mic.wanted),
            // Held, the button opens the microphone, and nobody chose that for longer.
            Command::Unmute => self.mic.wanted = self.mic.exists,
            Command::Mute => self.chose(DeviceKind::Mic, false),
            Command::Leave => self.attends(!self.attending),
        }
        self.tell(Event::Press(command));
    }

    fn chose(&mut self, which: DeviceKind, on: bool) {
        let device = self.device(which);
        device.wanted = device.exists && on;
        let chosen = device.exists.then_some(device.wanted);
        match which {
            DeviceKind::Camera => self.choice.camera = chosen,
            DeviceKind::Mic => self.choice.mic = chosen,
        }
    }

    fn attends(&mut self, attending: bool) {
        self.attending = attending;
        self.choice.attending = attending;
    }

    fn join(&mut self, may_publish: bool, late_join: LateJoinStrategy) {
        if std::mem::take(&mut self.connecting) {
            (self.joined, self.may_publish, self.late_join) = (true, may_publish, late_join);
            self.audience.joined(late_join, self.now);
            let first_generation = late_join == LateJoinStrategy::Restart;
            self.tell(Event::Joined { may_publish, first_generation });
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.machine.poll_timeout(), self.audience.poll_timeout()].into_iter().flatten().min()
    }

    /// Time passes, and the machine is woken when it asked to be.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.tell(Event::Tick);
            let next = self.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "asks to be woken for what is past");
        }
        self.now = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_and_what_is_wanted_is_reached_once_faults_stop(
        camera in prop::option::of(any::<bool>()),
        mic in prop::option::of(any::<bool>()),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new(camera, mic);
        for step in steps {
            world.step(step);
        }

        if !world.attending {
            world.step(Step::Attend(true));
        }
        // From here on everything works: devices deliver when open, the relay takes the join.
        for _ in 0..400 {
            world.join(true, LateJoinStrategy::Replay);
            if world.joined && !world.may_publish {
                world.step(Step::MayPublish(true));
            }
            world.step(Step::Deliver(DeviceKind::Camera));
            world.step(Step::Deliver(DeviceKind::Mic));
            world.pass(Duration::from_millis(100));
        }
        for which in [DeviceKind::Camera, DeviceKind::Mic] {
            let device = *world.device(which);
            prop_assert_eq!(device.open, device.wanted, "{:?}", which);
            prop_assert_eq!(device.told, device.wanted, "{:?}", which);
            prop_assert_eq!(device.carried, device.wanted, "{:?}", which);
        }
        let seated = matches!(world.machine.seat(), Seat::Joined { may_publish: true, .. });
        prop_assert!(seated);
        prop_assert_eq!(world.flowing, world.camera.wanted || world.mic.wanted);
    }
}

#[test]
fn a_burst_of_late_joiners_is_served_together() {
    let mut world = World::new(Some(true), Some(true));
    world.join(true, LateJoinStrategy::Replay);
    world.step(Step::Deliver(DeviceKind::Camera));
    let mut served = Vec::new();
    for _ in 0..30 {
        world.step(Step::LateJoin);
        world.step(Step::Deliver(DeviceKind::Camera));
        world.pass(Duration::from_millis(100));
        served.extend(world.last_replay);
    }
    served.dedup();
    assert_eq!(served.len(), 6, "in three seconds");
}

/// A world in which everybody has a client of the first generation, and whose camera and microphone deliver.
fn first_generation() -> World {
    let mut world = World::new(Some(true), Some(true));
    world.join(true, LateJoinStrategy::Restart);
    world.step(Step::Deliver(DeviceKind::Camera));
    world.step(Step::Deliver(DeviceKind::Mic));
    world.pass(Duration::from_secs(4));
    world.step(Step::Deliver(DeviceKind::Camera));
    world.step(Step::Deliver(DeviceKind::Mic));
    world.last_origin = None;
    world
}

#[test]
fn clients_of_the_first_generation_get_a_new_timeline_whenever_a_participant_changes() {
    for step in [
        Step::LateJoin,
        Step::OtherLeft,
        Step::OtherChanged { news: false },
        Step::Choose(DeviceKind::Mic, false),
        Step::Choose(DeviceKind::Camera, false),
    ] {
        let mut world = first_generation();
        world.step(step.clone());
        assert_eq!(world.last_origin, Some(Origin::Zero), "{step:?}");
        world.last_replay = None;
        world.pass(Duration::from_millis(350));
        assert!(world.last_replay.is_some(), "{step:?}: replayed for those who were not ready");
    }
}

#[test]
fn the_room_is_joined_again_when_the_agents_card_has_moved() {
    let mut world = first_generation();
    world.announced.clear();

    world.step(Step::CardMoves);

    assert!(matches!(world.announced[..], [Action::JoinAgain(_)]), "{:?}", world.announced);
    assert_eq!(world.last_origin, Some(Origin::Zero));
}

#[test]
fn whoever_changes_its_own_state_hears_of_ours() {
    let mut world = first_generation();
    let ours = [Action::AnnounceMic { is_muted: false }];
    world.announced.clear();
    world.step(Step::OtherChanged { news: true });
    assert_eq!(world.announced, ours);

    world.announced.clear();
    world.step(Step::OtherChanged { news: false });
    assert!(world.announced.is_empty(), "another agent that answers is not answered");
    world.step(Step::OtherChanged { news: true });
    assert_eq!(world.announced, ours, "the next change is");

    world.announced.clear();
    for _ in 0..5 {
        world.pass(Duration::from_secs(1));
        world.step(Step::Deliver(DeviceKind::Camera));
        world.step(Step::Deliver(DeviceKind::Mic));
    }
    world.step(Step::OtherChanged { news: false });
    assert_eq!(world.announced, ours, "a newcomer says how its devices are");
}

#[test]
fn newcomers_of_the_first_generation_are_told_what_has_changed_since_the_join() {
    let mut world = first_generation();
    world.step(Step::Choose(DeviceKind::Camera, false));
    world.announced.clear();

    world.step(Step::LateJoin);

    assert_eq!(world.announced, [Action::AnnounceCamera { has_video: false }]);
}

#[test]
fn newer_clients_keep_their_timeline_whatever_others_do() {
    let mut world = World::new(Some(true), Some(true));
    world.join(true, LateJoinStrategy::Replay);
    world.step(Step::Deliver(DeviceKind::Camera));
    world.step(Step::Deliver(DeviceKind::Mic));
    world.last_origin = None;
    world.announced.clear();
    world.step(Step::OtherLeft);
    world.step(Step::OtherChanged { news: true });
    assert!(world.announced.is_empty());
    world.step(Step::LateJoin);
    world.step(Step::Choose(DeviceKind::Mic, false));
    world.pass(Duration::from_secs(3));
    assert_eq!(world.last_origin, None);
}

#[test]
fn a_camera_that_delivers_nothing_for_five_seconds_is_closed_and_tried_again() {
    let mut world = World::new(Some(true), Some(true));
    world.join(true, LateJoinStrategy::Replay);
    world.step(Step::Deliver(DeviceKind::Camera));
    world.step(Step::Deliver(DeviceKind::Mic));
    assert!(world.camera.open && world.camera.told);

    for _ in 0..51 {
        world.pass(Duration::from_millis(100));
        world.step(Step::Deliver(DeviceKind::Mic));
    }
    assert!(!world.camera.open && !world.camera.told && !world.camera.carried);
    assert!(world.mic.open && world.flowing, "the voice goes on");

    for _ in 0..21 {
        world.pass(Duration::from_millis(100));
        world.step(Step::Deliver(DeviceKind::Mic));
    }
    assert!(world.camera.open, "tried again after two seconds");
    assert!(!world.camera.told, "the room hears of it when a picture is there");
    world.step(Step::Deliver(DeviceKind::Camera));
    assert!(world.camera.told && world.camera.carried);
}

#[test]
fn a_button_pressed_while_the_relay_is_away_works_the_same_and_is_told_at_the_join() {
    let mut world = World::new(Some(true), Some(true));
    world.step(Step::Deliver(DeviceKind::Camera));
    world.step(Step::Deliver(DeviceKind::Mic));

    world.press(Command::ToggleMic);

    assert!(!world.mic.open, "the device follows at once");
    assert_eq!(world.lamps.map(|lamps| lamps.mic), Some(Mic::Muted), "and so does the lamp");
    world.join(true, LateJoinStrategy::Replay);
    assert!(!world.mic.told, "the room hears of it at the join");
}

#[test]
fn nobody_far_away_turns_a_microphone_on() {
    let mut world = World::new(Some(true), Some(false));
    world.join(true, LateJoinStrategy::Replay);
    for may_publish in [false, true] {
        world.step(Step::MayPublish(may_publish));
        world.step(Step::LateJoin);
    }
    assert!(!world.mic.open);
    assert_eq!(world.lamps.map(|lamps| lamps.mic), Some(Mic::Muted));
}

#[test]
fn who_left_before_a_restart_stays_out_after_it_until_somebody_comes_back() {
    let mut world = World::with_choice(Choice { camera: Some(true), mic: Some(true), attending: false });
    assert!(!world.connecting && !world.camera.open && !world.mic.open);

    world.step(Step::Attend(true));
    assert!(world.connecting && world.camera.open && world.mic.open);
}

#[test]
fn a_server_that_says_when_is_not_tried_before() {
    let now = Instant::now();
    let mut machine = Machine::new(now, Choice { camera: Some(true), mic: Some(true), attending: true });
    machine.handle(Event::Tick, now);
    machine.handle(Event::SessionEnded { refused: false, random: 0.5 }, now);
    for seconds in [60, 1] {
        machine.handle(Event::NotBefore(Duration::from_secs(seconds)), now);
        assert_eq!(machine.seat(), Seat::Away { retry: now + Duration::from_secs(60) });
    }
}

#[test]
fn a_microphone_opened_by_push_to_talk_is_muted_after_a_restart() {
    let mut world = World::new(Some(true), Some(false));
    world.press(Command::Unmute);
    assert!(world.mic.open);
    assert_eq!(world.remembered.mic, Some(false));
}

#[test]
fn a_device_with_new_settings_is_opened_again_and_the_room_hears_nothing_of_it() {
    let mut world = World::new(Some(true), Some(true));
    world.join(true, LateJoinStrategy::Replay);
    world.step(Step::Deliver(DeviceKind::Camera));
    world.step(Step::Deliver(DeviceKind::Mic));

    world.step(Step::Reopen(DeviceKind::Camera));

    assert!(world.camera.open && world.camera.told && !world.camera.carried, "black until its first picture");
    assert!(world.mic.carried && world.flowing, "the voice goes on");
    world.step(Step::Deliver(DeviceKind::Camera));
    assert!(world.camera.carried);
}

#[test]
fn after_a_pause_that_leaves_viewers_dry_they_are_made_to_jump_and_otherwise_not() {
    let origin_after = |pause: u64, late_join| {
        let mut world = World::new(Some(true), Some(false));
        world.join(true, late_join);
        world.step(Step::Deliver(DeviceKind::Camera));
        world.press(Command::ToggleCamera);
        world.pass(Duration::from_millis(pause));
        world.press(Command::ToggleCamera);
        world.last_origin
    };
    assert_eq!(origin_after(1000, LateJoinStrategy::Replay), Some(Origin::LeadIn));
    assert_eq!(origin_after(100, LateJoinStrategy::Replay), Some(Origin::Continue));
    assert_eq!(
        origin_after(1000, LateJoinStrategy::Restart),
        Some(Origin::Zero),
        "old clients do not jump, and have thrown away what they had"
    );
}
